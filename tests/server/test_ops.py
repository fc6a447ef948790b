"""Metrics: counted, not estimated, and of bounded size."""

from __future__ import annotations

import asyncio
import contextlib

from rtbridge.core.journal import CallClosed, CallOpened, Notice, TurnEnded
from rtbridge.server.ops import Histogram, Metrics


def lines(metrics: Metrics) -> list[str]:
    return metrics.render(live=2, draining=True).splitlines()


def test_calls_are_counted_by_how_they_ended() -> None:
    metrics = Metrics()
    metrics.record("rtc_1", 0, CallOpened("s", "a", "ws://x", True))
    metrics.record("rtc_1", 0, Notice("nothing to count"))
    for reason in ("caller_hangup", "caller_hangup", 'odd "reason"\n'):
        metrics.record("rtc_1", 0, CallClosed(reason, 10))
    found = lines(metrics)
    assert "rtbridge_calls_live 2" in found
    assert "rtbridge_draining 1" in found
    assert "rtbridge_calls_opened_total 1" in found
    assert 'rtbridge_calls_ended_total{reason="caller_hangup"} 2' in found
    assert 'rtbridge_calls_ended_total{reason="odd \\"reason\\"\\n"} 1' in found


def test_reasons_beyond_32_are_one() -> None:
    metrics = Metrics()
    for number in range(40):
        metrics.record("rtc_1", 0, CallClosed(f"reason {number}", 10))
    assert len(metrics.ended) == 33
    assert metrics.ended["other"] == 8


def test_a_turn_adds_its_response_time_when_it_is_known() -> None:
    metrics = Metrics()
    metrics.record("rtc_1", 0, TurnEnded("i", "a", 700, 300, 0, 10, 0, 20, 280, 0, 90, 0, 0))
    metrics.record("rtc_1", 0, TurnEnded("i", "a", None, None, None, 10, 0, 20, 280, 0, 90, 0, 0))
    assert (metrics.respond.count, metrics.respond.sum_s) == (1, 0.7)


def test_a_histogram_counts_up_to_each_bound() -> None:
    histogram = Histogram((0.1, 1.0))
    for value_s in (0.05, 0.1, 0.5, 3.0):
        histogram.add(value_s)
    assert histogram.lines("x") == [
        'x_bucket{le="0.1"} 2',
        'x_bucket{le="1"} 3',
        'x_bucket{le="+Inf"} 4',
        "x_sum 3.650000",
        "x_count 4",
    ]


async def test_a_loop_that_was_blocked_shows_in_its_lag() -> None:
    metrics = Metrics()
    times_s = iter([0.0, 0.55, 1.0, 1.25])
    with contextlib.suppress(RuntimeError):  # the clock runs out, which ends the watch
        await asyncio.wait_for(metrics.watch_loop(lambda: next(times_s)), 2)
    assert metrics.lag.count == 2
    assert abs(metrics.lag.sum_s - 0.3) < 1e-9
