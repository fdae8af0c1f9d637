"""Fills, funding and final accounts in Postgres. A venue's id is booked once; the unique indexes say so."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import asyncpg

from common.domain.identifiers import Leg, Purpose, Side
from common.messaging.outbox import Outbox, OutboxMessage
from common.persistence.database import Connection, Pool
from common.persistence.journal import Journal
from common.runtime.clock import Clock
from common.runtime.tracing import trade_span
from common.venues.ports import Fill, FundingPayment
from executor.adapters.rows import TRADE_COLUMNS, fetch_book, read_trade
from executor.adapters.signal_ledger import tell
from executor.domain.reconciliation import external_order_id
from executor.domain.records import Order, Trade, TradeBook
from executor.domain.settlement_sum import BookedFill, FinalAccount, final_account, was_held

_ACTIVE = f"SELECT {TRADE_COLUMNS} FROM watchlist.live_trade_signal WHERE status IN ('open', 'closing')"  # noqa: S608
_UNBOOKED_TRADES = """
SELECT signal_id FROM watchlist.live_trade_order WHERE booked_quantity <> filled_quantity
UNION
SELECT signal_id FROM watchlist.live_trade_fill WHERE fee_usdt IS NULL
"""
_TAKEN_ELSEWHERE = """
SELECT DISTINCT venue_order_id FROM watchlist.live_trade_order
WHERE venue = $2 AND venue_order_id = ANY($3) AND signal_id <> $1 ORDER BY venue_order_id
"""
_UNFINALISED = f"""
SELECT {TRADE_COLUMNS} FROM watchlist.live_trade_signal
WHERE status IN ('closed', 'failed') AND finalised_at IS NULL
"""  # noqa: S608
_RECENT_CLOSES = "SELECT id, closed_at FROM watchlist.live_trade_signal WHERE finalised_at >= $1"
# Payments and the account that they are summed up in are written by one at a time.
_HOLD = "SELECT finalised_at IS NOT NULL FROM watchlist.live_trade_signal WHERE id = $1 FOR NO KEY UPDATE"
_ADD_FILL = """
INSERT INTO watchlist.live_trade_fill
    (signal_id, order_id, venue, symbol, fill_id, side, price, quantity, fee_usdt, traded_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (venue, symbol, fill_id) DO UPDATE SET fee_usdt = EXCLUDED.fee_usdt
    WHERE live_trade_fill.fee_usdt IS NULL AND EXCLUDED.fee_usdt IS NOT NULL
RETURNING id
"""
# What is booked of an order is the sum of its fills; the average price becomes exact with the last of them.
_BOOKED = """
UPDATE watchlist.live_trade_order AS placed
SET booked_quantity = booked.quantity,
    average_price = CASE WHEN booked.quantity = placed.filled_quantity THEN booked.average ELSE placed.average_price END
FROM (SELECT order_id, sum(quantity) AS quantity, sum(price * quantity) / sum(quantity) AS average
      FROM watchlist.live_trade_fill WHERE order_id = ANY($1) GROUP BY order_id) AS booked
WHERE placed.id = booked.order_id
"""
_ADD_FUNDING = """
INSERT INTO watchlist.live_trade_funding
    (signal_id, leg, venue, symbol, payment_id, amount_usdt, settled_at)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (venue, symbol, payment_id) DO NOTHING RETURNING id
"""
_LEG_CHANGES = """
SELECT fill.traded_at, CASE WHEN placed.purpose = 'open' THEN fill.quantity ELSE -fill.quantity END AS change
FROM watchlist.live_trade_order AS placed
JOIN watchlist.live_trade_fill AS fill ON fill.order_id = placed.id
WHERE placed.signal_id = $1 AND placed.leg = $2 ORDER BY fill.traded_at, fill.id
"""
_UNBOOKED = """
SELECT count(*) FROM watchlist.live_trade_order WHERE signal_id = $1 AND booked_quantity <> filled_quantity
"""
_FILLS = "SELECT side, price, quantity, fee_usdt FROM watchlist.live_trade_fill WHERE signal_id = $1"
_FUNDING = "SELECT leg, amount_usdt, settled_at FROM watchlist.live_trade_funding WHERE signal_id = $1 ORDER BY id"
_FINALISE = """
UPDATE watchlist.live_trade_signal
SET spread_pnl_usdt = $3, fees_usdt = $4, funding_usdt = $5, net_pnl_usdt = $6, finalised_at = $7, updated_at = $7,
    version = version + 1
WHERE id = $1 AND version = $2 AND status IN ('closed', 'failed') AND finalised_at IS NULL RETURNING version
"""
_CORRECT = """
UPDATE watchlist.live_trade_signal AS trade
SET funding_usdt = $2, net_pnl_usdt = $3, updated_at = $4, version = trade.version + 1
FROM watchlist.live_trade_signal AS before
WHERE trade.id = $1 AND before.id = trade.id AND trade.funding_usdt <> $2
RETURNING trade.version, trade.status, before.net_pnl_usdt AS net_pnl_usdt_before
"""
_POSITION = """
INSERT INTO watchlist.live_trade_venue_position (venue, symbol, quantity, read_at)
SELECT $1, held.symbol, held.quantity, $4 FROM unnest($2::text[], $3::numeric[]) AS held (symbol, quantity)
ON CONFLICT (venue, symbol) DO UPDATE SET quantity = EXCLUDED.quantity, read_at = EXCLUDED.read_at
    WHERE live_trade_venue_position.read_at <= EXCLUDED.read_at
"""


class PostgresBookkeeping:
    """See `executor.application.ports.Bookkeeping`."""

    def __init__(self, pool: Pool, outbox: Outbox, journal: Journal, clock: Clock) -> None:
        self._pool = pool
        self._outbox = outbox
        self._journal = journal
        self._clock = clock

    async def active_trades(self) -> Sequence[Trade]:
        return [read_trade(row) for row in await self._pool.fetch(_ACTIVE)]

    async def unbooked_trades(self) -> Sequence[int]:
        return [row["signal_id"] for row in await self._pool.fetch(_UNBOOKED_TRADES)]

    async def unfinalised_trades(self) -> Sequence[Trade]:
        return [read_trade(row) for row in await self._pool.fetch(_UNFINALISED)]

    async def recent_closes(self, since: datetime) -> Mapping[int, datetime]:
        return {row["id"]: row["closed_at"] for row in await self._pool.fetch(_RECENT_CLOSES, since)}

    async def book(self, signal_id: int) -> TradeBook:
        return await fetch_book(self._pool, signal_id)

    async def add_fills(self, book: TradeBook, fills: Sequence[Fill]) -> int:
        booked = [(order, part) for fill in fills for order, part in _of_ours(book, fill)]
        async with self._pool.acquire() as connection, connection.transaction():
            new = 0
            for order, fill in booked:
                new += await self._add_fill(connection, book.trade, order, fill)
            await connection.execute(_BOOKED, sorted({order.id for order, _ in booked}))
        return new

    async def _add_fill(self, connection: Connection, trade: Trade, order: Order, fill: Fill) -> int:
        added = await connection.fetchval(
            _ADD_FILL,
            trade.id,
            order.id,
            fill.venue,
            fill.symbol,
            fill.fill_id,
            fill.side.value,
            fill.price,
            fill.quantity,
            fill.fee_usdt,
            fill.traded_at,
        )
        return 0 if added is None else 1

    async def add_funding(self, trade: Trade, leg: Leg, payments: Sequence[FundingPayment]) -> int:
        if not payments:
            return 0
        async with self._pool.acquire() as connection, connection.transaction():
            is_final = await connection.fetchval(_HOLD, trade.id)
            new = sum([await self._add_payment(connection, trade, leg, payment) for payment in payments])
            news = await self._correct(connection, trade) if new and is_final else []
        self._outbox.submit(news)
        return new

    async def _add_payment(self, connection: Connection, trade: Trade, leg: Leg, payment: FundingPayment) -> int:
        added = await connection.fetchval(
            _ADD_FUNDING,
            trade.id,
            leg.value,
            payment.venue,
            payment.symbol,
            payment.payment_id,
            payment.amount_usdt,
            payment.settled_at,
        )
        if added is None:
            return 0
        evidence = {"venue": payment.venue, "amount_usdt": payment.amount_usdt, "leg": leg}
        await self._journal.decided(
            "funding_booked", evidence, symbol=trade.symbol, signal_id=trade.id, connection=connection
        )
        return 1

    async def _correct(self, connection: Connection, trade: Trade) -> list[OutboxMessage]:
        """Sums up anew a trade that was final before all of its funding was known."""
        account = await self._account(connection, trade)
        assert account is not None, "every fee was known when the trade was finalised"
        corrected = await connection.fetchrow(
            _CORRECT, trade.id, account.funding_usdt, account.net_pnl_usdt, self._clock.now()
        )
        if corrected is None:
            return []
        detail = _shown(account) | {"net_pnl_usdt_before": str(corrected["net_pnl_usdt_before"])}
        return await self._told(
            connection, trade, corrected["version"], corrected["status"], "account_corrected", detail
        )

    @staticmethod
    def _is_even(book: TradeBook) -> bool:
        """What the ledger still holds of each leg is the dust that the close, or a failed entry, recorded, and no more.

        A leg that a venue reduced without us and whose fills are not booked yet would make an absurd account.
        """
        return all(abs(book.position(leg).quantity) <= _dust(book, leg) for leg in Leg)

    async def taken_elsewhere(self, signal_id: int, venue: str, venue_order_ids: Sequence[str]) -> Sequence[str]:
        rows = await self._pool.fetch(_TAKEN_ELSEWHERE, signal_id, venue, venue_order_ids)
        return [row["venue_order_id"] for row in rows]

    @staticmethod
    async def _funding_on_ours(connection: Connection, trade: Trade) -> list[Decimal]:
        """The payments on what the trade held, now that every fill is known.

        One may have been booked before it was known that somebody had closed the leg and held a position of their own.
        """
        payments = await connection.fetch(_FUNDING, trade.id)
        changes = {leg: _changes(await connection.fetch(_LEG_CHANGES, trade.id, leg.value)) for leg in Leg}
        return [paid["amount_usdt"] for paid in payments if was_held(changes[Leg(paid["leg"])], paid["settled_at"])]

    async def leg_changes(self, trade: Trade, leg: Leg) -> Sequence[tuple[datetime, Decimal]]:
        return _changes(await self._pool.fetch(_LEG_CHANGES, trade.id, leg.value))

    async def finalise(self, trade: Trade) -> bool:
        async with self._pool.acquire() as connection, connection.transaction():
            if await connection.fetchval(_HOLD, trade.id) or await connection.fetchval(_UNBOOKED, trade.id):
                return False
            if not self._is_even(await fetch_book(connection, trade.id)):
                return False
            account = await self._account(connection, trade)
            if account is None:
                return False
            with trade_span("finalise", trade.id, trade.traceparent):
                news = await self._sum_up(connection, trade, account)
        self._outbox.submit(news)
        return bool(news)

    async def _account(self, connection: Connection, trade: Trade) -> FinalAccount | None:
        """What the ledger says that the trade made; None while a fee is not known."""
        fills = [
            BookedFill(Side(row["side"]), row["price"], row["quantity"], row["fee_usdt"])
            for row in await connection.fetch(_FILLS, trade.id)
        ]
        return final_account(fills, await self._funding_on_ours(connection, trade))

    async def _sum_up(self, connection: Connection, trade: Trade, account: FinalAccount) -> list[OutboxMessage]:
        """Stores the account of a trade that still stands as it was read, and the news of it; nothing otherwise."""
        version = await connection.fetchval(
            _FINALISE,
            trade.id,
            trade.version,
            account.spread_pnl_usdt,
            account.fees_usdt,
            account.funding_usdt,
            account.net_pnl_usdt,
            self._clock.now(),
        )
        if version is None:
            return []
        return await self._told(connection, trade, version, trade.status, "finalised", _shown(account))

    async def _told(
        self, connection: Connection, trade: Trade, version: int, status: str, decision: str, detail: dict[str, str]
    ) -> list[OutboxMessage]:
        await self._journal.decided(decision, detail, symbol=trade.symbol, signal_id=trade.id, connection=connection)
        return await tell(self._outbox, connection, self._clock, trade, version, status, decision, detail)

    async def save_positions(self, venue: str, quantities: Mapping[str, Decimal], read_at: datetime) -> None:
        await self._pool.execute(_POSITION, venue, list(quantities), list(quantities.values()), read_at)


def _shown(account: FinalAccount) -> dict[str, str]:
    return {
        "spread_pnl_usdt": str(account.spread_pnl_usdt),
        "fees_usdt": str(account.fees_usdt),
        "funding_usdt": str(account.funding_usdt),
        "net_pnl_usdt": str(account.net_pnl_usdt),
    }


def _dust(book: TradeBook, leg: Leg) -> Decimal:
    """How much of a leg may stay: below the venue's minimum at the close, or what the failed entries left over."""
    flat = book.trade.payload.get("flat")
    if flat is not None:
        return Decimal(str(flat.get(leg.value, {}).get("quantity_min", 0)))
    failures = [entry.snapshot.get("failure", {}).get("residual", {}) for entry in book.entries]
    return sum((Decimal(str(residual.get(leg.value, 0))) for residual in failures), Decimal(0))


def _changes(rows: Sequence[asyncpg.Record]) -> list[tuple[datetime, Decimal]]:
    return [(row["traded_at"], row["change"]) for row in rows]


def _of_ours(book: TradeBook, fill: Fill) -> list[tuple[Order, Fill]]:
    """The order of the trade that a fill belongs to, with what of the fill is the trade's; nothing of a stranger's."""
    external_id = external_order_id(fill.venue, fill.symbol, fill.fill_id)
    for order in book.orders:
        if order.purpose is Purpose.EXTERNAL:
            if order.client_order_id == external_id:
                return [(order, _share(fill, order.filled_quantity))]
        elif order.venue_order_id and (order.venue, order.venue_order_id) == (fill.venue, fill.venue_order_id):
            return [(order, fill)]
    return []


def _share(fill: Fill, quantity: Decimal) -> Fill:
    """A part of a fill with its share of the fee."""
    if quantity == fill.quantity:
        return fill
    fee_usdt = None if fill.fee_usdt is None else fill.fee_usdt * quantity / fill.quantity
    return replace(fill, quantity=quantity, fee_usdt=fee_usdt)
