"""Trades at work in Postgres: entries, orders, leases. Intents are committed here before anything is sent.

Every write to a trade checks the version that the caller read and raises it by one, and a guard on the state
refuses moves that the trade machine does not know. That fences an executor whose lease was taken over.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import asyncpg

from common.domain.identifiers import Leg, Purpose
from common.messages.contracts import CloseRequested
from common.messaging.outbox import Outbox, OutboxMessage
from common.persistence.database import Connection, Pool
from common.persistence.journal import Journal
from common.runtime.clock import Clock
from common.runtime.tracing import step
from executor.adapters.order_outcomes import outcome_statement, store_outcome
from executor.adapters.rows import ENTRY_COLUMNS, ORDER_COLUMNS, TRADE_COLUMNS, fetch_book, read_order, read_trade
from executor.adapters.signal_ledger import tell
from executor.application.ports import EntryPlan, EntryRefused, Outcome, StaleTradeError
from executor.domain.pair import EntryFill
from executor.domain.reconciliation import ExternalPart, external_order_id
from executor.domain.records import CLOSES_FOR, WHOLE_TRADE, Entry, NewOrder, Order, Trade, TradeBook, new_order
from executor.domain.refusal import Refusal
from executor.domain.scale_in_payload import ScaleInSettings, scale_in_payload
from executor.domain.trade_machine import TradeStatus, sources_of

LEASE_SECONDS = 2.0
"""A lease is renewed while its trade is worked on and dies with its holder. One that ran out under a holder that was
only slow costs nothing: the version fences whoever was overtaken.
"""
ONE_AT_A_TIME = 7_211_001
"""Advisory lock of everybody who is about to begin a first entry: the limit of concurrent trades is exact."""

_NOW_SECONDS = "extract(epoch FROM clock_timestamp())"
_TRADING_STATE = "SELECT state FROM watchlist.trading_state WHERE id = 1 FOR SHARE"
_TRADING_STATE_ALONE = "SELECT state, pg_advisory_xact_lock($1) FROM watchlist.trading_state WHERE id = 1 FOR SHARE"
# A statement of its own, after the lock: it counts what whoever held the lock before has committed.
_TO_OPENING = f"""
WITH active AS (
    SELECT count(*) AS trades FROM watchlist.live_trade_signal WHERE status IN ('opening', 'open', 'closing')
), begun AS (
    UPDATE watchlist.live_trade_signal
    SET status = 'opening', reason = NULL, reason_evidence = NULL, next_attempt_at = NULL, attempts = attempts + 1,
        long_venue = $4, short_venue = $5, pnl_hat = $6, win_prob = $7, take_profit_pnl = $8, updated_at = $9,
        lease_owner = $10, lease_until_seconds = {_NOW_SECONDS} + $11, version = version + 1
    WHERE id = $1 AND version = $2 AND status = ANY($3) AND (SELECT trades FROM active) < $12 RETURNING {TRADE_COLUMNS}
)
SELECT active.trades AS active_trades, begun.* FROM active LEFT JOIN begun ON true
"""  # noqa: S608  column names of ours
_TOUCH = f"""
UPDATE watchlist.live_trade_signal SET updated_at = $3, version = version + 1
WHERE id = $1 AND version = $2 AND (lease_owner IS NULL OR lease_owner = $4) RETURNING {TRADE_COLUMNS}
"""  # noqa: S608  column names of ours
_INSERT_ENTRY = f"""
INSERT INTO watchlist.live_trade_entry
    (signal_id, entry, status, event_id, planned_quantity, pnl_hat, win_prob, snapshot, requested_at)
VALUES ($1, $2, 'opening', $3, $4, $5, $6, $7, $8) RETURNING {ENTRY_COLUMNS}
"""  # noqa: S608
_INSERT_ORDERS = f"""
INSERT INTO watchlist.live_trade_order
    (signal_id, intended_at, status, entry, leg, purpose, attempt, client_order_id, venue, symbol, side, reduce_only,
     quantity, reference_price)
SELECT $1, $2, 'intent', * FROM unnest($3::smallint[], $4::text[], $5::text[], $6::smallint[], $7::text[], $8::text[],
    $9::text[], $10::text[], $11::boolean[], $12::numeric[], $13::numeric[])
RETURNING {ORDER_COLUMNS}
"""  # noqa: S608
_OUTCOME = outcome_statement("live_trade_order")
# An execution that somebody else's order made on a leg of ours, named after the venue's own id.
_INSERT_EXTERNAL = """
INSERT INTO watchlist.live_trade_order
    (signal_id, entry, leg, purpose, attempt, client_order_id, venue, symbol, side, reduce_only, quantity,
     reference_price, status, venue_order_id, filled_quantity, average_price, intended_at, resolved_at)
VALUES ($1, 0, $2, 'external', $3, $4, $5, $6, $7, true, $8, $9, 'filled', $10, $8, $9, $11, $11)
ON CONFLICT (client_order_id) DO NOTHING
"""
_OPERATOR_CLOSES = """
SELECT DISTINCT ON (asked.signal_id) asked.id, asked.signal_id, 'operator:' || (asked.evidence->>'who') AS requested_by
FROM watchlist.live_trade_signal AS trade
JOIN watchlist.audit AS asked ON asked.signal_id = trade.id AND asked.decision = 'close_requested'
    AND asked.service = 'api_gateway'
WHERE trade.status = 'open' ORDER BY asked.signal_id, asked.id
"""
_FILL_ENTRY = """
UPDATE watchlist.live_trade_entry
SET status = 'filled', quantity = $2, notional_usdt = $3, entry_spread_metric = $4, entry_spread_pct = $5,
    filled_at = $6, snapshot = snapshot || $7
WHERE id = $1 AND status = 'opening'
"""
_FAIL_ENTRY = """
UPDATE watchlist.live_trade_entry SET status = 'failed', snapshot = snapshot || $2 WHERE id = $1 AND status = 'opening'
"""
_OPENED = """
UPDATE watchlist.live_trade_signal
SET status = 'open', opened_at = coalesce(opened_at, $4), force_close_at = coalesce(force_close_at, $5),
    payload = payload || $6, updated_at = $4, version = version + 1
WHERE id = $1 AND version = $2 AND status = ANY($3) RETURNING version
"""
_FAILED = """
UPDATE watchlist.live_trade_signal
SET status = 'failed', reason = 'entry_failed', reason_evidence = $4, updated_at = $5, closed_at = $5,
    version = version + 1
WHERE id = $1 AND version = $2 AND status = ANY($3) RETURNING version
"""
_CLOSING = """
UPDATE watchlist.live_trade_signal
SET status = 'closing', close_reason = $4, close_evidence = $5, close_requested_at = $6, updated_at = $6,
    version = version + 1
WHERE id = $1 AND version = $2 AND status = ANY($3) RETURNING version
"""
_CLOSE_TAKEN_OVER = """
UPDATE watchlist.live_trade_signal SET payload = payload || $4, updated_at = $5, version = version + 1
WHERE id = $1 AND version = $2 AND status = ANY($3) RETURNING version
"""
_CLOSED = """
UPDATE watchlist.live_trade_signal
SET status = 'closed', closed_at = $4, payload = payload || $5, updated_at = $4, version = version + 1
WHERE id = $1 AND version = $2 AND status = ANY($3) RETURNING version
"""
# A lease is taken when it is free, ours already, or past its time.
_TAKE_LEASE = f"""
UPDATE watchlist.live_trade_signal SET lease_owner = $2, lease_until_seconds = {_NOW_SECONDS} + $3
WHERE id = $1 AND (lease_owner IS NULL OR lease_owner = $2 OR lease_until_seconds < {_NOW_SECONDS}) RETURNING id
"""  # noqa: S608
_RENEW_LEASES = f"""
UPDATE watchlist.live_trade_signal SET lease_until_seconds = {_NOW_SECONDS} + $3
WHERE id = ANY($1) AND lease_owner = $2
"""  # noqa: S608
_RELEASE_LEASE = """
UPDATE watchlist.live_trade_signal SET lease_owner = NULL, lease_until_seconds = NULL
WHERE id = $1 AND lease_owner = $2
"""
_UNFINISHED = """
SELECT id FROM watchlist.live_trade_signal WHERE status IN ('opening', 'closing')
UNION
SELECT signal_id FROM watchlist.live_trade_order WHERE status IN ('intent', 'working', 'unknown')
UNION
SELECT entry.signal_id FROM watchlist.live_trade_entry AS entry
JOIN watchlist.live_trade_signal AS signal ON signal.id = entry.signal_id AND signal.status = 'open'
WHERE entry.status = 'opening'
ORDER BY 1
"""


class PostgresTradeLedger:
    """See `executor.application.ports.TradeLedger`. One lease owner is one process."""

    def __init__(
        self,
        pool: Pool,
        outbox: Outbox,
        journal: Journal,
        clock: Clock,
        owner: str,
        max_hold: timedelta,
        scale_in: ScaleInSettings,
    ) -> None:
        self._pool = pool
        self._outbox = outbox
        self._journal = journal
        self._clock = clock
        self._owner = owner
        self._max_hold = max_hold
        self._scale_in = scale_in
        self._working: set[int] = set()

    async def book(self, signal_id: int) -> TradeBook:
        return await fetch_book(self._pool, signal_id)

    @step("commit intents")
    async def begin_entry(self, book: TradeBook, plan: EntryPlan, concurrent_max: int) -> TradeBook:
        trade = book.trade
        first = trade.status is not TradeStatus.OPEN
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                await self._refuse_unless_active(connection, alone=first)
                if first:
                    begun = await self._begin_trade(connection, trade, plan, concurrent_max)
                else:
                    begun = await self._touch(connection, trade)
                self._refuse_late(plan)
                entry, orders = await self._write_entry(connection, begun, plan)
                decision = "entry_begun" if first else "scale_in_begun"
                await self._decided(connection, decision, trade, {"entry": plan.entry, **plan.snapshot})
            return TradeBook(begun, [*book.entries, entry], [*book.orders, *orders])
        except asyncpg.UniqueViolationError as error:
            if error.constraint_name != "live_trade_signal_one_active":
                raise
            raise EntryRefused(Refusal("active_trade_exists", True, {"symbol": trade.symbol})) from error

    async def _refuse_unless_active(self, connection: Connection, *, alone: bool) -> None:
        """A change of the trading state waits for this commit, or this entry sees it; so do first entries, `alone`."""
        if alone:
            state = await connection.fetchval(_TRADING_STATE_ALONE, ONE_AT_A_TIME)
        else:
            state = await connection.fetchval(_TRADING_STATE)
        if state != "active":
            raise EntryRefused(Refusal("trading_halted", True, {"trading_state": state}))

    def _refuse_late(self, plan: EntryPlan) -> None:
        """Connections and locks may have been waited for: what was decided on older books is not begun."""
        late_by = self._clock.monotonic() - plan.begin_by_seconds
        if late_by > 0:
            raise EntryRefused(Refusal("book_stale", True, {"waited_for": "database", "late_by_seconds": late_by}))

    async def _begin_trade(self, connection: Connection, trade: Trade, plan: EntryPlan, concurrent_max: int) -> Trade:
        row = await connection.fetchrow(
            _TO_OPENING,
            trade.id,
            trade.version,
            sources_of(TradeStatus.OPENING),
            plan.long_venue,
            plan.short_venue,
            plan.pnl_hat,
            plan.win_prob,
            plan.take_profit_pnl,
            self._clock.now(),
            self._owner,
            LEASE_SECONDS,
            concurrent_max,
        )
        assert row is not None, "the count is there whether or not the trade was begun"
        values = dict(row)
        active = values.pop("active_trades")
        if active >= concurrent_max:
            raise EntryRefused(Refusal("concurrency_limit", True, {"active_trades": active, "maximum": concurrent_max}))
        if values["id"] is None:
            raise StaleTradeError
        return read_trade(values)

    async def _touch(self, connection: Connection, trade: Trade) -> Trade:
        row = await connection.fetchrow(_TOUCH, trade.id, trade.version, self._clock.now(), self._owner)
        if row is None:
            raise StaleTradeError
        return read_trade(row)

    async def _write_entry(self, connection: Connection, trade: Trade, plan: EntryPlan) -> tuple[Entry, list[Order]]:
        row = await connection.fetchrow(
            _INSERT_ENTRY,
            trade.id,
            plan.entry,
            plan.event_id,
            plan.quantity,
            plan.pnl_hat,
            plan.win_prob,
            plan.snapshot,
            self._clock.now(),
        )
        assert row is not None
        prices = {Leg.LONG: plan.long_price, Leg.SHORT: plan.short_price}
        orders = [new_order(trade, plan.entry, leg, Purpose.OPEN, 1, plan.quantity, prices[leg]) for leg in Leg]
        return Entry(**row), await self._write_orders(connection, trade.id, orders)

    async def _write_orders(self, connection: Connection, signal_id: int, orders: Sequence[NewOrder]) -> list[Order]:
        written_at = self._clock.monotonic()
        rows = await connection.fetch(
            _INSERT_ORDERS,
            signal_id,
            self._clock.now(),
            [order.entry for order in orders],
            [order.leg.value for order in orders],
            [order.purpose.value for order in orders],
            [order.attempt for order in orders],
            [order.client_order_id for order in orders],
            [order.venue for order in orders],
            [order.symbol for order in orders],
            [order.side.value for order in orders],
            [order.reduce_only for order in orders],
            [order.quantity for order in orders],
            [order.reference_price for order in orders],
        )
        return [replace(read_order(row), written_at_seconds=written_at) for row in rows]

    async def record_outcome(self, order: Order, outcome: Outcome) -> bool:
        return await store_outcome(self._pool, _OUTCOME, order, outcome, self._clock.now())

    @step("commit intents")
    async def add_orders(self, book: TradeBook, orders: Sequence[NewOrder]) -> TradeBook:
        async with self._pool.acquire() as connection, connection.transaction():
            trade = await self._touch(connection, book.trade)
            written = await self._write_orders(connection, trade.id, orders)
            decided = [
                {"leg": o.leg, "purpose": o.purpose, "quantity": o.quantity, "client_order_id": o.client_order_id}
                for o in orders
            ]
            await self._decided(connection, "orders_intended", trade, {"orders": decided})
        return TradeBook(trade, book.entries, [*book.orders, *written])

    async def add_external(self, book: TradeBook, leg: Leg, parts: Sequence[ExternalPart], cause: str) -> TradeBook:
        trade = book.trade
        attempt = book.next_attempt(WHOLE_TRADE, leg, Purpose.EXTERNAL)
        async with self._pool.acquire() as connection, connection.transaction():
            await self._touch(connection, trade)
            for number, part in enumerate(parts):
                fill = part.fill
                await connection.execute(
                    _INSERT_EXTERNAL,
                    trade.id,
                    leg.value,
                    attempt + number,
                    external_order_id(trade.venue(leg), trade.symbol, fill.fill_id),
                    trade.venue(leg),
                    trade.symbol,
                    fill.side.value,
                    part.quantity,
                    fill.price,
                    fill.venue_order_id,
                    self._clock.now(),
                )
            evidence = {"cause": cause, "leg": leg, "fills": {p.fill.fill_id: p.quantity for p in parts}}
            await self._decided(connection, "external_fills_booked", trade, evidence)
            return await fetch_book(connection, trade.id)

    async def operator_closes(self) -> Sequence[CloseRequested]:
        return [
            CloseRequested(
                signal_id=row["signal_id"],
                reason="operator",
                requested_by=row["requested_by"],
                evidence={"found": "in the audit", "audit_id": row["id"]},
            )
            for row in await self._pool.fetch(_OPERATOR_CLOSES)
        ]

    @step("fill entry")
    async def fill_entry(self, book: TradeBook, entry: Entry, fill: EntryFill, residual: dict[str, Any]) -> TradeBook:
        async with self._pool.acquire() as connection, connection.transaction():
            now = self._clock.now()
            await connection.execute(
                _FILL_ENTRY,
                entry.id,
                fill.quantity,
                fill.notional_usdt,
                fill.metric,
                fill.pct,
                now,
                {"residual": residual},
            )
            filled = await fetch_book(connection, book.trade.id)
            payload = {"scale_in": scale_in_payload(filled.filled_entries, self._scale_in)}
            sources = [*sources_of(TradeStatus.OPEN), TradeStatus.OPEN.value]
            version = await connection.fetchval(
                _OPENED, book.trade.id, book.trade.version, sources, now, now + self._max_hold, payload
            )
            detail = {
                "entry": len(filled.filled_entries),
                "quantity": fill.quantity,
                "notional_usdt": fill.notional_usdt,
                "entry_spread_pct": fill.pct,
                "next_trigger_spread_pct": payload["scale_in"]["next_trigger_spread_pct"],
                "residual": residual,
            }
            decision = "opened" if len(filled.filled_entries) == 1 else "scaled_in"
            news = await self._changed(connection, book.trade, version, "open", decision, detail)
            book = await fetch_book(connection, book.trade.id)
        self._outbox.submit(news)
        return book

    @step("fail entry")
    async def fail_entry(self, book: TradeBook, entry: Entry, evidence: dict[str, Any]) -> TradeBook:
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(_FAIL_ENTRY, entry.id, {"failure": evidence})
            if book.filled_entries:
                version, status = (await self._touch(connection, book.trade)).version, "open"
            else:
                sources, now = sources_of(TradeStatus.FAILED), self._clock.now()
                trade, status = book.trade, "failed"
                version = await connection.fetchval(_FAILED, trade.id, trade.version, sources, evidence, now)
            news = await self._changed(connection, book.trade, version, status, "entry_failed", evidence)
            book = await fetch_book(connection, book.trade.id)
        self._outbox.submit(news)
        return book

    @step("begin close")
    async def begin_close(self, book: TradeBook, request: CloseRequested) -> TradeBook:
        async with self._pool.acquire() as connection, connection.transaction():
            trade, sources = book.trade, sources_of(TradeStatus.CLOSING)
            evidence = {"requested_by": request.requested_by, **request.evidence}
            now = self._clock.now()
            version = await connection.fetchval(
                _CLOSING, trade.id, trade.version, sources, request.reason, evidence, now
            )
            news = await self._changed(connection, trade, version, "closing", request.reason, evidence)
            book = await fetch_book(connection, trade.id)
        self._outbox.submit(news)
        return book

    async def take_close_over(self, book: TradeBook, request: CloseRequested) -> TradeBook:
        async with self._pool.acquire() as connection, connection.transaction():
            trade, closing = book.trade, [TradeStatus.CLOSING.value]
            payload = {CLOSES_FOR: request.requested_by}
            now = self._clock.now()
            version = await connection.fetchval(_CLOSE_TAKEN_OVER, trade.id, trade.version, closing, payload, now)
            if version is None:
                raise StaleTradeError
            evidence = {"requested_by": request.requested_by, **request.evidence}
            await self._decided(connection, "close_taken_over", trade, evidence)
            return await fetch_book(connection, trade.id)

    @step("finish close")
    async def finish_close(self, book: TradeBook, evidence: dict[str, Any]) -> None:
        async with self._pool.acquire() as connection, connection.transaction():
            trade, sources = book.trade, sources_of(TradeStatus.CLOSED)
            payload = {"flat": evidence}
            now = self._clock.now()
            version = await connection.fetchval(_CLOSED, trade.id, trade.version, sources, now, payload)
            news = await self._changed(connection, trade, version, "closed", trade.close_reason, evidence)
        self._outbox.submit(news)

    def claim(self, signal_id: int) -> bool:
        if signal_id in self._working:
            return False
        self._working.add(signal_id)
        return True

    async def take_lease(self, signal_id: int) -> bool:
        if not self.claim(signal_id):
            return False
        taken = None
        try:
            taken = await self._pool.fetchval(_TAKE_LEASE, signal_id, self._owner, LEASE_SECONDS)
        finally:
            if taken is None:
                self._working.discard(signal_id)
        return taken is not None

    async def release_lease(self, signal_id: int) -> None:
        try:
            await self._pool.execute(_RELEASE_LEASE, signal_id, self._owner)
        finally:
            self._working.discard(signal_id)

    async def renew_leases(self) -> None:
        """Keeps what this process works on from being taken over; called every LEASE_RENEWAL_SECONDS."""
        if self._working:
            await self._pool.execute(_RENEW_LEASES, sorted(self._working), self._owner, LEASE_SECONDS)

    async def unfinished(self) -> Sequence[int]:
        return [row["id"] for row in await self._pool.fetch(_UNFINISHED)]

    async def _changed(
        self,
        connection: Connection,
        trade: Trade,
        version: int | None,
        status: str,
        reason: str | None,
        detail: dict[str, Any],
    ) -> list[OutboxMessage]:
        """Audits and tells of a trade's move that returned `version`; None means that somebody was faster."""
        if version is None:
            raise StaleTradeError
        await self._decided(connection, reason if status == "open" else status, trade, {"reason": reason, **detail})
        shown = {key: str(value) if isinstance(value, Decimal) else value for key, value in detail.items()}
        return await tell(self._outbox, connection, self._clock, trade, version, status, reason, shown)

    async def _decided(
        self, connection: Connection, decision: str | None, trade: Trade, evidence: dict[str, Any]
    ) -> None:
        await self._journal.decided(
            decision or "changed",
            evidence,
            symbol=trade.symbol,
            event_id=trade.event_id,
            signal_id=trade.id,
            connection=connection,
        )
