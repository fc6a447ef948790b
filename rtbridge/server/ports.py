"""What the HTTP side asks of the rest of the bridge: a leg that can answer an offer, and a board of calls.

`rtc.Peer` is the one and `Switchboard` the other; both come in as arguments, so that signalling can be tested
without media and without agents.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol

from rtbridge.core.leg import CallerLeg
from rtbridge.history import CallRecord


class AnsweringLeg(CallerLeg, Protocol):
    """A caller leg that is set up by an SDP offer."""

    async def answer(self, offer: str, /) -> str:
        """Return the SDP answer with complete candidates. Raises BadOffer; never waits for STUN."""
        ...

    async def add_candidates(self, fragment: str, /) -> None:
        """Take trickled candidates, an SDP fragment of RFC 8840. Raises BadOffer."""
        ...


MakeLeg = Callable[[], AnsweringLeg]


class AgentInfo(Protocol):
    """What the scenario list tells of an agent (a RealtimeAgent has it)."""

    @property
    def name(self) -> str:
        """The agent's name."""
        ...

    @property
    def handoff_description(self) -> str | None:
        """What the agent is for, in a sentence."""
        ...


class ScenarioInfo(Protocol):
    """What the scenario list tells of a scenario."""

    @property
    def id(self) -> str:
        """The folder's name."""
        ...

    @property
    def title(self) -> str:
        """A name for people."""
        ...

    @property
    def start(self) -> str:
        """The agent that answers first."""
        ...

    @property
    def agents(self) -> Mapping[str, AgentInfo]:
        """Every agent by name, in order."""
        ...


class Place(Protocol):
    """A reserved place for one call."""

    def release(self) -> None:
        """Give the place back; only when no call was opened with it."""
        ...


class Board(Protocol):
    """The owner of the running sessions: the Switchboard."""

    @property
    def scenarios(self) -> Mapping[str, ScenarioInfo]:
        """What can be called, by id."""
        ...

    @property
    def live(self) -> int:
        """Calls that run now."""
        ...

    def reserve(self, *, scenario: str, agent: str | None, principal: str = "") -> Place:
        """Hold a place for a call. Raises NotFound, TooManyRequests, Unavailable before any media work."""
        ...

    def open(
        self, reservation: Any, leg: CallerLeg, /, *, wish: Mapping[str, Any] = MappingProxyType({})
    ) -> str:
        """Start the session of a leg that has answered, with a place that `reserve` gave; returns the call id.

        `wish` is the session that the caller's side asked for with its offer.
        """
        ...

    def hangup(self, call_id: str, reason: str, /) -> bool:
        """End a call; False when it is not there."""
        ...

    def leg(self, call_id: str, /) -> CallerLeg | None:
        """Return the leg of a running call."""
        ...

    def calls(self, principal: str, /) -> Sequence[CallRecord]:
        """Return a principal's calls: running ones, then the last that ended, each newest first."""
        ...

    def approvals(self, call_id: str, /) -> list[dict[str, Any]]:
        """Return the tool calls of a running call that wait for a person; none when it is not there."""
        ...

    def approve(self, call_id: str, tool_call_id: str, approve: bool, /, *, by: str, reason: str) -> None:
        """Answer for one. Raises NotFound (call or tool call), Conflict when it was answered before."""
        ...

    async def drain(self) -> None:
        """Refuse new calls and wait for the running ones."""
        ...
