"""input_filter: what of the conversation goes along with a handoff.

The Agents SDK takes no input_filter in realtime handoffs (openai-agents 0.24: "not supported"), since the conversation
stays at the upstream. Here the items that the filter does not return are deleted there, before the new agent speaks:

    def last_words(items: Sequence[HistoryItem]) -> Sequence[HistoryItem]:
        return items[-4:]

    front.handoffs = [filtered_handoff(billing, last_words)]

A filter is plain and quick: it runs on the call's loop. One that raises, or returns what it was not given, is not
obeyed: the whole history goes along, and the journal says so. A switch from the page carries everything.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, Final

from agents.realtime import RealtimeAgent, realtime_handoff

from agents import Handoff
from rtbridge.agents.context import CallContext
from rtbridge.core.history import HistoryItem
from rtbridge.core.journal import Notice

InputFilter = Callable[[Sequence[HistoryItem]], Sequence[HistoryItem]]
_ATTRIBUTE: Final = "rtbridge_input_filter"


def filtered_handoff(
    agent: RealtimeAgent[Any], input_filter: InputFilter, **more: Any
) -> Handoff[Any, RealtimeAgent[Any]]:
    """Return a handoff to `agent` that takes along what `input_filter` returns; `more` is realtime_handoff's.

    Raises TypeError for a filter that is no plain function.
    """
    if not callable(input_filter) or inspect.iscoroutinefunction(input_filter):
        raise TypeError("an input_filter is a plain function: items in, items to keep out")
    handoff: Handoff[Any, RealtimeAgent[Any]] = realtime_handoff(agent, **more)
    setattr(handoff, _ATTRIBUTE, input_filter)
    return handoff


def apply(handoff: Handoff[Any, Any], context: CallContext, to: str) -> None:
    """Let the handoff's filter, if it has one, choose what goes along to the agent `to`."""
    chosen: InputFilter | None = getattr(handoff, _ATTRIBUTE, None)
    if chosen is None:
        return
    items = tuple(context.history())
    try:
        kept: Any = chosen(items)
    except Exception as error:  # noqa: BLE001 - user code; the handoff is worth more than its filter
        return _unfiltered(context, to, f"raised {type(error).__name__}")
    if not isinstance(kept, Sequence) or not all(
        isinstance(item, HistoryItem) and item in items for item in kept
    ):
        return _unfiltered(context, to, "returned what it was not given")
    context.keep_history(tuple(item.id for item in kept))


def _unfiltered(context: CallContext, to: str, what: str) -> None:
    context.note(Notice(f"the input_filter of the handoff to {to} {what}: the whole history goes along"))
