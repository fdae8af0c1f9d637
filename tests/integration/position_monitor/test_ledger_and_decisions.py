"""Over a real Postgres, as the service's own role: what is read, what is written together, and what is refused."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

import asyncpg
import pytest
import pytest_asyncio

from common.domain.identifiers import Leg
from common.messages.contracts import CloseRequested, ScaleInRequested
from common.messages.envelope import Envelope
from common.messaging.outbox import Outbox
from common.persistence.database import Pool, connect_pool
from common.persistence.journal import Journal
from position_monitor.adapters.postgres_decisions import PostgresDecisions
from position_monitor.adapters.postgres_ledger import SERVICE, PostgresLedger
from position_monitor.application.ports import Sample, StoreAway
from position_monitor.domain.exits import Action, Verdict
from position_monitor.domain.requests import Request
from position_monitor.domain.trade import Trade
from support.embedded_stack import Database
from support.ledger_rows import NOON, LedgerRows
from support.standing_clock import StandingClock


class NoBus:
    async def publish(self, subject: str, body: bytes, message_id: str, traceparent: str | None) -> bool:
        return False


@dataclass
class Desk:
    """One database seen by its owner (`rows`) and by position-monitor (`pool`)."""

    rows: LedgerRows
    pool: Pool
    clock: StandingClock
    ledger: PostgresLedger
    decisions: PostgresDecisions

    async def only_trade(self) -> Trade:
        (found,) = (await self.ledger.snapshot()).trades
        return found


@pytest_asyncio.fixture(loop_scope="session")
async def desk(database: Database) -> AsyncIterator[Desk]:
    owner = await connect_pool(database.owner_dsn, "test")
    pool = await connect_pool(database.dsn_of(SERVICE), SERVICE)
    clock = StandingClock(NOON + timedelta(hours=1))
    decisions = PostgresDecisions(pool, Outbox(SERVICE, pool, NoBus(), clock), Journal(SERVICE, pool, clock))
    yield Desk(LedgerRows(owner), pool, clock, PostgresLedger(pool), decisions)
    await pool.close()
    await owner.close()


def sample(signal_id: int, action: Action = Action.CLOSE, reason: str = "take_profit") -> Sample:
    verdict = Verdict(action, reason, {})
    return Sample(signal_id, "SOL", NOON + timedelta(hours=1), verdict, None, 0.0001, {"reason": reason})


async def test_a_trade_is_read_with_everything_that_belongs_to_it(desk: Desk) -> None:
    rows = desk.rows
    trade = await rows.trade()
    await rows.entry(trade)
    await rows.entry(trade, 2, long_buy="99", short_sell="103", at=NOON + timedelta(minutes=40))
    await rows.funding(trade, "short", "0.02", NOON + timedelta(minutes=30))
    await rows.venue_position("binance", "SOL", "1.0", NOON + timedelta(minutes=50))
    await rows.venue_position("bybit", "SOL", "-1.0", NOON + timedelta(minutes=50))
    await rows.venue_position("okx", "SOL", "9", NOON + timedelta(minutes=50))

    found = await desk.only_trade()

    assert (found.signal_id, found.venues) == (trade.id, {Leg.LONG: "binance", Leg.SHORT: "bybit"})
    assert [entry.number for entry in found.entries] == [1, 2]
    assert found.last_scale_in_at == NOON + timedelta(minutes=40)
    assert found.leg(Leg.LONG).quantity == Decimal(1)
    assert found.leg(Leg.LONG).average_price == Decimal("99.5")
    assert found.leg(Leg.SHORT).average_price == Decimal("102.1")
    assert found.fees_usdt == Decimal("0.0005") * Decimal("0.5") * (100 + Decimal("101.2") + 99 + 103)
    assert [payment.amount_usdt for payment in found.funding] == [Decimal("0.02")]
    assert {leg: held.quantity for leg, held in found.holdings.items()} == {Leg.LONG: 1, Leg.SHORT: -1}
    assert not found.order_in_flight
    assert found.newest_event is not None
    assert found.newest_event.event_id == trade.event_id


async def test_only_open_and_closing_trades_are_watched(desk: Desk) -> None:
    for symbol, status in (
        ("AAA", "opening"),
        ("BBB", "open"),
        ("CCC", "closing"),
        ("DDD", "closed"),
        ("EEE", "skipped"),
    ):
        await desk.rows.signal(symbol, status=status)
    assert {trade.symbol for trade in (await desk.ledger.snapshot()).trades} == {"BBB", "CCC"}


async def test_an_entry_that_failed_counts_neither_as_entry_nor_in_the_ranks(desk: Desk) -> None:
    trade = await desk.rows.trade()
    await desk.rows.entry(trade)
    await desk.rows.entry(trade, 2)
    await desk.rows.entry(trade, 3, at=NOON + timedelta(minutes=5))
    await desk.rows.pool.execute("UPDATE watchlist.live_trade_entry SET status = 'failed' WHERE entry = 2")
    assert [entry.number for entry in (await desk.only_trade()).entries] == [1, 2]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE watchlist.live_trade_fill SET fee_usdt = NULL WHERE side = 'buy'",
        "UPDATE watchlist.live_trade_fill SET quantity = quantity / 2 WHERE side = 'sell'",
        "DELETE FROM watchlist.live_trade_fill WHERE side = 'sell'",
    ],
)
async def test_fees_are_unknown_while_a_fill_or_its_fee_is(desk: Desk, change: str) -> None:
    await desk.rows.entry(await desk.rows.trade())
    assert (await desk.only_trade()).fees_usdt is not None
    await desk.rows.pool.execute(change)
    assert (await desk.only_trade()).fees_usdt is None


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE watchlist.live_trade_order SET status = 'unknown' WHERE leg = 'long'",
        "UPDATE watchlist.live_trade_entry SET status = 'opening'",
    ],
)
async def test_an_unresolved_order_or_entry_is_in_flight(desk: Desk, change: str) -> None:
    await desk.rows.entry(await desk.rows.trade())
    await desk.rows.pool.execute(change)
    assert (await desk.only_trade()).order_in_flight


async def test_the_newest_event_of_the_trades_own_pair_is_the_evidence(desk: Desk) -> None:
    await desk.rows.entry(await desk.rows.trade())
    later = NOON + timedelta(minutes=20)
    wanted = await desk.rows.event(status="closed", at=later)
    await desk.rows.event(at=later + timedelta(minutes=1), type="A")
    await desk.rows.event(at=later + timedelta(minutes=2), status="forming")
    await desk.rows.event(at=later + timedelta(minutes=3), long_venue="bybit", short_venue="binance")
    await desk.rows.event("BTC", at=later + timedelta(minutes=4))
    found = (await desk.only_trade()).newest_event
    assert found is not None
    assert (found.event_id, found.last_observed_at) == (wanted, later + timedelta(seconds=30))


@pytest.mark.parametrize(("state", "active"), [("active", True), ("reducing", False), ("halted", False)])
async def test_the_trading_state_is_read(desk: Desk, state: str, active: bool) -> None:
    await desk.rows.pool.execute("UPDATE watchlist.trading_state SET state = $1", state)
    assert (await desk.ledger.snapshot()).trading_active is active


async def test_sample_message_and_audit_are_written_together(desk: Desk) -> None:
    trade = await desk.rows.trade()
    request = Request(trade.id, "SOL", f"close-{trade.id}-take_profit", 1, "take_profit")
    await desk.decisions.record(sample(trade.id), request, "close_requested")

    stored = await desk.pool.fetchrow("SELECT * FROM watchlist.live_trade_spread_sample")
    message = await desk.pool.fetchrow("SELECT * FROM watchlist.outbox")
    audit = await desk.pool.fetchrow("SELECT * FROM watchlist.audit")
    assert stored is not None
    assert message is not None
    assert audit is not None
    assert (stored["verdict"], stored["evidence"], stored["pnl_complete"]) == (
        "close",
        {"reason": "take_profit"},
        False,
    )
    assert message["message_id"] == f"close-{trade.id}-take_profit-1"
    closing = Envelope.model_validate_json(message["body"]).read(CloseRequested)
    assert (closing.signal_id, closing.reason, closing.requested_by) == (trade.id, "take_profit", "position_monitor")
    assert (audit["decision"], audit["signal_id"]) == ("close_requested", trade.id)


async def test_a_scale_in_travels_with_the_entries_it_was_asked_for(desk: Desk) -> None:
    trade = await desk.rows.trade()
    request = Request(trade.id, "SOL", f"scale-in-{trade.id}-2", 1, "triggered", entries=2)
    await desk.decisions.record(sample(trade.id, Action.SCALE_IN, "triggered"), request, "scale_in_requested")
    message = await desk.pool.fetchrow("SELECT subject, body FROM watchlist.outbox")
    assert message is not None
    assert message["subject"] == "trade.scale_in.requested"
    assert Envelope.model_validate_json(message["body"]).read(ScaleInRequested).entries == 2


async def test_what_was_asked_is_counted_on_from_the_last_look(desk: Desk) -> None:
    trade = await desk.rows.trade()
    await desk.rows.entry(trade)
    topic = f"close-{trade.id}-take_profit"
    for times in (1, 2, 3):
        request = Request(trade.id, "SOL", topic, times, "take_profit")
        await desk.decisions.record(sample(trade.id), request, "close_requested")
        assert (await desk.only_trade()).asked[topic].times == times
    assert (await desk.only_trade()).asked[topic].times == 3
    await desk.rows.set_status(trade.id, "closed")
    assert (await desk.ledger.snapshot()).trades == ()
    await desk.rows.set_status(trade.id, "open")
    assert (await desk.only_trade()).asked[topic].times == 3


async def test_what_entries_left_over_is_read_from_their_records(desk: Desk) -> None:
    trade = await desk.rows.trade()
    snapshots: list[dict[str, object]] = [
        {"residual": {"long": Decimal("0.04"), "short": Decimal(0)}},
        {"failure": {"residual": {"long": "0", "short": "0.01"}}},
        {"failure": {"long": "rejected", "short": "rejected"}},
    ]
    for number, snapshot in enumerate(snapshots, start=1):
        entry_id = await desk.rows.entry(trade, number)
        status = "filled" if "residual" in snapshot else "failed"
        await desk.rows.pool.execute(
            "UPDATE watchlist.live_trade_entry SET snapshot = $2, status = $3 WHERE id = $1", entry_id, snapshot, status
        )
    found = await desk.only_trade()
    assert (found.residual(Leg.LONG), found.residual(Leg.SHORT)) == (Decimal("0.04"), Decimal("0.01"))
    assert len(found.entries) == 1


async def test_a_restarted_monitor_reads_what_was_asked_before(desk: Desk) -> None:
    trade = await desk.rows.trade()
    topic = f"close-{trade.id}-take_profit"
    for number in (1, 2):
        desk.clock.pass_(60)
        await desk.decisions.record(
            sample(trade.id), Request(trade.id, "SOL", topic, number, "take_profit"), "close_requested"
        )
    asked = (await desk.only_trade()).asked
    assert asked[topic].times == 2
    assert asked[topic].last_at == desk.clock.now()


async def test_two_monitors_that_decide_the_same_ask_once(desk: Desk) -> None:
    trade = await desk.rows.trade()
    request = Request(trade.id, "SOL", f"close-{trade.id}-take_profit", 1, "take_profit")
    for _ in range(2):
        await desk.decisions.record(sample(trade.id), request, "close_requested")
    counts = [
        await desk.pool.fetchval(f"SELECT count(*) FROM watchlist.{table}")
        for table in ("live_trade_spread_sample", "outbox", "audit")
    ]
    assert counts == [2, 1, 1]


async def test_when_the_message_cannot_be_written_neither_is_the_sample(desk: Desk) -> None:
    trade = await desk.rows.trade()
    await desk.rows.pool.execute("REVOKE INSERT ON watchlist.outbox FROM tandem_position_monitor")
    request = Request(trade.id, "SOL", f"close-{trade.id}-take_profit", 1, "take_profit")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await desk.decisions.record(sample(trade.id), request, "close_requested")
    assert await desk.pool.fetchval("SELECT count(*) FROM watchlist.live_trade_spread_sample") == 0


@pytest.mark.parametrize("table", ["live_trade_signal", "live_trade_order", "live_trade_venue_position"])
async def test_the_executors_books_cannot_be_written(desk: Desk, table: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await desk.pool.execute(f"UPDATE watchlist.{table} SET symbol = symbol")


async def test_a_database_that_is_away_is_said_to_be_away(desk: Desk) -> None:
    trade = await desk.rows.trade()
    await desk.pool.close()
    with pytest.raises(StoreAway):
        await desk.ledger.snapshot()
    with pytest.raises(StoreAway):
        await desk.decisions.record(sample(trade.id), None, None)


async def test_the_snapshot_of_a_hundred_trades_names_each_ones_own_parts(desk: Desk) -> None:
    for number in range(100):
        trade = await desk.rows.trade(f"S{number}")
        await desk.rows.entry(trade, quantity=str(number + 1))
    trades = (await desk.ledger.snapshot()).trades
    assert {trade.symbol: trade.leg(Leg.LONG).quantity for trade in trades} == {
        f"S{number}": Decimal(number + 1) for number in range(100)
    }
