"""Open events without a signal are announced again, but not before two rounds saw them so; old looks are forgotten."""

from dataclasses import replace
from datetime import timedelta

from signal_ingest.application.upkeep import FORGET_BATCH, Upkeep
from signal_ingest.domain.watchlist_event import begin, confirm
from support.ingest_fakes import RecordingStore
from support.observed_pairs import MERGING, MOMENT, observation
from support.standing_clock import StandingClock

EVENT = confirm(begin(observation(0), None, merged=True))


async def test_an_event_is_announced_again_in_the_second_round_without_a_signal() -> None:
    store, clock = RecordingStore(), StandingClock(MOMENT)
    upkeep = Upkeep(store, clock, MERGING)
    store.unsignalled = [replace(EVENT, id=1)]
    assert await upkeep.announce_unsignalled() == 0
    store.unsignalled = [replace(EVENT, id=1), replace(EVENT, id=2)]
    assert await upkeep.announce_unsignalled() == 1
    store.unsignalled = [replace(EVENT, id=2)]
    assert await upkeep.announce_unsignalled() == 1
    assert [ids for ids, _ in store.announced] == [[1], [2]]


async def test_it_is_repeated_after_a_minute_but_not_within_five_real_seconds() -> None:
    store, clock = RecordingStore(), StandingClock(MOMENT)
    upkeep = Upkeep(store, clock, MERGING)
    store.unsignalled = [replace(EVENT, id=1)]
    announced = []
    for strategy_seconds, real_seconds in ((0, 0), (2, 2), (59, 59), (1, 1), (600, 4.9), (0, 0.1)):
        clock.pass_(strategy_seconds, real_seconds=real_seconds)
        announced.append(await upkeep.announce_unsignalled())
    assert announced == [0, 1, 0, 1, 0, 1]
    marks = [mark for _, mark in store.announced]
    assert len(set(marks)) == 3


async def test_looks_that_no_prediction_uses_are_forgotten_in_small_batches() -> None:
    store, clock = RecordingStore(), StandingClock(MOMENT)
    store.forgettable = 2 * FORGET_BATCH + 1
    assert await Upkeep(store, clock, MERGING).forget_observations() == 2 * FORGET_BATCH + 1
    assert store.forgotten_before == [clock.now() - timedelta(days=8)] * 3
