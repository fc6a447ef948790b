"""What a journal tells of tools: begun, ended, waiting for a person, and what is said meanwhile. See journal.py."""

from __future__ import annotations

from dataclasses import dataclass

from rtbridge.core.entry import Entry


@dataclass(frozen=True, slots=True)
class ToolStarted(Entry):
    """The model called a tool."""

    event = "tool.started"
    to_caller = True
    call_id: str
    name: str
    arguments: str  # JSON text as the model wrote it
    by: str | None = None  # the text agent that called it; None for the agent of the call itself


@dataclass(frozen=True, slots=True)
class ToolEnded(Entry):
    """A tool's result went to the model."""

    event = "tool.ended"
    to_caller = True
    call_id: str
    name: str
    arguments: str
    output: str
    took_ms: int
    by: str | None = None


@dataclass(frozen=True, slots=True)
class ToolApprovalRequested(Entry):
    """A tool call waits for a person: it runs when it is approved, and never by itself."""

    event = "tool.approval_requested"
    to_caller = True
    call_id: str
    name: str
    arguments: str
    approver: str  # operator | page
    expires_in_ms: int


@dataclass(frozen=True, slots=True)
class ToolApproved(Entry):
    """A person allowed a tool call; it runs now."""

    event = "tool.approved"
    to_caller = True
    call_id: str
    by: str  # operator | page


@dataclass(frozen=True, slots=True)
class ToolRejected(Entry):
    """A tool call that waited for an approval will not be run."""

    event = "tool.rejected"
    to_caller = True
    call_id: str
    by: str  # operator | page | bridge
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ToolApprovalExpired(Entry):
    """Nobody answered in time: the tool call will not be run."""

    event = "tool.approval_expired"
    to_caller = True
    call_id: str
    after_ms: int


@dataclass(frozen=True, slots=True)
class EffectDone(Entry):
    """A tool changed the world: told each time that it did, not each time that it was asked to."""

    event = "effect.done"
    to_caller = True
    tool: str


@dataclass(frozen=True, slots=True)
class FillerAsked(Entry):
    """A tool takes its time: the agent was asked to say something beside the conversation."""

    event = "filler.asked"
    text: str
