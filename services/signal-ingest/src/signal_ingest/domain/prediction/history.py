"""A pair's own recent spreads, kept sorted so that its median and its shares cost a binary search.

Both directions of a pair share one history: what is +s one way round is -s the other way round.
"""

from array import array
from bisect import bisect_left, bisect_right, insort
from collections import deque
from datetime import datetime, timedelta
from typing import NamedTuple

from signal_ingest.domain.observation import Observation

WINDOW = timedelta(days=7)
OBSERVATIONS_MAX = 2000


class PairName(NamedTuple):
    """A pair without its direction; the venues in alphabetical order."""

    symbol: str
    first_venue: str
    second_venue: str


def pair_name(symbol: str, long_venue: str, short_venue: str) -> PairName:
    """The name under which both directions are found."""
    first, second = sorted((long_venue, short_venue))
    return PairName(symbol, first, second)


def name_of(observation: Observation) -> PairName:
    """The pair of an observation."""
    return pair_name(observation.symbol, observation.long.venue, observation.short.venue)


class PairHistory:
    """The last observations of one pair: at most `OBSERVATIONS_MAX`, none older than `WINDOW`."""

    def __init__(self, name: PairName) -> None:
        self.name = name
        self._arrived: deque[tuple[float, float]] = deque()
        self._sorted = array("d")

    def add(self, observed_at: datetime, long_venue: str, spread: float) -> None:
        """Takes in one spread, seen in the direction that buys at `long_venue`."""
        seconds = observed_at.timestamp()
        self.forget_before(seconds - WINDOW.total_seconds())
        if len(self._arrived) == OBSERVATIONS_MAX:
            self._forget_oldest()
        value = spread if long_venue == self.name.first_venue else -spread
        self._arrived.append((seconds, value))
        insort(self._sorted, value)

    def forget_before(self, unix_seconds: float) -> None:
        """Drops what is older than that."""
        while self._arrived and self._arrived[0][0] < unix_seconds:
            self._forget_oldest()

    def __len__(self) -> int:
        return len(self._sorted)

    def median(self, long_venue: str) -> float:
        """The median spread in the direction that buys at `long_venue`.

        Raises:
            ValueError: there is no history.
        """
        count = len(self._sorted)
        if not count:
            raise ValueError("an empty history has no median")
        middle = (self._sorted[(count - 1) // 2] + self._sorted[count // 2]) / 2
        return middle if long_venue == self.name.first_venue else -middle

    def count_at_most(self, spread: float, long_venue: str) -> int:
        """How many spreads, in the direction that buys at `long_venue`, were not above `spread`."""
        if long_venue == self.name.first_venue:
            return bisect_right(self._sorted, spread)
        return len(self._sorted) - bisect_left(self._sorted, -spread)

    def _forget_oldest(self) -> None:
        _, value = self._arrived.popleft()
        del self._sorted[bisect_left(self._sorted, value)]
