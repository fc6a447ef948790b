"""Withheld: what the caller's side may not read yet, since it has not been cleared for the ear either.

Events that hold an agent's words leave in their order and as far as the words are cleared. Of an item that was stopped
or cut, what was not cleared never leaves: its deltas are dropped, and the events that repeat its text hold the rest.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rtbridge.core import journal, view
from rtbridge.core.transcript import Entry

if TYPE_CHECKING:
    from rtbridge.core.call import Call

Wire = dict[str, Any]

MAX_WAITING = 4_096  # events; beyond it the oldest is taken for one that is never cleared


@dataclass(frozen=True, slots=True)
class _Waiting:
    event: Wire
    needs: Mapping[str, int]  # item -> characters of it that must be cleared first


class Withheld:
    """The events of one call that wait, in order."""

    def __init__(self) -> None:
        self.waiting: deque[_Waiting] = deque()


def tell(call: Call, event: Wire) -> None:
    """Send an event to the caller, now or once the words in it are cleared."""
    needs = {
        item_id: len(call.speech.ledger.text(item_id))
        for item_id in view.items_of(event)
        if (guarded := call.gate.get(item_id)) is not None and guarded.policy == "gate"
    }
    waiting = call.withheld.waiting
    if not needs and not (waiting and str(event["type"]).startswith("response.")):
        call.tell(event)
        return
    waiting.append(_Waiting(event, needs))
    release(call)
    if len(waiting) > MAX_WAITING:
        _leave(call, waiting.popleft())


def release(call: Call) -> None:
    """Send what may leave by now."""
    waiting = call.withheld.waiting
    while waiting and all(_is_settled(call, *need) for need in waiting[0].needs.items()):
        _leave(call, waiting.popleft())


def shown(call: Call, entry: Entry) -> Wire:
    """Return an item of the conversation as the caller's side may see it now (event conversation.item.retrieved)."""
    item, spoken = entry.as_item(), call.speech.get(entry.item_id)
    guarded = call.gate.get(entry.item_id)
    if guarded is None or guarded.policy != "gate" or spoken is None or spoken.over:
        return item  # of what is over, the entry holds what was heard
    return view.cut_item(item, {entry.item_id: entry.text[: guarded.cleared]})


def as_told(call: Call, entry: journal.Entry) -> Wire:
    """Return an entry of the journal as the caller's side may read it: of what was not heard, what was cleared."""
    told = entry.as_dict()
    if isinstance(entry, journal.ItemHeard):
        guarded = call.gate.get(entry.item_id)
        if guarded is not None and guarded.policy == "gate":
            cleared = call.speech.ledger.text(entry.item_id)[: guarded.cleared].strip()
            told["unheard_text"] = cleared[len(entry.heard_text) :].strip()
    return told


def _leave(call: Call, waiting: _Waiting) -> None:
    cut = {}
    for item_id, chars in waiting.needs.items():
        guarded = call.gate.get(item_id)
        cleared = guarded.cleared if guarded is not None else 0
        if cleared < chars:
            cut[item_id] = call.speech.ledger.text(item_id)[:cleared]
    if not cut:
        call.tell(waiting.event)
    elif not str(waiting.event["type"]).endswith(".delta"):
        call.tell(view.cut(waiting.event, cut))


def _is_settled(call: Call, item_id: str, chars: int) -> bool:
    """Whether so much of an item is cleared, or no more of it ever will be."""
    guarded, spoken = call.gate.get(item_id), call.speech.get(item_id)
    if guarded is None or spoken is None or guarded.stopped or spoken.over or guarded.cleared >= chars:
        return True
    return call.is_stale(spoken.response_id, item_id)
