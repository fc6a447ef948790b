"""Alignment: where the words of a text lie in its sound, from how loud the sound is and how long the words are.

For upstreams that do not say when a word begins. What sounds is cut into runs at its pauses, and the words are shared
out among the runs, in order, so that each run holds about as much text as it lasts, pauses fall where a sentence or
a clause ends, and no sentence ends without one: the cheapest way to do all three is found by dynamic programming.
Within a run, words lie in proportion to their length. Sound that has no text yet, or text that has no sound yet, is
left over at the end, by the pace of the voice. Times are windows of 10 ms; the sound comes in as one level for each.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from rtbridge.core import pcm

WINDOW_SAMPLES: Final = pcm.samples_of_ms(10)
PACE: Final = 0.19  # of an unknown voice: letters a window that sounds
PAUSE: Final = 12  # windows: longer than a mouth is shut within a word
QUIETEST: Final = 40.0  # RMS: nothing below it sounds
OF_LOUDEST: Final = 0.04  # nor below this share of what is loud
BAND: Final = 25  # words by which the text may run ahead of its pace, or behind
NEVER: Final = 1e9

_WORD: Final = re.compile(r"\d+-(?=\d)|\S+")  # numbers are said group by group
_SENTENCE: Final = re.compile(r"[.!?…:。！？][\"'”’)\]]*$")
_CLAUSE: Final = re.compile(r"[-,;)–—、，][\"'”’)\]]*$")

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Word:
    """A word, or a group of figures in one, and where it sounds: from a window up to another. None: it has no sound."""

    start: int  # character
    end: int
    begins: float | None
    ends: float | None


def levels_of(sound: bytes) -> list[float]:
    """Return the RMS of each whole 10 ms of 24 kHz mono s16le."""
    heard = np.frombuffer(sound, "<i2").astype(np.float64)
    whole = len(heard) // WINDOW_SAMPLES
    windows = heard[: whole * WINDOW_SAMPLES].reshape(whole, WINDOW_SAMPLES)
    return [float(level) for level in np.sqrt(np.mean(windows * windows, axis=1))]


def weight(word: str) -> float:
    """Return how long a word takes to say, in letters: a figure is a word of its own."""
    return 1.0 + sum(5.0 if char.isdigit() else char.isalnum() for char in word)


def runs_of(levels: Sequence[float]) -> list[tuple[int, int]]:
    """Return the stretches that sound, parted by pauses of 120 ms or more, as (first window, window after)."""
    found = np.asarray(levels)
    if not len(found):
        return []
    (loud,) = np.nonzero(found > max(QUIETEST, OF_LOUDEST * float(np.percentile(found, 95))))
    if not len(loud):
        return []
    cuts = np.flatnonzero(np.diff(loud) > PAUSE)
    firsts, lasts = loud[np.append(0, cuts + 1)], loud[np.append(cuts, len(loud) - 1)]
    return [(int(first), int(last) + 1) for first, last in zip(firsts, lasts, strict=True)]


def pace_of(text: str, levels: Sequence[float]) -> float | None:
    """Return the letters a window of a whole text and all of its sound; None where there is none of either."""
    windows = sum(end - begin for begin, end in runs_of(levels))
    letters = sum(weight(word) for word in _WORD.findall(text))
    return letters / windows if windows and letters else None


def lay(text: str, levels: Sequence[float], *, pace: float = PACE, whole: bool) -> list[Word]:
    """Return each word of `text` with its place in the sound; `whole` says that there is no more of either.

    `pace` is the voice's; what is whole tells its own.
    """
    words = list(_WORD.finditer(text))
    runs = runs_of(levels)
    if not words:
        return []
    ends = np.cumsum([0.0] + [weight(word.group()) for word in words])
    said = [word.group() for word in words]
    if not runs:  # nothing to go by but the length
        whole, runs, counts = True, [(0, len(levels))], [len(words)]
    else:
        pace = (pace_of(text, levels) or pace) if whole else pace
        counts = _shares(said, ends, runs, pace, whole=whole)
    placed: list[Word] = []
    first = 0
    for (begin, end), last in zip(runs, counts, strict=True):
        room = ends[last] - ends[first]
        over_at: float = end
        if not whole and end == runs[-1][1]:  # it may have ended within a word
            over_at = begin + room / pace
        elif not whole and last == len(words):  # there is more of the sound than of the text
            over_at = min(end, begin + room / pace)
        for n in range(first, last):
            begins, over = (
                float(begin + (over_at - begin) * (ends[m] - ends[first]) / room) for m in (n, n + 1)
            )
            placed.append(Word(words[n].start(), words[n].end(), begins, over))
        first = last
    return placed + [Word(word.start(), word.end(), None, None) for word in words[first:]]


def _shares(
    words: list[str], ends: Floats, runs: list[tuple[int, int]], pace: float, *, whole: bool
) -> list[int]:
    """Return how many words are over when each run is, in the cheapest way."""
    count = len(words)
    marks = np.array([0.0] + [2.0 if _SENTENCE.search(w) else bool(_CLAUSE.search(w)) * 1.0 for w in words])
    # What it costs to speak over the marks of the words before: prefix sums, so that any group's is a difference.
    spoken_over = np.cumsum(np.where(marks == 2.0, 3.0, np.where(marks == 1.0, 0.4, 0.0)))
    costs, at = np.zeros(1), np.zeros(1, np.int64)
    paths: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]] = []
    passed = 0.0
    for number, (begin, end) in enumerate(runs):
        passed += end - begin
        centre = int(np.searchsorted(ends, passed * pace))
        is_last = number + 1 == len(runs)
        low, high = max(0, min(centre, count) - BAND), min(count, centre + BAND)
        to = np.array([count]) if is_last and whole else np.arange(low, high + 1)
        step = _group_costs(ends, spoken_over, at, to, (end - begin), pace, whole=whole)
        if not is_last:
            step = step + _pause_costs(marks[to], runs[number + 1][0] - end)[:, None]
        total = costs[None, :] + step
        best = np.argmin(total, axis=1)
        paths.append((to, best))
        costs, at = total[np.arange(len(to)), best], to
    index = int(np.argmin(costs))
    counts: list[int] = []
    for to, best in reversed(paths):
        counts.append(int(to[index]))
        index = int(best[index])
    return counts[::-1]


def _group_costs(
    ends: Floats,
    spoken_over: Floats,
    at: npt.NDArray[np.int64],
    to: npt.NDArray[np.int64],
    windows: int,
    pace: float,
    *,
    whole: bool,
) -> Floats:
    """Return what it costs that a run of so many windows holds the words from `at` (columns) to `to` (rows)."""
    letters = ends[to][:, None] - ends[at][None, :]
    off = (letters / pace - windows) / (6.0 + 0.15 * windows)
    over = spoken_over[np.maximum(to - 1, 0)][:, None] - spoken_over[at][None, :]
    cost = off * off + np.maximum(over, 0.0)
    if not whole:  # sound whose text is to come costs nothing
        done = to[:, None] == len(ends) - 1
        cost = np.where(done & (off < 0), np.where(letters > 0, 0.0, 0.01) + np.maximum(over, 0.0), cost)
    return np.where(to[:, None] >= at[None, :], cost, NEVER)


def _pause_costs(marks: Floats, windows: int) -> Floats:
    """Return what it costs that a pause of so many windows follows words with these marks."""
    without = 2.0 + min(4.0, 0.08 * (windows - PAUSE))
    return np.where(marks == 2.0, 0.0, np.where(marks == 1.0, 0.3, without))
