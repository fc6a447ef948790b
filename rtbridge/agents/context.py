"""CallContext: what a tool may know of the call it works for, and the only place to remember something in it.

A tool gets it as `ctx.context` of its `RunContextWrapper` or `ToolContext`. One call, one context: it outlives
handoffs, so what one agent has found out (who the caller is, what was verified) the next one finds here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from agents.models.interface import Model

from rtbridge.agents.effect_book import EffectBook
from rtbridge.core.history import HistoryItem
from rtbridge.core.journal import Entry

Said = tuple[str, str]
"""(who, what was heard of it); who is an agent's name or `user`."""


def _nothing_yet() -> Sequence[Said]:
    return ()


def _no_history() -> Sequence[HistoryItem]:
    return ()


def _keep_all(item_ids: tuple[str, ...]) -> None:
    """Outside a call there is nothing to leave behind."""


def _no_text_model(name: str) -> Model:
    raise LookupError(f"this call has no text endpoint to find the model {name!r} at")


def _nobody_listens(entry: Entry) -> None:
    """Drop what a tool notes outside a call."""


@dataclass(slots=True)
class CallContext:
    """One call, as its tools see it."""

    scenario_id: str
    agent: str  # who speaks now; handoffs move it
    call_id: str = ""
    transcript: Callable[[], Sequence[Said]] = _nothing_yet  # what was said so far, in order, as heard
    text_model: Callable[[str], Model] = _no_text_model  # by name, at the call's text endpoint
    note: Callable[[Entry], None] = _nobody_listens  # into the call's journal
    supervisor_model: str = "gpt-4.1"  # of the settings, for supervisors that name none
    supervisor_timeout_s: float = 6.0  # of the settings: how long a supervisor's whole run may take
    history: Callable[[], Sequence[HistoryItem]] = _no_history  # what an input_filter chooses from
    keep_history: Callable[[tuple[str, ...]], None] = _keep_all  # of it, with the handoff that is going on
    reasoning_model: str = "o4-mini"  # of the settings, for tools whose decisions have to be right
    reasoning_timeout_s: float = 20.0  # of the settings: how long such a tool may take
    effects: EffectBook = field(default_factory=EffectBook)  # what was done once; in memory unless given
    moderation_model: str = "gpt-4o-mini"  # of the settings, for guardrails that name none
    state: dict[str, Any] = field(default_factory=dict)  # the scenario's own
