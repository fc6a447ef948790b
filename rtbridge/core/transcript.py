"""The conversation in audio order: what was said, what of it was heard, and by whom.

Order follows `previous_item_id`, not arrival: transcripts of the caller come late, and the SDK's own history
keeps them where they fell. An item's text has two parts, heard and unheard; who reads "what was said" reads heard.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

MAX_ENTRIES = 2_000  # about three hours of fast talk; the oldest go first


@dataclass(slots=True)
class Entry:
    """One item of the conversation."""

    item_id: str
    kind: str  # message | function_call | function_call_output
    role: str  # user | assistant | system | ""
    text: str = ""  # heard (assistant), said (user)
    unheard: str = ""
    agent: str = ""  # who spoke it
    spoken: bool = False  # audio, as against typed or written
    done: bool = False
    call_id: str = ""  # of a function call or its output
    forgotten: bool = False  # the model has it no more: an input_filter took it out; it was said all the same

    @property
    def visible(self) -> bool:
        """Whether the caller's side may see it: messages of the two, never tools or system items."""
        return self.kind == "message" and self.role in ("user", "assistant")

    def as_item(self) -> dict[str, Any]:
        """Return it as a Realtime item without audio (event `conversation.item.retrieved`)."""
        if self.role == "user":
            part: dict[str, Any] = (
                {"type": "input_audio", "transcript": self.text}
                if self.spoken
                else {"type": "input_text", "text": self.text}
            )
        else:
            part = (
                {"type": "output_audio", "transcript": self.text}
                if self.spoken
                else {"type": "output_text", "text": self.text}
            )
        return {
            "id": self.item_id,
            "object": "realtime.item",
            "type": "message",
            "role": self.role,
            "status": "completed" if self.done else "in_progress",
            "content": [part],
        }


@dataclass(slots=True)
class Transcript:
    """All items of a call."""

    _entries: dict[str, Entry] = field(default_factory=dict)
    _order: list[str] = field(default_factory=list)

    def add(self, entry: Entry, previous_item_id: str | None) -> Entry:
        """Put an item behind `previous_item_id`; None or an unknown one means the end, "root" the beginning.

        An item that is known already stays what it is, where it is.
        """
        known = self._entries.get(entry.item_id)
        if known is not None:
            return known
        if previous_item_id == "root":
            place = 0
        elif previous_item_id in self._entries:
            place = self._order.index(previous_item_id) + 1
        else:
            place = len(self._order)
        while place < len(self._order) and self._entries[self._order[place]].forgotten:
            place += 1  # it stands behind what the upstream no longer knows
        self._order.insert(place, entry.item_id)
        self._entries[entry.item_id] = entry
        if len(self._order) > MAX_ENTRIES:
            del self._entries[self._order.pop(0)]
        return entry

    def get(self, item_id: str) -> Entry | None:
        """Return an item, or None."""
        return self._entries.get(item_id)

    def remove(self, item_id: str) -> None:
        """Forget an item (event `conversation.item.deleted`); an unknown one is ignored."""
        if self._entries.pop(item_id, None) is not None:
            self._order.remove(item_id)

    def is_forgotten(self, item_id: str) -> bool:
        """Whether an input_filter took this item out of the upstream's conversation."""
        entry = self._entries.get(item_id)
        return entry is not None and entry.forgotten

    def visible_before(self, item_id: str) -> str | None:
        """Return the id of the nearest earlier item that the caller's side may see, or None."""
        place = self._order.index(item_id) if item_id in self._entries else len(self._order)
        for earlier in reversed(self._order[:place]):
            if self._entries[earlier].visible:
                return earlier
        return None

    def __iter__(self) -> Iterator[Entry]:
        return (self._entries[item_id] for item_id in self._order)
