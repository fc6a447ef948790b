"""A bad network from a seed: the same fate twice, and as bad as it says."""

from __future__ import annotations

import itertools

from rtbridge.rtc.impair import Impairment, Profile


def plans(profile: Profile, packets: int = 2000) -> list[float | None]:
    impairment = Impairment(profile)
    return [impairment.plan(n * 0.02) for n in range(packets)]


def test_the_same_seed_is_the_same_network() -> None:
    profile = Profile(loss=0.1, reorder=0.1, jitter_ms=20, seed=9)
    assert plans(profile) == plans(profile)
    assert plans(profile) != plans(Profile(loss=0.1, reorder=0.1, jitter_ms=20, seed=10))


def test_a_good_network_does_nothing() -> None:
    assert plans(Profile(), 10) == [0.0] * 10


def test_loss_is_as_often_as_it_says() -> None:
    assert 160 <= plans(Profile(loss=0.1)).count(None) <= 240


def test_jitter_alone_keeps_the_order() -> None:
    arrivals = [n * 0.02 + wait for n, wait in enumerate(plans(Profile(jitter_ms=60))) if wait is not None]
    assert arrivals == sorted(arrivals)
    assert max(wait for wait in plans(Profile(jitter_ms=60)) if wait is not None) > 0.05


def test_reordering_lets_later_packets_overtake() -> None:
    impairment = Impairment(Profile(reorder=0.1))
    arrivals = [n * 0.02 + (impairment.plan(n * 0.02) or 0.0) for n in range(1000)]
    overtaken = sum(b < a for a, b in itertools.pairwise(arrivals))
    assert overtaken > 50
    assert impairment.reordered > 70
