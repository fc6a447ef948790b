"""A bad network from a seed: the same fate twice, and as bad as it says."""

from __future__ import annotations

import itertools

from rtbridge.rtc.impair import Impairment, Profile


def plans(profile: Profile, packets: int = 2000) -> list[float | None]:
    impairment = Impairment(profile)
    return [impairment.plan(n, n * 0.02) for n in range(packets)]


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
    arrivals = [n * 0.02 + (impairment.plan(n, n * 0.02) or 0.0) for n in range(1000)]
    overtaken = sum(b < a for a, b in itertools.pairwise(arrivals))
    assert overtaken > 50
    assert impairment.reordered > 70


def test_the_fate_of_a_packet_follows_from_its_number_and_from_no_clock() -> None:
    profile = Profile(loss=0.1, burst=2, reorder=0.1, jitter_ms=20, seed=7)
    on_time, late, wrapping = Impairment(profile), Impairment(profile), Impairment(profile)
    for n in range(2000):
        on_time.plan(n, n * 0.02)
        late.plan(n, n * 0.02 + (n % 7) * 0.011)
        wrapping.plan((n + 0xFF00) & 0xFFFF, n * 0.02)
    assert on_time.dropped == late.dropped == wrapping.dropped
    assert on_time.reordered == late.reordered
    assert on_time.planned == 2000


def test_a_packet_that_was_never_sent_leaves_the_fate_of_the_others_as_it_was() -> None:
    whole, holed = Impairment(Profile(loss=0.2, seed=3)), Impairment(Profile(loss=0.2, seed=3))
    for n in range(500):
        whole.plan(n, 0.0)
        if n not in (100, 101, 102):
            holed.plan(n, 0.0)
    assert set(holed.dropped) == set(whole.dropped) - {100, 101, 102}


def test_a_packet_that_comes_again_is_let_through_and_another_stream_is_the_next_packet() -> None:
    network = Impairment(Profile(loss=0.5, seed=2))
    network.plan(5, 0.0)
    assert network.plan(5, 0.0) == 0.0
    assert network.planned == 1
    network.plan(40_000, 0.0)
    assert network.planned == 2


def test_the_two_directions_have_fates_of_their_own() -> None:
    up, down = Impairment(Profile(loss=0.1), "up"), Impairment(Profile(loss=0.1), "down")
    for n in range(500):
        up.plan(n, 0.0)
        down.plan(n, 0.0)
    assert up.dropped != down.dropped


def test_losses_come_in_bursts_of_the_length_that_is_asked_for() -> None:
    network = Impairment(Profile(loss=0.05, burst=4, seed=1))
    for n in range(40_000):
        network.plan(n & 0xFFFF, 0.0)
    runs = 1 + sum(b - a > 1 for a, b in itertools.pairwise(network.dropped))
    assert 0.04 < network.lost / 40_000 < 0.06
    assert 3.5 < network.lost / runs < 4.5
