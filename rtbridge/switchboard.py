"""The switchboard owns the running sessions: it admits, finds, hangs up and drains them.

One TaskGroup, one child a call. A session's failure ends that session: it is caught at its border here, written
down, and no other call notices. Admission is decided before any media work is done.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType, TracebackType
from typing import Any, Self

import structlog

from rtbridge.agents.effect_book import book_at
from rtbridge.agents.scenario import Scenario
from rtbridge.core import journal
from rtbridge.core.leg import CallerLeg
from rtbridge.errors import NotFound, TooManyRequests, Unavailable
from rtbridge.history import CallRecord, History, bounded
from rtbridge.recording import Recording
from rtbridge.session import Record, Session
from rtbridge.settings import Settings
from rtbridge.upstream.port import Upstream
from rtbridge.upstream.text import TextModels

RETRY_AFTER_S = 5.0
_log = structlog.get_logger("rtbridge.switchboard")


def _both(recording: Recording, record: Record, call_id: str, at_ms: int, entry: journal.Entry) -> None:
    recording.entry(at_ms, entry)
    record(call_id, at_ms, entry)


def random_id(prefix: str) -> str:
    """Return `prefix_` and 128 random bits in 26 characters or fewer."""
    return f"{prefix}_{secrets.token_urlsafe(16)}"


@dataclass(slots=True)
class Reservation:
    """A place for one call; opened or released exactly once."""

    scenario: Scenario
    agent: str
    principal: str
    _switchboard: Switchboard
    _held: bool = True

    def release(self) -> None:
        """Give the place back; harmless when it was opened or released before."""
        if self._held:
            self._held = False
            self._switchboard._release(self.principal)

    def take(self) -> None:
        """Note that a session has the place now; it gives it back at its end."""
        assert self._held, "a reservation is opened once"
        self._held = False


@dataclass(slots=True)
class _Running:
    session: Session
    leg: CallerLeg
    scenario: str
    principal: str
    recording: Recording | None

    def recorded(self, call_id: str, ended: str | None = None) -> CallRecord:
        """Return what is known of the call now."""
        said, cut = bounded(self.session.transcript())
        return CallRecord(
            call_id=call_id,
            scenario=self.scenario,
            agent=self.session.call.agent,
            principal=self.principal,
            duration_ms=self.session.age_ms,
            said=said,
            ended=ended,
            cut=cut,
        )


class Switchboard:
    """Owns the calls of this process. An async context manager: leaving it hangs up whatever still runs."""

    def __init__(
        self,
        *,
        settings: Settings,
        scenarios: Mapping[str, Scenario],
        dial: Callable[[], Upstream],
        record: Record,
        text_model: TextModels | None = None,
    ) -> None:
        """`text_model` finds a text model by name for supervisors and classifiers; without it there is none."""
        self.scenarios = scenarios
        self._settings = settings
        self._dial = dial
        self._record = record
        self._text_model = text_model
        self._effects = book_at(settings.effects_path)  # one for all calls: a customer may call again
        self._running: dict[str, _Running] = {}
        self._places: Counter[str] = Counter()  # by principal
        self._history = History(settings.call_history)
        self._draining = False
        self._empty = asyncio.Event()
        self._empty.set()
        self._group = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._draining = True
        for running in list(self._running.values()):
            running.session.hangup("the server is stopping")
        try:
            await self._group.__aexit__(kind, error, trace)
        finally:
            await self._effects.close()

    @property
    def live(self) -> int:
        """Calls that run."""
        return len(self._running)

    @property
    def draining(self) -> bool:
        """Whether new calls are refused because the server is going."""
        return self._draining

    def reserve(self, *, scenario: str, agent: str | None, principal: str = "") -> Reservation:
        """Take a place for a call, before any media work.

        Raises NotFound (unknown scenario or agent), Unavailable (draining or full) and TooManyRequests (this
        principal has its share), each with words for the one who asked.
        """
        found = self.scenarios.get(scenario)
        if found is None:
            known = ", ".join(self.scenarios)
            raise NotFound(
                f"There is no scenario {scenario[:64]!r}; there are: {known}.",
                code="scenario_not_found",
                param="scenario",
            )
        name = agent or found.start
        if name not in found.agents:
            known = ", ".join(found.agents)
            raise NotFound(
                f"Scenario {scenario!r} has no agent {name[:64]!r}; it has: {known}.",
                code="agent_not_found",
                param="agent",
            )
        if self._draining:
            raise Unavailable(
                "The server is stopping; try again in a moment.", code="draining", retry_after_s=RETRY_AFTER_S
            )
        if self._places.total() >= self._settings.max_calls:
            raise Unavailable(
                f"All {self._settings.max_calls} lines are busy; try again in a moment.",
                code="calls_limit_reached",
                retry_after_s=RETRY_AFTER_S,
            )
        share = self._settings.max_calls_per_principal
        if share and self._places[principal] >= share:
            raise TooManyRequests(
                f"You have {share} calls running, which is the limit; end one first.",
                code="calls_limit_reached",
                retry_after_s=RETRY_AFTER_S,
            )
        self._places[principal] += 1
        return Reservation(found, name, principal, self)

    def open(
        self, reservation: Reservation, leg: CallerLeg, *, wish: Mapping[str, Any] = MappingProxyType({})
    ) -> str:
        """Start the session of a reserved call over `leg`; return its call id (header Location of the API).

        `wish` is the session that the caller's side asked for with its offer (shape of event session.update).
        """
        call_id = random_id("rtc")
        recording = self._recorded(call_id, reservation, wish)
        record, upstream, text_model = self._record, self._dial(), self._text_model
        if recording is not None:
            record = partial(_both, recording, record)
            upstream, text_model = recording.upstream(upstream, text_model)
        session = Session(
            call_id=call_id,
            scenario=reservation.scenario,
            agent=reservation.agent,
            leg=leg if recording is None else recording.leg(leg),
            upstream=upstream,
            settings=self._settings,
            record=record,
            new_id=random_id,
            text_model=text_model,
            wish=wish,
            effects=self._effects,
        )
        if recording is not None:
            recording.announce = partial(session.call.note, journal.Recording())
        reservation.take()
        running = _Running(session, leg, reservation.scenario.id, reservation.principal, recording)
        self._running[call_id] = running
        self._empty.clear()
        self._group.create_task(self._carry(call_id, running), name=call_id)
        return call_id

    def hangup(self, call_id: str, reason: str) -> bool:
        """End a call soon; return whether there is one by that id."""
        running = self._running.get(call_id)
        if running is not None:
            running.session.hangup(reason)
        return running is not None

    def leg(self, call_id: str) -> CallerLeg | None:
        """Return a running call's caller leg, or None."""
        running = self._running.get(call_id)
        return running.leg if running is not None else None

    def calls(self, principal: str) -> list[CallRecord]:
        """Return a principal's calls: those that run and the last that ended, each newest first."""
        running = [
            one.recorded(call_id) for call_id, one in self._running.items() if one.principal == principal
        ]
        return [*reversed(running), *(one for one in self._history if one.principal == principal)]

    def approvals(self, call_id: str) -> list[dict[str, Any]]:
        """Return the tool calls of a running call that wait for a person; none when it is not there."""
        running = self._running.get(call_id)
        return running.session.approvals() if running is not None else []

    def approve(self, call_id: str, tool_call_id: str, approve: bool, *, by: str, reason: str) -> None:
        """Answer for one. Raises NotFound (call or tool call), Conflict when it was answered before."""
        running = self._running.get(call_id)
        if running is None:
            raise NotFound("There is no such call.", code="call_not_found")
        running.session.approve(tool_call_id, approve, by=by, reason=reason)

    async def drain(self) -> None:
        """Refuse new calls and wait for the running ones to end by themselves."""
        self._draining = True
        await self._empty.wait()

    async def _carry(self, call_id: str, running: _Running) -> None:
        reason = "internal error"
        try:
            reason = await running.session.run()
        except Exception as bug:  # noqa: BLE001 - the border: a bug ends its own call and no other
            _log.exception("session.failed", call_id=call_id, error=type(bug).__name__)
        finally:
            del self._running[call_id]
            self._release(running.principal)
            if not self._running:
                self._empty.set()
            self._history.add(running.recorded(call_id, reason))
        if running.recording is not None:
            await asyncio.to_thread(running.recording.finish)

    def _recorded(self, call_id: str, reservation: Reservation, wish: Mapping[str, Any]) -> Recording | None:
        """Begin to record a call, if the settings ask for it."""
        if self._settings.record_dir is None:
            return None
        about = {
            "call_id": call_id,
            "scenario": reservation.scenario.id,
            "agent": reservation.agent,
            "model": self._settings.model,
            "wish": dict(wish),
        }
        return Recording(self._settings.record_dir / call_id, self._settings, about)

    def _release(self, principal: str) -> None:
        self._places[principal] -= 1
        if self._places[principal] <= 0:
            del self._places[principal]
