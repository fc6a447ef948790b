"""Figures of a replayed call under the names that the field uses.

`respond`, `stop` and `ignore` are voicebench's words; the letters are tau-voice's: L_R response latency, L_Y yield
latency, R_R response rate, R_Y yield rate. Latencies are medians in ms, from what was heard.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from rtbridge.replay.evidence import Seen


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the nearest-rank percentile of at least one value."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(len(ranked) * percent / 100) - 1)]


def bridge_added_ms(seen: Seen) -> list[float]:
    """Return, a turn, what is neither endpointing nor the model: request_ms + playout_ms of turn.ended."""
    told = [turn.journal for turn in seen.turns if turn.journal is not None]
    return [float(fields["request_ms"] + fields["playout_ms"]) for fields in told]


def metrics(seen: Seen) -> dict[str, Any]:
    """Return the call's figures; None where there is nothing to count."""
    asked = [turn for turn in seen.turns if not turn.played.turn.is_noise]
    responses = [turn.respond_ms for turn in asked if turn.respond_ms is not None]
    over = [turn for turn in asked if turn.spoken_over]
    stops = [turn.stop_ms for turn in over if turn.barged_in and turn.stop_ms is not None]
    added = bridge_added_ms(seen)
    respond_p50, stop_p50 = _at(responses, 50), _at(stops, 50)
    response_rate, yield_rate = _rate(len(responses), len(asked)), _rate(len(stops), len(over))
    return {
        "respond_p50_ms": respond_p50,
        "respond_p90_ms": _at(responses, 90),
        "respond_p95_ms": _at(responses, 95),
        "stop_p50_ms": stop_p50,
        "stop_p90_ms": _at(stops, 90),
        "stop_p95_ms": _at(stops, 95),
        "response_rate": response_rate,
        "yield_rate": yield_rate,
        "bridge_added_p95_ms": _at(added, 95),
        "protocol_errors": len(seen.protocol_errors),
        "L_R": respond_p50,
        "L_Y": stop_p50,
        "R_R": response_rate,
        "R_Y": yield_rate,
    }


def _at(values: Sequence[float], percent: float) -> float | None:
    return percentile(values, percent) if values else None


def _rate(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
