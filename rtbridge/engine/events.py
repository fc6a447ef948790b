"""The client events of the Realtime API, checked: text of a frame in, a well-shaped event or a BadRequest out.

Only shapes live here: whether an item exists or a response is active is the conversation's business.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any, Final

from rtbridge.engine import shapes as s
from rtbridge.engine.session_config import RESPONSE_OPTIONS, UPDATE
from rtbridge.errors import BadRequest

MAX_APPEND_BYTES: Final = 15 * 1024 * 1024  # Realtime `input_audio_buffer.append`: up to 15 MiB of audio

_ID = s.string(512)
_NEW_ITEM_ID = s.string(32)  # the API's bound on ids that clients choose
_STATUS = s.nullable(s.choice("completed", "incomplete", "in_progress"))
_TEXT = s.record({"type": s.string(), "text": s.string()}, required=("text",))
_COMMON = {"id": s.nullable(_NEW_ITEM_ID), "object": s.nullable(s.choice("realtime.item")), "status": _STATUS}


def _content(parts: Mapping[str, s.Check]) -> s.Check:
    return s.listing(s.tagged("type", parts), most=256)


def _message(parts: Mapping[str, s.Check]) -> s.Check:
    fields = {**_COMMON, "type": s.string(), "role": s.string(), "content": _content(parts)}
    return s.record(fields, required=("role", "content"))


_MESSAGE = s.tagged(
    "role",
    {
        "system": _message({"input_text": _TEXT}),
        "user": _message(
            {
                "input_text": _TEXT,
                "input_audio": s.record(
                    {
                        "type": s.string(),
                        "audio": s.string(2 * MAX_APPEND_BYTES),
                        "transcript": s.nullable(s.string()),
                    },
                    required=("audio",),
                ),
                "input_image": s.record(
                    {
                        "type": s.string(),
                        "image_url": s.string(2 * MAX_APPEND_BYTES),
                        "detail": s.nullable(s.choice("auto", "low", "high")),
                    },
                    required=("image_url",),
                ),
            }
        ),
        # Assistant audio cannot be created by clients (Realtime `conversation.item.create`).
        "assistant": _message({"output_text": _TEXT}),
    },
)
_ITEMS: dict[str, s.Check] = {
    "message": _MESSAGE,
    "function_call": s.record(
        {
            **_COMMON,
            "type": s.string(),
            "call_id": s.string(64),
            "name": s.string(64),
            "arguments": s.string(),
        },
        required=("name", "arguments"),
    ),
    "function_call_output": s.record(
        {**_COMMON, "type": s.string(), "call_id": s.string(64), "output": s.string()},
        required=("call_id", "output"),
    ),
}
_ITEM = s.tagged("type", _ITEMS)
_INPUT_ITEM = s.tagged(
    "type", {**_ITEMS, "item_reference": s.record({"type": s.string(), "id": _ID}, required=("id",))}
)


def _event(*, required: tuple[str, ...] = (), **fields: s.Check) -> s.Check:
    head = {"type": s.string(), "event_id": s.nullable(s.string(512))}
    return s.record({**head, **fields}, required=required)


_EVENTS: dict[str, s.Check] = {
    "session.update": _event(session=UPDATE, required=("session",)),
    "input_audio_buffer.append": _event(audio=s.string(2 * MAX_APPEND_BYTES), required=("audio",)),
    "input_audio_buffer.commit": _event(),
    "input_audio_buffer.clear": _event(),
    "conversation.item.create": _event(item=_ITEM, previous_item_id=s.nullable(_ID), required=("item",)),
    "conversation.item.retrieve": _event(item_id=_ID, required=("item_id",)),
    "conversation.item.truncate": _event(
        item_id=_ID,
        content_index=s.number(0, 1_000_000, whole=True),
        audio_end_ms=s.number(0, 1_000_000_000, whole=True),
        required=("item_id", "content_index", "audio_end_ms"),
    ),
    "conversation.item.delete": _event(item_id=_ID, required=("item_id",)),
    "response.create": _event(
        response=s.nullable(s.record({**RESPONSE_OPTIONS, "input": s.nullable(s.listing(_INPUT_ITEM))}))
    ),
    "response.cancel": _event(response_id=s.nullable(_ID)),
}
# `output_audio_buffer.clear` is for WebRTC and SIP only, where the server plays the audio; here it is refused.
_ANY = s.tagged("type", _EVENTS)
CLIENT_EVENTS: Final = tuple(_EVENTS)


def parse(frame: str) -> dict[str, Any]:
    """Return the event that `frame` holds, of unchecked shape. Raises BadRequest if it is not a JSON object."""
    try:
        event = json.loads(frame)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"The frame is not JSON: {error}.", code="invalid_json") from None
    if not isinstance(event, dict):
        raise s.wrong_type(event, "event", "an object")
    return event


def checked(event: dict[str, Any]) -> dict[str, Any]:
    """Return `event` if it is a client event of the right shape. Raises BadRequest with the API's code and param."""
    found: dict[str, Any] = _ANY(event, "")
    return found


def event_id_of(event: Mapping[str, Any]) -> str | None:
    """Return the client's own `event_id`, for errors about this event."""
    given = event.get("event_id")
    return given[:512] if isinstance(given, str) else None


def audio_of(text: str, path: str) -> bytes:
    """Return the PCM (24 kHz mono s16le) in base64 `text`. Raises BadRequest unless it is whole samples."""
    try:
        pcm = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise s.invalid(path, "Expected base64-encoded audio bytes (mono PCM16 at 24kHz).") from None
    if len(pcm) % 2:
        raise s.invalid(path, f"{len(pcm)} bytes are not whole 16-bit samples.")
    if len(pcm) > MAX_APPEND_BYTES:
        raise s.invalid(path, f"{len(pcm)} bytes are more than the {MAX_APPEND_BYTES} of one event.")
    return pcm
