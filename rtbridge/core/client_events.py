"""What the caller's side asks for over `oai-events`, one event at a time.

Every event is obeyed or answered with an `error` that bears its event_id; a refusal ends nothing. The rules are the
dialect's; the doing is the call's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rtbridge.core import approval, controls, dialect, dtmf, journal, push_to_talk, switching, withheld
from rtbridge.core.call import Call
from rtbridge.core.dialect import Refused
from rtbridge.core.turns import Cause
from rtbridge.errors import PeerError

Wire = dict[str, Any]


def handle_caller(call: Call, text: str, now: float) -> None:
    """Take one data-channel message of the caller's side."""
    try:
        event = dialect.read(text)
        _HANDLERS[event["type"]](call, event, now)
    except Refused as refusal:
        call.note(journal.CallerRefused(refusal.kind or "?", refusal.code, refusal.message))
        call.tell(refusal.as_event(call.new_id("event")))


def _session_update(call: Call, event: Wire, now: float) -> None:
    given, detection = dialect.turn_detection(event)
    session: Mapping[str, Any] = event["session"]
    if not call.client.owe_update(dict(session)):
        raise _too_many(event)
    if given:
        changed = call.choose_detection(detection, by_caller=True)
        push_to_talk.follow_detection(call, now)
        if changed and call.session:  # before the agents have a session, theirs takes it along
            call.arbiter.configure(call.detection.upstream(), now)
    call.settle(now)


def _item_create(call: Call, event: Wire, now: float) -> None:
    item = dialect.user_item(event)
    if call.speech.transcript.get(item.get("id", "")) is not None:
        raise Refused(
            "item_already_exists",
            f"an item {item['id']!r} is there already; choose another id or leave it out",
            kind="conversation.item.create",
            event_id=event.get("event_id"),
            param="item.id",
        )
    if call.arbiter.crowded:
        raise _too_many(event)
    call.type_text(item, now, client_event_id=event.get("event_id"))
    call.settle(now)


def _item_retrieve(call: Call, event: Wire, now: float) -> None:
    entry = call.speech.transcript.get(str(event.get("item_id")))
    if entry is None or not entry.visible:
        raise Refused(
            "item_retrieve_invalid_item_id",
            f"there is no item {str(event.get('item_id'))[:64]!r} in this conversation",
            kind="conversation.item.retrieve",
            event_id=event.get("event_id"),
            param="item_id",
        )
    item = withheld.shown(call, entry)
    call.tell({"type": "conversation.item.retrieved", "event_id": call.new_id("event"), "item": item})


def _response_create(call: Call, event: Wire, now: float) -> None:
    dialect.plain_create(event)
    event_id = call.new_id("event")
    call.client.sent(event_id, event.get("event_id"))
    call.request("client", now, event_id=event_id)


def _response_cancel(call: Call, event: Wire, now: float) -> None:
    if not call.arbiter.cancel(now):
        raise Refused(
            "response_cancel_not_active",
            "there is no active response to cancel",
            kind="response.cancel",
            event_id=event.get("event_id"),
        )
    call.settle(now)


def _output_clear(call: Call, event: Wire, now: float) -> None:
    call.move(Cause.CANCELLED, now)
    call.settle(now)


def _input_forward(call: Call, event: Wire, now: float) -> None:
    if call.arbiter.crowded:
        raise _too_many(event)
    by_hand, is_clear = call.detection.value is None, event["type"] == "input_audio_buffer.clear"
    if by_hand and call.detection.chosen:
        (push_to_talk.press if is_clear else push_to_talk.release)(call, event, now)
        return
    if is_clear:
        call.uplink.forget()
    event_id = call.new_id("event")
    call.client.sent(event_id, event.get("event_id"))
    call.arbiter.forward({"type": event["type"], "event_id": event_id})
    call.settle(now)


def _agent_switch(call: Call, event: Wire, now: float) -> None:
    switching.switch(call, event, now)
    call.settle(now)


def _approval(call: Call, event: Wire, now: float) -> None:
    call_id, message = dialect.approval_answer(event)
    approve = event["type"] == "rtbridge.tool.approve"
    try:
        approval.answer(call, call_id, approve, by=approval.PAGE, now=now, reason=message)
    except PeerError as no:
        raise Refused(
            no.code, no.message, kind=event["type"], event_id=event.get("event_id"), param=no.param
        ) from None
    call.settle(now)


def _dtmf(call: Call, event: Wire, now: float) -> None:
    dtmf.press(call, dialect.dtmf_digits(event), now, by="page")


def _too_many(event: Wire) -> Refused:
    return Refused(
        "too_many_events",
        "too many events wait for the session to be in force; wait for session.updated",
        kind=event["type"],
        event_id=event.get("event_id"),
    )


_HANDLERS: dict[str, Callable[[Call, Wire, float], None]] = {
    "session.update": _session_update,
    "conversation.item.create": _item_create,
    "conversation.item.retrieve": _item_retrieve,
    "response.create": _response_create,
    "response.cancel": _response_cancel,
    "output_audio_buffer.clear": _output_clear,
    "input_audio_buffer.clear": _input_forward,
    "input_audio_buffer.commit": _input_forward,
    "rtbridge.agent.switch": _agent_switch,
    "rtbridge.dtmf": _dtmf,
    "rtbridge.tool.approve": _approval,
    "rtbridge.tool.reject": _approval,
    **dict.fromkeys(controls.SWITCHES, controls.change),
}
