"""The funding of one contract as pure functions of time: what settles next, and what settled between two looks.

Settlements lie on the UTC grid of the interval in force; a listed point that changes the interval is a
settlement too, and the grid goes on from there with the new interval.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from venue_sim.scenario import FundingPoint

_MIDNIGHT = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Funding:
    """What a venue shows of a contract's funding: `rate` settles at `next_time`, the interval is in hours."""

    rate: Decimal
    interval_hours: int
    next_time: datetime


@dataclass(frozen=True, slots=True)
class FundingSchedule:
    """Rates and intervals of one contract over time."""

    interval_hours: int
    points: Sequence[FundingPoint] = ()

    def at(self, now: datetime) -> Funding:
        """The funding shown at `now`: the next settlement is strictly later."""
        interval = self._interval_at(now)
        next_time = _next_on_grid(now, interval)
        for point in self.points:
            if now < point.time < next_time and point.interval_hours is not None:
                next_time = point.time
                break
        return Funding(self._rate_at(next_time), interval, next_time)

    def settlements(self, after: datetime, until: datetime) -> Iterator[tuple[datetime, Decimal]]:
        """Every (time, rate) that settled after `after`, up to and including `until`."""
        moment = after
        while (shown := self.at(moment)).next_time <= until:
            yield shown.next_time, shown.rate
            moment = shown.next_time

    def _interval_at(self, now: datetime) -> int:
        changes = [point.interval_hours for point in self.points if point.interval_hours and point.time <= now]
        return changes[-1] if changes else self.interval_hours

    def _rate_at(self, settlement: datetime) -> Decimal:
        """The listed rate of that settlement, else the last one listed before it, else the first one, else zero."""
        if not self.points:
            return Decimal(0)
        listed = [point.rate for point in self.points if point.time <= settlement]
        return listed[-1] if listed else self.points[0].rate


def _next_on_grid(now: datetime, interval_hours: int) -> datetime:
    interval = timedelta(hours=interval_hours)
    return _MIDNIGHT + ((now - _MIDNIGHT) // interval + 1) * interval
