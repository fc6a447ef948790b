"""A whole call but its media: a session, a scripted engine in memory, and a caller leg that a test drives."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from agents.models.interface import Model

from moderation_rig import ListModel
from rtbridge.agents.scenario import Scenario, load_scenario
from rtbridge.core import journal, pcm
from rtbridge.core.leg import Hear, LegEvent, LegGone, LegMessage, LegUp, Pull
from rtbridge.engine.memory import MemoryUpstream
from rtbridge.engine.parts import Act, Turn
from rtbridge.session import Session
from rtbridge.settings import Settings
from rtbridge.upstream.port import Capabilities
from scripted_engine import numbered_ids, scripted

AGENTS = '''"""Two desks."""

from agents import function_tool
from agents.realtime import RealtimeAgent


@function_tool
def look_up(order: str) -> str:
    """Look an order up."""
    if order == "bad":
        raise RuntimeError("secret inside")
    return f"{order} is on its way"


billing = RealtimeAgent(name="billing", instructions="You are billing.", tools=[look_up])
front = RealtimeAgent(name="front", instructions="You are the front desk.", tools=[look_up], handoffs=[billing])
start = front
'''


def scenario_in(folder: Path, agents: str = AGENTS, *, guarded: bool = False) -> Scenario:
    """Write a scenario of two agents with a tool and load it; `guarded`, what is said in it is moderated."""
    if not guarded and "\nguardrails" not in agents:
        agents += "\nguardrails = []\n"
    home = folder / "desks"
    home.mkdir(exist_ok=True)
    (home / "agents.py").write_text(agents)
    return load_scenario(home)


def listed(_name: str) -> Model:
    """Return a text model that judges by the engine's list, at once."""
    return ListModel()


@dataclass
class TestLeg:
    """A caller leg whose every 20 ms is the test's."""

    __test__ = False
    rtt_ms: float = 0.0
    wire_ms: float = 0.0
    closed: bool = False
    told: list[dict[str, Any]] = field(default_factory=list)
    heard: bytearray = field(default_factory=bytearray)

    def __post_init__(self) -> None:
        self.inbox: asyncio.Queue[LegEvent] = asyncio.Queue()

    def attach(self, *, pull: Pull, hear: Hear) -> None:
        self.pull, self.hear = pull, hear

    async def events(self) -> AsyncIterator[LegEvent]:
        while True:
            event = await self.inbox.get()
            yield event
            if isinstance(event, LegGone):
                return

    def send(self, text: str) -> None:
        assert not self.closed
        self.told.append(json.loads(text))

    def stats(self) -> dict[str, float]:
        return {}

    async def close(self) -> None:
        self.closed = True

    def say(self, event: dict[str, Any]) -> None:
        self.inbox.put_nowait(LegMessage(json.dumps(event)))

    async def pass_ms(self, ms: int, audio: bytes = b"") -> None:
        """Let time pass in 20 ms frames, saying `audio`."""
        for at in range(0, ms // pcm.FRAME_MS * pcm.FRAME_BYTES, pcm.FRAME_BYTES):
            await asyncio.sleep(pcm.FRAME_MS / 1000)
            if self.closed:
                return
            self.heard += self.pull(pcm.FRAME_SAMPLES)
            self.hear(audio[at : at + pcm.FRAME_BYTES].ljust(pcm.FRAME_BYTES, b"\0"))

    def events_told(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.told if event["type"] == kind]


class CallRig:
    """One call; `async with` runs its session."""

    def __init__(
        self,
        scenario: Scenario,
        answer: Callable[[Turn], Iterable[Act]],
        *,
        agent: str | None = None,
        is_engine: bool = True,
        text_model: Callable[[str], Model] | None = listed,
        make_upstream: Callable[..., MemoryUpstream[Capabilities]] = MemoryUpstream[Capabilities],
        wish: Mapping[str, Any] = MappingProxyType({}),
        settings: Settings | None = None,
        **parts: Any,
    ) -> None:
        ids = numbered_ids()
        self.leg = TestLeg()
        self.journal: list[tuple[int, journal.Entry]] = []
        self.upstream = make_upstream(
            scripted(answer, **parts),
            capabilities=Capabilities(is_engine=is_engine, word_times=True),
            new_id=ids,
        )
        self.session = Session(
            call_id="rtc_1",
            scenario=scenario,
            agent=agent or scenario.start,
            leg=self.leg,
            upstream=self.upstream,
            settings=settings or Settings(max_call_s=60),
            record=lambda call_id, at_ms, entry: self.journal.append((at_ms, entry)),
            new_id=ids,
            text_model=text_model,
            wish=wish,
        )

    async def __aenter__(self) -> CallRig:
        self._run = asyncio.get_running_loop().create_task(self.session.run())
        self.leg.inbox.put_nowait(LegUp())
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.leg.inbox.put_nowait(LegGone("the caller hung up"))
        await self._run

    async def ended(self) -> str:
        """Return why the call ended, once it has."""
        return await self._run

    def entries(self, *kinds: type[journal.Entry]) -> list[Any]:
        return [entry for _, entry in self.journal if isinstance(entry, kinds)]
