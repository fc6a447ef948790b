"""What a noise of the caller did to the agent: for how long it fell silent, what was lost, and whether it was answered.

A noise is ignored when the agent was silent for at most 400 ms, went on at the sample at which it had stopped, and
nobody took it for a turn. Measured in the recording; that no turn came of it is the journal's to tell.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from rtbridge.core import pcm
from rtbridge.replay.alignment import pieces_of
from rtbridge.replay.hearing import Burst
from rtbridge.replay.result import RunResult
from rtbridge.replay.script import Played

MOST_PAUSED_MS: Final = 400  # as long as it may take to know that it was a noise
MOST_LOST_MS: Final = 5  # the edges of a pause may be faded
AFTER: Final = pcm.samples_of_ms(
    1_000
)  # a pause may begin so long after the noise: who hears it needs a while


@dataclass(frozen=True, slots=True)
class Disturbance:
    """What a noise did."""

    spoken_over: bool  # the agent was heard when it began
    paused_ms: float | None  # the longest silence that it made in the agent's words; None: they never went on
    lost_ms: float | None  # of the agent's words in such a pause; None where the road does not know them
    taken_for_turn: bool

    @property
    def ignored(self) -> bool:
        """Say whether the agent went on as if nothing had been."""
        went_on = self.paused_ms is not None and self.paused_ms <= MOST_PAUSED_MS
        return not self.taken_for_turn and (not self.spoken_over or (went_on and not self.lost))

    @property
    def lost(self) -> bool:
        """Say whether words of the agent were lost."""
        return (self.lost_ms or 0.0) > MOST_LOST_MS


def disturbance(
    result: RunResult, noise: Played, bursts: Sequence[Burst], spans: Sequence[tuple[str, float, float]]
) -> Disturbance:
    """Return what a noise did; `bursts` are what was heard, `spans` (item, from ms, to ms) what was played."""
    over = any(burst.start < noise.speech_start < burst.end for burst in bursts)
    taken = _taken_for_turn(result, noise)
    first, last = noise.start, min(noise.end + AFTER, _next_speech(result, noise))
    playing = [
        (result.made[item_id], max(0.0, from_ms - 500), to_ms + 1_000)
        for item_id, from_ms, to_ms in spans
        if item_id in result.made and from_ms <= _ms(last) and to_ms >= _ms(first)
    ]
    if not playing or result.road != "virtual":
        return Disturbance(over, _gap_ms(bursts, noise), None, taken)
    pauses = [pause for one in playing for pause in _pauses(result.heard, *one, first, last)]
    stopped = any(paused is None for paused, _ in pauses)
    longest = None if stopped else max((paused for paused, _ in pauses if paused is not None), default=0.0)
    return Disturbance(over, longest, max((lost for _, lost in pauses), default=0.0), taken)


def _pauses(
    heard: bytes, made: bytes, from_ms: float, to_ms: float, first: int, last: int
) -> Iterator[tuple[float | None, float]]:
    """Yield (how long, what was lost) of each break in an item's words between two samples of the call, in ms."""
    pieces = pieces_of(heard, made, since=pcm.samples_of_ms(from_ms), until=pcm.samples_of_ms(to_ms))
    for before, after in itertools.pairwise(pieces):
        if first <= before.heard_end <= last:
            lost = after.item - before.item_end - _quiet_from(made, before.item_end)
            yield _ms(after.heard - before.heard_end), _ms(max(0, lost))
    if pieces and first <= pieces[-1].heard_end <= last and any(_rest(made, pieces[-1].item_end)):
        yield None, _ms(pcm.samples_of(made) - pieces[-1].item_end)


def _next_speech(result: RunResult, noise: Played) -> int:
    """Return where the next thing begins that the caller does."""
    later = [other.speech_start for other in result.played if other.speech_start > noise.speech_start]
    return min(later, default=1 << 62)


def _rest(made: bytes, sample: int) -> bytes:
    return made[sample * pcm.SAMPLE_BYTES :]


def _quiet_from(made: bytes, sample: int) -> int:
    """Return for how many samples an item is silent from `sample` on: what is not there cannot be lost."""
    rest = _rest(made, sample)
    return (len(rest) - len(rest.lstrip(b"\0"))) // pcm.SAMPLE_BYTES


def _gap_ms(bursts: Sequence[Burst], noise: Played) -> float | None:
    """Return the silence between bursts that touches the noise; None if speech never came back."""
    if any(burst.start < noise.start and burst.end > noise.end for burst in bursts):
        return 0.0
    gaps = [
        _ms(after.start - before.end)
        for before, after in itertools.pairwise(bursts)
        if after.start > noise.start and before.end > noise.start
    ]
    return gaps[0] if gaps else None


def _taken_for_turn(result: RunResult, noise: Played) -> bool:
    """Say whether the end of a noise was taken for the end of a turn, before the next thing that the caller does."""
    from_ms, until_ms = _ms(noise.speech_start), _ms(_next_speech(result, noise))
    return any(
        entry.event == "turn.changed"
        and entry.fields.get("to") == "thinking"
        and entry.fields.get("cause") == "speech_stopped"
        and from_ms <= entry.at_ms < until_ms
        for entry in result.journal
    )


def _ms(samples: int) -> float:
    return round(samples * 1000 / pcm.RATE, 1)
