"""Dead air: for how long a caller heard nothing, and said nothing, while a tool ran."""

from __future__ import annotations

from collections.abc import Iterable

from rtbridge.core import pcm
from rtbridge.replay.hearing import bursts_of
from rtbridge.replay.result import Logged, RunResult


def dead_air_ms(result: RunResult) -> list[float]:
    """Return the longest silence of both sides during each tool call, in the order in which they began."""
    sounds = [*bursts_of(result.heard), *bursts_of(result.said)]
    audible = [(burst.start * 1000 / pcm.RATE, burst.end * 1000 / pcm.RATE) for burst in sounds]
    return [round(longest_gap(audible, *run), 1) for run in _runs(result)]


def longest_gap(sounds: Iterable[tuple[float, float]], start: float, end: float) -> float:
    """Return the longest stretch from `start` to `end` in which there is none of `sounds` (from, to)."""
    longest, quiet_since = 0.0, start
    for begins, ends in sorted(sounds):
        if ends <= start or begins >= end:
            continue
        longest = max(longest, begins - quiet_since)
        quiet_since = max(quiet_since, ends)
    return max(longest, end - quiet_since)


def _runs(result: RunResult) -> Iterable[tuple[float, float]]:
    ended = {_call_id(entry): entry.at_ms for entry in result.journal if entry.event == "tool.ended"}
    for entry in result.journal:
        if entry.event == "tool.started":
            yield entry.at_ms, max(entry.at_ms, ended.get(_call_id(entry), result.duration_ms))


def _call_id(entry: Logged) -> object:
    return entry.fields.get("call_id")
