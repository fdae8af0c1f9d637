"""position-monitor's stores: the same cases over PostgreSQL and over the database in memory of the simulation.

The trade is made by the executor's own adapters, because position-monitor only reads it.
"""

import asyncio
import math
from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast

import pytest

from common.domain.identifiers import Leg, Purpose
from common.messages.contracts import CloseRequested
from common.messaging.outbox import Outbox
from common.persistence.database import Pool, connect_pool
from common.persistence.journal import Journal
from common.venues.ports import Fill, FundingPayment
from executor.application.ports import EntryPlan, Outcome
from executor.domain.order_machine import OrderStatus
from executor.domain.pair import entry_fill
from executor.domain.records import TradeBook
from executor.domain.trading_state import TradingState
from position_monitor.adapters.postgres_decisions import PostgresDecisions
from position_monitor.adapters.postgres_ledger import SERVICE, PostgresLedger
from position_monitor.application.ports import Sample
from position_monitor.domain.exits import Action, Verdict
from position_monitor.domain.requests import Request
from position_monitor.domain.trade import Trade
from support.embedded_stack import Database
from support.executor_desk import DeskClock, ExecutorDesk, SilentBus, event, unpublished
from support.memory_pool import MemoryPool
from support.memory_schema import open_memory_database

QUANTITY = Decimal("5.2")
LONG_PRICE, SHORT_PRICE = Decimal(188), Decimal(191)


@dataclass(frozen=True)
class Sides:
    """The executor that trades, and the monitor that looks."""

    executor: ExecutorDesk
    ledger: PostgresLedger
    decisions: PostgresDecisions
    pool: Pool

    async def only_trade(self) -> Trade:
        [found] = (await self.ledger.snapshot()).trades
        return found

    async def opening(self) -> TradeBook:
        """A trade whose first entry is in flight."""
        trade, _ = await self.executor.signals.record_signal(event())
        plan = EntryPlan(
            1, 1, "bybit", "binance", QUANTITY, LONG_PRICE, SHORT_PRICE, 0.009, 0.9, 0.0063, {"execution": {}}, math.inf
        )
        return await self.executor.trades.begin_entry(TradeBook(trade), plan, 10)

    async def opened(self) -> TradeBook:
        """The same, hedged."""
        book = await self.opening()
        for order in book.orders:
            price = LONG_PRICE if order.leg is Leg.LONG else SHORT_PRICE
            outcome = Outcome(OrderStatus.FILLED, QUANTITY, price, f"v-{order.leg}")
            await self.executor.trades.record_outcome(order, outcome)
        book = await self.executor.trades.book(book.trade.id)
        left = {"long": Decimal("0.1"), "short": Decimal(0)}
        fill = entry_fill(QUANTITY, LONG_PRICE, SHORT_PRICE, 0.0159)
        return await self.executor.trades.fill_entry(book, book.entries[0], fill, left)


@pytest.fixture(params=["memory", "postgres"])
async def sides(request: pytest.FixtureRequest, database: Database) -> AsyncIterator[Sides]:
    clock = DeskClock()
    made: list[Any] = []
    if request.param == "memory":
        server = open_memory_database(asyncio.get_running_loop())
        executor, monitor = (cast("Pool", MemoryPool(server)) for _ in range(2))
    else:
        executor, monitor = made = [await connect_pool(database.dsn_of(name), name) for name in ("executor", SERVICE)]
    outbox = Outbox(SERVICE, monitor, SilentBus(), clock)
    decisions = PostgresDecisions(monitor, outbox, Journal(SERVICE, monitor, clock))
    yield Sides(ExecutorDesk(executor, clock, {}), PostgresLedger(monitor), decisions, monitor)
    for pool in made:
        await pool.close()


def sample(sides: Sides, signal_id: int) -> Sample:
    verdict = Verdict(Action.CLOSE, "take_profit", {})
    return Sample(signal_id, "SOL", sides.executor.clock.now(), verdict, None, 0.0001, {"reason": "take_profit"})


async def test_a_trade_is_watched_from_its_first_hedged_entry_to_its_end(sides: Sides) -> None:
    assert (await sides.ledger.snapshot()).trades == ()
    await sides.opening()
    assert (await sides.ledger.snapshot()).trades == ()


async def test_what_the_executor_holds_is_what_the_monitor_sees(sides: Sides) -> None:
    book = await sides.opened()
    seen, now = await sides.only_trade(), sides.executor.clock.now()
    assert (seen.signal_id, seen.symbol, seen.status) == (book.trade.id, "SOL", "open")
    assert seen.venues == {Leg.LONG: "bybit", Leg.SHORT: "binance"}
    assert (seen.opened_at, seen.take_profit_pnl) == (now, 0.0063)
    assert [(entry.number, entry.notional_usdt) for entry in seen.entries] == [(1, QUANTITY * 191)]
    assert sorted((fill.leg, fill.purpose, fill.quantity, fill.price) for fill in seen.fills) == [
        (Leg.LONG, Purpose.OPEN, QUANTITY, Decimal(188)),
        (Leg.SHORT, Purpose.OPEN, QUANTITY, Decimal(191)),
    ]
    assert seen.residuals == {Leg.LONG: Decimal("0.1"), Leg.SHORT: 0}
    assert not seen.order_in_flight
    assert seen.fees_usdt is None


async def test_fees_funding_and_holdings_are_the_books(sides: Sides) -> None:
    book, keeping = await sides.opened(), sides.executor.bookkeeping
    now = sides.executor.clock.now()
    fills = [
        Fill(o.venue, "SOL", f"f-{o.id}", o.venue_order_id or "", o.side, o.price, QUANTITY, Decimal("0.5"), now)
        for o in book.orders
    ]
    await keeping.add_fills(book, fills[:1])
    assert (await sides.only_trade()).fees_usdt is None
    await keeping.add_fills(book, fills)
    await keeping.add_funding(book.trade, Leg.SHORT, [FundingPayment("binance", "SOL", "p-1", Decimal("0.02"), now)])
    await keeping.save_positions("binance", {"SOL": -QUANTITY, "ETH": Decimal(1)}, now)
    await keeping.save_positions("okx", {"SOL": Decimal(9)}, now)
    seen = await sides.only_trade()
    assert seen.fees_usdt == 1
    assert [(paid.leg, paid.amount_usdt, paid.settled_at) for paid in seen.funding] == [
        (Leg.SHORT, Decimal("0.02"), now)
    ]
    assert {leg: (held.quantity, held.read_at) for leg, held in seen.holdings.items()} == {Leg.SHORT: (-QUANTITY, now)}


async def test_a_close_under_way_and_an_order_without_an_outcome_are_seen(sides: Sides) -> None:
    book = await sides.opened()
    request = CloseRequested(signal_id=book.trade.id, reason="take_profit", requested_by="test", evidence={})
    await sides.executor.trades.begin_close(book, request)
    seen = await sides.only_trade()
    assert (seen.status, seen.close_reason, seen.close_requested_at) == (
        "closing",
        "take_profit",
        sides.executor.clock.now(),
    )


async def test_the_trading_state_is_seen(sides: Sides) -> None:
    assert (await sides.ledger.snapshot()).trading_active
    await sides.executor.states.change(TradingState.REDUCING, "test", "test", {})
    assert not (await sides.ledger.snapshot()).trading_active


async def test_what_was_asked_is_told_once_and_counted_also_by_another_monitor(sides: Sides) -> None:
    book = await sides.opened()
    topic = f"close-{book.trade.id}-take_profit"
    for times in (1, 2):
        request = Request(book.trade.id, "SOL", topic, times, "take_profit")
        for _ in range(2):
            await sides.decisions.record(sample(sides, book.trade.id), request, "close_requested")
        assert (await sides.only_trade()).asked[topic].times == times
    assert await unpublished(sides.pool, SERVICE) == 2
    restarted = PostgresLedger(sides.ledger._pool)
    assert (await restarted.snapshot()).trades[0].asked[topic].times == 2


async def test_a_verdict_without_a_request_tells_nobody(sides: Sides) -> None:
    book = await sides.opened()
    await sides.decisions.record(sample(sides, book.trade.id), None, None)
    await sides.decisions.noticed("hedge_looks_broken", {"long": "5"}, "SOL", book.trade.id)
    assert await unpublished(sides.pool, SERVICE) == 0
    assert (await sides.only_trade()).asked == {}
