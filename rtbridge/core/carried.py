"""How the caller's audio was carried, from a leg's counters: what came, what was repaired, and what is silence now."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rtbridge.core.journal import CallClosed, Entry, MediaCounted, TurnEnded
from rtbridge.core.pcm import RATE


def media_told_before(entry: Entry, stats: Callable[[], Mapping[str, float]]) -> MediaCounted | None:
    """Return what is written before `entry`: with each answer and at the call's end, how the audio was carried."""
    return media_counted(stats()) if isinstance(entry, TurnEnded | CallClosed) else None


def media_counted(stats: Mapping[str, float]) -> MediaCounted | None:
    """Return the entry of a leg's `stats()` so far; None for a leg without RTP, or while nothing has come.

    Delivered is the caller's time line but for what is silence in the place of speech: losses that could not be
    repaired or were longer than a guess may be, audio that came faster than time passes, and gaps that were jumped.
    Speech that was guessed counts as delivered, and is told on its own.
    """
    line_ms = stats.get("mic.samples", 0.0) * 1000 / RATE
    if not line_ms:
        return None
    beside_ms = stats["mic.excess_ms"] + stats["mic.skipped_ms"]  # RTP time that never got into the line
    silent_ms = stats["mic.blank_ms"] + stats["repair.faded_ms"]
    return MediaCounted(
        received=int(stats["mic.packets"]),
        lost=int(stats["mic.lost"]),
        late=int(stats["jitter.late"]),
        reordered=int(stats["jitter.reordered"]),
        line_ms=round(line_ms),
        fec_ms=int(stats["repair.fec_ms"]),
        concealed_ms=int(stats["repair.concealed_ms"]),
        silent_ms=int(silent_ms + beside_ms),
        delivered_pct=round(100 * (line_ms - silent_ms) / (line_ms + beside_ms), 3),
        jitter_ms=round(stats["uplink.jitter_ms"], 1),
        rtt_ms=round(stats["rtt_ms"], 1),
    )
