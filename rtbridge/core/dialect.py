"""The WebRTC dialect of the Realtime events: what goes over the data channel `oai-events`, and what may come.

Towards the caller: events without audio, tools or prompts, since audio goes over the track and agents live here.
From the caller: an allow-list. What the server owns (instructions, tools, model, voice) is not the client's to set;
a session.update of it is acknowledged with what is in force. Pure functions; who decides is call.py.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rtbridge.core.transcript import Transcript

Wire = dict[str, Any]

MAX_TEXT_CHARS = 16_000  # of one typed message
MAX_MESSAGE_BYTES = 65_536  # of one event towards the caller

# Passed on as they come, once stripped. Everything else stays in the house.
_PASSED = frozenset(
    {
        "conversation.item.input_audio_transcription.delta",
        "conversation.item.input_audio_transcription.completed",
        "conversation.item.input_audio_transcription.failed",
        "conversation.item.truncated",
        "input_audio_buffer.committed",
        "input_audio_buffer.cleared",
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.timeout_triggered",
        "response.output_audio.done",
        "response.output_audio_transcript.delta",
        "response.output_audio_transcript.done",
        "response.output_text.delta",
        "response.output_text.done",
        "rate_limits.updated",
    }
)
_WITH_ITEM = frozenset(
    {
        "conversation.item.added",
        "conversation.item.done",
        "response.output_item.added",
        "response.output_item.done",
    }
)
_WITH_PART = frozenset({"response.content_part.added", "response.content_part.done"})

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
    }
)
_KNOWN_BUT_REFUSED = {
    "input_audio_buffer.append": "audio comes on the media track, not on the data channel",
    "conversation.item.truncate": "the server knows what was heard and truncates by itself",
    "conversation.item.delete": "the conversation is the server's to edit",
}
# Part of every stock client's session.update and without meaning here: accepted without a word.
_SILENT_KEYS = frozenset({"type", "object", "id", "expires_at", "tracing", "include", "output_modalities"})


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
    given = _dig(session, "audio", "input")
    if "turn_detection" not in given:
        return False, None
    value = given["turn_detection"]
    if value is None:
        return True, None
    problem = _turn_detection_problem(value)
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


def _turn_detection_problem(value: object) -> tuple[str, str] | None:
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
        elif key not in ("type", "model_version"):
            return str(key)[:40], "is not a known setting"
    return None


def ignored(asked: Mapping[str, Any], in_force: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the keys of a client's `session` that the server owns and that differ from what is in force."""
    names: list[str] = []

    def walk(asked: Mapping[str, Any], force: Mapping[str, Any], path: str) -> None:
        for key, value in asked.items():
            name = f"{path}{key}"
            if name in _SILENT_KEYS or name in (
                "audio.input.turn_detection",
                "audio.input.format",
                "audio.output.format",
            ):
                continue
            below = force.get(key)
            if isinstance(value, Mapping) and name in ("audio", "audio.input", "audio.output"):
                walk(value, below if isinstance(below, Mapping) else {}, f"{name}.")
            elif value is not None and value != below:
                names.append(name[:60])

    walk(asked, in_force, "")
    return tuple(names[:32])


def session_view(session: Mapping[str, Any], *, call_id: str, detection: Wire | None) -> Wire:
    """Return the session in force as a client may see it: no prompt, no tools, its own turn detection."""
    given, spoken = _dig(session, "audio", "input"), _dig(session, "audio", "output")
    return {
        "type": "realtime",
        "object": "realtime.session",
        "id": call_id,
        "model": session.get("model"),
        "output_modalities": session.get("output_modalities", ["audio"]),
        "instructions": "",
        "tools": [],
        "tool_choice": "auto",
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": 24000},
                "transcription": given.get("transcription"),
                "noise_reduction": given.get("noise_reduction"),
                "turn_detection": detection,
            },
            "output": {
                "format": {"type": "audio/pcm", "rate": 24000},
                "voice": spoken.get("voice"),
                "speed": spoken.get("speed", 1.0),
            },
        },
    }


def visible(event: Mapping[str, Any], transcript: Transcript) -> Wire | None:
    """Return an upstream event as the caller's side may see it, or None when it is not for them."""
    kind = event.get("type")
    if kind in _PASSED:
        result = dict(event)
        if "previous_item_id" in result:
            result["previous_item_id"] = _previous(str(event.get("item_id")), transcript)
        return result
    if kind in _WITH_ITEM:
        item = event.get("item")
        if not isinstance(item, Mapping) or not _shown(item):
            return None
        result = {**event, "item": _stripped_item(item)}
        if "previous_item_id" in result:
            result["previous_item_id"] = _previous(str(item.get("id")), transcript)
        return result
    if kind in _WITH_PART:
        part = event.get("part")
        if not isinstance(part, Mapping):
            return None
        # Stock browser clients take parts called audio and text here, and nothing else.
        plain = {"output_audio": "audio", "output_text": "text"}
        stripped = _stripped_part(part)
        return {**event, "part": {**stripped, "type": plain.get(str(part.get("type")), part.get("type"))}}
    if kind == "conversation.item.deleted":
        entry = transcript.get(str(event.get("item_id")))
        return dict(event) if entry is not None and entry.visible else None
    if kind in ("response.created", "response.done"):
        response = event.get("response")
        if not isinstance(response, Mapping):
            return None
        output = response.get("output")
        items = output if isinstance(output, list) else []
        shown = [_stripped_item(item) for item in items if isinstance(item, Mapping) and _shown(item)]
        return {**event, "response": {**response, "output": shown}}
    return None


def _previous(item_id: str, transcript: Transcript) -> str | None:
    return transcript.visible_before(item_id)


def _shown(item: Mapping[str, Any]) -> bool:
    return item.get("type") == "message" and item.get("role") in ("user", "assistant")


def _stripped_item(item: Mapping[str, Any]) -> Wire:
    content = item.get("content")
    parts = content if isinstance(content, list) else []
    return {**item, "content": [_stripped_part(part) for part in parts if isinstance(part, Mapping)]}


def _stripped_part(part: Mapping[str, Any]) -> Wire:
    return {key: value for key, value in part.items() if key != "audio"}


def _dig(mapping: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    for key in path:
        below = mapping.get(key)
        if not isinstance(below, Mapping):
            return {}
        mapping = below
    return mapping
