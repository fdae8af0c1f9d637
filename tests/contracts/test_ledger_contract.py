"""The executor's stores: the same cases over PostgreSQL and over the database in memory that the simulation uses."""

import asyncio
import math
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, cast

import pytest

from common.domain.identifiers import Leg, Purpose, Side
from common.messages.contracts import CloseRequested
from common.persistence.database import Pool, connect_pool
from common.venues.ports import Fill, FundingPayment
from executor.adapters import trade_ledger
from executor.adapters.trading_states import PostgresRailFigures
from executor.application.ports import EntryPlan, EntryRefused, Outcome, StaleTradeError
from executor.domain.order_machine import OrderStatus
from executor.domain.pair import entry_fill
from executor.domain.rails import DayPnl
from executor.domain.realised import FEE_RATE_UNTOLD
from executor.domain.reconciliation import ExternalPart, SeenFill
from executor.domain.records import TradeBook, new_order
from executor.domain.refusal import Refusal
from executor.domain.trade_machine import TradeStatus
from executor.domain.trading_state import TradingState
from support.embedded_stack import Database
from support.executor_desk import DeskClock, ExecutorDesk, event
from support.fake_venue import FakeVenue
from support.memory_pool import MemoryPool
from support.memory_schema import open_memory_database

QUANTITY = Decimal("5.2")
REFUSED = Refusal("active_trade_exists", True, {"symbol": "SOL"})


@pytest.fixture(params=["memory", "postgres"])
async def pools(request: pytest.FixtureRequest, database: Database) -> AsyncIterator[Any]:
    if request.param == "memory":
        server = open_memory_database(asyncio.get_running_loop())
        yield [cast("Pool", MemoryPool(server)), cast("Pool", MemoryPool(server))]
        return
    made = [await connect_pool(database.dsn_of("executor"), "executor") for _ in range(2)]
    yield made
    for pool in made:
        await pool.close()


@pytest.fixture
def desks(pools: list[Pool]) -> list[ExecutorDesk]:
    """Two executors on one database."""
    clock = DeskClock()
    return [ExecutorDesk(pool, clock, {}, owner=f"desk-{number}") for number, pool in enumerate(pools)]


def plan(entry: int = 1) -> EntryPlan:
    return EntryPlan(
        entry,
        1,
        "bybit",
        "binance",
        QUANTITY,
        Decimal(188),
        Decimal(191),
        0.009,
        0.9,
        0.0063,
        {"execution": {}},
        math.inf,
    )


async def recorded(desk: ExecutorDesk, event_id: int = 1, **changes: Any) -> TradeBook:
    trade, _ = await desk.signals.record_signal(event(event_id, **changes))
    return TradeBook(trade)


async def filled(desk: ExecutorDesk, book: TradeBook) -> TradeBook:
    """Both intents of the only entry filled whole."""
    for order in book.orders:
        price = Decimal(188) if order.leg is Leg.LONG else Decimal(191)
        await desk.trades.record_outcome(order, Outcome(OrderStatus.FILLED, QUANTITY, price, f"v-{order.leg}"))
    return await desk.trades.book(book.trade.id)


async def opened(desk: ExecutorDesk) -> TradeBook:
    book = await filled(desk, await desk.trades.begin_entry(await recorded(desk), plan(), 10))
    fill = entry_fill(QUANTITY, Decimal(188), Decimal(191), 0.0159)
    return await desk.trades.fill_entry(book, book.entries[0], fill, {"long": Decimal(0), "short": Decimal(0)})


async def test_an_event_has_one_signal_for_ever(desks: list[ExecutorDesk]) -> None:
    first, is_new = await desks[0].signals.record_signal(event())
    again, is_new_again = await desks[1].signals.record_signal(event())
    assert (is_new, is_new_again) == (True, False)
    assert again == first


async def test_a_skip_on_an_outdated_version_is_refused(desks: list[ExecutorDesk]) -> None:
    trade = (await recorded(desks[0])).trade
    await desks[0].signals.skip(trade, REFUSED, None, event())
    with pytest.raises(StaleTradeError):
        await desks[1].signals.skip(trade, REFUSED, None, event())
    now = await desks[0].signals.trade(trade.id)
    assert now is not None
    assert (now.status, now.attempts, now.version) == (TradeStatus.SKIPPED, 1, trade.version + 1)


async def test_intents_and_entry_stand_after_the_begin(desks: list[ExecutorDesk]) -> None:
    book = await desks[0].trades.begin_entry(await recorded(desks[0]), plan(), 10)
    assert book == await desks[1].trades.book(book.trade.id)
    assert [(order.leg, order.status) for order in book.orders] == [(leg, OrderStatus.INTENT) for leg in Leg]
    assert await desks[0].trades.unfinished() == [book.trade.id]


async def test_of_two_trades_begun_at_once_on_a_symbol_one_is_refused(desks: list[ExecutorDesk]) -> None:
    books = [await recorded(desk, number) for number, desk in enumerate(desks, start=1)]
    results = await asyncio.gather(
        *(desk.trades.begin_entry(book, plan(), 10) for desk, book in zip(desks, books, strict=True)),
        return_exceptions=True,
    )
    refused = [result for result in results if isinstance(result, EntryRefused)]
    assert [refusal.refusal.reason for refusal in refused] == ["active_trade_exists"]


async def test_the_limit_of_trades_and_the_trading_state_are_the_ledgers(desks: list[ExecutorDesk]) -> None:
    await desks[0].trades.begin_entry(await recorded(desks[0]), plan(), 1)
    other = await recorded(desks[0], 2, symbol="ETH")
    with pytest.raises(EntryRefused, match="concurrency_limit"):
        await desks[0].trades.begin_entry(other, plan(), 1)
    await desks[0].states.change(TradingState.HALTED, "test", "test", {})
    with pytest.raises(EntryRefused, match="trading_halted"):
        await desks[0].trades.begin_entry(other, plan(), 10)


async def test_a_rail_moves_the_trading_state_only_from_where_it_saw_it(desks: list[ExecutorDesk]) -> None:
    states, active = desks[0].states, TradingState.ACTIVE
    assert await states.change(TradingState.HALTED, "test", "test", {})
    assert not await states.change(TradingState.REDUCING, "a rail", "executor", {}, only_from=active)
    assert await states.current() is TradingState.HALTED
    assert await states.change(active, "test", "test", {})
    assert await states.change(TradingState.REDUCING, "a rail", "executor", {}, only_from=active)
    assert await states.current() is TradingState.REDUCING


async def test_of_many_trades_begun_at_once_as_many_begin_as_the_limit_allows(desks: list[ExecutorDesk]) -> None:
    books = [await recorded(desks[0], number, symbol=f"X{number}") for number in range(1, 9)]
    results = await asyncio.gather(
        *(desks[number % 2].trades.begin_entry(book, plan(), 3) for number, book in enumerate(books)),
        return_exceptions=True,
    )
    refused = [result.refusal.reason for result in results if isinstance(result, EntryRefused)]
    assert refused == ["concurrency_limit"] * 5
    assert len(await desks[0].trades.unfinished()) == 3


async def test_a_trade_that_moved_on_is_not_begun_again(desks: list[ExecutorDesk]) -> None:
    book = await recorded(desks[0])
    await desks[0].trades.begin_entry(book, plan(), 10)
    with pytest.raises(StaleTradeError):
        await desks[1].trades.begin_entry(book, plan(), 10)


async def test_outcomes_follow_the_order_machine_and_fills_never_shrink(desks: list[ExecutorDesk]) -> None:
    ledger = desks[0].trades
    book = await ledger.begin_entry(await recorded(desks[0]), plan(), 10)
    order = book.orders[0]
    part = Outcome(OrderStatus.PARTLY_FILLED, Decimal(2), Decimal(188), "v-1")
    assert await ledger.record_outcome(order, part)
    assert not await ledger.record_outcome(order, Outcome(OrderStatus.PARTLY_FILLED, Decimal(1), Decimal(188)))
    assert not await ledger.record_outcome(order, Outcome(OrderStatus.WORKING))
    assert await ledger.record_outcome(order, Outcome(OrderStatus.FILLED, QUANTITY, Decimal(188)))
    kept = (await ledger.book(book.trade.id)).orders[0]
    assert (kept.status, kept.filled_quantity, kept.venue_order_id) == (OrderStatus.FILLED, QUANTITY, "v-1")


async def test_a_lease_is_one_workers_until_its_time_is_past(
    desks: list[ExecutorDesk], monkeypatch: pytest.MonkeyPatch
) -> None:
    book = await recorded(desks[0])
    first, second = (desk.trades for desk in desks)
    monkeypatch.setattr(trade_ledger, "LEASE_SECONDS", -1.0)
    assert await first.take_lease(book.trade.id)
    assert not await first.take_lease(book.trade.id)
    monkeypatch.setattr(trade_ledger, "LEASE_SECONDS", 60.0)
    await first.renew_leases()
    assert not await second.take_lease(book.trade.id)
    monkeypatch.setattr(trade_ledger, "LEASE_SECONDS", -1.0)
    await second.renew_leases()
    assert not await second.take_lease(book.trade.id)
    await first.renew_leases()
    monkeypatch.setattr(trade_ledger, "LEASE_SECONDS", 60.0)
    assert await second.take_lease(book.trade.id)
    await first.release_lease(book.trade.id)
    assert not await first.take_lease(book.trade.id)
    await second.release_lease(book.trade.id)
    assert await first.take_lease(book.trade.id)


async def test_the_age_of_an_order_is_told_from_the_writing_of_its_intent(desks: list[ExecutorDesk]) -> None:
    book = await desks[0].trades.begin_entry(await recorded(desks[0]), plan(), 10)
    deadline = asyncio.get_running_loop().time() + 20
    ages: list[float] = [0.0]
    while ages[-1] < 0.02 and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.005)
        ages.append((await desks[1].trades.book(book.trade.id)).orders[0].age_seconds)
    assert ages == sorted(ages)
    assert 0.02 <= ages[-1] < 60


async def test_new_orders_are_refused_to_an_old_reader_and_to_who_lost_the_lease(desks: list[ExecutorDesk]) -> None:
    book = await opened(desks[0])
    unwind = [new_order(book.trade, 1, Leg.LONG, Purpose.UNWIND, 1, QUANTITY, Decimal(188))]
    stale = replace(book, trade=replace(book.trade, version=book.trade.version - 1))
    with pytest.raises(StaleTradeError):
        await desks[0].trades.add_orders(stale, unwind)
    with pytest.raises(StaleTradeError):
        await desks[1].trades.add_orders(book, unwind)
    assert len((await desks[0].trades.add_orders(book, unwind)).orders) == 3


async def test_a_whole_trade_leaves_the_same_account(desks: list[ExecutorDesk]) -> None:
    desk = desks[0]
    book = await opened(desk)
    assert book.trade.payload["scale_in"]["entries_count"] == 1
    book = await desk.trades.begin_close(
        book, CloseRequested(signal_id=book.trade.id, reason="take_profit", requested_by="test", evidence={})
    )
    orders = [new_order(book.trade, 0, leg, Purpose.CLOSE, 1, QUANTITY, Decimal(189)) for leg in Leg]
    book = await desk.trades.add_orders(book, orders)
    for order in book.orders[2:]:
        await desk.trades.record_outcome(order, Outcome(OrderStatus.FILLED, QUANTITY, Decimal(189), f"c-{order.leg}"))
    await desk.trades.finish_close(await desk.trades.book(book.trade.id), {})
    book = await desk.bookkeeping.book(book.trade.id)
    assert not await desk.bookkeeping.finalise(book.trade)
    assert await desk.bookkeeping.unbooked_trades() == [book.trade.id]
    fills = [
        Fill(o.venue, "SOL", f"f-{o.id}", o.venue_order_id or "", o.side, o.price, QUANTITY, Decimal("0.5"), now(desk))
        for o in book.orders
    ]
    untold = sum((order.quantity * order.price for order in book.orders), Decimal(0)) * FEE_RATE_UNTOLD
    assert await day_of(desk) == DayPnl(Decimal(0), QUANTITY * 3 - untold)
    assert await desk.bookkeeping.add_fills(book, [fills[0], replace(fills[1], fee_usdt=None)]) == 2
    told = QUANTITY * book.orders[0].price * FEE_RATE_UNTOLD
    assert await day_of(desk) == DayPnl(Decimal(0), QUANTITY * 3 - untold + told - Decimal("0.5"))
    assert await desk.bookkeeping.add_fills(book, fills) == 3
    assert await desk.bookkeeping.add_fills(book, fills) == 0
    payment = FundingPayment("bybit", "SOL", "p-1", Decimal("-0.25"), now(desk))
    assert await desk.bookkeeping.add_funding(book.trade, Leg.LONG, [payment, payment]) == 1
    assert await desk.bookkeeping.leg_changes(book.trade, Leg.LONG) == [(now(desk), QUANTITY), (now(desk), -QUANTITY)]
    net = QUANTITY * 3 - 2 - Decimal("0.25")
    assert await day_of(desk) == DayPnl(Decimal(0), net)
    assert await desk.bookkeeping.finalise(book.trade)
    assert await net_of(desk, book) == net
    assert await day_of(desk) == DayPnl(net, Decimal(0))
    assert await desk.bookkeeping.unfinalised_trades() == []
    assert not await desk.bookkeeping.finalise(book.trade)
    closes = await desk.bookkeeping.recent_closes(now(desk))
    assert closes == {book.trade.id: book.trade.closed_at}
    assert await desk.bookkeeping.recent_closes(now(desk) + timedelta(seconds=1)) == {}
    late = [replace(payment, venue="binance", amount_usdt=Decimal(1)), replace(payment, payment_id="p-2")]
    for leg, more, paid in ((Leg.SHORT, late[0], Decimal("0.75")), (Leg.LONG, late[1], Decimal("0.5"))):
        for other, booked in zip(desks, (1, 0), strict=True):
            assert await other.bookkeeping.add_funding(book.trade, leg, [payment, more]) == booked
        assert await net_of(desk, book) == QUANTITY * 3 - 2 + paid
    after = replace(payment, payment_id="p-3", settled_at=now(desk) + timedelta(hours=1))
    assert await desk.bookkeeping.add_funding(book.trade, Leg.LONG, [after]) == 1
    assert await net_of(desk, book) == QUANTITY * 3 - 2 + Decimal("0.5")
    assert (await desk.trades.book(book.trade.id)).trade.version == book.trade.version + 3


async def test_of_somebody_elses_fill_the_part_that_was_ours_is_booked_once(desks: list[ExecutorDesk]) -> None:
    desk = desks[0]
    book = await opened(desk)
    seen = SeenFill("x-1", "by-hand", Side.SELL, Decimal(8), Decimal(187), now(desk))
    fill = Fill("bybit", "SOL", "x-1", "by-hand", Side.SELL, Decimal(187), Decimal(8), Decimal("0.8"), now(desk))
    part = ExternalPart(seen, Decimal(2))
    for booked in (1, 0):
        book = await desk.trades.add_external(book, Leg.LONG, [part], "test")
        assert book.position(Leg.LONG).quantity == QUANTITY - 2
        assert await desk.bookkeeping.add_fills(book, [fill]) == booked
        assert await desk.bookkeeping.leg_changes(book.trade, Leg.LONG) == [(now(desk), Decimal(-2))]
        book = await desk.trades.book(book.trade.id)
        assert [order.booked_quantity for order in book.orders if order.purpose is Purpose.EXTERNAL] == [2]
    assert await desk.bookkeeping.taken_elsewhere(book.trade.id, "bybit", ["by-hand"]) == []
    assert await desk.bookkeeping.taken_elsewhere(book.trade.id + 1, "bybit", ["by-hand", "other"]) == ["by-hand"]
    assert await desk.bookkeeping.taken_elsewhere(book.trade.id + 1, "binance", ["by-hand"]) == []


def now(desk: ExecutorDesk) -> Any:
    return desk.clock.now()


async def day_of(desk: ExecutorDesk) -> DayPnl:
    return (await PostgresRailFigures(desk.pool).read(now(desk)))[0]


async def net_of(desk: ExecutorDesk, book: TradeBook) -> Any:
    """The net P&L that the trade's row says."""
    if isinstance(desk.pool, MemoryPool):
        row = desk.pool.server.begin().row("live_trade_signal", book.trade.id)
        return row["net_pnl_usdt"] if row else None
    statement = "SELECT net_pnl_usdt FROM watchlist.live_trade_signal WHERE id = $1"
    return await desk.pool.fetchval(statement, book.trade.id)


async def test_a_failed_first_entry_fails_the_trade(desks: list[ExecutorDesk]) -> None:
    desk = desks[0]
    book = await desk.trades.begin_entry(await recorded(desk), plan(), 10)
    failed = await desk.trades.fail_entry(book, book.entries[0], {"why": "test"})
    assert (failed.trade.status, failed.entries[0].status) == (TradeStatus.FAILED, "failed")
    with pytest.raises(StaleTradeError):
        await desk.trades.fail_entry(book, book.entries[0], {})


async def test_an_older_reading_of_a_position_does_not_replace_a_newer_one(desks: list[ExecutorDesk]) -> None:
    keeping, clock = desks[0].bookkeeping, desks[0].clock
    before = clock.now()
    clock.forward(minutes=1)
    await keeping.save_positions("bybit", {"SOL": Decimal(5)}, clock.now())
    await keeping.save_positions("bybit", {"SOL": Decimal(1)}, before)
    await keeping.save_positions("bybit", {"SOL": Decimal(7)}, clock.now())


async def test_the_use_cases_tell_the_same_story(pools: list[Pool]) -> None:
    clock = DeskClock()
    venues = {name: FakeVenue(name, clock.hand) for name in ("binance", "bybit")}
    desk = ExecutorDesk(pools[0], clock, venues)
    await desk.opener.handle_event(event(prediction=None))
    trade, is_new = await desk.signals.record_signal(event())
    assert (trade.status, trade.attempts, is_new) == (TradeStatus.SKIPPED, 1, False)
