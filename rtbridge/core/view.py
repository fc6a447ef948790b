"""What the caller's side may see: upstream events without audio, tools or prompts.

Audio goes over the media track, and agents live in the house. Pure functions. What may come from the caller's side
is in dialect.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rtbridge.core.dialect import dig
from rtbridge.core.transcript import Transcript

Wire = dict[str, Any]

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


def session_view(session: Mapping[str, Any], *, call_id: str, detection: Wire | None) -> Wire:
    """Return the session in force as a client may see it: no prompt, no tools, its own turn detection."""
    given, spoken = dig(session, "audio", "input"), dig(session, "audio", "output")
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
    kind = str(event.get("type"))
    if kind in _PASSED:
        result = dict(event)
        if "previous_item_id" in result:
            result["previous_item_id"] = transcript.visible_before(str(event.get("item_id")))
        return result
    if kind in _WITH_ITEM:
        item = event.get("item")
        if not isinstance(item, Mapping) or not _shown(item):
            return None
        result = {**event, "item": _stripped_item(item)}
        if "previous_item_id" in result:
            result["previous_item_id"] = transcript.visible_before(str(item.get("id")))
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
        return dict(event) if entry is not None and entry.visible and not entry.forgotten else None
    if kind in ("response.created", "response.done"):
        response = event.get("response")
        if not isinstance(response, Mapping):
            return None
        output = response.get("output")
        items = output if isinstance(output, list) else []
        shown = [_stripped_item(item) for item in items if isinstance(item, Mapping) and _shown(item)]
        return {**event, "response": {**response, "output": shown}}
    return None


def _shown(item: Mapping[str, Any]) -> bool:
    return item.get("type") == "message" and item.get("role") in ("user", "assistant")


def _stripped_item(item: Mapping[str, Any]) -> Wire:
    content = item.get("content")
    parts = content if isinstance(content, list) else []
    return {**item, "content": [_stripped_part(part) for part in parts if isinstance(part, Mapping)]}


def _stripped_part(part: Mapping[str, Any]) -> Wire:
    return {key: value for key, value in part.items() if key != "audio"}


def items_of(event: Mapping[str, Any]) -> list[str]:
    """Return the ids of the items that an event is about."""
    found = [event.get("item_id")]
    if isinstance(item := event.get("item"), Mapping):
        found.append(item.get("id"))
    output = dig(event, "response").get("output")
    found += (
        [item.get("id") for item in output if isinstance(item, Mapping)] if isinstance(output, list) else []
    )
    return [one for one in found if isinstance(one, str)]


def cut(event: Mapping[str, Any], said: Mapping[str, str]) -> Wire:
    """Return an event in which the items that `said` names hold no other words than those."""
    result = dict(event)
    if (words := said.get(str(event.get("item_id")))) is not None:
        result = _cut_part(result, words)
        if isinstance(part := event.get("part"), Mapping):
            result["part"] = _cut_part(part, words)
    if isinstance(item := event.get("item"), Mapping):
        result["item"] = cut_item(item, said)
    output = dig(event, "response").get("output")
    if isinstance(output, list):
        result["response"] = {**event["response"], "output": [cut_item(item, said) for item in output]}
    return result


def cut_item(item: Mapping[str, Any], said: Mapping[str, str]) -> Wire:
    """Return an item with no other words than those that `said` has for it, if it names it."""
    words = said.get(str(item.get("id")))
    if words is None:
        return dict(item)
    return {**item, "content": [_cut_part(part, words) for part in item.get("content") or ()]}


def _cut_part(part: Mapping[str, Any], words: str) -> Wire:
    return {key: words if key in ("transcript", "text") else value for key, value in part.items()}
