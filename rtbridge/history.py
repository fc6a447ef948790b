"""What was said in the calls of this process: of those that run and of the last ones that ended.

Kept in memory only, for whoever opened the calls: texts as heard, no audio, no tools. Both bounds are here: how many
ended calls, and how much text of one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

MOST_CHARS: Final = 64 * 1024  # of one ended call; an hour of talk is about as long. The oldest goes first


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One call, as it stands or as it ended."""

    call_id: str
    scenario: str
    agent: str  # who speaks, or spoke last
    principal: str = field(repr=False)
    duration_ms: int  # so far, while it runs
    said: tuple[tuple[str, str], ...] = field(repr=False)  # (agent's name or `user`, what was heard of it)
    ended: str | None = None  # why; None while it runs
    cut: bool = False  # its beginning was too much to keep


class History:
    """The last ended calls, newest first."""

    def __init__(self, most: int) -> None:
        """Keep `most` calls; 0 keeps none."""
        self._ended: deque[CallRecord] = deque(maxlen=most)

    def add(self, record: CallRecord) -> None:
        """Keep an ended call; the oldest makes room."""
        self._ended.appendleft(record)

    def __iter__(self) -> Iterator[CallRecord]:
        return iter(tuple(self._ended))


def bounded(said: Iterable[tuple[str, str]]) -> tuple[tuple[tuple[str, str], ...], bool]:
    """Return the last 64 Ki characters of what was said, in whole messages, and whether something was left out."""
    lines = [(who, text.strip()) for who, text in said if text.strip()]
    kept: list[tuple[str, str]] = []
    room = MOST_CHARS
    for who, text in reversed(lines):
        room -= len(text)
        if room < 0:
            break
        kept.append((who, text))
    return tuple(reversed(kept)), len(kept) < len(lines)
