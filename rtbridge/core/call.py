"""Call: decides everything in a call and touches nothing.

Inputs are what the two legs and the agents say, with the time they said it; outputs are actions, taken one at
a time with `next_action()`: an event for a leg, an entry for the journal, or the end. Audio does not queue here:
`pull` and `hear` answer at once. State lives in turns, arbiter and speech; this file only carries messages between
them. What comes over the data channel is read in desk.py.
"""

from __future__ import annotations

import base64
import binascii
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rtbridge.core import asks, dialect, journal, pcm
from rtbridge.core.arbiter import Arbiter, NewId, merged
from rtbridge.core.latency import Stopwatch
from rtbridge.core.playout import Began, Drained, Played
from rtbridge.core.speech import Speech, entry_of
from rtbridge.core.turns import Cause, Effect, Turns

Wire = dict[str, Any]
BACKLOG_MS = 10_000  # of the caller's audio, kept until the upstream's session is in force
# Errors of a failed response that asking again cannot mend.
NO_RETRY = frozenset({"insufficient_quota", "rate_limit_exceeded", "invalid_request_error", "content_filter"})


@dataclass(frozen=True, slots=True)
class Plan:
    """What a call needs to know of its scenario and its upstream; data only."""

    call_id: str
    scenario: str
    agent: str
    handoffs: Mapping[str, str] = field(default_factory=dict)  # tool name -> agent
    upstream_url: str = ""
    demo: bool = False  # the upstream is the embedded engine, which takes prompt ids
    word_times: bool = False
    greet: bool = True
    max_call_s: float = 1800.0
    hold_s: float = 120.0


@dataclass(frozen=True, slots=True)
class ToUpstream:
    """Send a client event of the Realtime API."""

    event: Wire


@dataclass(frozen=True, slots=True)
class ToCaller:
    """Send an event over the data channel."""

    event: Wire


@dataclass(frozen=True, slots=True)
class Note:
    """Write an entry into the journal; `to_caller` entries also go over the data channel."""

    entry: journal.Entry


@dataclass(frozen=True, slots=True)
class Hangup:
    """End the call."""

    reason: str


Action = ToUpstream | ToCaller | Note | Hangup


@dataclass(slots=True)
class _Handoff:
    call_id: str
    to: str
    since_s: float
    instructions: str | None = None
    answered: bool = False


class Call:
    """One call. All times are loop time in seconds."""

    def __init__(self, plan: Plan, *, new_id: NewId, now: float) -> None:
        self.plan = plan
        self.agent = plan.agent
        self.turns = Turns()
        self.arbiter = Arbiter(new_id=new_id)
        self.speech = Speech(word_times=plan.word_times)
        self.new_id = new_id
        self.live = False
        self.rtt_ms = 0.0  # to the caller, kept fresh by the session
        self.detection: Wire | None = None  # turn detection as the caller's side sees it
        self.session: Wire = {}  # the agent's session as the agents configured it
        self._opened_s = now
        self._leg_up = False
        self._hold_until: float | None = None
        self._actions: deque[Action] = deque()
        self._stopwatch = Stopwatch()
        self._handoff: _Handoff | None = None
        self._tools: dict[str, tuple[str, str, float]] = {}  # call_id -> name, arguments, since
        self._sounding: str | None = None  # response whose audio is in the caller's ear
        self._backlog: deque[bytes] = deque()
        self._sent_samples = 0
        self._retried = False
        self._owed_updates: list[tuple[str, ...]] = []  # session.updated to send: what each had ignored
        self._client_ids: dict[str, str | None] = {}  # our event_id -> the client's
        self._typed: set[str] = set()

    # -- out ----------------------------------------------------------------------------------------------
    def next_action(self) -> Action | None:
        """Return the next thing to do, or None."""
        return self._actions.popleft() if self._actions else None

    def deadline(self) -> float | None:
        """Return when `handle_timer` wants to be called."""
        times = [self._opened_s + self.plan.max_call_s, self._hold_until, self.arbiter.deadline()]
        return min(time for time in times if time is not None)

    def note(self, entry: journal.Entry) -> None:
        """Put an entry into the journal."""
        self._actions.append(Note(entry))

    def tell(self, event: Wire) -> None:
        """Send an event to the caller."""
        self._actions.append(ToCaller(event))

    # -- the caller's leg ---------------------------------------------------------------------------------
    def leg_up(self, now: float) -> None:
        """Media flows and the data channel is open."""
        self._leg_up = True
        self.tell(
            {"type": "session.created", "event_id": self.new_id("event"), "session": self.session_view()}
        )
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

    def hear(self, chunk: bytes) -> list[bytes]:
        """Take the caller's next audio; return what to append upstream now, in order.

        Until the session is in force audio is kept, up to 10 s; then the oldest goes, and the journal says so.
        """
        if self._hold_until is not None:
            return []
        if not self.live:
            self._backlog.append(chunk)
            if len(self._backlog) * pcm.FRAME_MS > BACKLOG_MS:
                lost = self._backlog.popleft()
                self.note(journal.AudioDropped("mic", pcm.ms_of_samples(pcm.samples_of(lost))))
            return []
        chunks = [*self._backlog, chunk]
        self._backlog.clear()
        self._sent_samples += sum(pcm.samples_of(one) for one in chunks)
        return chunks

    def pull(self, samples: int, now: float) -> bytes:
        """Return exactly `samples` samples for the caller's ear; this pull is the playback clock."""
        chunk = self.speech.playout.pull(samples)
        self._follow_playout(now)
        return chunk

    def client_id(self, ours: str, theirs: str | None) -> None:
        """Remember whose event an error will be about."""
        self._client_ids[ours] = theirs
        while len(self._client_ids) > 64:
            del self._client_ids[next(iter(self._client_ids))]

    # -- the agents ---------------------------------------------------------------------------------------
    def handle_ask(self, ask: asks.Ask, now: float) -> None:
        """Take what the Agents SDK's side asks for."""
        match ask:
            case asks.ConfigureSession(session):
                self._configure(session, now)
            case asks.ToolOutput(call_id, output):
                self._tool_output(call_id, output, now)
            case asks.UserText(text):
                content = [{"type": "input_text", "text": text}]
                self.type_text({"type": "message", "role": "user", "content": content}, now)
                self.request("text", now)
            case asks.StopSpeaking():
                self.move(Cause.CANCELLED, now)
        self.settle(now)

    def _configure(self, session: Wire, now: float) -> None:
        self.session = merged(self.session, session)
        agent = self.agent
        if self._handoff is not None and not self._handoff.answered:
            agent = self._handoff.to
            self._handoff.instructions = session.get("instructions")
        given = session.get("audio", {}).get("input", {})
        if "turn_detection" in given and not self.arbiter.session:
            self.set_detection(given["turn_detection"])
        wanted = dict(session)
        if self.plan.demo:
            wanted["prompt"] = {"id": f"{self.plan.scenario}/{agent}"}
        self.arbiter.configure(merged(wanted, self.upstream_detection()), now)

    def set_detection(self, detection: Wire | None) -> None:
        """Set how turns are found; create_response and interrupt_response are obeyed here, never sent."""
        self.detection = detection
        self.arbiter.auto_create = detection is not None and detection.get("create_response") is not False

    def upstream_detection(self) -> Wire:
        """Return the partial session that carries turn detection upstream."""
        detection = self.detection
        if detection is not None:
            detection = {**detection, "create_response": False, "interrupt_response": False}
        return {"audio": {"input": {"turn_detection": detection}}}

    def _tool_output(self, call_id: str, output: str, now: float) -> None:
        name, arguments, since = self._tools.pop(call_id, ("", "", now))
        handoff = self._handoff
        if handoff is not None and handoff.call_id == call_id:
            handoff.answered = True
            self.arbiter.tool_output(call_id, output, now, cause="handoff", instructions=handoff.instructions)
            return
        self.note(journal.ToolEnded(call_id, name, arguments, output, round((now - since) * 1000)))
        self.arbiter.tool_output(call_id, output, now, cause="tool", instructions=None)

    # -- the upstream -------------------------------------------------------------------------------------
    def handle_upstream(self, event: Wire, now: float) -> bool:
        """Take a server event; return whether the agents shall see it too."""
        kind = event.get("type")
        response_id = event.get("response_id")
        if isinstance(response_id, str):
            self.arbiter.heard_from(response_id, now)
        for_caller = dialect.visible(event, self.speech.transcript)
        handler = _HANDLERS.get(str(kind))
        for_agents = True if handler is None else handler(self, event, now)
        if for_caller is not None and kind != "conversation.item.added":
            stale = isinstance(response_id, str) and self._is_stale(response_id)
            if not stale or not str(kind).endswith(".delta"):
                self.tell(for_caller)
        self.settle(now)
        return for_agents

    def _session_updated(self, event: Wire, now: float) -> bool:
        if not self.live and self.arbiter.session:
            took_ms = round((now - self._opened_s) * 1000)
            self.note(journal.UpstreamOpened(self.plan.upstream_url, took_ms))
        self.arbiter.session_updated(now)
        return False

    def _error(self, event: Wire, now: float) -> bool:
        given = event.get("error")
        problem: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
        code, ours = problem.get("code"), problem.get("event_id")
        message = str(problem.get("message"))[:500]
        benign = self.arbiter.erred(code, ours, now)
        self.note(journal.UpstreamErred(str(code), message, benign))
        if isinstance(ours, str) and ours in self._client_ids:
            cause = self._client_ids.pop(ours)
            kind = str(problem.get("type") or "invalid_request_error")
            self.tell(
                dialect.error(
                    self.new_id("event"),
                    str(code),
                    message,
                    param=problem.get("param"),
                    cause=cause,
                    kind=kind,
                )
            )
        return not benign

    def _speech_started(self, event: Wire, now: float) -> bool:
        self.arbiter.speech_started()
        if self.detection is None or self.detection.get("interrupt_response") is not False:
            self._stopwatch.dropped()
            self.move(Cause.SPEECH_STARTED, now)
        return True

    def _speech_stopped(self, event: Wire, now: float) -> bool:
        self._stopwatch.turn_over(now, endpoint_ms=self._endpoint_ms(event))
        self.move(Cause.SPEECH_STOPPED, now)
        return True

    def _endpoint_ms(self, event: Wire) -> int | None:
        """Return how long ago speech ended: audio sent since, plus the silence that was waited for."""
        end_ms = event.get("audio_end_ms")
        if not isinstance(end_ms, int | float):
            return None
        silence_ms = 0
        if self.detection is not None and self.detection.get("type") == "server_vad":
            silence_ms = int(self.detection.get("silence_duration_ms") or 500)
        return max(0, round(pcm.ms_of_samples(self._sent_samples) - end_ms + silence_ms))

    def _committed(self, event: Wire, now: float) -> bool:
        self.arbiter.committed(now)
        return True

    def _cleared(self, event: Wire, now: float) -> bool:
        self.arbiter.speech_dropped(now)
        return True

    def _item_added(self, event: Wire, now: float) -> bool:
        item = event.get("item")
        if not isinstance(item, dict) or not isinstance(item.get("id"), str):
            return False
        entry = entry_of(item)
        previous = event.get("previous_item_id")
        known = self.speech.transcript.get(entry.item_id) is not None
        self.speech.transcript.add(entry, previous if isinstance(previous, str) else None)
        if entry.item_id in self._typed:
            self._typed.discard(entry.item_id)
            self.note(journal.CallerSaid(entry.item_id, entry.text, typed=True))
        shown = (
            None
            if known
            else dialect.visible({**event, "type": "conversation.item.added"}, self.speech.transcript)
        )
        if shown is not None:
            self.tell(shown)
        return True

    def _item_done(self, event: Wire, now: float) -> bool:
        item = event.get("item")
        entry = self.speech.transcript.get(str(item.get("id"))) if isinstance(item, dict) else None
        if entry is not None:
            entry.done = True
        return True

    def _item_deleted(self, event: Wire, now: float) -> bool:
        self.speech.transcript.remove(str(event.get("item_id")))
        return True

    def _caller_transcript(self, event: Wire, now: float) -> bool:
        item_id, text = str(event.get("item_id")), str(event.get("transcript") or "").strip()
        entry = self.speech.transcript.get(item_id)
        if entry is not None:
            entry.text, entry.spoken = text, True
        self.note(journal.CallerSaid(item_id, text))
        return True

    def _response_created(self, event: Wire, now: float) -> bool:
        response_id = _id_of(event.get("response"))
        if response_id is not None:
            self.arbiter.response_created(response_id, now)
        return True

    def _output_item_added(self, event: Wire, now: float) -> bool:
        item, response_id = event.get("item"), str(event.get("response_id"))
        if isinstance(item, dict) and item.get("type") == "message" and isinstance(item.get("id"), str):
            self.arbiter.item_added(response_id, item["id"])
            self.speech.begin(item["id"], response_id, self.agent)
        return True

    def _audio_delta(self, event: Wire, now: float) -> bool:
        response_id, item_id = str(event.get("response_id")), str(event.get("item_id"))
        if self._is_stale(response_id):
            return False
        try:
            chunk = base64.b64decode(event.get("delta") or "", validate=True)
            pcm.samples_of(chunk)
        except (binascii.Error, ValueError, TypeError):
            self.note(
                journal.UpstreamErred(
                    "invalid_audio", f"audio of {item_id} is not base64 s16le", benign=False
                )
            )
            return False
        self.arbiter.item_added(response_id, item_id)
        self.speech.begin(item_id, response_id, self.agent)
        index = event.get("content_index")
        lost = self.speech.add_audio(item_id, index if isinstance(index, int) else 0, chunk)
        if lost:
            self.note(journal.AudioDropped("playout", pcm.ms_of_samples(lost)))
        self._stopwatch.first_audio(now)
        return False

    def _text_delta(self, event: Wire, now: float) -> bool:
        if not self._is_stale(str(event.get("response_id"))):
            self.speech.add_text(str(event.get("item_id")), str(event.get("delta") or ""))
        return True

    def _text_done(self, event: Wire, now: float) -> bool:
        item_id, text = str(event.get("item_id")), str(event.get("transcript") or event.get("text") or "")
        if not self._is_stale(str(event.get("response_id"))):
            self.speech.set_text(item_id, text)
            spoken = self.speech.get(item_id)
            self.note(journal.AgentSaid(item_id, spoken.agent if spoken else self.agent, text))
        return True

    def _audio_done(self, event: Wire, now: float) -> bool:
        self.speech.playout.finish(str(event.get("item_id")))
        self._follow_playout(now)
        return False

    def _output_item_done(self, event: Wire, now: float) -> bool:
        item, response_id = event.get("item"), str(event.get("response_id"))
        if not isinstance(item, dict):
            return False
        if item.get("type") != "function_call":
            self.speech.playout.finish(str(item.get("id")))
            self._follow_playout(now)
            return True
        if item.get("status") not in (None, "completed"):
            return False
        if self._is_stale(response_id):
            # The caller spoke before the model had decided: it shall decide again, with their words.
            if isinstance(item.get("id"), str):
                self.arbiter.delete(item["id"])
            return False
        call_id, name = str(item.get("call_id")), str(item.get("name"))
        self.arbiter.tool_called(response_id, call_id)
        arguments = str(item.get("arguments") or "")
        self._tools[call_id] = (name, arguments, now)
        if name in self.plan.handoffs:
            self._handoff = _Handoff(call_id, self.plan.handoffs[name], now)
        else:
            self.note(journal.ToolStarted(call_id, name, arguments))
        return True

    def _response_done(self, event: Wire, now: float) -> bool:
        given = event.get("response")
        answer: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
        response_id = str(answer.get("id"))
        response = self.arbiter.response(response_id)
        if response is not None:
            if response.flushed:
                for item_id in self.speech.unheard(response.items):
                    self._forget_unheard(item_id)
            for item_id in response.items:
                self.speech.playout.finish(item_id)
        status = str(answer.get("status"))
        code, message, reason = _why(answer.get("status_details"))
        self.note(journal.ResponseEnded(response_id, status, reason, message))
        if status == "failed" and response is not None:
            if code not in NO_RETRY and not self._retried:
                self._retried = True
                self.arbiter.want("retry", now)
            else:
                self.note(
                    journal.Notice(f"The model could not answer: {message or code or 'no reason given'}")
                )
        elif status == "completed":
            self._retried = False
        self.arbiter.response_done(response_id, now)
        self._follow_playout(now)
        if self.speech.playout.playing is None:
            self._silence_after(response_id)
        if not self.arbiter.busy and self.speech.playout.playing is None:
            self.move(Cause.RESPONSE_DONE, now)
        return True

    # -- time ---------------------------------------------------------------------------------------------
    def handle_timer(self, now: float) -> None:
        """Act on what is due."""
        if now >= self._opened_s + self.plan.max_call_s:
            self._actions.append(Hangup("the call reached its longest allowed time"))
        if self._hold_until is not None and now >= self._hold_until:
            self._actions.append(Hangup("the caller did not come back"))
        for late in self.arbiter.expire(now):
            self.note(journal.UpstreamErred("timeout", late, benign=False))
        self.settle(now)

    # -- what moves ---------------------------------------------------------------------------------------
    def request(self, cause: str, now: float) -> None:
        """Want an answer from the agent."""
        if cause in ("text", "client"):
            self._stopwatch.turn_over(now, endpoint_ms=None)
        self.arbiter.want(cause, now)
        self.settle(now)

    def type_text(self, item: Wire, now: float, *, client_event_id: str | None = None) -> None:
        """Put a typed message of the caller into the conversation."""
        item = {"id": self.new_id("item"), **item}
        self._typed.add(item["id"])
        event_id = self.new_id("event")
        self.client_id(event_id, client_event_id)
        self.arbiter.add_item(item, now, event_id=event_id)

    def move(self, cause: Cause, now: float) -> None:
        """Move the turn, and do what its row demands."""
        before = self.turns.state
        row = self.turns.move(cause)
        if row is None:
            self.note(journal.TurnIgnored(before.value, cause.value))
            return
        if Effect.CANCEL in row.effects:
            playing = self.speech.playout.playing
            self.arbiter.cancel(flushed=True, now=now)
            if playing is not None and cause is Cause.SPEECH_STARTED:
                self.note(journal.BargeInConfirmed(playing.item_id, pcm.ms_of_samples(playing.pulled)))
            self._stop_playout()
        if self.turns.state is not before:
            self.note(journal.TurnChanged(before.value, self.turns.state.value, cause.value))

    def _stop_playout(self) -> None:
        """Flush, truncate what was heard, delete what was not."""
        for cut in self.speech.flush(pcm.samples_of_ms(self.rtt_ms / 2)):
            if cut.heard.heard_ms > 0:
                self.arbiter.truncate(cut.item_id, cut.content_index, cut.heard.heard_ms)
                self.note(journal.ItemTruncated(cut.item_id, cut.heard.heard_ms))
                self.note(cut.heard)
            else:
                self._forget_unheard(cut.item_id)
        if self._sounding is not None:
            self._buffer_event("cleared", self._sounding)
            self._sounding = None

    def _forget_unheard(self, item_id: str) -> None:
        self.arbiter.delete(item_id)
        self.note(journal.ItemDeleted(item_id))

    def _follow_playout(self, now: float) -> None:
        marks = self.speech.marks()
        for mark in marks:
            match mark:
                case Began(item_id):
                    self._began(item_id, now)
                case Played(progress):
                    self.note(self.speech.played(progress))
                case Drained():
                    self.move(Cause.DRAINED, now)
                    if self._sounding is not None and (
                        self.arbiter.active is None or self.arbiter.active.response_id != self._sounding
                    ):
                        self._silence_after(self._sounding)
                    if self.arbiter.busy:
                        self.move(Cause.REQUESTED, now)
        if marks:
            self.settle(now)

    def _began(self, item_id: str, now: float) -> None:
        spoken = self.speech.get(item_id)
        agent = spoken.agent if spoken is not None else self.agent
        turn = self._stopwatch.heard(now, item_id=item_id, agent=agent)
        if turn is not None:
            self.note(turn)
        response_id = spoken.response_id if spoken is not None else ""
        if self._sounding != response_id:
            self._silence_after(self._sounding)
            self._sounding = response_id
            self._buffer_event("started", response_id)
        self.move(Cause.FIRST_AUDIO, now)

    def _silence_after(self, response_id: str | None) -> None:
        if response_id is not None and self._sounding == response_id:
            self._buffer_event("stopped", response_id)
            self._sounding = None

    def _buffer_event(self, what: str, response_id: str) -> None:
        kind = f"output_audio_buffer.{what}"
        self.tell({"type": kind, "event_id": self.new_id("event"), "response_id": response_id})

    def _is_stale(self, response_id: str) -> bool:
        response = self.arbiter.response(response_id)
        return response is None or response.cancelled

    def settle(self, now: float) -> None:
        """Carry what the arbiter decided, and go live once both legs are up."""
        if not self.live and self._leg_up and self.arbiter.configured:
            self.live = True
            plan = self.plan
            self.note(journal.CallOpened(plan.scenario, self.agent, plan.upstream_url, plan.demo))
            if plan.greet:
                self.arbiter.want("greeting", now)
        for event in self.arbiter.take():
            self._actions.append(ToUpstream(event))
        for cause in self.arbiter.take_requested():
            self._hand_over(now)
            self.note(journal.ResponseRequested(cause))
            self._stopwatch.requested(now)
            if cause != "speech":
                self.move(Cause.REQUESTED, now)
        if self._owed_updates and self.arbiter.configured:
            for ignored in self._owed_updates:
                self.tell(
                    {
                        "type": "session.updated",
                        "event_id": self.new_id("event"),
                        "session": self.session_view(),
                    }
                )
                if ignored:
                    message = f"the server owns {', '.join(ignored)}; left as it is"
                    self.note(journal.Notice(message, ignored))
            self._owed_updates.clear()

    def _hand_over(self, now: float) -> None:
        handoff = self._handoff
        if handoff is not None and handoff.answered:
            before, self.agent, self._handoff = self.agent, handoff.to, None
            self.note(journal.AgentHandedOff(before, handoff.to, round((now - handoff.since_s) * 1000)))

    def session_view(self) -> Wire:
        """Return the session in force, as the caller's side may see it."""
        return dialect.session_view(self.session, call_id=self.plan.call_id, detection=self.detection)

    def owe_update(self, ignored: tuple[str, ...], now: float) -> None:
        """Answer a client's session.update once everything sent is acknowledged."""
        self._owed_updates.append(ignored)
        self.settle(now)


def _id_of(thing: object) -> str | None:
    found = thing.get("id") if isinstance(thing, Mapping) else None
    return found if isinstance(found, str) else None


def _why(details: object) -> tuple[str | None, str | None, str | None]:
    """Return (error code, error message, reason) of a response's status_details."""
    if not isinstance(details, Mapping):
        return None, None, None
    error = details.get("error")
    problem = error if isinstance(error, Mapping) else {}
    code, message, reason = (
        problem.get("code") or problem.get("type"),
        problem.get("message"),
        details.get("reason"),
    )
    return tuple(str(value)[:500] if value is not None else None for value in (code, message, reason))  # type: ignore[return-value]


_HANDLERS: dict[str, Callable[[Call, Wire, float], bool]] = {
    "session.created": lambda call, event, now: False,
    "session.updated": Call._session_updated,
    "error": Call._error,
    "input_audio_buffer.speech_started": Call._speech_started,
    "input_audio_buffer.speech_stopped": Call._speech_stopped,
    "input_audio_buffer.committed": Call._committed,
    "input_audio_buffer.cleared": Call._cleared,
    "conversation.item.added": Call._item_added,
    "conversation.item.created": Call._item_added,  # servers of the beta dialect
    "conversation.item.done": Call._item_done,
    "conversation.item.deleted": Call._item_deleted,
    "conversation.item.input_audio_transcription.completed": Call._caller_transcript,
    "response.created": Call._response_created,
    "response.output_item.added": Call._output_item_added,
    "response.output_audio.delta": Call._audio_delta,
    "response.output_audio.done": Call._audio_done,
    "response.output_audio_transcript.delta": Call._text_delta,
    "response.output_audio_transcript.done": Call._text_done,
    "response.output_text.delta": Call._text_delta,
    "response.output_text.done": Call._text_done,
    "response.output_item.done": Call._output_item_done,
    "response.done": Call._response_done,
}
