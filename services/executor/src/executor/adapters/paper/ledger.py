"""The accounts of paper trading in Postgres, schema `paper`: what a venue keeps of its customers.

One transaction an order, and one a settlement, both under the lock of the account's row: the balance, the positions
and the fills always tell of the same orders.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import asyncpg

from common.domain.funding import FundingTerms
from common.domain.identifiers import Side
from common.persistence.database import Connection, Pool
from common.venues.errors import OrderOutcomeUnknown, OrderRejected
from common.venues.ports import Fill, FundingPayment, OrderIntent, OrderReport, OrderState
from executor.domain.paper_account import ZERO, PaperPosition, Taken, funding_usdt, margin_usdt

UNPREPARED_LEVERAGE = 20
"""What venues give an account that nobody prepared for a contract."""

_OPEN_ACCOUNT = "INSERT INTO paper.account (venue, balance_usdt) VALUES ($1, $2) ON CONFLICT (venue) DO NOTHING"
_LOCK_ACCOUNT = "SELECT balance_usdt FROM paper.account WHERE venue = $1 FOR UPDATE"
_BALANCE = "SELECT balance_usdt FROM paper.account WHERE venue = $1"
_BOOK_USDT = "UPDATE paper.account SET balance_usdt = balance_usdt + $2 WHERE venue = $1"
_POSITIONS = "SELECT * FROM paper.position WHERE venue = $1 ORDER BY symbol"
_LEVERAGE = """
INSERT INTO paper.position (venue, symbol, quantity, entry_price, leverage) VALUES ($1, $2, 0, 0, $3)
ON CONFLICT (venue, symbol) DO UPDATE SET leverage = EXCLUDED.leverage
"""
_MOVE_POSITION = """
INSERT INTO paper.position (venue, symbol, quantity, entry_price, leverage) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (venue, symbol) DO UPDATE SET quantity = EXCLUDED.quantity, entry_price = EXCLUDED.entry_price
"""
_SAVE_TERMS = f"""
INSERT INTO paper.position
    (venue, symbol, quantity, entry_price, leverage, funding_rate, funding_interval_hours, funding_next_at)
VALUES ($1, $2, 0, 0, {UNPREPARED_LEVERAGE}, $3, $4, $5)
ON CONFLICT (venue, symbol) DO UPDATE
SET funding_rate = EXCLUDED.funding_rate, funding_interval_hours = EXCLUDED.funding_interval_hours,
    funding_next_at = EXCLUDED.funding_next_at
"""  # noqa: S608
_ADD_ORDER = """
INSERT INTO paper."order"
    (venue, symbol, client_order_id, side, quantity, reduce_only, filled_quantity, average_price, placed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id
"""
_ADD_FILL = """
INSERT INTO paper.fill (venue, symbol, order_id, side, price, quantity, fee_usdt, traded_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
_ORDER = 'SELECT * FROM paper."order" WHERE venue = $1 AND client_order_id = $2'
_FILLS = "SELECT * FROM paper.fill WHERE venue = $1 AND symbol = $2 AND traded_at >= $3 ORDER BY id"
_ADD_FUNDING = """
INSERT INTO paper.funding (venue, symbol, quantity, price, rate, amount_usdt, settled_at)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (venue, symbol, settled_at) DO NOTHING RETURNING amount_usdt
"""
_FUNDING = "SELECT * FROM paper.funding WHERE venue = $1 AND symbol = $2 AND settled_at >= $3 ORDER BY settled_at"
# What was held when a settlement came: the fills up to then.
_HELD_AT = """
SELECT coalesce(sum(CASE side WHEN 'buy' THEN quantity ELSE -quantity END), 0)
FROM paper.fill WHERE venue = $1 AND symbol = $2 AND traded_at <= $3
"""
_DATABASE_SECONDS = "SELECT extract(epoch FROM clock_timestamp())::float8"


@dataclass(frozen=True, slots=True)
class KeptPosition:
    """A position with its leverage and the funding terms last seen, if any."""

    symbol: str
    position: PaperPosition
    leverage: int
    terms: FundingTerms | None


@dataclass(frozen=True, slots=True)
class Placing:
    """An order about to be matched: what the book would give it, whole, and what the venue charges."""

    intent: OrderIntent
    taken: Sequence[Taken]
    fee_rate: Decimal
    now: datetime
    refused_after_seconds: float | None
    """Unix time by the database's clock; an order that comes later was allowed too long ago."""


class PaperLedger:
    """The account on one venue."""

    def __init__(self, pool: Pool, venue: str, opening_balance_usdt: Decimal) -> None:
        self.venue = venue
        self._pool = pool
        self._opening_balance_usdt = opening_balance_usdt

    async def open(self) -> None:
        """Makes the account with its opening balance where there is none yet."""
        await self._pool.execute(_OPEN_ACCOUNT, self.venue, self._opening_balance_usdt)

    async def balance_usdt(self) -> Decimal:
        balance: Decimal = await self._pool.fetchval(_BALANCE, self.venue)
        return balance

    async def positions(self) -> Mapping[str, KeptPosition]:
        """Every symbol that was ever prepared or traded, flat ones too."""
        return {row["symbol"]: self._kept(row) for row in await self._pool.fetch(_POSITIONS, self.venue)}

    async def set_leverage(self, symbol: str, leverage: int) -> None:
        await self._pool.execute(_LEVERAGE, self.venue, symbol, leverage)

    async def save_terms(self, terms: FundingTerms) -> None:
        """Remembers by which terms the next settlement is charged."""
        values = (terms.rate, terms.interval_hours, terms.next_at)
        await self._pool.execute(_SAVE_TERMS, self.venue, terms.symbol, *values)

    async def place(self, placing: Placing) -> OrderReport:
        """Books an order and its executions, all or nothing.

        Raises:
            OrderRejected: it would not reduce, the margin does not cover it, or it came too late.
            OrderOutcomeUnknown: an order of that client id is there already.
        """
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                return await self._place(connection, placing)
        except asyncpg.UniqueViolationError as error:
            raise OrderOutcomeUnknown(self.venue, "an order of that client id was sent before", "duplicate") from error

    async def _place(self, connection: Connection, placing: Placing) -> OrderReport:
        intent = placing.intent
        balance = await connection.fetchval(_LOCK_ACCOUNT, self.venue)
        await self._refuse_late(connection, placing)
        rows = await connection.fetch(_POSITIONS, self.venue)
        kept = {row["symbol"]: self._kept(row) for row in rows}
        own = kept.get(intent.symbol)
        position = own.position if own else PaperPosition()
        leverage = own.leverage if own else UNPREPARED_LEVERAGE
        taken = _limited(placing, position)
        self._refuse_uncovered(balance, kept, position, leverage, taken, intent)
        order_id = await self._add_order(connection, placing, taken)
        change = ZERO
        for one in taken:
            fee = one.price * one.quantity * placing.fee_rate
            values = (intent.side.value, one.price, one.quantity, fee, placing.now)
            await connection.execute(_ADD_FILL, self.venue, intent.symbol, order_id, *values)
            position, realised = position.after(intent.side, one)
            change += realised - fee
        moved = (position.quantity, position.entry_price, leverage)
        await connection.execute(_MOVE_POSITION, self.venue, intent.symbol, *moved)
        await connection.execute(_BOOK_USDT, self.venue, change)
        return _report(intent.client_order_id, str(order_id), intent.quantity, taken)

    async def _refuse_late(self, connection: Connection, placing: Placing) -> None:
        if placing.refused_after_seconds is None:
            return
        if await connection.fetchval(_DATABASE_SECONDS) > placing.refused_after_seconds:
            raise OrderRejected(self.venue, "the request is too old", "receive_window")

    def _refuse_uncovered(
        self,
        balance: Decimal,
        kept: Mapping[str, KeptPosition],
        position: PaperPosition,
        leverage: int,
        taken: Sequence[Taken],
        intent: OrderIntent,
    ) -> None:
        if intent.reduce_only:
            if not taken:
                raise OrderRejected(self.venue, "there is nothing to reduce", "reduce_only")
            return
        others = sum(
            (one.position.notional_usdt / one.leverage for one in kept.values() if one.symbol != intent.symbol), ZERO
        )
        needed = margin_usdt(position, intent.side, taken, leverage)
        if needed > position.notional_usdt / leverage and others + needed > balance:
            message = f"the margin of {others + needed:.2f} USDT is above the balance of {balance:.2f} USDT"
            raise OrderRejected(self.venue, message, "margin")

    async def _add_order(self, connection: Connection, placing: Placing, taken: Sequence[Taken]) -> int:
        intent = placing.intent
        report = _report(intent.client_order_id, None, intent.quantity, taken)
        order_id: int = await connection.fetchval(
            _ADD_ORDER,
            self.venue,
            intent.symbol,
            intent.client_order_id,
            intent.side.value,
            intent.quantity,
            intent.reduce_only,
            report.filled_quantity,
            report.average_price,
            placing.now,
        )
        return order_id

    async def order(self, client_order_id: str) -> OrderReport | None:
        row = await self._pool.fetchrow(_ORDER, self.venue, client_order_id)
        if row is None:
            return None
        state = _final(row["filled_quantity"], row["quantity"])
        return OrderReport(client_order_id, str(row["id"]), state, row["filled_quantity"], row["average_price"])

    async def fills(self, symbol: str, since: datetime) -> Sequence[Fill]:
        return [
            Fill(
                venue=self.venue,
                symbol=symbol,
                fill_id=str(row["id"]),
                venue_order_id=str(row["order_id"]),
                side=Side(row["side"]),
                price=row["price"],
                quantity=row["quantity"],
                fee_usdt=row["fee_usdt"],
                traded_at=row["traded_at"],
            )
            for row in await self._pool.fetch(_FILLS, self.venue, symbol, since)
        ]

    async def funding_payments(self, symbol: str, since: datetime) -> Sequence[FundingPayment]:
        return [
            FundingPayment(self.venue, symbol, str(row["id"]), row["amount_usdt"], row["settled_at"])
            for row in await self._pool.fetch(_FUNDING, self.venue, symbol, since)
        ]

    async def settle(self, symbol: str, settled_at: datetime, price: Decimal, rate: float) -> None:
        """Charges one settlement, once, on what was held then."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.fetchval(_LOCK_ACCOUNT, self.venue)
            held = await connection.fetchval(_HELD_AT, self.venue, symbol, settled_at)
            amount = funding_usdt(held, price, rate)
            if held == 0:
                return
            values = (held, price, rate, amount, settled_at)
            if await connection.fetchval(_ADD_FUNDING, self.venue, symbol, *values) is not None:
                await connection.execute(_BOOK_USDT, self.venue, amount)

    def _kept(self, row: Mapping[str, Any]) -> KeptPosition:
        rate, interval = row["funding_rate"], row["funding_interval_hours"]
        terms = None
        if rate is not None and interval is not None:
            terms = FundingTerms(self.venue, row["symbol"], rate, interval, row["funding_next_at"])
        position = PaperPosition(row["quantity"], row["entry_price"])
        return KeptPosition(row["symbol"], position, row["leverage"], terms)


def _limited(placing: Placing, position: PaperPosition) -> Sequence[Taken]:
    """What a reduce-only order may take of it."""
    if not placing.intent.reduce_only:
        return placing.taken
    left = position.reducible(placing.intent.side, placing.intent.quantity)
    kept = []
    for one in placing.taken:
        share = min(left, one.quantity)
        if share > 0:
            kept.append(Taken(one.price, share))
        left -= share
    return kept


def _report(client_order_id: str, order_id: str | None, quantity: Decimal, taken: Sequence[Taken]) -> OrderReport:
    filled = sum((one.quantity for one in taken), ZERO)
    average = sum((one.price * one.quantity for one in taken), ZERO) / filled if filled else None
    return OrderReport(client_order_id, order_id, _final(filled, quantity), filled, average)


def _final(filled: Decimal, quantity: Decimal) -> OrderState:
    return OrderState.FILLED if filled == quantity else OrderState.CANCELLED
