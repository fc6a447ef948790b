"""Call: decides everything in a call and touches nothing.

Inputs are what the two legs and the agents say, with the time they said it; outputs are actions, taken one at
a time with `next_action()`: an event for a leg, an entry for the journal, or the end. Audio does not queue here:
`pull` and `hear` answer at once. State lives in turns, arbiter and speech; this file only carries messages between
them. Server events are read in server_events.py, what comes over the data channel in client_events.py,
and what the agents ask for in agent_asks.py.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from rtbridge.core import (
    approval,
    correspondence,
    deciding,
    dtmf,
    guarding,
    interruption,
    journal,
    push_to_talk,
    waits,
)
from rtbridge.core.approval import Approvals
from rtbridge.core.arbiter import NOT_HANDED_OVER, Arbiter, NewId
from rtbridge.core.audible import Ear
from rtbridge.core.bounds import Bounds
from rtbridge.core.controls import Controls
from rtbridge.core.correspondence import Correspondence
from rtbridge.core.deciding import Deciding
from rtbridge.core.detection import TurnDetection
from rtbridge.core.dtmf import Keypad
from rtbridge.core.filler import CAUSE, Filler
from rtbridge.core.gate import Gate
from rtbridge.core.handover import Handover
from rtbridge.core.latency import Stopwatch
from rtbridge.core.plan import Action, Hangup, Note, Plan, SwitchAgent, ToCaller, ToUpstream
from rtbridge.core.playout import Began, Played, Sounded
from rtbridge.core.push_to_talk import PushToTalk
from rtbridge.core.requests import Response
from rtbridge.core.speech import Speech
from rtbridge.core.turns import Cause, Effect, State, Turns
from rtbridge.core.uplink import Uplink
from rtbridge.core.voice_end import VoiceEnd
from rtbridge.core.withheld import Withheld

__all__ = ["Call", "Hangup", "Note", "Plan", "SwitchAgent", "ToCaller", "ToUpstream"]

Wire = dict[str, Any]


class Call:
    """One call. All times are loop time in seconds."""

    def __init__(self, plan: Plan, *, new_id: NewId, now: float) -> None:
        self.plan = plan
        self.agent = plan.agent
        self.turns = Turns()
        self.arbiter = Arbiter(new_id=new_id)
        self.speech = Speech(word_times=plan.word_times)
        self.new_id = new_id
        self.uplink = Uplink()
        self.ear, self.mouth = Ear(), Ear()  # what came from the caller, and what they were given
        self.voice_end = VoiceEnd(self.ear)
        self.deciding = Deciding()
        self.talk = PushToTalk()
        self.controls = Controls()
        self.stopwatch = Stopwatch()
        self.live = False
        self.upstream_up = False
        self.rtt_ms = 0.0  # to the caller, kept fresh by the session, as is:
        self.wire_ms = 0.0  # how long the frame that was pulled last was on its way out
        self.detection = TurnDetection()
        self.session: Wire = {}  # the agent's session as the agents configured it
        self.opened_s = now
        self.handover = Handover()
        self.bounds = Bounds()
        self.filler = Filler(plan.fillers, plan.approval_fillers)
        self.approvals = Approvals(plan.approver, plan.approval_timeout_s)
        self.tools: dict[str, tuple[str, str, float]] = {}  # call_id -> name, arguments, since
        self.retried = False
        self.client = Correspondence()
        self.keypad = Keypad()
        self.gate = Gate(plan.guardrails)
        self.withheld = Withheld()
        self._actions: deque[Action] = deque()
        self._notices: set[str] = set()  # of few kinds: of agents and voices
        self._leg_up = False
        self._hold_until: float | None = None
        self._ended = False
        self.sounding: str | None = None  # response whose audio is in the caller's ear

    def next_action(self) -> Action | None:
        """Return the next thing to do, or None."""
        return self._actions.popleft() if self._actions else None

    def deadline(self) -> float | None:
        """Return when `handle_timer` wants to be called; None once the call is to end."""
        if self._ended:
            return None
        times = [
            self.opened_s + self.plan.max_call_s,
            self._hold_until,
            self.arbiter.deadline(),
            waits.due(self),
            self.approvals.deadline(),
            self.keypad.deadline(),
            self.gate.deadline(),
            self.deciding.deadline(self.turns.state),
            self.talk.deadline(),
        ]
        return min(time for time in times if time is not None)

    def act(self, action: Action) -> None:
        """Have something done, after what was wanted before."""
        self._actions.append(action)

    def note(self, entry: journal.Entry) -> None:
        """Put an entry into the journal."""
        self._actions.append(Note(entry))

    def note_once(self, message: str) -> None:
        """Put a notice into the journal, unless it was there already."""
        if message not in self._notices:
            self._notices.add(message)
            self.note(journal.Notice(message))

    def tell(self, event: Wire) -> None:
        """Send an event to the caller."""
        self._actions.append(ToCaller(event))

    def leg_up(self, now: float) -> None:
        """Media flows and the data channel is open."""
        self._leg_up = True
        correspondence.tell_session(self, "session.created")
        self.settle(now)

    def leg_suspended(self, reason: str, now: float) -> None:
        """Nothing comes from the caller: hold the agent's words and wait."""
        self.speech.playout.paused = True
        self._hold_until = now + self.plan.hold_s
        self.note(journal.MediaSuspended(reason))

    def leg_resumed(self, gap_ms: int) -> None:
        """The caller is back."""
        self.speech.playout.paused = False
        self._hold_until = None
        self.note(journal.MediaResumed(gap_ms))

    def hear(self, chunk: bytes, now: float) -> list[bytes]:
        """Take the caller's next audio; return what to append upstream now, in order.

        Until the session is in force audio is kept, up to 10 s; then the oldest goes, and the journal says so.
        """
        if self._hold_until is not None:
            return []
        chunk = self.controls.said(chunk)
        self.ear.hear(chunk)
        self.voice_end.came(now, speaking=self.turns.state is State.CALLER_SPEAKING)
        return push_to_talk.hear(self, chunk, now)

    def pull(self, samples: int, now: float) -> bytes:
        """Return exactly `samples` samples for the caller's ear; this pull is the playback clock."""
        if (turn := self.stopwatch.sent(self.wire_ms, rtt_ms=self.rtt_ms)) is not None:
            self.note(turn)
        chunk = self.speech.playout.pull(samples)
        self.mouth.hear(chunk)
        self.follow_playout(now)
        deciding.look(self, now)
        return chunk

    def switch_agent(self, agent: str) -> None:
        """Have the agents hand in another agent's session."""
        self._actions.append(SwitchAgent(agent))

    def choose_detection(self, value: Wire | None, *, by_caller: bool) -> bool:
        """Set how turns are found; return whether that is a change."""
        changed = self.detection.choose(value, by_caller=by_caller)
        self.arbiter.auto_create = self.detection.creates
        return changed

    def tool_ended(self, call_id: str, output: str, now: float) -> None:
        """Give a tool's result to the model."""
        name, arguments, since = self.tools.pop(call_id, ("", "", now))
        self.note(journal.ToolEnded(call_id, name, arguments, output, round((now - since) * 1000)))
        waits.drop_unheard(self, now)
        self.arbiter.tool_output(call_id, output, now, cause="tool")

    def handle_timer(self, now: float) -> None:
        """Act on what is due."""
        if now >= self.opened_s + self.plan.max_call_s:
            self.hang_up("the call reached its longest allowed time")
        if self._hold_until is not None and now >= self._hold_until:
            self.hang_up("the caller did not come back")
        approval.expire(self, now)
        deciding.look(self, now)
        push_to_talk.expire(self, now)
        waits.fill(self, now)
        dtmf.tell_complete(self, now)
        guarding.expire(self, now)
        lost = self.arbiter.lost(now)
        late = self.arbiter.expire(now) if lost is None else ["response.cancel was not answered"]
        for words in late:
            self.note(journal.UpstreamErred("timeout", words, benign=False))
        if NOT_HANDED_OVER in late:
            self.handover.failed()
        if lost is not None:
            self.response_over(lost, now)
        elif late:
            if self.turns.state is State.THINKING and not self.arbiter.busy:
                self.note(journal.Notice("The model did not answer."))
            self.rest(now)
        self.settle(now)

    def hang_up(self, reason: str) -> None:
        """End the call; a second reason is ignored."""
        if not self._ended:
            self._ended = True
            self._actions.append(Hangup(reason))

    def request(self, cause: str, now: float, *, event_id: str | None = None) -> None:
        """Want an answer from the agent; `event_id` is what the response.create shall be called."""
        if cause == "text" or not self.stopwatch.waiting:
            self.stopwatch.turn_over(now, voice_end_s=None)
        self.arbiter.want(cause, now, event_id=event_id)
        self.settle(now)

    def type_text(self, item: Wire, now: float, *, client_event_id: str | None = None) -> None:
        """Put a typed message of the caller into the conversation."""
        item = {"id": self.new_id("item"), **item}
        self.client.typed(item["id"])
        guarding.hear_first(self, item["id"], now)
        event_id = self.new_id("event")
        self.client.sent(event_id, client_event_id)
        self.arbiter.add_item(item, now, event_id=event_id)

    def move(self, cause: Cause, now: float) -> None:
        """Move the turn, and do what its row demands."""
        before = self.turns.state
        row = self.turns.move(cause)
        if row is None:
            self.note(journal.TurnIgnored(before.value, cause.value))
            return
        if Effect.CANCEL in row.effects:
            interruption.interrupt(self, before, cause, now)
        self.speech.playout.held = self.turns.state is State.DECIDING
        if self.turns.state is not before:
            self.note(journal.TurnChanged(before.value, self.turns.state.value, cause.value))

    def follow_playout(self, now: float) -> None:
        """Act on what began, ended or ran dry since the last look."""
        marks = self.speech.marks()
        for mark in marks:
            match mark:
                case Began(item_id):
                    self._began(item_id, now)
                case Sounded(item_id):
                    self.stopwatch.sounded(mark, agent=self.speech.queued(item_id).agent, now=now)
                case Played(progress):
                    self.note(self.speech.played(progress))
                    interruption.cut_if_cancelled(self, progress)
                case _:  # Drained
                    self.filler.heard(now)
                    self.drained(now)
        if marks:
            self.settle(now)

    def drained(self, now: float) -> None:
        """Take it that all that was to be heard was heard."""
        self.move(Cause.DRAINED, now)
        if self.sounding is not None and (
            self.arbiter.active is None or self.arbiter.active.response_id != self.sounding
        ):
            self.silence_after(self.sounding)
        if self.arbiter.busy:
            self.move(Cause.REQUESTED, now)

    def _began(self, item_id: str, now: float) -> None:
        spoken = self.speech.queued(item_id)
        if self.sounding != spoken.response_id:
            self.silence_after(self.sounding)
            self.sounding = spoken.response_id
            self.tell_buffer("started", spoken.response_id)
        self.move(Cause.FIRST_AUDIO, now)

    def response_over(self, response: Response, now: float) -> None:
        """Take the end of a response: what it holds is all there will be."""
        if response.cancelled:
            guarding.cancelled(self, response)
            for item_id in self.speech.unheard(response.items):
                interruption.forget_unheard(self, item_id)
        for item_id in response.items:
            self.speech.playout.finish(item_id)
        self.arbiter.response_done(response.response_id, now)
        self.follow_playout(now)
        if self.speech.playout.playing is None:
            self.silence_after(response.response_id)
        self.rest(now)

    def silence_after(self, response_id: str | None) -> None:
        """Say that a response's audio has left the caller's ear (event output_audio_buffer.stopped)."""
        if response_id is not None and self.sounding == response_id:
            self.tell_buffer("stopped", response_id)
            self.sounding = None

    def tell_buffer(self, what: str, response_id: str) -> None:
        """Tell the caller of the playout of a response (events output_audio_buffer.*)."""
        kind = f"output_audio_buffer.{what}"
        self.tell({"type": kind, "event_id": self.new_id("event"), "response_id": response_id})

    def is_stale(self, response_id: str, item_id: str = "") -> bool:
        """Whether a response was cancelled or never known, or an item of it barred: nothing of it may happen."""
        response = self.arbiter.response(response_id)
        return response is None or response.cancelled or item_id in response.barred

    def settle(self, now: float) -> None:
        """Carry what the arbiter decided, and go live once both legs are up."""
        if not self.live and self._leg_up and self.arbiter.configured:
            self.live = True
            plan = self.plan
            self.note(journal.CallOpened(plan.scenario, self.agent, plan.upstream_url, plan.demo))
            if plan.greet:
                self.arbiter.want("greeting", now)
        guarding.settle(self, now)
        push_to_talk.settle(self, now)
        if (voice := self.arbiter.configuration.voice_refused()) is not None:
            self.note_once(f"the voice {voice} is not taken: a call keeps the voice that was heard first")
        for cause in self.arbiter.take_requested():
            last = self.speech.playout.last_item_id
            self.agent = self.handover.switch(self.agent, now, last_item_id=last)
            self.note(journal.ResponseRequested(cause))
            self.stopwatch.requested(now)
            if cause != CAUSE:
                self.move(Cause.REQUESTED, now)
        for entry in self.handover.announce(self.speech.playout.holds):
            self.note(entry)
        if self.session and self.arbiter.configured:
            correspondence.answer_updates(self)

    def rest(self, now: float) -> None:
        """Nothing plays and nothing is on its way: it is the caller's turn."""
        if not self.arbiter.busy and self.speech.playout.playing is None:
            self.move(Cause.RESPONSE_DONE, now)
