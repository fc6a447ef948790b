"""The seams of the HTTP side, played by tests: a leg that answers, a board that keeps calls, and a running bridge."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import aiohttp

from rtbridge.core.leg import CallerLeg, Hear, LegEvent, Pull
from rtbridge.errors import BadOffer, NotFound, Unavailable
from rtbridge.history import CallRecord
from rtbridge.server.app import Bridge
from rtbridge.server.page import Page
from rtbridge.server.ports import AgentInfo, Place, ScenarioInfo
from rtbridge.server.run import listening
from rtbridge.settings import Settings

OFFER = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"
SDP = {"Content-Type": "application/sdp"}


class FakeLeg:
    """Answers every offer that begins like SDP."""

    def __init__(self) -> None:
        self.offers: list[str] = []
        self.fragments: list[str] = []
        self.closed = 0
        self.asked = asyncio.Event()
        self.hold = asyncio.Event()
        self.hold.set()

    async def answer(self, offer: str, /) -> str:
        self.offers.append(offer)
        self.asked.set()
        await self.hold.wait()
        if not offer.startswith("v=0"):
            raise BadOffer("The offer is not SDP.", code="invalid_sdp", param="sdp")
        return f"v=0\r\no=- {id(self)} 1 IN IP4 127.0.0.1\r\n"

    async def add_candidates(self, fragment: str) -> None:
        if "a=candidate" not in fragment:
            raise BadOffer("The fragment has no candidate.", code="invalid_candidate")
        self.fragments.append(fragment)

    def attach(self, *, pull: Pull, hear: Hear) -> None:
        raise AssertionError("no session here")

    async def events(self) -> AsyncIterator[LegEvent]:
        raise AssertionError("no session here")
        yield

    def send(self, text: str) -> None:
        raise AssertionError("no session here")

    @property
    def rtt_ms(self) -> float:
        return 0.0

    @property
    def wire_ms(self) -> float:
        return 0.0

    def stats(self) -> dict[str, float]:
        return {}

    async def close(self) -> None:
        self.closed += 1


@dataclass(frozen=True)
class FakeAgent:
    name: str
    handoff_description: str | None = None


@dataclass(frozen=True)
class FakeScenario:
    id: str
    title: str
    start: str
    agents: Mapping[str, AgentInfo]


@dataclass(eq=False)
class FakePlace:
    board: FakeBoard
    held: bool = True

    def release(self) -> None:
        assert self.held
        self.held = False
        self.board.places.remove(self)


@dataclass
class FakeBoard:
    scenarios: Mapping[str, ScenarioInfo] = field(
        default_factory=lambda: {
            "simple_handoff": FakeScenario(
                "simple_handoff",
                "A handoff",
                "greeter",
                {"greeter": FakeAgent("greeter", "Says hello"), "haikuWriter": FakeAgent("haikuWriter")},
            ),
            "other": FakeScenario("other", "Another", "solo", {"solo": FakeAgent("solo")}),
        }
    )
    most: int = 32
    places: list[FakePlace] = field(default_factory=list)
    legs: dict[str, CallerLeg] = field(default_factory=dict)
    asked: list[tuple[str, str | None, str]] = field(default_factory=list)
    wishes: list[dict[str, Any]] = field(default_factory=list)
    ended: list[tuple[str, str]] = field(default_factory=list)
    records: list[CallRecord] = field(default_factory=list)
    waiting: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # for an approval, by call
    answers: list[tuple[str, str, bool, str, str]] = field(default_factory=list)
    empty: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def live(self) -> int:
        return len(self.legs)

    def reserve(self, *, scenario: str, agent: str | None, principal: str = "") -> FakePlace:
        self.asked.append((scenario, agent, principal))
        if scenario not in self.scenarios:
            raise NotFound(f"There is no scenario {scenario!r}.", code="scenario_not_found", param="scenario")
        if len(self.places) + len(self.legs) >= self.most:
            raise Unavailable("All lines are busy.", code="full", retry_after_s=2.5)
        place = FakePlace(self)
        self.places.append(place)
        return place

    def open(
        self, reservation: Place, leg: CallerLeg, *, wish: Mapping[str, Any] = MappingProxyType({})
    ) -> str:
        assert isinstance(reservation, FakePlace)
        self.wishes.append(dict(wish))
        self.places.remove(reservation)
        call_id = f"rtc_{len(self.asked)}"
        self.legs[call_id] = leg
        return call_id

    def hangup(self, call_id: str, reason: str) -> bool:
        self.ended.append((call_id, reason))
        gone = self.legs.pop(call_id, None)
        if not self.legs:
            self.empty.set()
        return gone is not None

    def leg(self, call_id: str) -> CallerLeg | None:
        return self.legs.get(call_id)

    def calls(self, principal: str) -> list[CallRecord]:
        return [one for one in self.records if one.principal == principal]

    def approvals(self, call_id: str) -> list[dict[str, Any]]:
        return self.waiting.get(call_id, [])

    def approve(self, call_id: str, tool_call_id: str, approve: bool, *, by: str, reason: str) -> None:
        self.answers.append((call_id, tool_call_id, approve, by, reason))

    async def drain(self) -> None:
        if self.legs:
            self.empty.clear()
            await self.empty.wait()


@dataclass
class Running:
    """A bridge that listens on loopback, its board, and a client that speaks to it."""

    bridge: Bridge
    board: FakeBoard
    legs: list[FakeLeg]
    port: int
    client: aiohttp.ClientSession
    now_s: list[float]

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def ask(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **more: Any
    ) -> tuple[int, Mapping[str, str], Any]:
        """Return status, headers and body: parsed when it is JSON, else text."""
        async with self.client.request(method, self.origin + path, headers=headers, **more) as got:
            body = await (got.json() if got.content_type == "application/json" else got.text())
            return got.status, got.headers, body

    async def call(
        self, *, headers: Mapping[str, str] | None = None, query: str = "", offer: str = OFFER
    ) -> Any:
        return await self.ask(
            "POST", f"/v1/realtime/calls{query}", data=offer, headers={**SDP, **(headers or {})}
        )

    async def mint(self, *, headers: Mapping[str, str] | None = None, query: str = "", **body: Any) -> str:
        status, _, minted = await self.ask(
            "POST", f"/v1/realtime/client_secrets{query}", json=body, headers=headers
        )
        assert status == 200, minted
        return str(minted["value"])


@asynccontextmanager
async def running(
    page_root: Path | None = None, *, listen: bool = True, **given: Any
) -> AsyncIterator[Running]:
    settings = Settings(**given)
    board = FakeBoard()
    legs: list[FakeLeg] = []
    now_s = [1000.0]

    def make_leg() -> FakeLeg:
        legs.append(FakeLeg())
        return legs[-1]

    bridge = Bridge(
        settings,
        board=board,
        make_leg=make_leg,
        page=Page(page_root or Path(__file__).parent / "server" / "no_page"),
        demo=True,
        now_s=lambda: now_s[0],
        wall_s=lambda: 1_700_000_000.0,
    )
    async with aiohttp.ClientSession() as client:
        up = Running(bridge, board, legs, 0, client, now_s)
        if not listen:
            yield up
            return
        async with listening(bridge.web, "127.0.0.1", 0) as up.port:
            yield up
