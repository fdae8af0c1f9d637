"""A skipped signal is tried again while its event is open, however old; afterwards within the window only."""

from dataclasses import replace

import pytest

from common.domain.retry_schedule import delay_seconds
from signal_ingest.domain.retry_eligibility import retry_eligibility
from signal_ingest.domain.watchlist_event import EventStatus, WatchlistEvent, begin, confirm
from support.observed_pairs import at, observation

OPEN_EVENT = confirm(begin(observation(0), None, merged=True))


def closed(event: WatchlistEvent) -> WatchlistEvent:
    return replace(event, status=EventStatus.CLOSED)


@pytest.mark.parametrize("hours", [0, 1, 24 * 365])
def test_an_open_event_is_eligible_however_old_its_timestamps_are(hours: float) -> None:
    assert retry_eligibility(OPEN_EVENT, at(hours * 3600), 3).eligible


@pytest.mark.parametrize(
    ("lookback_minutes", "quiet_seconds", "eligible"),
    [
        (3, 299.999, True),
        (3, 300, True),
        (3, 300.001, False),
        (5, 300, True),
        (5, 300.001, False),
        (30, 1800, True),
        (30, 1800.001, False),
    ],
)
def test_a_closed_event_is_eligible_within_the_larger_of_five_minutes_and_the_lookback(
    lookback_minutes: float, quiet_seconds: float, eligible: bool
) -> None:
    verdict = retry_eligibility(closed(OPEN_EVENT), at(quiet_seconds), lookback_minutes)
    assert verdict.eligible is eligible
    assert verdict.window_minutes == max(5, lookback_minutes)
    assert verdict.quiet_minutes == pytest.approx(quiet_seconds / 60)


def test_the_schedule_is_10_30_60_120_240_and_then_240_for_ever() -> None:
    assert [delay_seconds(attempts) for attempts in range(1, 9)] == [10, 30, 60, 120, 240, 240, 240, 240]


def test_there_is_no_retry_before_an_attempt() -> None:
    with pytest.raises(ValueError, match="at least one attempt"):
        delay_seconds(0)
