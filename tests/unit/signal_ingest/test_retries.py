"""Due signals come back once, are repeated while nobody answers, and end with figures when no longer eligible."""

from dataclasses import replace

import pytest

from signal_ingest.application.ports import SkippedSignal
from signal_ingest.application.retries import Retries
from signal_ingest.domain.watchlist_event import EventStatus, begin, confirm
from support.ingest_fakes import FakeSkippedSignals
from support.observed_pairs import MOMENT, at, observation
from support.standing_clock import StandingClock

EVENT = replace(confirm(begin(observation(0), None, merged=True)), id=7)
SIGNAL = SkippedSignal(3, 2, "no_tradable_direction", at(30), EVENT)


class Round:
    """Retries over one skipped signal."""

    def __init__(self, signal: SkippedSignal = SIGNAL) -> None:
        self.clock, self.signals = StandingClock(MOMENT), FakeSkippedSignals()
        self.signals.skipped = [signal]
        self.retries = Retries(self.signals, self.clock, lookback_minutes=3)

    @property
    def published(self) -> list[str]:
        return list(self.signals.published)


@pytest.mark.parametrize(("seconds", "published"), [(29.9, []), (30, ["retry-3-2"]), (3600, ["retry-3-2"])])
async def test_a_signal_comes_back_when_it_is_due(seconds: float, published: list[str]) -> None:
    round_ = Round()
    round_.clock.pass_(seconds)
    await round_.retries.bring_back_due()
    assert round_.published == published


async def test_it_comes_back_once_however_often_is_looked() -> None:
    round_ = Round()
    round_.clock.pass_(30)
    assert [await round_.retries.bring_back_due() for _ in range(3)] == [1, 0, 0]


@pytest.mark.parametrize(
    ("strategy_seconds", "real_seconds", "repeats"), [(60, 5, 1), (59.9, 100, 0), (6000, 4.9, 0), (600, 600, 1)]
)
async def test_an_unanswered_retry_is_repeated_after_a_minute_but_not_within_five_real_seconds(
    strategy_seconds: float, real_seconds: float, repeats: int
) -> None:
    round_ = Round()
    round_.clock.pass_(30)
    await round_.retries.bring_back_due()
    round_.clock.pass_(strategy_seconds, real_seconds=real_seconds)
    assert await round_.retries.bring_back_due() == repeats
    assert len(round_.published) == 1 + repeats
    assert all(message_id.startswith("retry-3-2") for message_id in round_.published)


async def test_the_executors_answer_ends_the_repeating_and_the_next_attempt_is_another_message() -> None:
    round_ = Round()
    round_.clock.pass_(30)
    await round_.retries.bring_back_due()
    round_.signals.skipped = [replace(SIGNAL, attempts=3, next_attempt_at=at(90))]
    round_.clock.pass_(30)
    assert await round_.retries.bring_back_due() == 0
    round_.clock.pass_(30)
    await round_.retries.bring_back_due()
    assert round_.published == ["retry-3-2", "retry-3-3"]


async def test_a_signal_of_an_event_closed_too_long_ends_with_its_figures() -> None:
    round_ = Round(replace(SIGNAL, event=replace(EVENT, status=EventStatus.CLOSED)))
    round_.clock.pass_(301)
    await round_.retries.bring_back_due()
    verdict = round_.signals.published["retry-ended-3-2"]
    assert verdict.ended is not None
    assert verdict.ended["window_minutes"] == 5
    assert verdict.ended["quiet_minutes"] == pytest.approx(301 / 60, abs=0.001)
    assert verdict.ended["last_reason"] == "no_tradable_direction"


async def test_an_event_that_stands_still_for_a_day_is_still_retried() -> None:
    round_ = Round()
    round_.clock.pass_(24 * 3600)
    await round_.retries.bring_back_due()
    assert round_.signals.published["retry-3-2"].ended is None


async def test_what_could_not_be_published_is_published_in_the_next_round(monkeypatch: pytest.MonkeyPatch) -> None:
    round_ = Round()
    round_.clock.pass_(30)

    async def away(*_: object) -> None:
        raise ConnectionResetError

    with monkeypatch.context() as patch:
        patch.setattr(round_.signals, "publish", away)
        with pytest.raises(ConnectionResetError):
            await round_.retries.bring_back_due()
    assert await round_.retries.bring_back_due() == 1
