"""Payments that a venue shows after the final account of their trade: booked once, by their ids, and counted."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import asyncpg
import pytest

from common.domain.identifiers import Leg
from common.venues.errors import VenueUnreachable
from common.venues.ports import FundingPayment
from executor.application.bookkeeping import LATE_LOOKS, MISSED_LOOKS_FOR, SETTLED_AFTER
from executor.domain.records import TradeBook
from support.embedded_stack import Database
from support.executor_desk import ExecutorDesk, event, executor_desk, gap
from support.fake_venue import FakeVenue

_WAITS = """
SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
               AND query LIKE '%live_trade_signal%')
"""
_ADD_PAYMENT = """
INSERT INTO watchlist.live_trade_funding (signal_id, leg, venue, symbol, payment_id, amount_usdt, settled_at)
VALUES ($1, 'long', 'bybit', 'SOL', 'from-elsewhere', -0.25, $2)
"""


@pytest.fixture
async def desk(database: Database) -> AsyncIterator[ExecutorDesk]:
    async with executor_desk(database) as made:
        yield made


def shows_funding_after(venue: FakeVenue, delay: timedelta) -> list[datetime]:
    """Has the venue show payments that much later than their settlement; returns when it is asked for them."""
    original, asked_at = venue.funding_payments, []

    async def late(symbol: str, since: datetime) -> Sequence[FundingPayment]:
        now = venue.clock.now()
        asked_at.append(now)
        return [payment for payment in await original(symbol, since) if now >= payment.settled_at + delay]

    venue.funding_payments = late  # type: ignore[method-assign]
    return asked_at


async def closed_trade(desk: ExecutorDesk) -> TradeBook:
    """A trade that was held over the settlement at 16:00 and closed right after it; its last look is due."""
    book = await desk.open_trade(event())
    desk.clock.forward(hours=4, seconds=10)
    gap(desk.venues, "188", "188.1")
    await desk.close(book)
    await desk.bookkeeper.sweep()
    desk.clock.forward(seconds=SETTLED_AFTER.total_seconds())
    return await desk.trades.book(book.trade.id)


async def final_trade(desk: ExecutorDesk) -> TradeBook:
    """The same, summed up."""
    book = await closed_trade(desk)
    await desk.bookkeeper.sweep()
    assert (await desk.signal(event()))["finalised_at"] is not None
    return book


def made(desk: ExecutorDesk) -> Decimal:
    """What the venues' own accounts have gained."""
    return sum((venue.ledger.account.balance for venue in desk.venues.values()), Decimal(0)) - 20_000


async def test_a_payment_that_is_shown_late_is_booked_once_and_corrects_the_account(desk: ExecutorDesk) -> None:
    shows_funding_after(desk.venues["binance"], timedelta(minutes=20))
    book = await final_trade(desk)
    before = await desk.signal(event())
    (late,) = [payment.amount for payment in desk.venues["binance"].ledger.account.payments]
    assert before["net_pnl_usdt"] == made(desk) - late
    desk.clock.forward(minutes=30)
    for _ in range(2):
        await desk.bookkeeper.sweep()
    await ExecutorDesk(desk.pool, desk.clock, desk.venues, owner="desk-2").bookkeeper.sweep()
    row = await desk.signal(event())
    assert (row["net_pnl_usdt"], row["funding_usdt"]) == (made(desk), before["funding_usdt"] + late)
    assert (row["finalised_at"], row["version"]) == (before["finalised_at"], before["version"] + 1)
    decisions = await desk.decisions(book.trade.id)
    assert decisions[decisions.index("finalised") :] == ["finalised", "funding_booked", "account_corrected"]
    (told,) = await desk.pool.fetch("SELECT evidence FROM watchlist.audit WHERE decision = 'account_corrected'")
    assert told["evidence"]["net_pnl_usdt"] == str(row["net_pnl_usdt"])
    assert told["evidence"]["net_pnl_usdt_before"] == str(before["net_pnl_usdt"])


async def test_a_closed_trade_is_looked_at_a_few_times_only(desk: ExecutorDesk) -> None:
    asked_at = shows_funding_after(desk.venues["bybit"], timedelta(0))
    closed_at = (await final_trade(desk)).trade.closed_at
    assert closed_at is not None
    asked_at.clear()
    while desk.clock.now() < closed_at + 2 * MISSED_LOOKS_FOR:
        await desk.bookkeeper.sweep()
        desk.clock.forward(minutes=1)
    assert asked_at == [closed_at + after for after in LATE_LOOKS]


async def test_a_look_that_was_missed_while_nothing_ran_is_made_up_for(desk: ExecutorDesk) -> None:
    shows_funding_after(desk.venues["binance"], timedelta(minutes=20))
    await final_trade(desk)
    desk.clock.forward(hours=MISSED_LOOKS_FOR.total_seconds() / 3600 - 1)
    await ExecutorDesk(desk.pool, desk.clock, desk.venues, owner="desk-2").bookkeeper.sweep()
    assert (await desk.signal(event()))["net_pnl_usdt"] == made(desk)


async def final_trades(desk: ExecutorDesk, count: int) -> None:
    """Trades one after the other, all of them summed up, and time for a look at each."""
    for number in range(1, count + 1):
        gap(desk.venues, "188", "191")
        book = await desk.open_trade(event(number, desk.clock.now()))
        gap(desk.venues, "188", "188.1")
        await desk.close(book)
        desk.clock.forward(minutes=1)
        await desk.bookkeeper.sweep()
    desk.clock.forward(minutes=40)


async def test_trades_are_looked_at_again_one_in_a_round(desk: ExecutorDesk) -> None:
    await final_trades(desk, 3)
    asked_at = shows_funding_after(desk.venues["bybit"], timedelta(0))
    later = ExecutorDesk(desk.pool, desk.clock, desk.venues, owner="desk-2")
    for asked in (1, 2, 3, 3):
        await later.bookkeeper.sweep()
        assert len(asked_at) == asked


async def test_a_look_that_fails_holds_up_no_other_trades(desk: ExecutorDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    await final_trades(desk, 2)
    moment_seconds = 0.0
    monkeypatch.setattr(desk.clock, "monotonic", lambda: moment_seconds)
    bybit = desk.venues["bybit"]
    original, asked = bybit.funding_payments, list[datetime]()

    async def away_at_first(symbol: str, since: datetime) -> Sequence[FundingPayment]:
        asked.append(since)
        if len(asked) == 1:
            raise VenueUnreachable("bybit", "no connection")
        return await original(symbol, since)

    bybit.funding_payments = away_at_first  # type: ignore[method-assign]
    for _ in range(3):
        await desk.bookkeeper.sweep()
    first, second = asked
    assert first < second
    moment_seconds = 60.0
    for _ in range(2):
        await desk.bookkeeper.sweep()
    assert asked == [first, second, first]


async def test_what_two_executors_find_at_once_counts_both(desk: ExecutorDesk) -> None:
    for venue in desk.venues.values():
        shows_funding_after(venue, timedelta(days=1))
    trade = (await final_trade(desk)).trade
    other = ExecutorDesk(desk.pool, desk.clock, desk.venues, owner="desk-2")
    settled_at = desk.clock.now().replace(hour=16, minute=0, second=0)
    found = [
        FundingPayment("bybit", "SOL", "p-1", Decimal("-0.25"), settled_at),
        FundingPayment("binance", "SOL", "p-2", Decimal("0.75"), settled_at),
    ]
    await asyncio.gather(
        desk.bookkeeping.add_funding(trade, Leg.LONG, [found[0]]),
        other.bookkeeping.add_funding(trade, Leg.SHORT, [found[1]]),
        other.bookkeeping.add_funding(trade, Leg.LONG, [found[0]]),
    )
    row = await desk.signal(event())
    assert row["funding_usdt"] == Decimal("0.50")
    assert row["net_pnl_usdt"] == row["spread_pnl_usdt"] - row["fees_usdt"] + Decimal("0.50")


async def test_a_payment_that_another_executor_books_while_the_trade_is_summed_up_counts(desk: ExecutorDesk) -> None:
    for venue in desk.venues.values():
        shows_funding_after(venue, timedelta(days=1))
    trade = (await closed_trade(desk)).trade
    async with desk.pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT FROM watchlist.live_trade_signal WHERE id = $1 FOR NO KEY UPDATE", trade.id)
        summing = asyncio.create_task(desk.bookkeeping.finalise(trade))
        async with asyncio.timeout(30):
            while not await desk.pool.fetchval(_WAITS):  # noqa: ASYNC110  # what the database waits for is no event here
                await asyncio.sleep(0.01)
        await connection.execute(_ADD_PAYMENT, trade.id, desk.clock.now().replace(hour=16, minute=0, second=0))
    assert await summing
    assert (await desk.signal(event()))["funding_usdt"] == Decimal("-0.25")


async def test_a_settlement_long_after_the_close_is_somebody_elses_even_where_dust_is_left(
    desk: ExecutorDesk, database: Database
) -> None:
    book = await final_trade(desk)
    before = await desk.signal(event())
    # As if the venue had kept a little of the leg, and others held the contract at midnight.
    owner = await asyncpg.connect(database.owner_dsn)
    await owner.execute(
        "UPDATE watchlist.live_trade_fill SET quantity = quantity * 0.999 WHERE side = 'sell' AND venue = 'bybit'"
    )
    await owner.close()
    assert book.trade.closed_at is not None
    later = book.trade.closed_at + timedelta(hours=1)
    foreign = FundingPayment("bybit", "SOL", "not-ours", Decimal(-25), later)

    async def shows_all(symbol: str, since: datetime) -> Sequence[FundingPayment]:
        return [foreign]

    desk.venues["bybit"].funding_payments = shows_all  # type: ignore[method-assign]
    desk.clock.forward(hours=LATE_LOOKS[-1].total_seconds() / 3600)
    await desk.bookkeeper.sweep()
    assert (await desk.signal(event()))["net_pnl_usdt"] == before["net_pnl_usdt"]
    booked = await desk.pool.fetchval("SELECT count(*) FROM watchlist.live_trade_funding WHERE payment_id = 'not-ours'")
    assert booked == 0


async def test_a_payment_on_what_was_not_held_is_no_correction(desk: ExecutorDesk) -> None:
    trade = (await final_trade(desk)).trade
    before = await desk.signal(event())
    assert trade.closed_at is not None
    after = FundingPayment("bybit", "SOL", "p-1", Decimal("-0.25"), trade.closed_at + timedelta(hours=1))
    assert await desk.bookkeeping.add_funding(trade, Leg.LONG, [after]) == 1
    assert await desk.signal(event()) == before
