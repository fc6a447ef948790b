"""Playout: what the caller is about to hear, and the clock of what was heard.

The speaker pulls exactly 20 ms every 20 ms; that pull IS the playback clock. An item's progress is counted in
samples pulled and in nothing else. Silence fills what is missing and is not counted. Items play in the order in
which they were first pushed; a flush forgets everything queued and says how far each item had come. An item may have
a limit, the sample beyond which nobody has cleared it: it waits there, and those behind it wait with it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from rtbridge.core import pcm
from rtbridge.core.audible import NEAR_SAMPLES, quietest_end, sound_within

QUIET_WITHIN_SAMPLES = pcm.samples_of_ms(400)  # two short words
MAX_QUEUED_SAMPLES = pcm.samples_of_ms(600_000)  # ten minutes: more than any response may hold


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one item has come: samples pushed by the model and samples pulled by the speaker."""

    item_id: str
    content_index: int
    pulled: int
    pushed: int


@dataclass(frozen=True, slots=True)
class Began:
    """The first sample of an item was pulled."""

    item_id: str


@dataclass(frozen=True, slots=True)
class Sounded:
    """The first sound of an item was pulled, `at` samples after the beginning of the pull; `lead` of it were silent.

    Among these the item waited at its limit, for `withheld` samples.
    """

    item_id: str
    at: int
    lead: int
    withheld: int = 0


@dataclass(frozen=True, slots=True)
class Played:
    """An item is complete and its last sample was pulled."""

    progress: Progress


@dataclass(frozen=True, slots=True)
class Drained:
    """Nothing is queued and nothing more is to come."""


Mark = Began | Sounded | Played | Drained


@dataclass(slots=True)
class _Item:
    item_id: str
    content_index: int
    chunks: deque[memoryview] = field(default_factory=deque)
    pushed: int = 0
    pulled: int = 0
    finished: bool = False
    limit: int | None = None  # samples that may be pulled so far; None for all
    sounded: bool = False  # its first sound was pulled
    withheld: int = 0  # samples that it might have given since it began, but for its limit

    def progress(self) -> Progress:
        return Progress(self.item_id, self.content_index, self.pulled, self.pushed)


class Playout:
    """The queue between the model and the speaker. Never short, never late, never blocks."""

    def __init__(self) -> None:
        self.underruns = 0  # pulls in which an item had begun, was not complete, and had nothing to give
        self.paused = False  # the caller is not there
        self.off = False  # the caller wants to hear nothing now
        self.held = False  # somebody makes a sound, and it is being decided whether they meant it
        self._items: deque[_Item] = deque()
        self._queued = 0
        self._sounded = False  # something was pulled since the queue was empty
        self._marks: list[Mark] = []

    @property
    def playing(self) -> Progress | None:
        """The item at the head of the queue, or None."""
        return self._items[0].progress() if self._items else None

    def progress(self, item_id: str) -> Progress | None:
        """Return how far an item has come, or None when it is not queued."""
        item = self._find(item_id)
        return item.progress() if item is not None else None

    @property
    def last_item_id(self) -> str | None:
        """The item at the end of the queue, or None."""
        return self._items[-1].item_id if self._items else None

    @property
    def queued_samples(self) -> int:
        """Samples pushed and not yet pulled."""
        return self._queued

    def holds(self, item_id: str) -> bool:
        """Whether an item is queued or playing."""
        return self._find(item_id) is not None

    def push(self, item_id: str, content_index: int, chunk: bytes) -> int:
        """Queue `chunk` (24 kHz mono s16le) of an item; return the samples that found no room (0 nearly always).

        Raises ValueError on half a sample.
        """
        samples = pcm.samples_of(chunk)
        room = min(samples, MAX_QUEUED_SAMPLES - self._queued)
        if not room:  # an item without a sample would end without having begun
            return samples
        item = self._find(item_id)
        if item is None:
            item = _Item(item_id, content_index)
            self._items.append(item)
        item.chunks.append(memoryview(chunk)[: room * pcm.SAMPLE_BYTES])
        item.pushed += room
        self._queued += room
        return samples - room

    def limit(self, item_id: str, samples: int | None) -> None:
        """Let only the first `samples` of an item be pulled until it is said otherwise; None for all of it."""
        item = self._find(item_id)
        if item is not None:
            item.limit = samples

    def quiet_before(self, item_id: str, samples: int) -> int:
        """Return the quietest place of an item in the 400 ms before `samples` that were not pulled yet."""
        item = self._find(item_id)
        if item is None or samples <= item.pulled:
            return samples
        first, at, sound = max(item.pulled, samples - QUIET_WITHIN_SAMPLES), item.pulled, b""
        for chunk in item.chunks:
            sound += chunk[max(0, first - at) * pcm.SAMPLE_BYTES : max(0, samples - at) * pcm.SAMPLE_BYTES]
            at += pcm.samples_of(chunk)
        return first + quietest_end(sound)

    def finish(self, item_id: str) -> None:
        """Say that an item is complete. An item that never had audio, or was flushed, is ignored."""
        item = self._find(item_id)
        if item is not None:
            item.finished = True
            self._retire()

    def pull(self, samples: int) -> bytes:
        """Pull exactly `samples` samples. Silence fills what is missing and is not counted as heard."""
        if self.paused or self.off or self.held or not self._items:
            return pcm.silence(samples)
        parts: list[bytes | memoryview] = []
        wanted = samples
        while wanted and self._items:
            item = self._items[0]
            if not item.chunks:
                self.underruns += item.pulled > 0
                break
            chunk = item.chunks[0]
            take = min(wanted, len(chunk) // pcm.SAMPLE_BYTES)
            if item.limit is not None and (take := min(take, item.limit - item.pulled)) <= 0:
                item.withheld += wanted if item.pulled else 0
                break
            if item.pulled == 0:
                self._marks.append(Began(item.item_id))
            if not item.sounded:
                self._listen(item, take, samples - wanted)
            parts.append(chunk[: take * pcm.SAMPLE_BYTES])
            if take * pcm.SAMPLE_BYTES == len(chunk):
                item.chunks.popleft()
            else:
                item.chunks[0] = chunk[take * pcm.SAMPLE_BYTES :]
            item.pulled += take
            self._sounded = True
            self._queued -= take
            wanted -= take
            self._retire()
        parts.append(pcm.silence(wanted))
        return b"".join(parts)

    def end_at(self, samples: int, item_id: str | None = None) -> None:
        """Let an item, the one at the head if none is named, end once `samples` of it were pulled, cleared or not.

        It never gets longer, and one that has ended already or that nobody holds is left alone. One that ends before
        its first sample goes without a mark.
        """
        item = self._items[0] if item_id is None else self._find(item_id)
        if item is None:
            return
        spare = item.pushed - max(samples, item.pulled)
        while spare > 0:
            last = item.chunks.pop()
            length = len(last) // pcm.SAMPLE_BYTES
            if length > spare:
                item.chunks.append(last[: (length - spare) * pcm.SAMPLE_BYTES])
            cut = min(length, spare)
            item.pushed -= cut
            self._queued -= cut
            spare -= cut
        item.finished, item.limit = True, None
        if not item.pushed:
            self._items.remove(item)
            self._dry()
        self._retire()

    def flush(self) -> list[Progress]:
        """Forget everything queued; return how far each item had come, in order. No marks follow for them."""
        progress = [item.progress() for item in self._items]
        self._items.clear()
        self._queued, self._sounded = 0, False
        return progress

    def take_marks(self) -> list[Mark]:
        """Return what happened since the last call, in order."""
        marks, self._marks = self._marks, []
        return marks

    def _listen(self, item: _Item, take: int, before: int) -> None:
        """Note an item's first sound if it begins in the next `take` samples, which are heard after `before` others."""
        ahead, length = [], 0
        for chunk in item.chunks:
            ahead.append(chunk[: (take + NEAR_SAMPLES - length) * pcm.SAMPLE_BYTES])
            length += len(ahead[-1]) // pcm.SAMPLE_BYTES
            if length >= take + NEAR_SAMPLES:
                break
        at = sound_within(b"".join(ahead), take)
        if at is not None:
            item.sounded = True
            self._marks.append(Sounded(item.item_id, before + at, item.pulled + at, item.withheld))

    def _find(self, item_id: str) -> _Item | None:
        return next((item for item in self._items if item.item_id == item_id), None)

    def _retire(self) -> None:
        """Let complete items at the head go, so that the next one begins in the same frame."""
        while self._items and self._items[0].finished and not self._items[0].chunks:
            self._marks.append(Played(self._items.popleft().progress()))
            self._dry()

    def _dry(self) -> None:
        if not self._items and self._sounded:
            self._marks.append(Drained())
            self._sounded = False
