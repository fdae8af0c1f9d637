"""Token buckets, one for each key, in bounded memory."""

import math
from collections import OrderedDict
from collections.abc import Callable

KEYS_MAX = 10_000


class RateLimits:
    """Lets `per_second` requests of each key through, and up to `burst` at once.

    The keys that were seen least lately are forgotten beyond `KEYS_MAX`: an unknown key starts with a full bucket.
    """

    def __init__(self, per_second: float, burst: float, monotonic: Callable[[], float]) -> None:
        self._per_second = per_second
        self._burst = max(1.0, burst)
        self._monotonic = monotonic
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def retry_after_seconds(self, key: str) -> int | None:
        """Takes one request of the key; None lets it through, otherwise whole seconds until one is free again."""
        now = self._monotonic()
        left, seen = self._buckets.pop(key, (self._burst, now))
        left = min(self._burst, left + (now - seen) * self._per_second)
        allowed = left >= 1
        self._buckets[key] = (left - 1 if allowed else left, now)
        if len(self._buckets) > KEYS_MAX:
            self._buckets.popitem(last=False)
        return None if allowed else max(1, math.ceil((1 - left) / self._per_second))
