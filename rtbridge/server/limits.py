"""How often one principal or one address may place a call: token buckets, read with the time as an argument."""

from __future__ import annotations

from collections import OrderedDict

_MOST_KEYS = 10_000


class RateLimit:
    """At most `per_s` events a second for each key, with a burst of one second's worth; 0 is no limit."""

    def __init__(self, per_s: float) -> None:
        self._per_s = per_s
        self._burst = max(1.0, per_s)
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # key -> (tokens, as of now_s)

    def take(self, key: str, now_s: float) -> float:
        """Take one token; return 0 when there was one, else the seconds until there is one (and take none)."""
        if self._per_s <= 0:
            return 0.0
        tokens, since_s = self._buckets.pop(key, (self._burst, now_s))
        tokens = min(self._burst, tokens + (now_s - since_s) * self._per_s)
        wait_s = 0.0 if tokens >= 1.0 else (1.0 - tokens) / self._per_s
        self._buckets[key] = (tokens - 1.0 if wait_s == 0.0 else tokens, now_s)
        # The longest unseen goes: by then its bucket is full again, unless 10,000 others came within a second.
        if len(self._buckets) > _MOST_KEYS:
            self._buckets.popitem(last=False)
        return wait_s
