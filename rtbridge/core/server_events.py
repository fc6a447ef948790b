"""What the upstream says: server events of the Realtime API, one at a time.

The protocol is read here, and in caller_speech.py where it is about the caller's speech; what follows from it is the
call's to decide. Events of responses that were cancelled are stale: their audio never plays and their tool calls are
never run.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any

from rtbridge.core import (
    caller_speech,
    deciding,
    dialect,
    function_calls,
    guarding,
    interruption,
    journal,
    pcm,
    push_to_talk,
    view,
    withheld,
)
from rtbridge.core.call import Call
from rtbridge.core.races import ALREADY_ACTIVE
from rtbridge.core.requests import Want
from rtbridge.core.speech import Spoken, entry_of
from rtbridge.core.turns import State

Wire = dict[str, Any]

# Errors of a failed response that asking again cannot mend.
NO_RETRY = frozenset({"insufficient_quota", "rate_limit_exceeded", "invalid_request_error", "content_filter"})


def handle_upstream(call: Call, event: Wire, now: float) -> bool:
    """Take a server event; return whether the agents shall see it too."""
    kind = event.get("type")
    response_id = event.get("response_id")
    if isinstance(response_id, str):
        call.arbiter.heard_from(response_id, now)
    if deciding.swallows(call, event):
        return False
    for_caller = view.visible(event, call.speech.transcript)
    handler = _HANDLERS.get(str(kind))
    for_agents = True if handler is None else handler(call, event, now)
    if for_caller is not None and kind != "conversation.item.added" and not deciding.swallows(call, event):
        stale = isinstance(response_id, str) and call.is_stale(response_id, str(event.get("item_id")))
        if not stale or not str(kind).endswith(".delta"):
            withheld.tell(call, for_caller)
    call.settle(now)
    return for_agents


def _session_updated(call: Call, event: Wire, now: float) -> bool:
    if not call.upstream_up and call.arbiter.configuration.sent:
        call.upstream_up = True
        took_ms = round((now - call.opened_s) * 1000)
        call.note(journal.UpstreamOpened(call.plan.upstream_url, took_ms))
    call.arbiter.session_updated(now)
    return False


def _error(call: Call, event: Wire, now: float) -> bool:
    given = event.get("error")
    problem: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
    code = str(problem.get("code") or problem.get("type") or "unknown")
    message = str(problem.get("message"))[:500]
    ours = problem.get("event_id")
    ours = ours if isinstance(ours, str) else None
    if not call.live and call.arbiter.configuration.is_owed(ours):
        call.hang_up(f"the upstream refused the session: {message}")
    refused = call.arbiter.asked_for(ours)
    benign = call.arbiter.erred(code, ours, now)
    push_to_talk.refused(call, ours, now)
    call.note(journal.UpstreamErred(code, message, benign))
    theirs, cause = call.client.whose(ours) if code != ALREADY_ACTIVE else (False, None)  # it is asked again
    if theirs:
        kind, param = str(problem.get("type") or "invalid_request_error"), problem.get("param")
        call.tell(dialect.error(call.new_id("event"), code, message, param=param, cause=cause, kind=kind))
    if refused is not None and code != ALREADY_ACTIVE and not (theirs and refused.cause == "client"):
        _ask_again(call, refused, code, message, now)
    if call.turns.state is State.THINKING and not call.arbiter.awaits_commit:
        call.rest(now)  # if the error was about what we waited for, nothing will come
    return not benign


def _item_added(call: Call, event: Wire, now: float) -> bool:
    item = event.get("item")
    if not isinstance(item, dict) or not isinstance(item.get("id"), str):
        return False
    entry = entry_of(item)
    previous = event.get("previous_item_id")
    known = call.speech.transcript.get(entry.item_id) is not None
    spoken = call.speech.get(entry.item_id)
    entry.agent = spoken.agent if spoken is not None else ""
    call.speech.transcript.add(entry, previous if isinstance(previous, str) else None)
    if call.client.was_typed(entry.item_id):
        call.bounds.turn_over()
        call.note(journal.CallerSaid(entry.item_id, entry.text, typed=True))
    shown = (
        None if known else view.visible({**event, "type": "conversation.item.added"}, call.speech.transcript)
    )
    if shown is not None:
        call.tell(shown)
    return True


def _item_done(call: Call, event: Wire, now: float) -> bool:
    item = event.get("item")
    entry = call.speech.transcript.get(str(item.get("id"))) if isinstance(item, dict) else None
    if entry is not None:
        entry.done = True
        if entry.kind == "function_call":  # its arguments are there now
            entry.text = entry_of(event["item"]).text
    return True


def _item_deleted(call: Call, event: Wire, now: float) -> bool:
    if call.speech.transcript.is_forgotten(str(event.get("item_id"))):
        return True
    call.speech.transcript.remove(str(event.get("item_id")))
    return True


def _response_created(call: Call, event: Wire, now: float) -> bool:
    response_id = _id_of(event.get("response"))
    if response_id is not None:
        call.arbiter.response_created(response_id, now)
    return True


def _output_item_added(call: Call, event: Wire, now: float) -> bool:
    item, response_id = event.get("item"), str(event.get("response_id"))
    if isinstance(item, dict) and item.get("type") == "message" and isinstance(item.get("id"), str):
        call.arbiter.responses.item_added(response_id, item["id"])
        if call.handover.decided_in(response_id):  # the old agent says nothing more
            interruption.bar(call, response_id, item["id"])
        else:
            _begin(call, item["id"], response_id)
    return True


def _begin(call: Call, item_id: str, response_id: str) -> Spoken:
    if call.speech.get(item_id) is None:
        call.note(journal.ItemBegun(item_id, call.agent))
    spoken = call.speech.begin(item_id, response_id, call.agent)
    guarding.begin(call, spoken)
    return spoken


def _audio_delta(call: Call, event: Wire, now: float) -> bool:
    response_id, item_id = str(event.get("response_id")), str(event.get("item_id"))
    call.arbiter.configuration.voice_heard = True
    if call.is_stale(response_id, item_id):
        return False
    try:
        chunk = base64.b64decode(event.get("delta") or "", validate=True)
        pcm.samples_of(chunk)
    except (binascii.Error, ValueError, TypeError):
        call.note(
            journal.UpstreamErred("invalid_audio", f"audio of {item_id} is not base64 s16le", benign=False)
        )
        return False
    call.arbiter.responses.item_added(response_id, item_id)
    _begin(call, item_id, response_id)
    index = event.get("content_index")
    lost = call.speech.add_audio(item_id, index if isinstance(index, int) else 0, chunk)
    response = call.arbiter.response(response_id)
    assert response is not None  # or it were stale
    call.stopwatch.first_audio(now, item_id, response)
    guarding.extend(call, item_id, now)
    if lost:
        call.note(journal.AudioDropped("playout", pcm.ms_of_samples(lost)))
    return False


def _text_delta(call: Call, event: Wire, now: float) -> bool:
    response_id, item_id = str(event.get("response_id")), str(event.get("item_id"))
    if not call.is_stale(response_id, item_id):
        _begin(call, item_id, response_id)
        call.speech.add_text(item_id, str(event.get("delta") or ""))
        guarding.said(call, item_id, str(event.get("delta") or ""), now)
    return True


def _text_done(call: Call, event: Wire, now: float) -> bool:
    item_id, text = str(event.get("item_id")), str(event.get("transcript") or event.get("text") or "")
    response_id = str(event.get("response_id"))
    if not call.is_stale(response_id, item_id):
        spoken = _begin(call, item_id, response_id)
        call.speech.set_text(item_id, text)
        guarding.extend(call, item_id, now)
        call.note(journal.AgentSaid(item_id, spoken.agent, text))
    return True


def _audio_done(call: Call, event: Wire, now: float) -> bool:
    call.speech.playout.finish(str(event.get("item_id")))
    call.follow_playout(now)
    return False


def _output_item_done(call: Call, event: Wire, now: float) -> bool:
    item, response_id = event.get("item"), str(event.get("response_id"))
    if not isinstance(item, dict):
        return False
    if item.get("type") != "function_call":
        if item.get("status") in (None, "completed") and not call.is_stale(response_id):
            call.speech.complete(str(item.get("id")))
        call.speech.playout.finish(str(item.get("id")))
        call.follow_playout(now)
        return True
    return function_calls.called(call, item, response_id, now)


def _response_done(call: Call, event: Wire, now: float) -> bool:
    given = event.get("response")
    answer: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
    response = call.arbiter.response(str(answer.get("id")))
    status = str(answer.get("status"))
    code, message, reason = _why(answer.get("status_details"))
    call.note(journal.ResponseEnded(str(answer.get("id")), status, reason, message))
    if response is None:
        call.arbiter.response_done("", now)
        call.rest(now)
        return True
    if status == "failed" and not response.cancelled:
        _ask_again(call, response.want, code, message, now)
    elif status == "incomplete":
        call.note(journal.Notice(f"The answer was cut short: {reason or 'no reason given'}"))
    elif status == "completed":
        call.retried = False
    call.response_over(response, now)
    guarding.ended(call, response, now)
    return True


def _ask_again(call: Call, want: Want, code: str | None, message: str | None, now: float) -> None:
    """Ask once more for what failed or was refused, where that may help; else tell the caller that it was not."""
    if want.aside:
        return
    if code in NO_RETRY or call.retried:
        call.note(journal.Notice(f"The model could not answer: {message or code or 'no reason given'}"))
    else:
        call.retried = True
        call.arbiter.want_again(want, now)


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
    "session.updated": _session_updated,
    "error": _error,
    **caller_speech.HANDLERS,
    "conversation.item.added": _item_added,
    "conversation.item.created": _item_added,  # servers of the beta dialect
    "conversation.item.done": _item_done,
    "conversation.item.deleted": _item_deleted,
    "response.created": _response_created,
    "response.output_item.added": _output_item_added,
    "response.output_audio.delta": _audio_delta,
    "response.output_audio.done": _audio_done,
    "response.output_audio_transcript.delta": _text_delta,
    "response.output_audio_transcript.done": _text_done,
    "response.output_text.delta": _text_delta,
    "response.output_text.done": _text_done,
    "response.output_item.done": _output_item_done,
    "response.done": _response_done,
}
