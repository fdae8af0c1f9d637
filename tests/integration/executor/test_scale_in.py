"""Adding entries to an open trade, on a real database with venues in memory (SPEC 7)."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from common.domain.identifiers import Side
from common.persistence.database import connect_pool
from common.venues.errors import OrderOutcomeUnknown, OrderRejected, VenueUnreachable
from common.venues.ports import OrderIntent, OrderReport
from executor.application import closing, orders
from executor.domain.rails import Rails
from executor.domain.trading_state import TradingState
from support.embedded_stack import Database
from support.executor_desk import ExecutorDesk, event, executor_desk, gap, quote
from support.ledger_rows import LedgerRows


@pytest.fixture
async def desk(database: Database) -> AsyncIterator[Any]:
    async with executor_desk(database) as made:
        yield made


@pytest.fixture
async def rows(database: Database) -> AsyncIterator[Any]:
    pool = await connect_pool(database.owner_dsn, "test")
    yield LedgerRows(pool)
    await pool.close()


async def fresh_evidence(rows: LedgerRows, desk: ExecutorDesk, **changes: Any) -> int:
    """An open event of the trade's own pair, observed now."""
    values: dict[str, Any] = {
        "long_venue": "bybit",
        "short_venue": "binance",
        "last_observed_at": desk.clock.now(),
        "pnl_hat": 0.012,
        "win_prob": 0.9,
    }
    return await rows.event(at=desk.clock.now(), **values | changes)


async def last_decision(desk: ExecutorDesk, signal_id: int) -> str:
    return (await desk.decisions(signal_id))[-1]


async def test_a_widened_gap_adds_a_second_matched_entry_and_leaves_the_take_profit_alone(
    desk: ExecutorDesk, rows: LedgerRows
) -> None:
    book = await desk.open_trade(event())
    target = book.trade.take_profit_pnl
    gap(desk.venues, "186", "191")  # 2.7 %, past 1.5 times the first 1.6 %
    desk.clock.forward(minutes=1)
    event_id = await fresh_evidence(rows, desk)
    book = await desk.scale(book)
    assert [entry.entry for entry in book.filled_entries] == [1, 2]
    assert book.trade.take_profit_pnl == target
    assert [venue.ledger.account.position("SOL").quantity for venue in desk.venues.values()] == [
        Decimal("-10.4"),
        Decimal("10.4"),
    ]
    kept = book.trade.payload["scale_in"]
    assert (kept["entries_count"], kept["max_entries"], kept["trigger_mult"]) == (2, 4, 1.5)
    assert kept["entries"][1]["event_id"] == event_id
    assert kept["used_evidence"][0]["event_id"] == event_id
    assert kept["next_trigger_spread_pct"] == pytest.approx(kept["entry_spread_pct_first"] * 1.5**2)
    assert kept["last_scale_in_at"] == desk.clock.now().isoformat()


async def test_a_close_over_an_entry_in_flight_finds_what_somebody_closed_by_hand(
    desk: ExecutorDesk, rows: LedgerRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders, "RESOLVE_WITHIN_SECONDS", 0.1)
    monkeypatch.setattr(closing, "POSITION_READ_SECONDS", 0.01)
    book = await desk.open_trade(event())
    gap(desk.venues, "186", "191")
    await fresh_evidence(rows, desk)
    bybit = desk.venues["bybit"]
    with monkeypatch.context() as away:

        async def silent(symbol: str, client_order_id: str) -> OrderReport:
            raise VenueUnreachable("bybit", "no answer")

        away.setattr(bybit, "order", silent)
        bybit.fail_next_send(OrderOutcomeUnknown("bybit", "timeout"), after_acceptance=True)
        await desk.scale(book)
        assert (await desk.close(book)).trade.status == "closing"
    by_hand = OrderIntent("bybit", "SOL", Side.SELL, Decimal("10.4"), "by-hand", False, Decimal(190))
    await bybit.send(by_hand)
    desk.clock.forward(minutes=5)
    await desk.recovery.settle_all()
    assert (await desk.trades.book(book.trade.id)).trade.status == "closed"
    assert [venue.ledger.account.position("SOL").quantity for venue in desk.venues.values()] == [0, 0]
    desk.clock.forward(minutes=2)
    await desk.bookkeeper.sweep()
    made = sum(venue.ledger.account.balance for venue in desk.venues.values()) - 20_000
    assert (await desk.signal(event()))["net_pnl_usdt"] == made


async def test_one_trigger_never_adds_two_entries_however_often_it_is_asked(
    desk: ExecutorDesk, rows: LedgerRows
) -> None:
    book = await desk.open_trade(event())
    gap(desk.venues, "180", "191")
    await fresh_evidence(rows, desk)
    other = ExecutorDesk(desk.pool, desk.clock, desk.venues, owner="desk-2")
    await asyncio.gather(*(one.scale(book) for one in (desk, other, desk, other)))
    await desk.scale(book)
    assert len((await desk.trades.book(book.trade.id)).filled_entries) == 2
    assert [len(venue.sent) for venue in desk.venues.values()] == [2, 2]


@pytest.mark.parametrize(
    ("arrange", "reason"),
    [
        (lambda rows, desk: None, "no_fresh_signal"),
        (lambda rows, desk: fresh_evidence(rows, desk, long_venue="binance", short_venue="bybit"), "no_fresh_signal"),
        (lambda rows, desk: fresh_evidence(rows, desk, win_prob=0.5), "no_fresh_signal"),
        (lambda rows, desk: fresh_evidence(rows, desk, type="A"), "no_fresh_signal"),
    ],
)
async def test_without_fresh_evidence_of_the_same_pair_nothing_is_added(
    desk: ExecutorDesk, rows: LedgerRows, arrange: Any, reason: Any
) -> None:
    book = await desk.open_trade(event())
    gap(desk.venues, "180", "191")
    if (made := arrange(rows, desk)) is not None:
        await made
    book = await desk.scale(book)
    assert len(book.filled_entries) == 1
    assert await last_decision(desk, book.trade.id) == f"scale_in_refused:{reason}"


async def test_the_trigger_is_looked_at_again_with_fresh_books(desk: ExecutorDesk, rows: LedgerRows) -> None:
    book = await desk.open_trade(event())
    await fresh_evidence(rows, desk)
    book = await desk.scale(book)  # asked for, but the gap is what it was
    assert await last_decision(desk, book.trade.id) == "scale_in_refused:not_triggered"


async def test_a_cooldown_lies_between_two_scale_ins(desk: ExecutorDesk, rows: LedgerRows) -> None:
    book = await desk.open_trade(event())
    gap(desk.venues, "180", "191")
    await fresh_evidence(rows, desk)
    book = await desk.scale(book)
    gap(desk.venues, "170", "191")
    desk.clock.forward(minutes=1.99)
    await fresh_evidence(rows, desk, merged=False)
    book = await desk.scale(book, entries=2)
    assert await last_decision(desk, book.trade.id) == "scale_in_refused:cooldown"
    desk.clock.forward(minutes=0.01)
    book = await desk.scale(book, entries=2)
    assert len(book.filled_entries) == 3


async def test_evidence_that_an_earlier_scale_in_used_is_not_used_again(desk: ExecutorDesk, rows: LedgerRows) -> None:
    book = await desk.open_trade(event())
    gap(desk.venues, "180", "191")
    await fresh_evidence(rows, desk)
    book = await desk.scale(book)
    gap(desk.venues, "170", "191")
    desk.clock.forward(minutes=2)
    book = await desk.scale(book, entries=2)
    assert await last_decision(desk, book.trade.id) == "scale_in_refused:no_fresh_signal"


async def test_a_failed_scale_in_leaves_the_trade_as_it_was(desk: ExecutorDesk, rows: LedgerRows) -> None:
    book = await desk.open_trade(event())
    gap(desk.venues, "180", "191")
    await fresh_evidence(rows, desk)
    desk.venues["binance"].fail_next_send(OrderRejected("binance", "no"))
    book = await desk.scale(book)
    assert (book.trade.status, len(book.filled_entries), len(book.entries)) == ("open", 1, 2)
    assert desk.venues["bybit"].ledger.account.position("SOL").quantity == Decimal("5.2")
    book = await desk.scale(book)
    assert [entry.entry for entry in book.filled_entries] == [1, 3]
    closed = await desk.close(book)
    assert closed.trade.status == "closed"
    assert all(venue.ledger.account.position("SOL").quantity == 0 for venue in desk.venues.values())


async def test_a_failed_scale_in_that_left_less_than_its_venue_trades_does_not_end_the_trade(
    desk: ExecutorDesk, rows: LedgerRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = await desk.open_trade(event())
    gap(desk.venues, "180", "191")
    await fresh_evidence(rows, desk)
    bybit = desk.venues["bybit"]
    original = bybit.send

    async def hardly_filled(intent: OrderIntent) -> OrderReport:
        quote(bybit, "179.99", "180.01", depth="0.05")
        return await original(intent)

    desk.venues["binance"].fail_next_send(OrderRejected("binance", "no"))
    with monkeypatch.context() as thin:
        thin.setattr(bybit, "send", hardly_filled)
        book = await desk.scale(book)
    assert bybit.ledger.account.position("SOL").quantity == Decimal("5.25")
    for _ in range(3):
        await desk.reconciler.sweep(desk.closing.handle)
    assert (await desk.trades.book(book.trade.id)).trade.status == "open"


async def test_halted_adds_nothing(desk: ExecutorDesk, rows: LedgerRows) -> None:
    book = await desk.open_trade(event())
    gap(desk.venues, "180", "191")
    await fresh_evidence(rows, desk)
    await rows.pool.execute("UPDATE watchlist.trading_state SET state = 'halted'")
    book = await desk.scale(book)
    assert await last_decision(desk, book.trade.id) == "scale_in_refused:trading_halted"


async def test_what_unwinding_an_entry_of_an_open_trade_has_lost_is_seen_by_the_rail(
    desk: ExecutorDesk, rows: LedgerRows
) -> None:
    book = await desk.open_trade(event())
    gap(desk.venues, "186", "191")
    desk.clock.forward(minutes=1)
    await fresh_evidence(rows, desk)
    bybit = desk.venues["bybit"]
    original = bybit.send

    async def unwound_dearly(intent: OrderIntent) -> OrderReport:
        if intent.reduce_only:
            quote(bybit, "176", "186.01")
        return await original(intent)

    bybit.send = unwound_dearly  # type: ignore[method-assign]
    desk.venues["binance"].fail_next_send(OrderRejected("binance", "no"))
    book = await desk.scale(book)
    assert (book.trade.status, len(book.filled_entries)) == ("open", 1)
    guarded = ExecutorDesk(desk.pool, desk.clock, desk.venues, rails=Rails(Decimal(50), 0, 0.0))
    await guarded.guardian.sweep()
    assert await desk.states.current() is TradingState.REDUCING
    (changed,) = await desk.pool.fetch("SELECT evidence FROM watchlist.audit WHERE decision = 'trading_state_changed'")
    assert -62 < Decimal(changed["evidence"]["of_which_not_final_usdt"]) < -50
