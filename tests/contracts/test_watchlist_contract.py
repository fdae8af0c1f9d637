"""signal-ingest's stores: the same cases over PostgreSQL and over the database in memory that the simulation uses."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

import pytest

from common.messages.contracts import WatchlistEvent as EventMessage
from common.messaging.outbox import Outbox
from common.persistence.database import Pool, connect_pool
from common.persistence.journal import Journal
from executor.adapters.signal_ledger import PostgresSignalLedger
from executor.domain.refusal import Refusal
from signal_ingest.adapters.observation_past import PostgresObservationPast
from signal_ingest.adapters.skipped_signals import PostgresSkippedSignals
from signal_ingest.adapters.watchlist_store import PostgresWatchlist
from signal_ingest.application.announcements import event_message
from signal_ingest.application.ports import Placement, RetryVerdict
from signal_ingest.domain.merging import MergeRules, keys_touched, merge
from signal_ingest.domain.prediction.history import pair_name
from signal_ingest.domain.trigger import JudgedObservation
from signal_ingest.domain.watchlist_event import Step, WatchlistEvent, close
from support.embedded_stack import Database
from support.executor_desk import SilentBus, unpublished
from support.memory_pool import MemoryPool
from support.memory_schema import open_memory_database
from support.observed_pairs import MERGING, MOMENT, at, observation, refused, triggered
from support.standing_clock import StandingClock


@dataclass(frozen=True)
class Stores:
    """signal-ingest's stores, and the executor's signals beside them."""

    watchlist: PostgresWatchlist
    past: PostgresObservationPast
    skipped: PostgresSkippedSignals
    pool: Pool
    signals: PostgresSignalLedger

    async def waiting(self) -> int:
        """Messages that wait to be published."""
        return await unpublished(self.pool, "signal_ingest")

    async def record(self, *batch: JudgedObservation, rules: MergeRules = MERGING) -> Sequence[Placement | None]:
        return await self.watchlist.record(batch, keys_touched(batch), lambda live: merge(live, batch, {}, rules))

    async def opened(self) -> EventMessage:
        """The only open event without a signal, as its message tells of it."""
        [event] = await self.watchlist.open_without_signal()
        return event_message(event)


@pytest.fixture(params=["memory", "postgres"])
async def stores(request: pytest.FixtureRequest, database: Database) -> AsyncIterator[Stores]:
    clock = StandingClock(MOMENT)
    made: list[Any] = []
    if request.param == "memory":
        server = open_memory_database(asyncio.get_running_loop())
        ingest, executor = (cast("Pool", MemoryPool(server)) for _ in range(2))
    else:
        ingest, executor = made = [await connect_pool(database.dsn_of(name), name) for name in SERVICES]
    outbox, journal = Outbox("signal_ingest", ingest, SilentBus(), clock), Journal("signal_ingest", ingest, clock)
    yield Stores(
        PostgresWatchlist(ingest, outbox, journal),
        PostgresObservationPast(ingest),
        PostgresSkippedSignals(ingest, outbox, journal),
        ingest,
        PostgresSignalLedger(
            executor,
            Outbox("executor", executor, SilentBus(), clock),
            Journal("executor", executor, clock),
            clock,
            "live",
        ),
    )
    for pool in made:
        await pool.close()


SERVICES = ("signal_ingest", "executor")


async def test_observations_of_a_pair_go_into_one_event(stores: Stores) -> None:
    first = await stores.record(triggered(observation()), refused(observation(symbol="ETH")))
    again = await stores.record(triggered(observation(10)))
    assert first[0] is not None
    assert first[1] is None
    assert (first[0].status, first[0].version) == ("open", 1)
    assert again == [Placement(first[0].event_id, "open", 2)]
    assert await stores.watchlist.count_live() == {"forming": 0, "open": 1}


async def test_an_event_forms_before_it_opens(stores: Stores) -> None:
    rules = MergeRules(enabled=True, consecutive=2, cooldown=MERGING.cooldown)
    placed = [await stores.record(triggered(observation(seconds)), rules=rules) for seconds in (0, 10)]
    assert [found[0].status for found in placed if found[0]] == ["forming", "open"]
    assert len(await stores.watchlist.open_without_signal()) == 1


async def test_two_processes_that_see_the_same_pair_at_once_feed_one_event(stores: Stores) -> None:
    placed = await asyncio.gather(*(stores.record(triggered(observation(seconds))) for seconds in (0, 10)))
    found = [placement for [placement] in placed if placement is not None]
    assert len({placement.event_id for placement in found}) == 1
    assert sorted(placement.version for placement in found) == [1, 2]


async def test_the_executor_sees_an_event_as_it_stands_now(stores: Stores) -> None:
    await stores.record(triggered(observation()))
    told = await stores.opened()
    assert await stores.signals.event(told.event_id) == told
    await stores.record(triggered(observation(10)))
    now = await stores.signals.event(told.event_id)
    assert now is not None
    assert (now.version, now.observations, now.last_observed_at) == (2, 2, at(10))
    assert await stores.signals.event(told.event_id + 1) is None


async def test_what_is_told_is_told_with_the_change_and_again_only_under_a_new_mark(stores: Stores) -> None:
    await stores.record(triggered(observation()))
    told = await stores.waiting()
    assert told == 1
    events = await stores.watchlist.open_without_signal()
    for mark, count in (("a", 2), ("a", 2), ("b", 3)):
        await stores.watchlist.announce_again(events, mark)
        assert await stores.waiting() == count


async def test_a_quiet_event_is_closed_and_the_pair_begins_another(stores: Stores) -> None:
    def ended(event: WatchlistEvent) -> WatchlistEvent:
        return close(event, Step.WENT_QUIET, at(600))

    [first] = await stores.record(triggered(observation()))
    assert await stores.watchlist.close_quiet(at(0), ended) == []
    [change] = await stores.watchlist.close_quiet(at(1), ended)
    assert (change.after.status, change.after.closed_at) == ("closed", at(600))
    [second] = await stores.record(triggered(observation(700)))
    assert first is not None
    assert second is not None
    assert second.event_id != first.event_id


async def test_an_event_with_a_signal_is_not_announced_again(stores: Stores) -> None:
    await stores.record(triggered(observation()))
    await stores.signals.record_signal(await stores.opened())
    assert await stores.watchlist.open_without_signal() == []


async def test_the_past_of_a_pair_is_both_its_directions_in_order(stores: Stores) -> None:
    name = pair_name("SOL", "binance", "bybit")
    await stores.record(
        refused(observation(0)), refused(observation(10, long="bybit", short="binance")), refused(observation(5))
    )
    [history] = await stores.past.load([name], at(0))
    [recent] = await stores.past.load([name], at(6))
    [nothing] = await stores.past.load([pair_name("SOL", "okx", "bybit")], at(0))
    assert [len(history), len(recent), len(nothing)] == [3, 1, 0]
    assert history.median("binance") == -history.median("bybit") == pytest.approx(observation().spread)
    assert recent.median("bybit") == pytest.approx(observation().spread)


async def test_a_skipped_signal_is_due_at_its_time_and_is_told_of_once(stores: Stores) -> None:
    await stores.record(triggered(observation()))
    event = await stores.opened()
    trade, _ = await stores.signals.record_signal(event)
    await stores.signals.skip(trade, Refusal("insufficient_depth", True, {}), at(60), event)
    assert await stores.skipped.due(at(59)) == []
    [due] = await stores.skipped.due(at(60))
    assert (due.signal_id, due.attempts, due.reason, due.next_attempt_at) == (trade.id, 1, "insufficient_depth", at(60))
    assert (due.event.id, due.event.key) == (event.event_id, observation().key)
    before = await stores.waiting()
    for _ in range(2):
        await stores.skipped.publish([RetryVerdict(due, "retry-1", None)])
    assert await stores.waiting() == before + 1
    await stores.skipped.publish([RetryVerdict(due, "ended-1", {"event_status": "closed"})])
    assert await stores.waiting() == before + 2


async def test_what_is_young_is_kept(stores: Stores) -> None:
    await stores.record(refused(observation()))
    assert await stores.watchlist.forget_untriggered(at(0) - timedelta(days=8), 100) == 0
    [history] = await stores.past.load([pair_name("SOL", "binance", "bybit")], at(0))
    assert len(history) == 1
