"""Token buckets on plain numbers."""

from __future__ import annotations

from rtbridge.server import limits
from rtbridge.server.limits import RateLimit


def test_no_limit_takes_everything() -> None:
    limit = RateLimit(0)
    assert [limit.take("a", 0.0) for _ in range(1000)] == [0.0] * 1000


def test_a_bucket_gives_a_seconds_worth_at_once_and_then_its_rate() -> None:
    limit = RateLimit(5)
    assert [limit.take("a", 0.0) for _ in range(6)] == [0, 0, 0, 0, 0, 0.2]
    assert limit.take("a", 0.2) == 0
    assert limit.take("a", 0.2) > 0


def test_a_refusal_says_when_and_costs_nothing() -> None:
    limit = RateLimit(0.5)
    assert limit.take("a", 0.0) == 0
    assert [limit.take("a", 1.0) for _ in range(3)] == [1.0, 1.0, 1.0]
    assert limit.take("a", 2.0) == 0


def test_one_key_does_not_use_up_another() -> None:
    limit = RateLimit(1)
    assert limit.take("a", 0.0) == 0
    assert limit.take("b", 0.0) == 0


def test_the_longest_unseen_key_is_forgotten_first() -> None:
    limit = RateLimit(1)
    for number in range(limits._MOST_KEYS + 1):
        limit.take(str(number), 0.0)
    assert limit.take("1", 0.0) > 0
    assert limit.take("0", 0.0) == 0
