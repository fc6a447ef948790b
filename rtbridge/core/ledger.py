"""Ledger: which words of an item were heard, from how the model's text lies along its audio.

Two kinds of upstream: one whose transcript deltas come at word times, in step with the audio deltas (a word
begins where the audio had come to when its text arrived), and one whose text comes when it comes, where words are
laid along the audio by its pauses and by their length (alignment.py). Text is cut between words only: a word is heard
when all of it was.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Final

from rtbridge.core import alignment, pcm
from rtbridge.core.alignment import WINDOW_SAMPLES, Word

_WORD = re.compile(r"\s*\S+\s*")
FASTEST_CHARS_PER_S: Final = 30  # twice the pace of a voice; nobody who is to be understood says more


@dataclass(frozen=True, slots=True)
class Words:
    """An item's text in two parts, heard and unheard; joined they are the whole text."""

    heard: str
    unheard: str


@dataclass(slots=True)
class _Line:
    samples: int = 0
    text: str = ""
    starts: list[tuple[int, int]] = field(default_factory=list)  # (characters before, samples before)
    whole: bool = False  # there will be no more text
    ended: bool = False  # ... and no more audio
    levels: list[float] = field(default_factory=list)  # one for each 10 ms
    rest: bytes = b""  # of a window that is not whole yet
    laid: list[Word] | None = None  # where the words lie, until more is known


class Ledger:
    """One line an item: its text and its audio, as they came."""

    def __init__(self, *, word_times: bool) -> None:
        self.word_times = word_times
        self._lines: dict[str, _Line] = {}
        self._pace = alignment.PACE  # of the voice that was heard last

    def add_audio(self, item_id: str, sound: bytes) -> None:
        """Note more of an item's audio (24 kHz mono s16le)."""
        line = self._line(item_id)
        line.samples += pcm.samples_of(sound)
        sound = line.rest + sound
        whole = pcm.samples_of(sound) // WINDOW_SAMPLES * WINDOW_SAMPLES * pcm.SAMPLE_BYTES
        line.levels += alignment.levels_of(sound[:whole])
        line.rest, line.laid = sound[whole:], None

    def end_audio(self, item_id: str) -> None:
        """Note that there is no more of an item's audio; where its text is whole too, the voice's pace is known."""
        line = self._line(item_id)
        line.ended, line.laid = True, None
        self._learn(line)

    def add_text(self, item_id: str, delta: str) -> None:
        """Note the next piece of an item's transcript (event `response.output_audio_transcript.delta`)."""
        line = self._line(item_id)
        line.starts.append((len(line.text), line.samples))
        line.text += delta
        line.laid = None

    def set_text(self, item_id: str, text: str) -> None:
        """Note an item's whole transcript; where it differs from what its deltas gave, their times go."""
        line = self._line(item_id)
        line.whole, line.laid = True, None
        if line.text != text:
            line.text, line.starts = text, []
        self._learn(line)

    def text(self, item_id: str) -> str:
        """Return all of an item's text so far."""
        line = self._lines.get(item_id)
        return line.text if line is not None else ""

    def is_wordless(self, item_id: str) -> bool:
        """Whether an item has audio and no text at all."""
        line = self._lines.get(item_id, _Line())
        return line.samples > 0 and not line.text.strip()

    def words(self, item_id: str, heard_samples: int) -> Words:
        """Split an item's text at the last word of which all was heard."""
        line = self._lines.get(item_id, _Line())
        if heard_samples <= 0:
            return Words("", line.text)
        timed = self.word_times and line.starts
        if heard_samples >= line.samples and (timed or line.whole or not line.samples):
            return Words(line.text, "")
        if timed:
            cut = self._cut_by_times(line, heard_samples)
        else:
            cut = self._cut_by_sound(line, heard_samples / WINDOW_SAMPLES)
        return Words(line.text[:cut], line.text[cut:])

    def word_end(self, item_id: str, samples: int) -> int:
        """Return the sample at which the word that sounds at `samples` is over; the item's end where it is the last."""
        line = self._lines.get(item_id, _Line())
        if self.word_times and line.starts:
            spots = [start for _, start in line.starts]
        else:
            ends = (word.ends for word in self._laid(line) if word.ends is not None)
            spots = [round(end * WINDOW_SAMPLES) for end in ends]
        return next((spot for spot in spots if spot >= samples), line.samples)

    def reach(self, item_id: str, chars: int) -> int:
        """Return the sample before which nothing can sound but the first `chars` characters of an item's text.

        With word times that is where the piece begins that holds the next character. Without, words lie where one
        can only guess, and this must not be one: it is as far as the fastest speech would have come.
        """
        line = self._lines.get(item_id, _Line())
        if chars <= 0:
            return 0
        if chars >= len(line.text) and (line.whole or (self.word_times and line.starts)):
            return line.samples
        if self.word_times and line.starts:
            return line.starts[bisect_right(line.starts, chars, key=lambda start: start[0]) - 1][1]
        return min(line.samples, chars * pcm.RATE // FASTEST_CHARS_PER_S)

    def forget(self, item_id: str) -> None:
        """Drop an item's line."""
        self._lines.pop(item_id, None)

    def _line(self, item_id: str) -> _Line:
        return self._lines.setdefault(item_id, _Line())

    def _learn(self, line: _Line) -> None:
        if line.whole and line.ended:
            self._pace = alignment.pace_of(line.text, line.levels) or self._pace

    def _laid(self, line: _Line) -> list[Word]:
        if line.laid is None:
            whole = line.whole and line.ended
            line.laid = alignment.lay(line.text, line.levels, pace=self._pace, whole=whole)
        return line.laid

    def _cut_by_sound(self, line: _Line, heard_windows: float) -> int:
        """A word is heard when it has sounded; blanks behind it go with it."""
        unheard = (
            word.start for word in self._laid(line) if word.ends is None or word.ends > heard_windows + 0.01
        )
        cut = next(unheard, len(line.text))
        while 0 < cut < len(line.text) and not line.text[cut - 1].isspace():
            cut -= 1  # no part of a number was heard
        return cut if line.text[:cut].strip() else 0

    @staticmethod
    def _cut_by_times(line: _Line, heard: int) -> int:
        """A piece is heard when the next piece has begun; within a piece, words lie in proportion."""
        ends = [*line.starts[1:], (len(line.text), line.samples)]
        pieces = zip(line.starts, ends, strict=True)
        # `heard` is short of the whole line, so one piece ends after it.
        (chars, samples), (next_chars, next_samples) = next(piece for piece in pieces if piece[1][1] > heard)
        if heard <= samples:
            return chars
        share = (heard - samples) / (next_samples - samples)
        return chars + Ledger._cut_by_length(line.text[chars:next_chars], share)

    @staticmethod
    def _cut_by_length(text: str, share: float) -> int:
        limit = share * len(text)
        cut = 0
        for word in _WORD.finditer(text):
            if len(word.group().rstrip()) + word.start() > limit:
                break
            cut = word.end()
        return cut
