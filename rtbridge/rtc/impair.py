"""A bad network for one direction of one call, from a seed: loss, jitter and reordering of RTP. Pure plan.

`Impairment.plan()` says for each packet after how long it arrives, or that it does not; whoever sends carries it
out. The same seed gives the same plan, so that a test or a story that fails can be run again.
"""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Profile:
    """What a network does to packets. Probabilities are 0 to 1, a packet."""

    loss: float = 0.0
    reorder: float = 0.0  # held back by reorder_ms, so that later ones overtake it
    reorder_ms: float = 30.0
    jitter_ms: float = 0.0  # uniformly 0 to this much, keeping the order
    seed: int = 1


class Impairment:
    """The fate of packet after packet."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._random = random.Random(profile.seed)
        self._latest_s = 0.0  # when the newest packet in order arrives
        self.lost = 0
        self.reordered = 0

    def plan(self, now_s: float) -> float | None:
        """Return in how many seconds the packet sent at `now_s` arrives; None when it is lost."""
        profile, chance = self._profile, self._random
        # Three draws a packet, whatever happens to it: one fate must not change those that follow.
        lost, late, wait = chance.random(), chance.random(), chance.random()
        if lost < profile.loss:
            self.lost += 1
            return None
        arrives_s = max(now_s + wait * profile.jitter_ms / 1000.0, self._latest_s)
        if late < profile.reorder:
            self.reordered += 1
            return arrives_s + profile.reorder_ms / 1000.0 - now_s
        self._latest_s = arrives_s
        return arrives_s - now_s
