"""What is left of a call that was replayed: two recordings, what came over the data channel, and the journal.

The same on both roads. All times are in the call's own time line: sample 0 of the recordings is 0 ms.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from rtbridge.replay.script import Message, Played
from rtbridge.replay.story import Story


@dataclass(frozen=True, slots=True)
class Logged:
    """One journal entry. Over the wire only those that go to the caller are known."""

    at_ms: int
    event: str  # noun.past_tense, see core/journal.py
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class RunResult:
    """One story, played."""

    story: Story
    road: Literal[
        "virtual", "wire", "live"
    ]  # live: the virtual road in real time, for an upstream of the world
    said: bytes = field(repr=False)  # the caller's side, 24 kHz mono s16le
    heard: bytes = field(repr=False)  # what the caller heard, of the same length
    played: tuple[Played, ...]
    messages: tuple[Message, ...] = field(repr=False)
    journal: tuple[Logged, ...] = field(repr=False)
    reason: str  # why the call ended
    stuck: str | None  # what the caller waited for in vain, and what it heard
    underruns: int | None = None  # None where the road does not tell
    leaked_tasks: int | None = None
    # Audio by item as the upstream sent it; virtual only.
    made: dict[str, bytes] = field(default_factory=dict, repr=False)
    # Its transcript by item, piece by piece, each with the sample at which it begins; virtual only.
    pieces: dict[str, tuple[tuple[int, str], ...]] = field(default_factory=dict, repr=False)
    # What went to the upstream and came from it; not over the wire.
    cassette: bytes = field(default=b"", repr=False)
    mismatches: tuple[
        str, ...
    ] = ()  # where the bridge asked otherwise than the cassette it was played against
    uncompared: int = 0  # tool outputs that a cassette could not compare

    @property
    def duration_ms(self) -> int:
        """Return how long the call was."""
        return len(self.heard) // 48
