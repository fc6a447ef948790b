"""Figures of a replayed call under the names that the field uses.

`respond`, `stop` and `ignore` are voicebench's words; the letters are tau-voice's: L_R response latency, L_Y yield
latency, R_R response rate, R_Y yield rate, I_A agent interruption, and how much of what is not meant for the agent it
ignores: S_BC backchannels, S_VT vocal tics (cough, laugh), S_ND speech to somebody else. Latencies are medians in ms,
from what was heard; rates are shares. What a call has nothing of is None, never a number.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from rtbridge.replay.evidence import Seen
from rtbridge.replay.story import NoiseKind

OURS: Final = ("request_ms", "gate_ms", "playout_ms", "wire_ms")  # parts of turn.ended


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the nearest-rank percentile of at least one value."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(len(ranked) * percent / 100) - 1)]


def bridge_added_ms(seen: Seen) -> list[float]:
    """Return, a turn, what is neither the upstream's, nor a tool's, nor the voice's own silence (turn.ended)."""
    told = [turn.journal for turn in seen.turns if turn.journal is not None]
    return [float(sum(fields.get(part, 0) for part in OURS)) for fields in told]


def metrics(seen: Seen) -> dict[str, Any]:
    """Return the call's figures; None where there is nothing to count."""
    asked = [turn for turn in seen.turns if turn.noise is None]
    responses = [turn.respond_ms for turn in asked if turn.respond_ms is not None]
    over = [turn for turn in asked if turn.spoken_over]
    stops = [turn.stop_ms for turn in over if turn.barged_in and turn.stop_ms is not None]
    spoken = [turn for turn in asked if turn.played.turn.sound is not None]
    ignored = {kind: _ignored(seen, kinds) for kind, kinds in _KINDS.items()}
    added = bridge_added_ms(seen)
    respond_p50, respond_p90, stop_p50 = _at(responses, 50), _at(responses, 90), _at(stops, 50)
    response_rate, yield_rate = _rate(len(responses), len(asked)), _rate(len(stops), len(over))
    return {
        "respond_p50_ms": respond_p50,
        "respond_p90_ms": respond_p90,
        "respond_p95_ms": _at(responses, 95),
        "stop_p50_ms": stop_p50,
        "stop_p90_ms": _at(stops, 90),
        "stop_p95_ms": _at(stops, 95),
        "response_rate": response_rate,
        "yield_rate": yield_rate,
        "bridge_added_p95_ms": _at(added, 95),
        "protocol_errors": len(seen.protocol_errors),
        # voicebench
        "respond_rate": response_rate,
        "stop_rate": yield_rate,
        "ignore_rate": ignored["all"],
        "response_p50_ms": respond_p50,
        "response_p90_ms": respond_p90,
        "barge_in_stop_p50_ms": stop_p50,
        "false_barge_ins": seen.false_barge_ins,
        "talk_over_ms": round(sum(turn.talked_over_ms for turn in spoken), 1) if spoken else None,
        "wer": _wer(seen),
        # tau-voice
        "L_R": respond_p50,
        "L_Y": stop_p50,
        "R_R": response_rate,
        "R_Y": yield_rate,
        "I_A": _rate(sum(turn.cut_in for turn in spoken), len(spoken)),
        "S_BC": ignored["S_BC"],
        "S_VT": ignored["S_VT"],
        "S_ND": ignored["S_ND"],
    }


_KINDS: Final[Mapping[str, frozenset[NoiseKind | None]]] = {
    "all": frozenset({None, *NoiseKind}),
    "S_BC": frozenset({NoiseKind.BACKCHANNEL}),
    "S_VT": frozenset({NoiseKind.COUGH, NoiseKind.LAUGH}),
    "S_ND": frozenset({NoiseKind.NON_DIRECTED}),
}


def _ignored(seen: Seen, kinds: frozenset[NoiseKind | None]) -> float | None:
    """Return the share of the noises of some kinds that the agent ignored."""
    noises = [turn for turn in seen.turns if turn.noise is not None and turn.played.turn.kind in kinds]
    return _rate(sum(turn.ignored for turn in noises), len(noises))


def _wer(seen: Seen) -> float | None:
    """Return the word error rate over all turns whose words the story says."""
    told = [turn.words for turn in seen.turns if turn.words is not None]
    said = sum(one.said for one in told)
    return _rate(sum(one.wrong for one in told), said)


def _at(values: Sequence[float], percent: float) -> float | None:
    return percentile(values, percent) if values else None


def _rate(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
