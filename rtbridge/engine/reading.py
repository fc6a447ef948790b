"""A conversation as the wits read it: what was heard, said, called and got, in order.

The wits keep nothing between turns, so everything they know is in the items they are given. This file
turns wire items (Realtime) and chat messages (chat completions) into the same four small events.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

HANDOFF: Final = "transfer_to_"  # the Agents SDK's name of a handoff tool, in front of the agent's name


@dataclass(frozen=True, slots=True)
class Heard:
    """The caller said or typed this; "" for sounds without words."""

    text: str


@dataclass(frozen=True, slots=True)
class Said:
    """The assistant said this, as far as it was heard."""

    text: str


@dataclass(frozen=True, slots=True)
class Called:
    """The assistant called a tool."""

    name: str
    arguments: str
    call_id: str


@dataclass(frozen=True, slots=True)
class Got:
    """A tool answered."""

    name: str  # "" when the call is not in the conversation
    output: str


Event = Heard | Said | Called | Got


def read_items(items: Sequence[Mapping[str, Any]]) -> list[Event]:
    """Return the events of Realtime conversation items; system messages are no event."""
    events: list[Event] = []
    names: dict[str, str] = {}
    for item in items:
        match item.get("type"):
            case "message" if item.get("role") == "user":
                events.append(Heard(_text(item)))
            case "message" if item.get("role") == "assistant":
                events.append(Said(_text(item)))
            case "function_call":
                call_id = str(item.get("call_id") or "")
                names[call_id] = str(item.get("name") or "")
                events.append(Called(names[call_id], str(item.get("arguments") or ""), call_id))
            case "function_call_output":
                events.append(
                    Got(names.get(str(item.get("call_id") or ""), ""), str(item.get("output") or ""))
                )
    return events


def read_messages(messages: Sequence[Mapping[str, Any]]) -> list[Event]:
    """Return the events of chat completions messages; system messages are no event."""
    events: list[Event] = []
    names: dict[str, str] = {}
    for message in messages:
        text = str(message.get("content") or "")
        match message.get("role"):
            case "user":
                events.append(Heard(text))
            case "assistant":
                if text:
                    events.append(Said(text))
                for call in message.get("tool_calls") or ():
                    function, call_id = call.get("function") or {}, str(call.get("id") or "")
                    names[call_id] = str(function.get("name") or "")
                    events.append(Called(names[call_id], str(function.get("arguments") or ""), call_id))
            case "tool":
                events.append(Got(names.get(str(message.get("tool_call_id") or ""), ""), text))
    return events


def _text(item: Mapping[str, Any]) -> str:
    parts = (part.get("text") or part.get("transcript") or "" for part in item.get("content") or ())
    return " ".join(part.strip() for part in parts if part.strip())


def json_or_text(output: str) -> Any:
    """Return the JSON in a tool's output, or the output itself when it is none."""
    try:
        return json.loads(output)
    except json.JSONDecodeError:
        return output
