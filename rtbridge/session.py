"""One call: two legs, one TaskGroup, one journal.

The shell around core.Call: it brings what the legs say, with the loop's time, and carries the actions out. It decides
nothing. Audio takes the straight road: the leg calls `_hear` and `_pull`, and no task stands between.
The end is an exception: any child raises `_Ended(reason)`, the group falls, both legs are closed in reverse.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from types import MappingProxyType
from typing import Any

from rtbridge.agents.call_plan import plan_of
from rtbridge.agents.effect_book import EffectBook, book_at
from rtbridge.agents.moderator import Moderator
from rtbridge.agents.scenario import Scenario
from rtbridge.core import approval, asks, dtmf, history, journal
from rtbridge.core.agent_asks import handle_ask
from rtbridge.core.call import Call, Hangup, Note, SwitchAgent, ToCaller, ToUpstream
from rtbridge.core.carried import media_told_before
from rtbridge.core.client_events import handle_caller
from rtbridge.core.dialect import MAX_MESSAGE_BYTES
from rtbridge.core.leg import CallerLeg, LegGone, LegKey, LegMessage, LegResumed, LegSuspended, LegUp
from rtbridge.core.plan import AppendAudio, Settle, ToGuardrails
from rtbridge.core.server_events import handle_upstream
from rtbridge.core.withheld import as_told
from rtbridge.errors import RtbridgeError, first_of
from rtbridge.settings import Settings
from rtbridge.upstream.model import BridgeModel, BridgeSession
from rtbridge.upstream.port import Upstream
from rtbridge.upstream.text import TextModels

Record = Callable[[str, int, journal.Entry], None]
NewId = Callable[[str], str]

CLOSE_WITHIN_S = 5.0
SWITCH_WITHIN_S = 5.0  # for the functions of the agent that is switched to


class _Ended(Exception):
    """The call is over; its text is why."""


class Session:
    """Carries one call from first to last."""

    def __init__(
        self,
        *,
        call_id: str,
        scenario: Scenario,
        agent: str,
        leg: CallerLeg,
        upstream: Upstream,
        settings: Settings,
        record: Record,
        new_id: NewId,
        text_model: TextModels | None = None,
        wish: Mapping[str, Any] = MappingProxyType({}),
        effects: EffectBook | None = None,
    ) -> None:
        """`wish` is the session that the caller's side asked for with its offer: its first session.update.

        `effects` is the book of the calls that this one is among; without it, the one of the settings.
        """
        loop = asyncio.get_running_loop()
        self._time = loop.time
        self._opened_s = self._time()
        self._leg = leg
        self._upstream = upstream
        self._record = record
        self._wish = wish
        self._hangup: asyncio.Future[str] = loop.create_future()
        self._timer_moved = asyncio.Event()
        self._settled: asyncio.Queue[Settle] = asyncio.Queue()  # no more than calls wait for an approval
        self._plan = plan_of(
            scenario,
            agent,
            call_id=call_id,
            upstream_url=upstream.url,
            far=upstream.capabilities,
            settings=settings,
        )
        self.call = Call(self._plan, new_id=new_id, now=self._opened_s)
        self._model = BridgeModel(self._ask)
        of_call: dict[str, Any] = {
            "transcript": self.transcript,
            "note": self._note,
            "history": lambda: history.offered(self.call.speech.transcript),
            "keep_history": lambda item_ids: self._ask(asks.KeepHistory(item_ids)),
            "effects": book_at(settings.effects_path) if effects is None else effects,
            "moderation_model": settings.moderation_model,
            "supervisor_model": settings.supervisor_model,
            "supervisor_timeout_s": settings.supervisor_timeout_s,
            "reasoning_model": settings.reasoning_model,
            "reasoning_timeout_s": settings.reasoning_timeout_s,
        }
        if text_model is not None:
            of_call["text_model"] = text_model
        self._scenario = scenario
        self._switches: asyncio.Queue[str] = asyncio.Queue()  # the call wants one at a time
        self._context = context = scenario.new_context(call_id=call_id, agent=agent, **of_call)
        self._moderator = Moderator(
            scenario.guardrails,
            context=context,
            agent=lambda: scenario.agents[self.call.agent],
            note=self._note,
            report=self._ask,
            timeout_s=settings.moderation_timeout_s,
            now=self._time,
            off=lambda name: self.call.gate.policy(name) == "off",
        )
        self._agents = BridgeSession(
            self._model,
            scenario.agents[agent],
            context,
            settings=scenario.session_settings(model=settings.model),
            per_agent=scenario.sessions(model=settings.model),
            tracing=settings.tracing,
        )

    async def run(self) -> str:
        """Carry the call; close both legs; return why it ended. Raises CancelledError and bugs only."""
        reason = "internal error"  # what a bug leaves it at
        self._leg.attach(pull=self._pull, hear=self._hear)
        try:
            async with AsyncExitStack() as legs:
                # In reverse: the leg first, since it hears until it is closed and the upstream takes what it hears.
                legs.push_async_callback(self._close, self._upstream.close)
                legs.push_async_callback(self._close, self._leg.close)
                try:
                    reason = await self._carry()
                finally:
                    self._say_goodbye(reason)
        finally:
            self._hangup.cancel()
        return reason

    def hangup(self, reason: str) -> None:
        """End the call soon; a second reason is ignored."""
        if not self._hangup.done():
            self._hangup.set_result(reason)

    def approvals(self) -> list[dict[str, Any]]:
        """Return the tool calls that wait for a person, oldest first: tool_call_id, name, arguments and so on."""
        return self.call.approvals.listed(self._time())

    def approve(self, tool_call_id: str, approve: bool, *, by: str, reason: str = "") -> None:
        """Answer for a tool call that waits. Raises NotFound, Conflict when it was answered, Forbidden."""
        now = self._time()
        approval.answer(self.call, tool_call_id, approve, by=by, now=now, reason=reason)
        self.call.settle(now)
        self._act()

    async def _carry(self) -> str:
        reason = "ended"
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read_leg(), name="leg")
                tasks.create_task(self._read_upstream(), name="upstream")
                tasks.create_task(self._keep_time(), name="time")
                tasks.create_task(self._moderator.run(), name="moderation")
                tasks.create_task(self._switch_agents(), name="switches")
                tasks.create_task(self._settle_tools(), name="approvals")
                tasks.create_task(self._await_hangup(), name="hangup")
        except* (_Ended, RtbridgeError) as end:
            reason = str(first_of(end))
        return reason

    # -- tasks --------------------------------------------------------------------------------------------
    async def _read_leg(self) -> None:
        async for event in self._leg.events():
            now = self._time()
            match event:
                case LegUp():
                    self.call.leg_up(now)
                    if self._wish:
                        wish = {"type": "session.update", "session": dict(self._wish)}
                        handle_caller(self.call, json.dumps(wish), now)
                case LegMessage(text):
                    handle_caller(self.call, text, now)
                case LegKey(key):
                    dtmf.press(self.call, key, now, by="media")
                case LegSuspended(reason):
                    self.call.leg_suspended(reason, now)
                case LegResumed(gap_ms):
                    self.call.leg_resumed(gap_ms)
                case LegGone(reason):
                    raise _Ended(reason)
            self._act()
        raise _Ended("the caller's leg ended")

    async def _read_upstream(self) -> None:
        try:
            await self._upstream.connect()
            await self._agents.enter()
        except RtbridgeError as trouble:
            self.call.note(journal.UpstreamFailed(str(trouble)))
            self._act()
            raise
        try:
            async for event in self._upstream.events():
                if handle_upstream(self.call, event, self._time()):
                    self._act()
                    await self._model.deliver(event)
                self._act()
        except RtbridgeError as lost:
            self.call.note(journal.UpstreamFailed(str(lost)))
            self._act()
            raise
        finally:
            await self._agents.close()
        raise _Ended("the upstream ended")

    async def _keep_time(self) -> None:
        while True:
            self._timer_moved.clear()
            deadline = self.call.deadline()
            try:
                async with asyncio.timeout_at(deadline):
                    await self._timer_moved.wait()
            except TimeoutError:
                # A timer may fire early by the resolution of its clock: what it was for is due all the same.
                self.call.handle_timer(max(self._time(), deadline or 0.0))
                self._act()

    async def _switch_agents(self) -> None:
        while True:
            agent, before = await self._switches.get(), self._context.agent
            self._context.agent = agent
            why = await self._agents.switch(self._scenario.agents[agent], within_s=SWITCH_WITHIN_S)
            if why is not None:
                self._context.agent = before
                self._ask(asks.SwitchFailed(agent, why))

    async def _settle_tools(self) -> None:
        while True:
            done = await self._settled.get()
            await self._agents.settle(done.call_id, approved=done.approved)

    async def _await_hangup(self) -> None:
        raise _Ended(await self._hangup)

    # -- the straight road --------------------------------------------------------------------------------
    def _pull(self, samples: int) -> bytes:
        self.call.rtt_ms, self.call.wire_ms = self._leg.rtt_ms, self._leg.wire_ms
        chunk = self.call.pull(samples, self._time())
        self._act()
        return chunk

    def _hear(self, chunk: bytes) -> None:
        self._append(*self.call.hear(chunk, self._time()))
        self._act()

    def _append(self, *chunks: bytes) -> None:
        for chunk in chunks:
            if lost_ms := self._upstream.send_audio(chunk):
                self.call.note(journal.AudioDropped("upstream_backlog", lost_ms))

    # -- actions ------------------------------------------------------------------------------------------
    def _ask(self, ask: asks.Ask) -> None:
        handle_ask(self.call, ask, self._time())
        self._act()

    def _act(self) -> None:
        """Carry out what the call decided; never blocks."""
        acted = False
        while (action := self.call.next_action()) is not None:
            acted = True
            match action:
                case ToUpstream(event):
                    self._upstream.send(event)
                case AppendAudio(chunk):
                    self._append(chunk)
                case ToCaller(event):
                    self._tell(event)
                case Note(entry):
                    self._write(entry)
                    self._moderator.noted(entry)
                case SwitchAgent(agent):
                    self._switches.put_nowait(agent)
                case Hangup(reason):
                    self.hangup(reason)
                case ToGuardrails(item_id, piece):
                    self._moderator.said(item_id, piece)
                case Settle():
                    self._settled.put_nowait(action)
        if acted:
            self._timer_moved.set()

    def _write(self, entry: journal.Entry) -> None:
        if (counted := media_told_before(entry, self._leg.stats)) is not None:
            self._write(counted)
        at_ms = self.age_ms
        self._record(self._plan.call_id, at_ms, entry)
        if entry.to_caller:
            event_id = self.call.new_id("event")
            self._tell(
                {
                    "type": f"rtbridge.{entry.event}",
                    "event_id": event_id,
                    "at_ms": at_ms,
                    **as_told(self.call, entry),
                }
            )

    def _tell(self, event: dict[str, Any]) -> None:
        # ASCII, since a delta may hold half of a surrogate pair, which JSON can say and UTF-8 cannot.
        text = json.dumps(event, separators=(",", ":"))
        if len(text) > MAX_MESSAGE_BYTES:
            refused = journal.CallerRefused(
                str(event.get("type")), "too_long", "an event over 64 KiB was not sent"
            )
            self._record(self._plan.call_id, self.age_ms, refused)
            return
        self._leg.send(text)

    def _note(self, entry: journal.Entry) -> None:
        """Take what a tool wants in the journal."""
        self.call.note(entry)
        self._act()

    @property
    def age_ms(self) -> int:
        """Return how long the call has been open."""
        return round((self._time() - self._opened_s) * 1000)

    def transcript(self) -> list[tuple[str, str]]:
        """Return (who, what was heard) of each message so far."""
        return self.call.speech.heard_so_far()

    def _say_goodbye(self, reason: str) -> None:
        for entry in approval.drop(self.call):
            self._write(entry)
        self._write(journal.CallClosed(reason, self.age_ms))

    async def _close(self, close: Callable[[], Any]) -> None:
        try:
            async with asyncio.timeout(CLOSE_WITHIN_S):
                await close()
        except TimeoutError:
            self._write(journal.UpstreamErred("close_timeout", "a leg did not close in 5 s", benign=False))
