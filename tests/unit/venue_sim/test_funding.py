"""When funding settles, at what rate, and how an interval changes."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from venue_sim.funding import FundingSchedule
from venue_sim.scenario import FundingPoint

MIDNIGHT = datetime(2025, 5, 6, tzinfo=UTC)


def hours(count: float) -> datetime:
    return MIDNIGHT + timedelta(hours=count)


def point(hour: float, rate: str, interval_hours: int | None = None) -> FundingPoint:
    return FundingPoint(time=hours(hour), rate=Decimal(rate), interval_hours=interval_hours)


def test_next_settlement_is_strictly_later() -> None:
    schedule = FundingSchedule(8)
    assert schedule.at(hours(7.9)).next_time == hours(8)
    assert schedule.at(hours(8)).next_time == hours(16)


def test_rate_shown_is_that_of_the_next_settlement() -> None:
    schedule = FundingSchedule(8, (point(8, "0.001"), point(16, "-0.002")))
    assert schedule.at(hours(7)).rate == Decimal("0.001")
    assert schedule.at(hours(8)).rate == Decimal("-0.002")


def test_settlement_that_is_not_listed_takes_the_rate_before_it() -> None:
    schedule = FundingSchedule(8, (point(8, "0.001"),))
    assert schedule.at(hours(20)).rate == Decimal("0.001")
    assert FundingSchedule(8).at(hours(1)).rate == 0


def test_interval_changes_at_the_listed_settlement() -> None:
    schedule = FundingSchedule(4, (point(8, "-0.02", 1), point(9, "-0.01")))
    assert (schedule.at(hours(7)).interval_hours, schedule.at(hours(7)).next_time) == (4, hours(8))
    assert (schedule.at(hours(8)).interval_hours, schedule.at(hours(8)).next_time) == (1, hours(9))
    settled = list(schedule.settlements(hours(3), hours(10)))
    assert settled == [
        (hours(4), Decimal("-0.02")),
        (hours(8), Decimal("-0.02")),
        (hours(9), Decimal("-0.01")),
        (hours(10), Decimal("-0.01")),
    ]


def test_change_off_the_grid_is_a_settlement_too() -> None:
    schedule = FundingSchedule(8, (point(5, "0.003", 1),))
    assert schedule.at(hours(4)).next_time == hours(5)


def test_nothing_settles_between_two_looks_at_the_same_moment() -> None:
    assert list(FundingSchedule(8).settlements(hours(8), hours(8))) == []
