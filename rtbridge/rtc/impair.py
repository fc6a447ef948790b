"""A bad network for one direction of one call, from a seed: loss in bursts, jitter and reordering of RTP. Pure plan.

`Impairment.plan()` says for each packet after how long it arrives, or that it does not; whoever carries it sends it
then. What happens to packet n follows from the seed, the direction and n alone, where n counts RTP sequence numbers:
the same seed loses the same packets in every run, however the machine's timing differs.

Losses come in runs of `burst` packets in the mean (a Gilbert channel: one state loses all, the other none).
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

MAX_STEP: Final = 1000  # sequence numbers; a larger jump is another stream, and starts the count anew


@dataclass(frozen=True, slots=True)
class Profile:
    """What a network does to packets. Probabilities are 0 to 1, a packet."""

    loss: float = 0.0  # up to 0.5
    burst: float = 1.0  # mean length of a run of losses, 1 up
    reorder: float = 0.0  # held back by reorder_ms, so that later ones overtake it
    reorder_ms: float = 30.0
    jitter_ms: float = 0.0  # uniformly 0 to this much, keeping the order
    seed: int = 1


@dataclass(frozen=True, slots=True)
class _Fate:
    lost: bool
    overtaken: bool
    wait: float  # 0 to 1, of the jitter


class Impairment:
    """The fate of packet after packet in one direction."""

    def __init__(self, profile: Profile, direction: str = "up") -> None:
        self._profile = profile
        # A text seed goes through SHA-512 (random.seed, version 2): the same on every machine and Python.
        self._random = random.Random(f"{profile.seed}/{direction}")
        self._losing = False
        self._index = -1  # the newest packet whose fate is drawn
        self._sequence: int | None = None  # of the newest packet seen
        self._latest_s = 0.0  # when the newest packet in order arrives
        self.dropped: list[int] = []  # packet numbers, from 0
        self.reordered = 0
        self.passed = 0

    @property
    def lost(self) -> int:
        """Return how many packets did not arrive."""
        return len(self.dropped)

    @property
    def planned(self) -> int:
        """Return how many packets have had a fate."""
        return self._index + 1

    def plan(self, sequence: int, now_s: float) -> float | None:
        """Return in how many seconds the packet sent at `now_s` arrives; None when it is lost.

        `sequence` is the RTP header's. Packets are given in the order of sending; one that comes again is let through.
        """
        step = 1 if self._sequence is None else (sequence - self._sequence) & 0xFFFF
        if not 0 < step < MAX_STEP:
            step = 1 if step else 0
        self._sequence = sequence
        if step == 0:
            return 0.0
        for _ in range(step):
            fate = self._draw()
        profile = self._profile
        if fate.lost:
            self.dropped.append(self._index)
            return None
        self.passed += 1
        arrives_s = max(now_s + fate.wait * profile.jitter_ms / 1000.0, self._latest_s)
        if fate.overtaken:
            self.reordered += 1
            return arrives_s + profile.reorder_ms / 1000.0 - now_s
        self._latest_s = arrives_s
        return arrives_s - now_s

    def _draw(self) -> _Fate:
        profile, chance = self._profile, self._random
        self._index += 1
        # Three draws a packet, whatever happens to it: one fate must not change those that follow.
        lost, late, wait = chance.random(), chance.random(), chance.random()
        if self._losing:
            self._losing = lost >= 1 / profile.burst
        else:
            self._losing = lost < profile.loss / (profile.burst * (1 - profile.loss))
        return _Fate(self._losing, late < profile.reorder, wait)
