"""What the arbiter asks for and how it is written: wants, responses, and the client events of the Realtime API.

Plain data. When anything is sent is the arbiter's to decide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from rtbridge.core.bounds import ENDING

Wire = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Want:
    """Somebody wants a response."""

    cause: str
    event_id: str | None = None  # what response.create shall be called, where somebody waits for its errors
    instructions: str | None = None  # of this response, instead of the session's
    again: bool = False  # it was asked for before and not answered
    phrase: str = ""  # what it is to say word by word
    aside: bool = (
        False  # beside the conversation: the model never reads it back, and nobody asks for it twice
    )


@dataclass(slots=True)
class Response:
    """One response as far as the arbiter knows it."""

    response_id: str
    want: Want
    asked_s: float  # when response.create was sent; of one that nobody asked for, when it was created
    created_s: float
    items: list[str] = field(default_factory=list)  # message items with audio, in order
    calls: set[str] = field(default_factory=set)  # tool calls whose results are missing
    barred: set[str] = field(default_factory=set)  # items that may not be heard
    ending: bool = False  # a call of it was over a bound: what follows its results is to be an end
    cancelled: bool = False
    last_event_s: float = 0.0


def joined(before: Want, cause: str, event_id: str | None) -> Want:
    """Return the want that `before` and one more make together.

    What is more than a client's own wish stays so when one joins it, and an ending stays one whatever tool returns.
    """
    stays = (
        before.cause == "handoff"
        or cause == "client"
        or (before.cause == ENDING and cause in ("tool", "retry"))
    )
    return replace(before, cause=before.cause if stays else cause, event_id=event_id or before.event_id)


def again(want: Want) -> Want:
    """Return what to want after `want` was not given; an ending stays one."""
    return replace(want, cause=ENDING if want.cause == ENDING else "retry", event_id=None)


def update(event_id: str, session: Mapping[str, Any]) -> Wire:
    """Return a session.update with a partial session."""
    return {"type": "session.update", "event_id": event_id, "session": dict(session)}


def is_about_hearing(session: Mapping[str, Any]) -> bool:
    """Whether a partial session is about the input audio alone: such a one may go out while a response is active.

    It must not wait: a stock browser client is connected only when it is told session.updated, and then forgets
    the items it was told of before (@openai/agents 0.20.0, RealtimeSession.connect), be it the whole greeting.
    """
    return set(session) <= {"type", "audio"} and set(session.get("audio", ())) <= {"input"}


def create_item(event_id: str, item: Mapping[str, Any]) -> Wire:
    """Return a conversation.item.create at the end of the conversation."""
    return {"type": "conversation.item.create", "event_id": event_id, "item": dict(item)}


def create_response(event_id: str, want: Want) -> Wire:
    """Return a response.create; a want's instructions stand for the session's in this one response."""
    event: Wire = {"type": "response.create", "event_id": event_id}
    if want.aside:
        event["response"] = {
            "conversation": "none",
            "input": [],
            "tools": [],
            "tool_choice": "none",
            "instructions": want.instructions,
        }
        return event
    told: Wire = {} if want.instructions is None else {"instructions": want.instructions}
    if want.cause == ENDING:
        told["tool_choice"] = "none"
    if told:
        event["response"] = told
    return event


def cancel_response(event_id: str, response_id: str) -> Wire:
    """Return a response.cancel of this response and no other."""
    return {"type": "response.cancel", "event_id": event_id, "response_id": response_id}


def truncate_item(event_id: str, item_id: str, content_index: int, audio_end_ms: int) -> Wire:
    """Return a conversation.item.truncate to what was heard."""
    return {
        "type": "conversation.item.truncate",
        "event_id": event_id,
        "item_id": item_id,
        "content_index": content_index,
        "audio_end_ms": audio_end_ms,
    }


def delete_item(event_id: str, item_id: str) -> Wire:
    """Return a conversation.item.delete."""
    return {"type": "conversation.item.delete", "event_id": event_id, "item_id": item_id}


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
