"""What the Agents SDK's side asks of a call: plain data, made by upstream/model.py, decided by call.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Wire = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ConfigureSession:
    """Put an agent's session in force (event `session.update`); the call adds what belongs to the call."""

    session: dict[str, Any]  # the wire's `session`
    agent: str = ""  # whose it is
    model: str = ""  # that it is made for


@dataclass(frozen=True, slots=True)
class ToolOutput:
    """A tool or handoff has its result. When the model is asked to go on is the arbiter's to decide."""

    call_id: str
    output: str


@dataclass(frozen=True, slots=True)
class NeedApproval:
    """A tool call must not run before a person has approved it."""

    call_id: str
    name: str
    arguments: str  # JSON text as the model wrote it


@dataclass(frozen=True, slots=True)
class UserText:
    """Say something to the model as the caller, in writing, and have it answered."""

    text: str


@dataclass(frozen=True, slots=True)
class StopSpeaking:
    """Stop the agent: what was heard of it stays, the rest goes."""


@dataclass(frozen=True, slots=True)
class KeepHistory:
    """Of the conversation, the handoff that is going on takes only these items along (history.py)."""

    item_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SwitchFailed:
    """The agents could not carry a switch to `agent` out: who spoke before goes on."""

    agent: str
    why: str


@dataclass(frozen=True, slots=True)
class Judged:
    """A guardrail's verdict on a stretch of an item's text: its characters from `start` to `end`."""

    item_id: str
    state: str  # pass | fail | unchecked
    start: int
    end: int
    who: str = "agent"  # agent | caller
    why: str = ""  # what it fails for, in a word or two


Ask = (
    ConfigureSession
    | ToolOutput
    | NeedApproval
    | UserText
    | StopSpeaking
    | KeepHistory
    | SwitchFailed
    | Judged
)
