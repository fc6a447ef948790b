"""Conversation items: what the engine remembers of a conversation, in order.

An item knows two texts of itself: what clients are shown (`wire`) and what the engine's wits are shown (`for_wits`).
They differ for the caller's audio, which the engine always transcribes for itself, but shows only where the session
asks for transcription. Audio is kept for `conversation.item.retrieve` only, newest first and bounded.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from rtbridge.core import pcm as audio
from rtbridge.errors import BadRequest

MAX_ITEMS: Final = 2_000  # beyond it the oldest item goes, and the client is told
KEPT_AUDIO_SAMPLES: Final = 120 * audio.RATE  # of one conversation; base64 of it stays under an 8 MiB frame


@dataclass(slots=True, eq=False)
class Item:
    """One item. `wire` never holds audio; `pcm` may, until newer audio pushes it out."""

    wire: dict[str, Any]
    pcm: bytearray = field(default_factory=bytearray)  # 24 kHz mono s16le
    samples: int = 0  # length of its audio, kept or not
    words: list[tuple[str, int]] = field(default_factory=list)  # of assistant audio: text piece, first sample
    own_transcript: str | None = None  # what the engine's ears made of user audio
    cut: bool = False  # truncated: what still streams in is no longer part of it

    @property
    def id(self) -> str:
        """Return its id."""
        return str(self.wire["id"])

    def is_audio(self, role: str) -> bool:
        """Return whether it is a message of `role` made of audio."""
        parts = self.wire.get("content", ())
        return self.wire.get("role") == role and any(part["type"].endswith("_audio") for part in parts)

    def audio_part(self) -> dict[str, Any]:
        """Return the content part that is audio, to be changed in place."""
        part: dict[str, Any] = next(p for p in self.wire["content"] if p["type"].endswith("_audio"))
        return part

    def shown(self, *, with_audio: bool = False) -> dict[str, Any]:
        """Return a copy in wire shape for an event, with its audio only where asked for and still kept."""
        wire = dict(self.wire)
        if "content" in wire:
            wire["content"] = [dict(part) for part in wire["content"]]
            if with_audio and self.pcm:
                part = next(p for p in wire["content"] if p["type"].endswith("_audio"))
                part["audio"] = base64.b64encode(self.pcm).decode("ascii")
        return wire

    def for_wits(self) -> dict[str, Any]:
        """Return a copy in wire shape with the engine's own transcript of user audio filled in."""
        wire = self.shown()
        for part in wire.get("content", ()):
            if part["type"] == "input_audio" and self.own_transcript is not None:
                part["transcript"] = self.own_transcript
        return wire

    def append_audio(self, pcm: bytes, text: str) -> None:
        """Add assistant audio and the words that begin with it. What comes after a truncation is not kept."""
        if self.cut:
            return
        if text:
            self.words.append((text, self.samples))
            self.wire["content"][0]["transcript"] += text
        self.pcm += pcm
        self.samples += audio.samples_of(pcm)

    def truncate(self, audio_end_ms: int) -> None:
        """Cut it to what was heard: a word stays if at least half of it sounded before the cut."""
        end = min(self.samples, audio.samples_of_ms(audio_end_ms))
        stops = [start for _, start in self.words[1:]] + [self.samples]
        kept = [word for word, stop in zip(self.words, stops, strict=False) if (word[1] + stop) / 2 <= end]
        self.words = kept
        self.wire["content"][0]["transcript"] = "".join(text for text, _ in kept).rstrip()
        self.pcm = self.pcm[: end * audio.SAMPLE_BYTES]
        self.samples = end
        self.cut = True


class Items:
    """The items of one conversation, in order."""

    def __init__(self) -> None:
        self._items: list[Item] = []
        self._by_id: dict[str, Item] = {}

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def find(self, item_id: str) -> Item | None:
        """Return the item with this id, if there is one."""
        return self._by_id.get(item_id)

    @property
    def last_id(self) -> str | None:
        """Return the id of the last item."""
        return self._items[-1].id if self._items else None

    def add(self, item: Item, after: str | None = None) -> str | None:
        """Insert `item` and return the id of the item before it.

        `after` is an item id, "root" for the front, None for the end. Raises BadRequest for a duplicate id and for an
        `after` that is not there (Realtime `conversation.item.create`).
        """
        if self.find(item.id) is not None:
            raise BadRequest(
                f"Error creating item: an item with id '{item.id}' already exists.",
                code="item_create_duplicate_item_id",
                param="item.id",
            )
        index = len(self._items)
        if after == "root":
            index = 0
        elif after is not None:
            before = self.find(after)
            if before is None:
                raise BadRequest(
                    f"Error creating item: the previous item with id '{after}' does not exist.",
                    code="item_create_invalid_previous_item_id",
                    param="previous_item_id",
                )
            index = self._items.index(before) + 1
        self._items.insert(index, item)
        self._by_id[item.id] = item
        self.forget_old_audio()
        return self._items[index - 1].id if index else None

    def remove(self, item: Item) -> None:
        """Take `item` out."""
        self._items.remove(item)
        del self._by_id[item.id]

    def oldest_over_limit(self) -> Item | None:
        """Return the item that has to go for the bound to hold, or None."""
        return self._items[0] if len(self._items) > MAX_ITEMS else None

    def forget_old_audio(self) -> None:
        """Let go of the oldest audio until what is kept is within bounds."""
        kept = 0
        for item in reversed(self._items):
            kept += len(item.pcm) // audio.SAMPLE_BYTES
            if kept > KEPT_AUDIO_SAMPLES:
                kept -= len(item.pcm) // audio.SAMPLE_BYTES
                item.pcm = bytearray()
