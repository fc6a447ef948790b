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
from dataclasses import replace
from typing import Any

from rtbridge.core import requests
from rtbridge.core.configuration import Configuration
from rtbridge.core.filler import CAUSE, words_for
from rtbridge.core.races import ALREADY_ACTIVE, BENIGN
from rtbridge.core.requests import Response, Want
from rtbridge.core.responses import Responses

Wire = dict[str, Any]
NewId = Callable[[str], str]

CREATED_WITHIN_S = 8.0  # response.create -> response.created
SILENT_FOR_S = 20.0  # an active response without any event
CANCELLED_WITHIN_S = 3.0  # response.cancel -> response.done
NOT_HANDED_OVER = "a handoff was not carried out"
BARRED_FOR_S = 10.0  # a handoff was decided -> the agents have carried it out
MAX_HELD = 256  # events that wait for a session


class Arbiter:
    """What is sent upstream, and when. `take()` gives the events to send, in order."""

    def __init__(self, *, new_id: NewId) -> None:
        self.auto_create = True  # answer a spoken turn by ourselves (turn_detection.create_response)
        self.caller_speaking = False
        self.hold = False  # guardrails have yet to clear what is to be answered
        self.active: Response | None = None
        self.configuration = Configuration()
        self._new_id = new_id
        self._out: deque[Wire] = deque()
        self._want: Want | None = None
        self._asked = Want("")  # the last response.create that was sent
        self._asked_id = ""
        self._asked_s = 0.0
        self._born = True  # its response.created is here, or will not come
        self._cancel_at_birth = False
        self._blocked = False  # a response that we do not know is active
        self.responses = Responses()
        self._held: list[Wire] = []  # what waits for a session
        self._role: str | None = None  # instructions that the next response is given once more
        self._barred_since: float | None = None  # a handoff was decided: the old agent says nothing more
        self._turn_over = False  # the upstream found the end of a turn that is not committed yet
        self._deletes: list[str] = []  # items of an active response, deleted when it is done
        self._started: list[str] = []

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
        """Whether an answer is on its way: active, asked for, waiting for its moment or for a tool."""
        return (
            self.active is not None
            or not self._born
            or self._want is not None
            or self._barred_since is not None
            or self.responses.await_tools
        )

    @property
    def configured(self) -> bool:
        """Whether a session is in force: something was sent and all of it was acknowledged."""
        return self.configuration.in_force

    @property
    def crowded(self) -> bool:
        """Whether so much waits for a session that nothing more can be taken from outside."""
        return len(self._held) >= MAX_HELD

    def configure(self, session: Mapping[str, Any], now: float) -> None:
        """Put `session` (a partial session of event session.update) in force at the next quiet moment."""
        self.configuration.change(session)
        self.advance(now)

    def want(self, cause: str, now: float, *, event_id: str | None = None) -> None:
        """Want a response; wants that wait together become one."""
        self._want = requests.joined(self._want or Want(cause), cause, event_id)
        self.advance(now)

    def fill(self, phrase: str, now: float) -> bool:
        """Have a phrase said beside the conversation, if nothing else is going on; return whether."""
        quiet = self.active is None and self._born and self._want is None and not self._blocked
        if free := quiet and self.configured and not self.caller_speaking and self._barred_since is None:
            said = {"phrase": phrase, "instructions": words_for(phrase)}
            self._ask(Want(CAUSE, again=True, aside=True, **said), now)
        return free

    @property
    def aside(self) -> bool:
        """Whether what is active or asked for is beside the conversation."""
        return self.active.want.aside if self.active is not None else not self._born and self._asked.aside

    def want_again(self, want: Want, now: float) -> None:
        """Want what was asked for and not given."""
        self._want = self._want or requests.again(want)
        self.advance(now)

    def asked_for(self, event_id: str | None) -> Want | None:
        """Return what the response.create of this event id asks for, if it is not answered and nobody cancelled it."""
        waits = not self._born and not self._cancel_at_birth and event_id == self._asked_id
        return self._asked if waits else None

    def add_item(self, item: Mapping[str, Any], now: float, *, event_id: str | None = None) -> None:
        """Put an item into the conversation, behind a session.update that is on its way."""
        self.forward(requests.create_item(event_id or self._new_id("event"), item))
        self.advance(now)

    def forward(self, event: Mapping[str, Any]) -> None:
        """Send an event that needs no decision, once a session is in force."""
        (self._out if self.configured else self._held).append(dict(event))

    def holds(self, event_id: str | None) -> bool:
        """Whether an event that was to be forwarded waits for a session."""
        return any(event["event_id"] == event_id for event in self._held)

    def cancel(self, now: float) -> bool:
        """Cancel what is active or asked for; return whether there was anything. Wants that wait stay."""
        if self.active is not None:
            if not self.active.cancelled:
                self.active.cancelled = True
                self.active.last_event_s = now
                if (
                    not self.active.items and not self.active.want.aside
                ):  # a new agent's first word is to come
                    self._role = self._role or self.active.want.instructions
                self._out.append(requests.cancel_response(self._new_id("event"), self.active.response_id))
            return True
        self._cancel_at_birth = not self._born
        return self._cancel_at_birth

    def forget_wants(self) -> None:
        """Drop what is wanted and not asked for yet: somebody wants silence."""
        self._want = None

    def bar(self, now: float) -> None:
        """Ask for no response until `unbar`, or for 10 s: who speaks next is being changed."""
        self._barred_since = now

    def unbar(self) -> None:
        """Ask for responses again, from the next `want` or `advance` on."""
        self._barred_since = None

    def take_over(self, role: str | None, now: float) -> None:
        """Have a new agent speak first, once its session is in force; `role` is its instructions."""
        self._role = role
        self.unbar()
        self.want("handoff", now)

    def truncate(self, item_id: str, content_index: int, audio_end_ms: int) -> None:
        """Cut an item to what was heard (event conversation.item.truncate)."""
        self._out.append(requests.truncate_item(self._new_id("event"), item_id, content_index, audio_end_ms))

    def delete(self, item_id: str) -> None:
        """Take an item out of the conversation: nothing of it was heard. Waits for its response to be done."""
        if self.active is not None and item_id in self.active.items:
            self._deletes.append(item_id)
        else:
            self._out.append(requests.delete_item(self._new_id("event"), item_id))

    def speech_started(self) -> None:
        """Hold every response.create until the caller's turn is committed or cleared."""
        self.caller_speaking = True
        self._turn_over = False

    def turn_over(self) -> None:
        """The upstream found the end of a turn: what it commits next is to be answered."""
        self._turn_over = True

    def speech_dropped(self, now: float) -> None:
        """The caller's words will not become a turn (event input_audio_buffer.cleared)."""
        self.caller_speaking = self._turn_over = False
        self.advance(now)

    def committed(self, now: float) -> None:
        """Answer the caller's turn (event input_audio_buffer.committed), if that is ours to do.

        A commit that a client asked for is its own to have answered.
        """
        self.caller_speaking = False
        over, self._turn_over = self._turn_over, False
        if over and self.auto_create:
            self.want("speech", now)
        self.advance(now)

    @property
    def awaits_commit(self) -> bool:
        """Whether a turn was found over and is not committed yet."""
        return self._turn_over

    def tool_output(
        self, call_id: str, output: str, now: float, *, cause: str, role: str | None = None
    ) -> None:
        """Give a result to the model; the last one of a response makes it go on.

        `role` is a new agent's instructions: whatever is asked for next is asked for with them.
        """
        result = {"type": "function_call_output", "call_id": call_id, "output": output}
        self.forward(requests.create_item(self._new_id("event"), result))
        self._role = role or self._role
        if (wanted := self.responses.tool_ended(call_id, cause)) is not None:
            self.want(wanted, now)
        self.advance(now)

    def response_created(self, response_id: str, now: float) -> Response:
        """Note the birth of a response (event response.created), ours or not."""
        ours = not self._born
        want, asked_s = (self._asked, self._asked_s) if ours else (Want("upstream"), now)
        response = Response(response_id, want, asked_s=asked_s, created_s=now, last_event_s=now)
        self.active = response
        self.responses.add(response)
        # A response that nobody asked for and that comes while the caller speaks would talk over them.
        unwanted = self._cancel_at_birth or (not ours and self.caller_speaking)
        self._born, self._cancel_at_birth = True, False
        if unwanted:
            self.cancel(now)
        return response

    def response(self, response_id: str) -> Response | None:
        """Return what is known of a response, active or lately ended."""
        return self.responses.get(response_id)

    def heard_from(self, response_id: str, now: float) -> None:
        """Note any event of a response, for the watchdog."""
        if self.active is not None and self.active.response_id == response_id:
            self.active.last_event_s = now

    def response_done(self, response_id: str, now: float) -> None:
        """Note the end of a response (event response.done); one we never knew only unblocks."""
        self._blocked = False
        if self.active is not None and self.active.response_id == response_id:
            self.active = None
            deletes, self._deletes = self._deletes, []
            for item_id in deletes:
                self.delete(item_id)
        self.advance(now)

    def session_updated(self, now: float) -> None:
        """Note an acknowledged session.update; events come back in the order in which they were sent."""
        self.configuration.acknowledged()
        self.advance(now)

    def erred(self, code: str | None, event_id: str | None, now: float) -> bool:
        """Note an `error` event; return whether it is a race that needs no words."""
        self.configuration.refused(event_id)
        active = code == ALREADY_ACTIVE
        if event_id == self._asked_id if event_id else active and not self._born:
            if active:
                if not self._cancel_at_birth and not self._asked.aside:
                    self._want = self._want or self._asked
                self._blocked = self.active is None
                self._asked_s = now
            self._unask()
        self.advance(now)
        return code in BENIGN

    def _unask(self) -> None:
        self._asked_id, self._born, self._cancel_at_birth = "", True, False

    def deadline(self) -> float | None:
        """Return when `expire` wants to be called, or None."""
        times = self.configuration.deadlines()
        if self._barred_since is not None:
            times.append(self._barred_since + BARRED_FOR_S)
        if not self._born or self._blocked:
            times.append(self._asked_s + CREATED_WITHIN_S)
        if self.active is not None:
            times.append(
                self.active.last_event_s + (CANCELLED_WITHIN_S if self.active.cancelled else SILENT_FOR_S)
            )
        return min(times, default=None)

    def lost(self, now: float) -> Response | None:
        """Return the active response if it was cancelled and its end is overdue: nobody need wait for it."""
        active = self.active
        overdue = active is not None and active.cancelled and now >= active.last_event_s + CANCELLED_WITHIN_S
        return active if overdue else None

    def expire(self, now: float) -> list[str]:
        """Act on what the upstream failed to say in time, but for `lost`; return what, in words."""
        late = self.configuration.expire(now)
        if self._barred_since is not None and now >= self._barred_since + BARRED_FOR_S:
            late.append(NOT_HANDED_OVER)
            self._barred_since = None
        if now >= self._asked_s + CREATED_WITHIN_S:
            if not self._born:
                late.append("response.create was not answered")
                if not self._asked.again and not self._cancel_at_birth:
                    self._want = self._want or replace(self._asked, again=True)
                self._unask()
            elif self._blocked:
                late.append("a response that was said to be active did not end")
                self._blocked = False
        active = self.active
        if active is not None and not active.cancelled and now >= active.last_event_s + SILENT_FOR_S:
            late.append("the response fell silent")
            self.cancel(now)
            if not active.items and not active.calls and not active.want.again:
                self._want = self._want or replace(active.want, event_id=None, again=True)
        self.advance(now)
        return late

    def advance(self, now: float) -> None:
        """Send what may be sent now."""
        quiet = self.active is None and self._born
        if self.configuration.may_go(quiet=quiet):
            self._out.append(self.configuration.go(self._new_id("event"), now))
        if not self.configured:
            return
        self._out.extend(self._held)
        self._held.clear()
        free = quiet and not self._blocked and not self.caller_speaking and self._barred_since is None
        if self._want is not None and free and not self.hold:
            self._create(self._want, now)

    def _create(self, want: Want, now: float) -> None:
        if self._role is not None:
            want = replace(want, instructions=self._role)
        self._want = self._role = None
        self._ask(want, now)

    def _ask(self, want: Want, now: float) -> None:
        self._asked, self._born = want, False
        self._asked_id, self._asked_s = want.event_id or self._new_id("event"), now
        self._out.append(requests.create_response(self._asked_id, want))
        self._started.append(want.cause)
