"""What the Agents SDK's side asks of a call. Sent by `upstream/model.py`, handled by `core/call.py`.

Asks are wishes: when one becomes a wire event, and whether it starts a response, is the arbiter's to decide.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ConfigureSession:
    """Another configuration shall be in force: at the start of a call, and at every handoff.

    `session` has the GA wire shape of `session.update`'s `session`; `turn_detection` in it bears neither
    `create_response` nor `interrupt_response`, which belong to the arbiter.
    """

    session: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ToolOutput:
    """A function call has its result: of a tool, a handoff, a rejection or an unknown name."""

    call_id: str
    output: str


@dataclass(frozen=True, slots=True)
class UserText:
    """A user message typed by the application."""

    text: str


@dataclass(frozen=True, slots=True)
class StopSpeaking:
    """The agent shall fall silent: cancel what is being said and flush what is not yet heard."""


Ask = ConfigureSession | ToolOutput | UserText | StopSpeaking
