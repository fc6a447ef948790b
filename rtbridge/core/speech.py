"""Speech: everything the agents say in a call, from the model's deltas to what the caller heard.

Composes playout (samples), ledger (words) and transcript (order). A response's audio is spoken through here and
nowhere else; a flush here says, item by item, what must be told upstream. Decides nothing about turns.
"""

from __future__ import annotations

from dataclasses import dataclass

from rtbridge.core import pcm
from rtbridge.core.journal import ItemHeard
from rtbridge.core.ledger import Ledger, Words
from rtbridge.core.playout import Mark, Playout, Progress
from rtbridge.core.transcript import Entry, Transcript

MAX_REMEMBERED = 512


@dataclass(slots=True)
class Spoken:
    """One message item of an agent."""

    item_id: str
    response_id: str
    agent: str
    complete: bool = False  # the model has made all of it
    over: bool = False  # it will play no further: played to its end, cut, or never heard
    heard_samples: int | None = None  # once it is over; None as long as all of its text is taken for heard


@dataclass(frozen=True, slots=True)
class Cut:
    """An item that was stopped: what was heard of it, and where."""

    item_id: str
    content_index: int
    heard: ItemHeard


class Speech:
    """The agents' side of the conversation."""

    def __init__(self, *, word_times: bool) -> None:
        self.playout = Playout()
        self.ledger = Ledger(word_times=word_times)
        self.transcript = Transcript()
        self._items: dict[str, Spoken] = {}

    def begin(self, item_id: str, response_id: str, agent: str) -> Spoken:
        """Note a message item of a response, if it is new, and return it."""
        spoken = self._items.setdefault(item_id, Spoken(item_id, response_id, agent))
        entry = self.transcript.get(item_id)
        if entry is not None:
            entry.agent = spoken.agent
        while len(self._items) > MAX_REMEMBERED:
            oldest = next((one for one in self._items if not self.playout.holds(one)), item_id)
            del self._items[oldest]
            self.ledger.forget(oldest)
        return spoken

    def queued(self, item_id: str) -> Spoken:
        """Return an item that playout holds or has just let go; those are never forgotten."""
        return self._items[item_id]

    def get(self, item_id: str) -> Spoken | None:
        """Return an item, or None."""
        return self._items.get(item_id)

    def add_audio(self, item_id: str, content_index: int, chunk: bytes) -> int:
        """Queue audio (24 kHz mono s16le) to be heard; return the samples that found no room."""
        item = self._items.get(item_id)
        if item is None or item.over:
            return 0
        self.ledger.add_audio(item_id, chunk)
        return self.playout.push(item_id, content_index, chunk)

    def add_text(self, item_id: str, delta: str) -> None:
        """Note a piece of an item's transcript."""
        if item_id in self._items:
            self.ledger.add_text(item_id, delta)
            self._show(item_id)

    def set_text(self, item_id: str, text: str) -> None:
        """Note an item's whole transcript; of one that was cut, what was not heard stays unheard."""
        if item_id in self._items:
            self.ledger.set_text(item_id, text)
            self._show(item_id)

    def complete(self, item_id: str) -> None:
        """Note that the model has made all of an item."""
        item = self._items.get(item_id)
        if item is not None:
            item.complete = True
            self.ledger.end_audio(item_id)

    def played(self, progress: Progress) -> ItemHeard:
        """Note that an item was played to its end."""
        return self._end(progress, progress.pulled)

    def marks(self) -> list[Mark]:
        """Return what playout did since the last call."""
        return self.playout.take_marks()

    def end_word(self, playing: Progress) -> None:
        """Let what plays end with the word that sounds now."""
        self.playout.end_at(self.ledger.word_end(playing.item_id, playing.pulled))

    def flush(self) -> list[Cut]:
        """Throw away what is queued; return each item that stops, in the order of play."""
        cuts: list[Cut] = []
        for progress in self.playout.flush():
            heard = self._end(progress, progress.pulled)
            cuts.append(Cut(progress.item_id, progress.content_index, heard))
        return cuts

    def unheard(self, item_ids: list[str]) -> list[str]:
        """Return those items that are not over and have nothing queued; they are over from here on."""
        result = []
        for item_id in item_ids:
            item = self._items.get(item_id)
            if item is not None and not item.over and not self.playout.holds(item_id):
                item.over, item.heard_samples = True, 0
                self._show(item_id)
                result.append(item_id)
        return result

    def heard_so_far(self) -> list[tuple[str, str]]:
        """Return (who, what was heard) of each message; of one that plays or waits to, as far as it was pulled."""
        return [
            (entry.agent or entry.role, self._heard_of(entry)) for entry in self.transcript if entry.visible
        ]

    def _heard_of(self, entry: Entry) -> str:
        item = self._items.get(entry.item_id)
        if item is None or item.heard_samples is not None:
            return entry.text
        playing = self.playout.progress(entry.item_id)
        if playing is None:
            return entry.text if item.complete else ""  # written, or its sound is to come
        return self.ledger.words(entry.item_id, playing.pulled).heard

    def _end(self, progress: Progress, heard_samples: int) -> ItemHeard:
        item = self._items[progress.item_id]
        item.over, item.heard_samples = True, heard_samples
        words = self._show(progress.item_id)
        return ItemHeard(
            item_id=progress.item_id,
            heard_ms=pcm.ms_of_samples(heard_samples),
            total_ms=pcm.ms_of_samples(progress.pushed),
            heard_text=words.heard.strip(),
            unheard_text=words.unheard.strip(),
        )

    def _show(self, item_id: str) -> Words:
        """Bring the transcript's two parts of an item up to date."""
        heard_samples = self._items[item_id].heard_samples
        if heard_samples is None:
            words = Words(self.ledger.text(item_id), "")
        else:
            words = self.ledger.words(item_id, heard_samples)
        entry = self.transcript.get(item_id)
        if entry is not None:
            entry.text, entry.unheard = words.heard, words.unheard
        return words


def entry_of(item: dict[str, object]) -> Entry:
    """Return a transcript entry for a wire item (events conversation.item.added / created)."""
    content = item.get("content")
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    kinds = {str(part.get("type")) for part in parts}
    role = str(item.get("role") or "")
    return Entry(
        item_id=str(item.get("id") or ""),
        kind=str(item.get("type") or ""),
        role=role,
        text=_tool_text(item)
        or " ".join(str(part.get("text") or part.get("transcript") or "") for part in parts).strip(),
        spoken="input_audio" in kinds or (role == "assistant" and not kinds & {"text", "output_text"}),
        done=item.get("status") == "completed",
        call_id=str(item.get("call_id") or ""),
    )


def _tool_text(item: dict[str, object]) -> str:
    if item.get("type") == "function_call":
        return f"{item.get('name')}({item.get('arguments') or ''})"
    return str(item.get("output") or "")
