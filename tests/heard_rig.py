"""Who said what, heard in the caller's ear: a voice that gives every utterance a sample value of its own.

What an agent says becomes audio of one constant level, the number of the utterance, so that the bytes a caller's leg
pulled tell, sample by sample, whose words they are. The wire makes audio no faster than a given multiple of real time,
and everything it brings is a while on its way.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from rtbridge.core import pcm
from rtbridge.engine.connection import Connection
from rtbridge.engine.memory import MemoryClient, MemoryUpstream, MemoryWire
from rtbridge.engine.parts import EngineParts, Spoken, Turn
from rtbridge.errors import Closed
from rtbridge.upstream.port import Capabilities

WORD_SAMPLES: Final = pcm.samples_of_ms(240)
GOES_ON: Final = "goes on"
LOST: Final = "lost"
REFUSED: Final = "refused by the schedule"
SPOKEN_BY: Final = " :: "  # an utterance's text begins with its number


@dataclass(frozen=True)
class Utterance:
    """One `Say` of the model."""

    number: int
    agent: str
    text: str
    at_ms: int
    aside: bool
    barred: bool = False  # said after a handoff was called in the same response: nobody may hear it
    context: frozenset[str] = frozenset()  # the items that the model saw


@dataclass
class Utterances:
    """All of a call, by number."""

    said: dict[int, Utterance] = field(default_factory=dict)

    def add(self, turn: Turn, text: str, *, at_ms: int, barred: bool = False) -> str:
        """Note an utterance; return the text that makes the voice speak it recognizably."""
        number = len(self.said) + 1
        self.said[number] = Utterance(
            number, agent_of(turn), text, at_ms, is_aside(turn), barred, frozenset(ids_of(turn))
        )
        return f"{number}{SPOKEN_BY}{text}"


def agent_of(turn: Turn) -> str:
    """The agent whose session the model answered in."""
    return str(turn.prompt_id).partition("/")[2]


def is_aside(turn: Turn) -> bool:
    """Whether the model was asked for a word beside the conversation."""
    return (turn.response_instructions or "").startswith("Say exactly this")


def ids_of(turn: Turn) -> list[str]:
    return [str(item["id"]) for item in turn.items]


class NumberedVoice:
    """240 ms a word, at the level that is the utterance's number."""

    def speak(self, text: str, *, voice: str, speed: float) -> Iterator[Spoken]:
        number, _, words = text.partition(SPOKEN_BY)
        pieces = [f"{number}{SPOKEN_BY}", *(word + " " for word in words.split())]
        starts = [0, *(index * WORD_SAMPLES for index in range(len(pieces) - 1))]
        audio = np.full(WORD_SAMPLES * (len(pieces) - 1), int(number), "<i2").tobytes()
        yield Spoken(audio, tuple(zip(pieces, starts, strict=True)))


@dataclass(frozen=True)
class Run:
    """A stretch of one level in the caller's ear; level 0 is silence."""

    level: int
    start_ms: float
    end_ms: float


def runs(heard: bytes | bytearray) -> list[Run]:
    """Cut what was heard where it changes."""
    samples = np.frombuffer(bytes(heard), "<i2")
    if not len(samples):
        return []
    cuts = [0, *(np.flatnonzero(np.diff(samples)) + 1).tolist(), len(samples)]
    return [
        Run(int(samples[start]), start / pcm.RATE * 1000, end / pcm.RATE * 1000)
        for start, end in itertools.pairwise(cuts)
    ]


class PacedWire(MemoryWire):
    """The engine's end of a duplex: audio takes its time to be made, every frame its time to arrive."""

    def __init__(self, inner: MemoryWire, *, speedup: float, think_ms: int, lag_ms: int) -> None:
        super().__init__(inner._inbound, inner._outbound)
        self.speedup, self.think_ms, self.lag_ms = speedup, think_ms, lag_ms
        self.hurry = asyncio.Event()
        self._under_way: deque[str] = deque()

    async def send(self, frame: str) -> None:
        event = json.loads(frame)
        if event["type"] == "response.output_audio.delta":
            made = pcm.ms_of_samples(pcm.samples_of(base64.b64decode(event["delta"])))
            await self._take(made / 1000 / self.speedup)
        elif event["type"] == "response.output_item.added":
            await self._take(self.think_ms / 1000)
        elif event["type"] == "response.done":
            self.hurry.clear()
        if self._outbound._closed:
            raise Closed("the wire is closed")
        self.bring(frame)

    async def _take(self, seconds: float) -> None:
        """Take so long, or until a cancellation ends what is being made."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.hurry.wait()

    def bring(self, frame: str) -> None:
        """Let a frame arrive after the lag, behind all that is under way: equal timers fire in no order."""
        self._under_way.append(frame)
        asyncio.get_running_loop().call_later(self.lag_ms / 1000, self._arrive)

    def _arrive(self) -> None:
        frame = self._under_way.popleft()
        if not self._outbound._closed:
            self._outbound._frames.append(frame)
            self._outbound._readable.set()


@dataclass
class Wired:
    """One event of the wire, as the bridge sent or got it."""

    at_ms: int
    event: dict[str, Any]


class WatchedUpstream(MemoryUpstream[Capabilities]):
    """The engine behind a paced wire; keeps both directions and may lose or refuse what it is sent."""

    def __init__(
        self,
        parts: EngineParts,
        *,
        new_id: Callable[[str], str],
        capabilities: Capabilities | None = None,
        speedup: float = 6.0,
        think_ms: int = 0,
        lag_ms: int = 0,
        mood: Callable[[Mapping[str, Any]], str] = lambda event: GOES_ON,
    ) -> None:
        """`mood` returns what becomes of a client event: GOES_ON, LOST, or the code of the error that refuses it."""
        capabilities = capabilities or Capabilities(is_engine=True, word_times=True)
        super().__init__(parts, capabilities=capabilities, new_id=new_id, model="engine")
        self._pace = (speedup, think_ms, lag_ms)
        self._mood = mood
        self.sent: list[Wired] = []
        self.got: list[Wired] = []
        self.faults: list[str] = []  # what the bridge did that no bridge may do
        self.refused: set[str] = set()  # event ids that were refused on purpose
        self._user_speaks = False
        self._unacked = 0

    @property
    def now_ms(self) -> int:
        return round(asyncio.get_running_loop().time() * 1000)

    async def connect(self) -> None:
        near, far = MemoryWire.pair()
        speedup, think_ms, lag_ms = self._pace
        self._paced = paced = PacedWire(far, speedup=speedup, think_ms=think_ms, lag_ms=lag_ms)
        connection = Connection(paced, self._parts, model=self._model, new_id=self._new_id)
        loop = asyncio.get_running_loop()
        self._client = MemoryClient(near)
        self._client.served = loop.create_task(connection.run())
        self._client.served.add_done_callback(lambda _: paced.close())
        self._pump = loop.create_task(self._send_all(self._client))

    def send(self, event: Mapping[str, Any]) -> None:
        self.sent.append(Wired(self.now_ms, dict(event)))
        if event["type"] == "response.create":
            if self._user_speaks:
                self.faults.append("response.create while the caller speaks")
            if self._unacked:
                self.faults.append("response.create before session.updated")
        if event["type"] == "response.cancel":
            self._paced.hurry.set()
        self._unacked += event["type"] == "session.update"
        fate = self._mood(event)
        if fate == LOST:
            return
        if fate != GOES_ON:
            self.refused.add(str(event["event_id"]))
            error = {
                "type": "server_error",
                "code": fate,
                "message": REFUSED,
                "param": None,
                "event_id": event["event_id"],
            }
            self._paced.bring(json.dumps({"type": "error", "event_id": "event_mood", "error": error}))
            return
        super().send(event)

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        async for event in super().events():
            self.got.append(Wired(self.now_ms, event))
            match event["type"]:
                case "input_audio_buffer.speech_started":
                    self._user_speaks = True
                case "input_audio_buffer.committed" | "input_audio_buffer.cleared":
                    self._user_speaks = False
                case "session.updated":
                    self._unacked -= 1
            yield event

    def errors(self) -> list[str]:
        """Codes of the engine's own errors, in order."""
        return [
            str(wired.event["error"]["code"])
            for wired in self.got
            if wired.event["type"] == "error" and wired.event["error"].get("event_id") not in self.refused
        ]
