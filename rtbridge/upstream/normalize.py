"""Wire server events -> the few normalized events that the Agents SDK's session lives on.

Nothing here can raise on what an upstream sends: an event that is unknown gives nothing, one whose shape is wrong
gives None. Left out on purpose: audio, transcript deltas, raw server events, exceptions and the end of the
stream. The SDK queues what it gets without a bound, keeps audio in its history, and ends its iteration on the
last two; playing, transcribing and surviving are the call's business.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from agents.realtime import (
    AssistantMessageItem,
    AssistantText,
    InputAudio,
    InputText,
    RealtimeItem,
    RealtimeModelErrorEvent,
    RealtimeModelEvent,
    RealtimeModelInputAudioTranscriptionCompletedEvent,
    RealtimeModelItemDeletedEvent,
    RealtimeModelItemUpdatedEvent,
    RealtimeModelToolCallEvent,
    RealtimeModelTurnEndedEvent,
    RealtimeModelTurnStartedEvent,
    RealtimeModelUsageEvent,
    RealtimeToolCallItem,
    SystemMessageItem,
    UserMessageItem,
)
from agents.realtime.items import AssistantAudio, InputImage

from agents import Usage
from rtbridge.core.races import BENIGN
from rtbridge.upstream.port import WireEvent

Normalized = Sequence[RealtimeModelEvent]


def normalize(event: WireEvent) -> Normalized | None:
    """Return the SDK's events for one wire event: none for an unknown type, None for a broken shape."""
    kind = event.get("type")
    if not isinstance(kind, str):
        return None
    match kind:
        case "response.output_item.done" | "response.output_item.added":
            return _output_item(_mapping(event, "item"), done=kind.endswith("done"))
        case "conversation.item.added" | "conversation.item.created" | "conversation.item.done":
            return _conversation_item(_mapping(event, "item"), event.get("previous_item_id"))
        case "conversation.item.deleted":
            item_id = _text(event, "item_id")
            return None if item_id is None else [RealtimeModelItemDeletedEvent(item_id=item_id)]
        case "conversation.item.input_audio_transcription.completed":
            item_id, transcript = _text(event, "item_id"), _text(event, "transcript")
            if item_id is None or transcript is None:
                return None
            return [
                RealtimeModelInputAudioTranscriptionCompletedEvent(item_id=item_id, transcript=transcript)
            ]
        case "response.created":
            response = _mapping(event, "response")
            return (
                None
                if response is None
                else [RealtimeModelTurnStartedEvent(response_id=_text(response, "id"))]
            )
        case "response.done":
            return _response_done(_mapping(event, "response"))
        case "error":
            error = _mapping(event, "error")
            if error is None:
                return None
            return [] if _text(error, "code") in BENIGN else [RealtimeModelErrorEvent(error=dict(error))]
    return ()


def _output_item(item: Mapping[str, Any] | None, *, done: bool) -> Normalized | None:
    if item is None:
        return None
    if item.get("type") == "function_call":
        return _function_call(item) if done else ()
    return _conversation_item(item, None)


def _function_call(item: Mapping[str, Any]) -> Normalized | None:
    # A call that was cut (`incomplete`) has half its arguments and is owed no output. Some servers leave the
    # status of a finished one out.
    if item.get("status", "completed") not in ("completed", None):
        return ()
    call_id, name = _text(item, "call_id"), _text(item, "name")
    if not call_id or not name:
        return None
    arguments = item.get("arguments")
    if not isinstance(arguments, str):
        try:
            arguments = "" if arguments is None else json.dumps(arguments)
        except RecursionError:
            return None
    item_id = _text(item, "id") or call_id
    called = RealtimeToolCallItem(
        item_id=item_id, call_id=call_id, status="in_progress", arguments=arguments, name=name
    )
    return [
        RealtimeModelItemUpdatedEvent(item=called),
        RealtimeModelToolCallEvent(name=name, call_id=call_id, arguments=arguments, id=item_id),
    ]


def _conversation_item(item: Mapping[str, Any] | None, previous: Any) -> Normalized | None:
    if item is None:
        return None
    if item.get("type") != "message":
        return ()
    item_id, content = _text(item, "id"), item.get("content") or []
    if not item_id or not isinstance(content, list):
        return None
    parts = [part for part in content if isinstance(part, Mapping)]
    after = previous if isinstance(previous, str) and previous != "root" else None
    message: RealtimeItem
    match item.get("role"):
        case "user":
            message = UserMessageItem(
                item_id=item_id,
                previous_item_id=after,
                content=[part for part in map(_user_part, parts) if part is not None],
            )
        case "assistant":
            status = item.get("status")
            message = AssistantMessageItem(
                item_id=item_id,
                previous_item_id=after,
                status=status if status in ("in_progress", "completed", "incomplete") else None,
                content=[part for part in map(_assistant_part, parts) if part is not None],
            )
        case "system":
            message = SystemMessageItem(
                item_id=item_id,
                previous_item_id=after,
                content=[InputText(text=_text(part, "text")) for part in parts],
            )
        case _:
            return None
    return [RealtimeModelItemUpdatedEvent(item=message)]


def _user_part(part: Mapping[str, Any]) -> InputText | InputAudio | InputImage | None:
    match part.get("type"):
        case "input_text" | "text":
            return InputText(text=_text(part, "text"))
        case "input_audio" | "audio":
            return InputAudio(transcript=_text(part, "transcript"))
        case "input_image":
            return InputImage(detail=_text(part, "detail"))
    return None


def _assistant_part(part: Mapping[str, Any]) -> AssistantText | AssistantAudio | None:
    match part.get("type"):
        case "output_text" | "text":
            return AssistantText(text=_text(part, "text"))
        case "output_audio" | "audio":
            return AssistantAudio(transcript=_text(part, "transcript"))
    return None


def _response_done(response: Mapping[str, Any] | None) -> Normalized | None:
    if response is None:
        return None
    events: list[RealtimeModelEvent] = []
    usage = _mapping(response, "usage")
    if usage is not None:
        taken, made = _count(usage, "input_tokens"), _count(usage, "output_tokens")
        total = _count(usage, "total_tokens") or taken + made
        counted = Usage(requests=1, input_tokens=taken, output_tokens=made, total_tokens=total)
        details = _mapping(usage, "input_token_details") or {}
        counted.input_tokens_details.cached_tokens = _count(details, "cached_tokens")
        events.append(RealtimeModelUsageEvent(usage=counted))
    events.append(RealtimeModelTurnEndedEvent(response_id=_text(response, "id")))
    return events


def _mapping(event: Mapping[str, Any], key: str) -> Mapping[str, Any] | None:
    value = event.get(key)
    return value if isinstance(value, Mapping) else None


def _text(event: Mapping[str, Any], key: str) -> str | None:
    value = event.get(key)
    return value if isinstance(value, str) else None


def _count(usage: Mapping[str, Any], key: str) -> int:
    value = usage.get(key)
    return value if isinstance(value, int) and value >= 0 else 0
