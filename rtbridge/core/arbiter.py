"""Arbiter: the only author of response.create, response.cancel, truncate, delete and session.update.

Everybody else wants; the arbiter sends. It knows what the upstream is busy with, so it never asks for a response
while one is active, while the caller speaks, while a session.update is not acknowledged, or while tool results of
one response are still missing; wants that come together become one. What it must not lose survives errors:
a create that the upstream refused is asked again when the other response is done.

It reads no clock: `now` (loop time, seconds) comes in, and `deadline()` says when to call `expire(now)`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Wire = dict[str, Any]
NewId = Callable[[str], str]

CREATED_WITHIN_S = 8.0  # response.create -> response.created
SILENT_FOR_S = 20.0  # an active response without any event
CANCELLED_WITHIN_S = 3.0  # response.cancel -> response.done
UPDATED_WITHIN_S = 5.0  # session.update -> session.updated
MAX_REMEMBERED = 256  # ids of ended responses, for late events

# Races that the protocol cannot avoid: our view was one event old when we sent.
BENIGN = frozenset(
    {
        "response_cancel_not_active",
        "conversation_already_has_active_response",
        "item_delete_invalid_item_id",
        "item_truncate_invalid_item_id",
        "item_truncate_invalid_audio_end_ms",
        "unknown_or_invalid_event",
    }
)


@dataclass(slots=True)
class Response:
    """One response as far as the arbiter knows it."""

    response_id: str
    cause: str
    items: list[str] = field(default_factory=list)  # message items with audio, in order
    calls: set[str] = field(default_factory=set)  # tool calls whose results are missing
    cancelled: bool = False
    flushed: bool = False  # its audio was thrown away: what was not heard must leave the context
    last_event_s: float = 0.0


@dataclass(slots=True)
class _Want:
    cause: str
    instructions: str | None = None


class Arbiter:
    """What is sent upstream, and when. `take()` gives the events to send, in order."""

    def __init__(self, *, new_id: NewId) -> None:
        self.auto_create = True  # answer a spoken turn by ourselves (turn_detection.create_response)
        self.caller_speaking = False
        self.active: Response | None = None
        self.session: Wire = {}  # what was last sent of `session`, merged
        self._new_id = new_id
        self._out: deque[Wire] = deque()
        self._want: _Want | None = None
        self._requested: _Want | None = None  # response.create sent, response.created not yet here
        self._requested_id = ""
        self._requested_s = 0.0
        self._cancel_at_birth = False
        self._blocked = False  # a response that we do not know is active
        self._responses: dict[str, Response] = {}  # ended ones stay for late events
        self._config: Wire | None = None  # next session.update
        self._unacked: dict[str, float] = {}  # event_id of session.update -> sent at
        self._held: list[Wire] = []  # items that wait for the session of the new agent
        self._deletes: list[str] = []  # items of an active response, deleted when it is done
        self._started: list[str] = []

    # -- what goes out ------------------------------------------------------------------------------------
    def take(self) -> Iterator[Wire]:
        """Yield the events to send now, each once."""
        while self._out:
            yield self._out.popleft()

    def take_requested(self) -> list[str]:
        """Return the causes of the response.create events decided since the last call."""
        causes, self._started = self._started, []
        return causes

    @property
    def busy(self) -> bool:
        """Whether an answer is on its way: active, asked for, or wanted and only waiting for its moment."""
        return (
            self.active is not None
            or self._requested is not None
            or self._want is not None
            or any(response.calls and not response.flushed for response in self._responses.values())
        )

    @property
    def configured(self) -> bool:
        """Whether a session is in force: something was sent and all of it was acknowledged."""
        return bool(self.session) and self._config is None and not self._unacked

    # -- what others want ---------------------------------------------------------------------------------
    def configure(self, session: Mapping[str, Any], now: float) -> None:
        """Put `session` (a partial session of event session.update) in force at the next quiet moment."""
        self._config = merged(self._config or {}, session)
        self.advance(now)

    def want(self, cause: str, now: float, *, instructions: str | None = None) -> None:
        """Want a response; wants that wait together become one."""
        if self._want is None or self._want.cause != "handoff":
            self._want = _Want(cause, instructions)
        self.advance(now)

    def add_item(self, item: Mapping[str, Any], now: float, *, event_id: str | None = None) -> None:
        """Put an item into the conversation, behind a session.update that is on its way."""
        event = {
            "type": "conversation.item.create",
            "event_id": event_id or self._new_id("event"),
            "item": dict(item),
        }
        if self._config is not None or self._unacked:
            self._held.append(event)
        else:
            self._out.append(event)
        self.advance(now)

    def forward(self, event: Mapping[str, Any]) -> None:
        """Send an event that needs no decision (commit, clear)."""
        self._out.append(dict(event))

    def cancel(self, *, flushed: bool, now: float) -> bool:
        """Cancel what is active or asked for; return whether there was anything.

        `flushed` says that its audio was thrown away too.
        """
        self._want = None
        if self.active is not None:
            self.active.flushed |= flushed
            if not self.active.cancelled:
                self.active.cancelled = True
                self.active.last_event_s = now
                self._out.append(
                    {
                        "type": "response.cancel",
                        "event_id": self._new_id("event"),
                        "response_id": self.active.response_id,
                    }
                )
            return True
        if self._requested is not None:
            self._cancel_at_birth = True
            return True
        return False

    def truncate(self, item_id: str, content_index: int, audio_end_ms: int) -> None:
        """Cut an item to what was heard (event conversation.item.truncate)."""
        self._out.append(
            {
                "type": "conversation.item.truncate",
                "event_id": self._new_id("event"),
                "item_id": item_id,
                "content_index": content_index,
                "audio_end_ms": audio_end_ms,
            }
        )

    def delete(self, item_id: str) -> None:
        """Take an item out of the conversation: nothing of it was heard. Waits for its response to be done."""
        if self.active is not None and item_id in self.active.items:
            self._deletes.append(item_id)
        else:
            self._send_delete(item_id)

    # -- what the caller does -----------------------------------------------------------------------------
    def speech_started(self) -> None:
        """Hold every response.create until the caller's turn is committed or cleared."""
        self.caller_speaking = True

    def speech_dropped(self, now: float) -> None:
        """The caller's words will not become a turn (event input_audio_buffer.cleared)."""
        self.caller_speaking = False
        self.advance(now)

    def committed(self, now: float) -> None:
        """Answer the caller's turn (event input_audio_buffer.committed), if that is ours to do."""
        self.caller_speaking = False
        if self.auto_create:
            self.want("speech", now)

    # -- what tools do ------------------------------------------------------------------------------------
    def tool_called(self, response_id: str, call_id: str) -> None:
        """Note a call whose result the response's answer must wait for."""
        response = self._responses.get(response_id)
        if response is not None:
            response.calls.add(call_id)

    def tool_output(
        self, call_id: str, output: str, now: float, *, cause: str, instructions: str | None
    ) -> None:
        """Give a result to the model; the last one of a response makes it go on."""
        self.add_item({"type": "function_call_output", "call_id": call_id, "output": output}, now)
        for response in self._responses.values():
            if call_id in response.calls:
                response.calls.discard(call_id)
                if response.calls and cause != "handoff":
                    return
        self.want(cause, now, instructions=instructions)

    # -- what the upstream says ---------------------------------------------------------------------------
    def response_created(self, response_id: str, now: float) -> Response:
        """Note the birth of a response (event response.created), ours or not."""
        cause = self._requested.cause if self._requested is not None else "upstream"
        self._requested = None
        response = Response(response_id, cause, last_event_s=now)
        self.active = self._responses[response_id] = response
        while len(self._responses) > MAX_REMEMBERED:
            del self._responses[next(iter(self._responses))]
        if self._cancel_at_birth:
            self._cancel_at_birth = False
            want, self._want = self._want, None
            self.cancel(flushed=True, now=now)
            self._want = want
        return response

    def response(self, response_id: str) -> Response | None:
        """Return what is known of a response, active or lately ended."""
        return self._responses.get(response_id)

    def item_added(self, response_id: str, item_id: str) -> None:
        """Note a message item of a response, in order."""
        response = self._responses.get(response_id)
        if response is not None and item_id not in response.items:
            response.items.append(item_id)

    def heard_from(self, response_id: str, now: float) -> None:
        """Note any event of a response, for the watchdog."""
        if self.active is not None and self.active.response_id == response_id:
            self.active.last_event_s = now

    def response_done(self, response_id: str, now: float) -> Response | None:
        """Note the end of a response (event response.done) and return it; None for one we never knew."""
        self._blocked = False
        response = self._responses.get(response_id)
        if self.active is not None and self.active is response:
            self.active = None
            deletes, self._deletes = self._deletes, []
            for item_id in deletes:
                self._send_delete(item_id)
        self.advance(now)
        return response

    def session_updated(self, now: float) -> None:
        """Note an acknowledged session.update; events come back in the order in which they were sent."""
        if self._unacked:
            del self._unacked[next(iter(self._unacked))]
        self.advance(now)

    def erred(self, code: str | None, event_id: str | None, now: float) -> bool:
        """Note an `error` event; return whether it is a race that needs no words."""
        if event_id and event_id in self._unacked:
            del self._unacked[event_id]
            self.advance(now)
            return False
        active = code == "conversation_already_has_active_response"
        if self._requested is not None and (event_id == self._requested_id or (active and not event_id)):
            refused, self._requested = self._requested, None
            self._cancel_at_birth = False
            if active:
                self._want = self._want or refused
                self._blocked = self.active is None
                self._requested_s = now
        self.advance(now)
        return code in BENIGN

    # -- time ---------------------------------------------------------------------------------------------
    def deadline(self) -> float | None:
        """Return when `expire` wants to be called, or None."""
        times = [sent + UPDATED_WITHIN_S for sent in self._unacked.values()]
        if self._requested is not None or self._blocked:
            times.append(self._requested_s + CREATED_WITHIN_S)
        if self.active is not None:
            times.append(
                self.active.last_event_s + (CANCELLED_WITHIN_S if self.active.cancelled else SILENT_FOR_S)
            )
        return min(times, default=None)

    def expire(self, now: float) -> list[str]:
        """Act on what the upstream failed to say in time; return what, in words."""
        late: list[str] = []
        for event_id, sent in list(self._unacked.items()):
            if now >= sent + UPDATED_WITHIN_S:
                del self._unacked[event_id]
                late.append("session.update was not acknowledged")
        if (self._requested is not None or self._blocked) and now >= self._requested_s + CREATED_WITHIN_S:
            late.append("response.create was not answered")
            self._want = self._want or (None if self._cancel_at_birth else self._requested)
            self._requested, self._blocked, self._cancel_at_birth = None, False, False
        if self.active is not None:
            if self.active.cancelled and now >= self.active.last_event_s + CANCELLED_WITHIN_S:
                late.append("response.cancel was not answered")
                self.response_done(self.active.response_id, now)
            elif not self.active.cancelled and now >= self.active.last_event_s + SILENT_FOR_S:
                late.append("the response fell silent")
                self.cancel(flushed=False, now=now)
        self.advance(now)
        return late

    def advance(self, now: float) -> None:
        """Send what may be sent now."""
        quiet = self.active is None and self._requested is None
        if self._config is not None and quiet:
            self._update(now)
        if self._config is None and not self._unacked:
            self._out.extend(self._held)
            self._held.clear()
            if (
                self._want is not None
                and quiet
                and not self._blocked
                and not self.caller_speaking
                and self.session
            ):
                self._create(now)

    def _update(self, now: float) -> None:
        assert self._config is not None
        event_id = self._new_id("event")
        self._out.append({"type": "session.update", "event_id": event_id, "session": self._config})
        self.session = merged(self.session, self._config)
        self._unacked[event_id] = now
        self._config = None

    def _create(self, now: float) -> None:
        assert self._want is not None
        self._requested, self._want = self._want, None
        self._requested_id, self._requested_s = self._new_id("event"), now
        event: Wire = {"type": "response.create", "event_id": self._requested_id}
        if self._requested.instructions is not None:
            event["response"] = {"instructions": self._requested.instructions}
        self._out.append(event)
        self._started.append(self._requested.cause)

    def _send_delete(self, item_id: str) -> None:
        self._out.append(
            {"type": "conversation.item.delete", "event_id": self._new_id("event"), "item_id": item_id}
        )


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> Wire:
    """Return `base` with `over` laid on it, mapping by mapping, as session.update merges."""
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        # A turn detection is one choice with its own keys: it replaces, it does not mix with another type's.
        if isinstance(value, Mapping) and isinstance(below, Mapping) and key != "turn_detection":
            result[key] = merged(below, value)
        else:
            result[key] = dict(value) if isinstance(value, Mapping) else value
    return result
