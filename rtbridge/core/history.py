"""History: what of the conversation an input_filter may keep or drop when an agent hands over.

Messages, and tool calls with their outputs; a call whose output is not there yet is never offered and always kept. What
is dropped goes out of the upstream's conversation before the new agent's first response. It was said all the same: the
transcript of the call, which the page shows and tools read, keeps it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rtbridge.core.transcript import Transcript

if TYPE_CHECKING:
    from rtbridge.core.call import Call


@dataclass(frozen=True, slots=True)
class HistoryItem:
    """One item of the conversation, as an input_filter sees it."""

    id: str
    kind: str  # message | function_call | function_call_output
    role: str  # user | assistant | system; "" for tools
    agent: str  # who spoke it, of assistant messages
    text: str  # what was heard; of the caller's last turn it may not be known yet; a call as name(arguments)


def offered(transcript: Transcript) -> tuple[HistoryItem, ...]:
    """Return what a filter may choose from, in order."""
    entries = [entry for entry in transcript if not entry.forgotten]
    halves = Counter(entry.call_id for entry in entries if entry.call_id)
    return tuple(
        HistoryItem(entry.item_id, entry.kind, entry.role, entry.agent, entry.text)
        for entry in entries
        if not entry.call_id or halves[entry.call_id] > 1
    )


def dropped(transcript: Transcript, kept: Collection[str]) -> tuple[str, ...]:
    """Return the ids that go when `kept` stay; a call and its output stay together or go together."""
    items = offered(transcript)
    lost = {item.id for item in items if item.id not in kept}
    entries = [entry for item in items if (entry := transcript.get(item.id)) is not None]
    broken = {entry.call_id for entry in entries if entry.call_id and entry.item_id in lost}
    return tuple(entry.item_id for entry in entries if entry.item_id in lost or entry.call_id in broken)


def forget(call: Call, item_ids: Collection[str]) -> None:
    """Take items out of the upstream's conversation (event conversation.item.delete)."""
    for item_id in item_ids:
        entry = call.speech.transcript.get(item_id)
        if entry is not None and not entry.forgotten:
            entry.forgotten = True
            call.arbiter.delete(item_id)
