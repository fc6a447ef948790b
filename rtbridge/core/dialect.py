"""The WebRTC dialect of the Realtime events: what may come over the data channel `oai-events`.

An allow-list. What the server owns (instructions, tools, model, voice) is not the client's to set; a session.update
of it is acknowledged with what is in force. Pure functions; who decides is call.py. What goes the other way is
in view.py.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rtbridge.core.dtmf import KEYS

Wire = dict[str, Any]

MAX_DIGITS = 32  # of one rtbridge.dtmf
MAX_EVENT_ID_CHARS = 512  # what OpenAI takes
MAX_TEXT_CHARS = 16_000  # of one typed message
MAX_MESSAGE_BYTES = 65_536  # of one event towards the caller

CLIENT_EVENTS = frozenset(
    {
        "session.update",
        "conversation.item.create",
        "conversation.item.retrieve",
        "response.create",
        "response.cancel",
        "output_audio_buffer.clear",
        "input_audio_buffer.clear",
        "input_audio_buffer.commit",
        "rtbridge.agent.switch",  # ours: {"agent": name}
        "rtbridge.dtmf",  # ours: {"digits": "1234#"}
        "rtbridge.tool.approve",
        "rtbridge.tool.reject",
        "rtbridge.input_audio.mute",  # ours: {"muted": true}
        "rtbridge.output_audio.pause",  # ours: {"paused": true}
        "rtbridge.call.hold",  # ours: {"held": true}
    }
)
_KNOWN_BUT_REFUSED = {
    "input_audio_buffer.append": "audio comes on the media track, not on the data channel",
    "conversation.item.truncate": "the server knows what was heard and truncates by itself",
    "conversation.item.delete": "the conversation is the server's to edit",
}
# Part of every stock client's session.update and without meaning here: accepted without a word.
_SILENT_KEYS = frozenset(
    {
        "type",
        "object",
        "id",
        "expires_at",
        "tracing",
        "include",
        "output_modalities",
        "audio.input.turn_detection",  # the one thing that is obeyed
        "audio.input.format",
        "audio.output.format",
    }
)


class Refused(Exception):
    """A client event that is not obeyed; becomes an `error` event with the client's event_id."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        kind: str = "",
        event_id: str | None = None,
        param: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.kind, self.event_id, self.param = code, message, kind, event_id, param

    def as_event(self, event_id: str) -> Wire:
        """Return the `error` event, itself called `event_id`."""
        return error(event_id, self.code, self.message, param=self.param, cause=self.event_id)


def error(
    event_id: str, code: str, message: str, *, param: str | None, cause: str | None, kind: str | None = None
) -> Wire:
    """Return an `error` event; `cause` is the client's event_id."""
    return {
        "type": "error",
        "event_id": event_id,
        "error": {
            "type": kind or "invalid_request_error",
            "code": code,
            "message": message,
            "param": param,
            "event_id": cause,
        },
    }


def read(text: str) -> Wire:
    """Parse one client event. Raises Refused for everything that is not on the allow-list, in words."""
    try:
        event = json.loads(text)
    except (ValueError, RecursionError):
        raise Refused("invalid_json", f"not JSON: {text[:80]!r}; send one JSON object a message") from None
    if not isinstance(event, dict):
        raise Refused("invalid_event", f"not a JSON object: {text[:80]!r}; send one JSON object a message")
    event_id = event.get("event_id")
    if event_id is not None and not isinstance(event_id, str):
        raise Refused("invalid_type", "event_id must be a string", param="event_id")
    if event_id is not None and len(event_id) > MAX_EVENT_ID_CHARS:
        raise Refused(
            "invalid_value", f"event_id is longer than {MAX_EVENT_ID_CHARS} characters", param="event_id"
        )
    kind = event.get("type")
    if not isinstance(kind, str):
        raise Refused("missing_required_parameter", "the event has no type", event_id=event_id, param="type")
    if kind not in CLIENT_EVENTS:
        known = _KNOWN_BUT_REFUSED.get(kind)
        code = "not_allowed" if known else "unknown_event"
        raise Refused(
            code,
            f"{kind[:80]!r} is not taken here: {known or 'known are ' + ', '.join(sorted(CLIENT_EVENTS))}",
            kind=kind[:80],
            event_id=event_id,
            param="type",
        )
    try:
        json.dumps(event, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise Refused(
            "invalid_text",
            "the event holds half a surrogate pair; send whole characters",
            kind=kind,
            event_id=event_id if event_id is not None and event_id.isascii() else None,
        ) from None
    return event


def user_item(event: Mapping[str, Any]) -> Wire:
    """Return the typed message of a conversation.item.create, bounded. Raises Refused."""
    event_id = event.get("event_id")

    def refused(message: str, param: str) -> Refused:
        return Refused(
            "not_allowed", message, kind="conversation.item.create", event_id=event_id, param=param
        )

    item = event.get("item")
    if not isinstance(item, Mapping) or item.get("type") != "message" or item.get("role") != "user":
        raise refused("only messages of the user can be created from here", "item")
    content = item.get("content")
    if not isinstance(content, list) or not content:
        raise refused("item.content must be a list of input_text parts", "item.content")
    parts: list[Wire] = []
    for part in content:
        if (
            not isinstance(part, Mapping)
            or part.get("type") != "input_text"
            or not isinstance(part.get("text"), str)
        ):
            raise refused("only input_text parts are taken; audio comes on the media track", "item.content")
        parts.append({"type": "input_text", "text": part["text"]})
    if sum(len(part["text"]) for part in parts) > MAX_TEXT_CHARS:
        raise refused(f"the text is longer than {MAX_TEXT_CHARS} characters; send less", "item.content")
    result: Wire = {"type": "message", "role": "user", "content": parts}
    item_id = item.get("id")
    if isinstance(item_id, str) and 0 < len(item_id) <= 64:
        result["id"] = item_id
    return result


def plain_create(event: Mapping[str, Any]) -> None:
    """Check that a response.create overrides nothing. Raises Refused naming what it tried."""
    response = event.get("response")
    if response is None:
        return
    over = sorted(str(key) for key in response) if isinstance(response, Mapping) else ["response"]
    if over and over != ["metadata"]:
        raise Refused(
            "not_allowed",
            f"response.create without overrides only: the server owns {', '.join(over)}",
            kind="response.create",
            event_id=event.get("event_id"),
            param=f"response.{over[0]}",
        )


def approval_answer(event: Mapping[str, Any]) -> tuple[str, str]:
    """Return (call_id, message) of a rtbridge.tool.approve or rtbridge.tool.reject. Raises Refused."""
    kind = str(event["type"])

    def refused(code: str, message: str, param: str) -> Refused:
        return Refused(code, message, kind=kind, event_id=event.get("event_id"), param=param)

    call_id = event.get("call_id")
    if not isinstance(call_id, str) or not call_id:
        raise refused("missing_required_parameter", f"{kind} needs the call_id of a tool call", "call_id")
    message = event.get("message", "")
    if not isinstance(message, str) or len(message) > MAX_TEXT_CHARS:
        raise refused("invalid_value", "message must be a short string", "message")
    if message and kind == "rtbridge.tool.approve":
        raise refused("not_allowed", "a message goes with a rejection only", "message")
    return call_id, message


def dtmf_digits(event: Mapping[str, Any]) -> str:
    """Return the keys of a rtbridge.dtmf. Raises Refused."""
    digits = event.get("digits")
    if not isinstance(digits, str) or not 0 < len(digits) <= MAX_DIGITS or set(digits) - set(KEYS):
        raise Refused(
            "invalid_value",
            f"digits must be 1 to {MAX_DIGITS} keys of a telephone, each one of {KEYS}",
            kind="rtbridge.dtmf",
            event_id=event.get("event_id"),
            param="digits",
        )
    return digits


def on_or_off(event: Mapping[str, Any], key: str) -> bool:
    """Return the one value of an event that switches something. Raises Refused."""
    value = event.get(key)
    if not isinstance(value, bool):
        raise Refused(
            "missing_required_parameter" if value is None else "invalid_value",
            f"{event['type']} takes {key}: true or false",
            kind=event["type"],
            event_id=event.get("event_id"),
            param=key,
        )
    return value


def turn_detection(event: Mapping[str, Any]) -> tuple[bool, Wire | None]:
    """Return (given, value) of a session.update's turn detection. Raises Refused when it is malformed."""
    session = event.get("session")
    if not isinstance(session, Mapping):
        raise Refused(
            "missing_required_parameter",
            "session.update needs a session object",
            kind="session.update",
            event_id=event.get("event_id"),
            param="session",
        )
    given = dig(session, "audio", "input")
    if "turn_detection" not in given:
        return False, None
    value = given["turn_detection"]
    if value is None:
        return True, None
    problem = turn_detection_problem(value)
    if problem is not None:
        param, message = problem
        raise Refused(
            "invalid_value",
            f"turn_detection.{param} {message}" if param else f"turn_detection {message}",
            kind="session.update",
            event_id=event.get("event_id"),
            param="session.audio.input.turn_detection" + (f".{param}" if param else ""),
        )
    return True, dict(value)


_TURN_DETECTION_NUMBERS = {
    "threshold": (0, 1),
    "prefix_padding_ms": (0, 5_000),
    "silence_duration_ms": (0, 10_000),
    "idle_timeout_ms": (1_000, 60_000),
}


def turn_detection_problem(value: object) -> tuple[str, str] | None:
    """Return (key, what is wrong with it) of a malformed turn detection; key "" for the whole of it."""
    if not isinstance(value, Mapping):
        return "", "must be an object or null"
    if value.get("type") not in ("server_vad", "semantic_vad"):
        return "type", "must be server_vad or semantic_vad"
    for key, given in value.items():
        if key in _TURN_DETECTION_NUMBERS:
            low, high = _TURN_DETECTION_NUMBERS[key]
            if given is not None and (
                isinstance(given, bool) or not isinstance(given, int | float) or not low <= given <= high
            ):
                return str(key), f"must be a number from {low} to {high}"
        elif key in ("create_response", "interrupt_response"):
            if given is not None and not isinstance(given, bool):
                return str(key), "must be true or false"
        elif key == "eagerness":
            if given not in (None, "low", "medium", "high", "auto"):
                return str(key), "must be low, medium, high or auto"
        elif key == "model_version":
            if given is not None and not (isinstance(given, str) and len(given) <= 64):
                return str(key), "must be a short string"
        elif key != "type":
            return str(key)[:40], "is not a known setting"
    return None


def ignored(
    asked: Mapping[str, Any], in_force: Mapping[str, Any], seen: Mapping[str, Any]
) -> tuple[str, ...]:
    """Return the keys of a client's `session` that the server owns and that it asked to be different.

    Different from what is in force, and from what the client was shown of it (event `session.created`).
    """
    names: list[str] = []

    def walk(asked: Mapping[str, Any], force: Mapping[str, Any], seen: Mapping[str, Any], path: str) -> None:
        for key, value in asked.items():
            name = f"{path}{key}"
            if name in _SILENT_KEYS or value is None:
                continue
            if isinstance(value, Mapping) and name in ("audio", "audio.input", "audio.output"):
                walk(value, dig(force, key), dig(seen, key), f"{name}.")
            elif value not in (force.get(key), seen.get(key)):
                names.append(name[:60])

    walk(asked, in_force, seen, "")
    return tuple(names[:32])


def dig(mapping: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    """Return the mapping at `path`, or an empty one where there is none."""
    for key in path:
        below = mapping.get(key)
        if not isinstance(below, Mapping):
            return {}
        mapping = below
    return mapping
