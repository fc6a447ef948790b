"""What a caller leg is, as a session sees it: the WebRTC peer and the replay caller both are one.

Audio takes the straight road: the leg calls `hear` with each 20 ms of the caller in order, and `pull` every
20 ms for what the caller shall hear. Everything else comes through one inbox, `events()`, one at a time.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class LegUp:
    """Media flows and `oai-events` is open: the call may begin."""


@dataclass(frozen=True, slots=True)
class LegSuspended:
    """No RTP and no RTCP for 3 s, or consent lost."""

    reason: str


@dataclass(frozen=True, slots=True)
class LegResumed:
    """Media flows again after LegSuspended."""

    gap_ms: int


@dataclass(frozen=True, slots=True)
class LegMessage:
    """One text message of the data channel, already bounded to 64 KiB; not yet parsed."""

    text: str


@dataclass(frozen=True, slots=True)
class LegKey:
    """The caller pressed one key: 0-9, *, #, A-D. Told once, however often the media said it."""

    key: str


@dataclass(frozen=True, slots=True)
class LegGone:
    """The leg is over and will say nothing more."""

    reason: str


LegEvent = LegUp | LegSuspended | LegResumed | LegMessage | LegKey | LegGone

Pull = Callable[[int], bytes]
"""`pull(samples) -> pcm`: exactly that many samples, 24 kHz mono s16le. Never blocks."""

Hear = Callable[[bytes], None]
"""`hear(pcm)`: the caller's next samples in order, gap-free, 24 kHz mono s16le. Never blocks."""


class CallerLeg(Protocol):
    """The caller's side of one call."""

    def attach(self, *, pull: Pull, hear: Hear) -> None:
        """Connect the audio road. Called once, before `events()` is read."""
        ...

    def events(self) -> AsyncIterator[LegEvent]:
        """Yield what happens to the leg; ends after LegGone."""
        ...

    def send(self, text: str) -> None:
        """Queue one JSON event for `oai-events`; never blocks. What cannot be sent is counted in `stats()`."""
        ...

    @property
    def rtt_ms(self) -> float:
        """The round trip to the caller as last measured; 0 where it is unknown or on the virtual road."""
        ...

    @property
    def wire_ms(self) -> float:
        """How long the frame that was pulled last took to leave, with what its encoder holds back; 0 without a wire."""
        ...

    def stats(self) -> dict[str, float]:
        """Return counters of the leg by name: frames, gaps, late frames, drops."""
        ...

    async def close(self) -> None:
        """End the leg; idempotent."""
        ...
