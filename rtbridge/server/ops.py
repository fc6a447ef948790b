"""What the people who run a bridge ask it: does it live, will it take calls, how does it fare.

`/livez` answers while the loop turns. `/readyz` says 503 from the first moment of draining. `/metrics` is Prometheus
text of what was counted here: no estimate, no caller's words, and no label with more than a few dozen values.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Final

from rtbridge.core.journal import CallClosed, CallOpened, Entry, TurnEnded

LAG_INTERVAL_S: Final = 0.25
_LAG_BUCKETS_S: Final = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.3, 1.0)
_RESPOND_BUCKETS_S: Final = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0)
_MOST_REASONS = 32


class Histogram:
    """Counts of values in seconds, by upper bound, as Prometheus has them."""

    def __init__(self, bounds_s: tuple[float, ...]) -> None:
        self._bounds_s = bounds_s
        self._counts = [0] * len(bounds_s)
        self.count = 0
        self.sum_s = 0.0

    def add(self, value_s: float) -> None:
        """Count one value."""
        self.count += 1
        self.sum_s += value_s
        for index, bound_s in enumerate(self._bounds_s):
            if value_s <= bound_s:
                self._counts[index] += 1

    def lines(self, name: str) -> list[str]:
        """Return the lines of the text format."""
        buckets = [
            f'{name}_bucket{{le="{b:g}"}} {n}' for b, n in zip(self._bounds_s, self._counts, strict=True)
        ]
        return [
            *buckets,
            f'{name}_bucket{{le="+Inf"}} {self.count}',
            f"{name}_sum {self.sum_s:.6f}",
            f"{name}_count {self.count}",
        ]


class Metrics:
    """Counters of one process."""

    def __init__(self) -> None:
        self.opened = 0
        self.ended: Counter[str] = Counter()
        self.offers: Counter[int] = Counter()  # by HTTP status
        self.respond = Histogram(_RESPOND_BUCKETS_S)
        self.lag = Histogram(_LAG_BUCKETS_S)

    def record(self, _call_id: str, _at_ms: int, entry: Entry) -> None:
        """Count a journal entry; goes beside `logs.record`."""
        match entry:
            case CallOpened():
                self.opened += 1
            case CallClosed(reason=reason):
                known = reason in self.ended or len(self.ended) < _MOST_REASONS
                self.ended[reason if known else "other"] += 1
            case TurnEnded(respond_ms=int(respond_ms)):
                self.respond.add(respond_ms / 1000)

    async def watch_loop(self, now_s: Callable[[], float]) -> None:
        """Measure the loop's lag: by how much a sleep of 250 ms comes late. Ends when it is cancelled."""
        while True:
            due_s = now_s() + LAG_INTERVAL_S
            await asyncio.sleep(LAG_INTERVAL_S)
            self.lag.add(max(0.0, now_s() - due_s))

    def render(self, *, live: int, draining: bool) -> str:
        """Return everything in the Prometheus text format 0.0.4."""
        lines = [
            "# HELP rtbridge_calls_live Calls that run now.",
            "# TYPE rtbridge_calls_live gauge",
            f"rtbridge_calls_live {live}",
            "# HELP rtbridge_draining 1 while no new calls are taken.",
            "# TYPE rtbridge_draining gauge",
            f"rtbridge_draining {int(draining)}",
            "# HELP rtbridge_calls_opened_total Calls whose both legs came up.",
            "# TYPE rtbridge_calls_opened_total counter",
            f"rtbridge_calls_opened_total {self.opened}",
            "# HELP rtbridge_calls_ended_total Calls that ended, by reason.",
            "# TYPE rtbridge_calls_ended_total counter",
            *(
                f'rtbridge_calls_ended_total{{reason="{_label(r)}"}} {n}'
                for r, n in sorted(self.ended.items())
            ),
            "# HELP rtbridge_offers_total Offers, by the HTTP status they got.",
            "# TYPE rtbridge_offers_total counter",
            *(f'rtbridge_offers_total{{status="{s}"}} {n}' for s, n in sorted(self.offers.items())),
            "# HELP rtbridge_respond_seconds From the caller's last voiced sample to the answer's first audible one.",
            "# TYPE rtbridge_respond_seconds histogram",
            *self.respond.lines("rtbridge_respond_seconds"),
            "# HELP rtbridge_loop_lag_seconds By how much a sleep of 250 ms came late.",
            "# TYPE rtbridge_loop_lag_seconds histogram",
            *self.lag.lines("rtbridge_loop_lag_seconds"),
        ]
        return "\n".join(lines) + "\n"


def _label(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
