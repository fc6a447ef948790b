"""What a call is told before it begins, and what it may want done: plain data between call.py and its shell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rtbridge.core import journal
from rtbridge.core.barge_in import BargeIn
from rtbridge.core.filler import APPROVAL_PHRASES, PHRASES
from rtbridge.core.gate import Policy

Wire = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a call needs to know of its scenario and its upstream; data only."""

    call_id: str
    scenario: str
    agent: str
    agents: tuple[str, ...] = ()  # all that there are
    handoffs: Mapping[str, str] = field(default_factory=dict)  # tool name -> agent
    upstream_url: str = ""
    model: str = ""  # that the upstream was dialled with
    demo: bool = False  # the upstream is the embedded engine, which takes prompt ids
    word_times: bool = False
    greet: bool = True
    fillers: tuple[str, ...] = PHRASES  # what the agent says while a tool takes its time
    approval_fillers: tuple[str, ...] = APPROVAL_PHRASES  # ... and while a person has yet to approve one
    barge_in: Mapping[str, BargeIn] = field(default_factory=dict)  # by agent: how it may be interrupted
    approver: str = "operator"  # who may approve tool calls: operator, or page: the caller's side too
    approval_timeout_s: float = 30.0
    guardrails: Mapping[str, Policy] = field(default_factory=dict)  # of agents; who is missing is `off`
    guardrails_open: bool = False  # play what guardrails could not check
    hears_first: bool = False  # answer callers only when guardrails have cleared what they said
    max_call_s: float = 1800.0
    hold_s: float = 120.0


@dataclass(frozen=True, slots=True)
class ToUpstream:
    """Send a client event of the Realtime API."""

    event: Wire


@dataclass(frozen=True, slots=True)
class AppendAudio:
    """Append the caller's audio upstream, between the events before and after."""

    pcm: bytes  # 24 kHz mono s16le


@dataclass(frozen=True, slots=True)
class ToCaller:
    """Send an event over the data channel."""

    event: Wire


@dataclass(frozen=True, slots=True)
class Note:
    """Write an entry into the journal; `to_caller` entries also go over the data channel."""

    entry: journal.Entry


@dataclass(frozen=True, slots=True)
class SwitchAgent:
    """Have the agents hand in the session of another agent, or say SwitchFailed: within 10 s, one of the two."""

    agent: str


@dataclass(frozen=True, slots=True)
class ToGuardrails:
    """Have the next piece of an agent's text checked; verdicts come back as asks.Judged."""

    item_id: str
    text: str


@dataclass(frozen=True, slots=True)
class Hangup:
    """End the call."""

    reason: str


@dataclass(frozen=True, slots=True)
class Settle:
    """Let the agents run a tool call that was approved, or forget one that will not be."""

    call_id: str
    approved: bool


Action = ToUpstream | AppendAudio | ToCaller | Note | SwitchAgent | Hangup | Settle | ToGuardrails
