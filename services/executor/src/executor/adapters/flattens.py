"""Flattened positions in Postgres, with the orders against what no trade holds, their fills and fees."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from common.domain.identifiers import Leg, Purpose, Side
from common.messages.contracts import FlattenRequested
from common.persistence.database import Pool
from common.persistence.journal import Journal
from common.runtime.clock import Clock
from common.venues.ports import Fill
from executor.adapters.order_outcomes import outcome_statement, store_outcome
from executor.adapters.rows import AGE_SECONDS
from executor.adapters.signal_ledger import draw_order_key
from executor.application.ports import Flatten, FlattenState, Outcome, TradeBusyError
from executor.domain.order_machine import OrderStatus
from executor.domain.records import WHOLE_TRADE, NewOrder, Order
from executor.domain.trade_machine import TradeStatus

# What was there before is left as it is: the order key, and how far the wish has come. The update that changes nothing
# also returns a row which somebody else committed after this statement began; a SELECT beside the INSERT would not.
_BEGIN = """
INSERT INTO watchlist.operator_flatten AS begun
    (request_id, order_key, venue, symbol, requested_by, state, evidence, updated_at)
VALUES ($1, $2, $3, $4, $5, 'working', $6, $7)
ON CONFLICT (request_id) DO UPDATE SET updated_at = begun.updated_at RETURNING order_key, state
"""
_ACTIVE_TRADE = """
SELECT id, status FROM watchlist.live_trade_signal
WHERE symbol = $1 AND status IN ('opening', 'open', 'closing') AND $2 IN (long_venue, short_venue)
"""
_BOOKED = """
SELECT coalesce(sum(fill.quantity), 0) FROM watchlist.operator_flatten_fill AS fill WHERE fill.order_id = placed.id
"""
_COLUMNS = f"""
placed.id, placed.version, placed.leg, placed.attempt, placed.client_order_id, placed.venue, placed.symbol,
placed.side, placed.quantity, placed.reference_price, placed.status, placed.venue_order_id, placed.filled_quantity,
placed.average_price, placed.intended_at, ({_BOOKED}) AS booked_quantity,
{AGE_SECONDS}
"""
_ORDERS = f"""
SELECT {_COLUMNS} FROM watchlist.operator_flatten_order AS placed WHERE placed.request_id = $1 ORDER BY placed.id
"""  # noqa: S608  column names of ours
_IS_UNFINISHED = f"""
placed.status IN ('intent', 'working', 'unknown')
    OR placed.filled_quantity > ({_BOOKED} AND fill.fee_usdt IS NOT NULL)
"""
_UNFINISHED = f"""
SELECT {_COLUMNS} FROM watchlist.operator_flatten_order AS placed WHERE {_IS_UNFINISHED} ORDER BY placed.id
"""  # noqa: S608
VENUES_OF_UNFINISHED = f"""
SELECT placed.venue FROM watchlist.operator_flatten_order AS placed WHERE {_IS_UNFINISHED}
"""  # noqa: S608
_ADD = f"""
INSERT INTO watchlist.operator_flatten_order AS placed
    (request_id, leg, attempt, client_order_id, venue, symbol, side, quantity, reference_price, status, intended_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'intent', $10) ON CONFLICT (client_order_id) DO NOTHING
RETURNING {_COLUMNS}
"""  # noqa: S608
_ADD_FILL = """
INSERT INTO watchlist.operator_flatten_fill
    (order_id, venue, symbol, fill_id, side, price, quantity, fee_usdt, traded_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (venue, symbol, fill_id) DO UPDATE SET fee_usdt = EXCLUDED.fee_usdt
    WHERE operator_flatten_fill.fee_usdt IS NULL AND EXCLUDED.fee_usdt IS NOT NULL
"""
_OUTCOME = outcome_statement("operator_flatten_order")
_TELL = """
UPDATE watchlist.operator_flatten SET state = $2, evidence = $3, updated_at = $4
WHERE request_id = $1 AND state = 'working' RETURNING state
"""


class PostgresFlattens:
    """See `executor.application.ports.FlattenLedger`."""

    def __init__(
        self, pool: Pool, journal: Journal, clock: Clock, new_order_key: Callable[[], str] = draw_order_key
    ) -> None:
        self._pool = pool
        self._journal = journal
        self._clock = clock
        self._new_order_key = new_order_key

    async def begin(self, request: FlattenRequested) -> Flatten:
        row = await self._pool.fetchrow(
            _BEGIN,
            request.request_id,
            self._new_order_key(),
            request.venue,
            request.symbol,
            request.requested_by,
            {"why": request.why, "include_unowned": request.include_unowned},
            self._clock.now(),
        )
        assert row is not None, "it is inserted, or updated"
        return Flatten(request, row["order_key"], row["state"] != "working")

    async def active_trade(self, venue: str, symbol: str) -> tuple[int, TradeStatus] | None:
        row = await self._pool.fetchrow(_ACTIVE_TRADE, symbol, venue)
        return None if row is None else (row["id"], TradeStatus(row["status"]))

    async def orders(self, request_id: str) -> Sequence[Order]:
        return [_order(dict(row)) for row in await self._pool.fetch(_ORDERS, request_id)]

    async def add_order(self, request_id: str, order: NewOrder) -> Order:
        async with self._pool.acquire() as connection:
            written_at = self._clock.monotonic()
            row = await connection.fetchrow(
                _ADD,
                request_id,
                order.leg.value,
                order.attempt,
                order.client_order_id,
                order.venue,
                order.symbol,
                order.side.value,
                order.quantity,
                order.reference_price,
                self._clock.now(),
            )
        if row is None:
            raise TradeBusyError(f"somebody else works on {request_id}")
        return replace(_order(dict(row)), written_at_seconds=written_at)

    async def record_outcome(self, order: Order, outcome: Outcome) -> bool:
        return await store_outcome(self._pool, _OUTCOME, order, outcome, self._clock.now())

    async def unfinished_orders(self) -> Sequence[Order]:
        return [_order(dict(row)) for row in await self._pool.fetch(_UNFINISHED)]

    async def add_fills(self, order: Order, fills: Sequence[Fill]) -> None:
        for fill in fills:
            await self._pool.execute(
                _ADD_FILL,
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

    async def tell(self, flatten: Flatten, state: FlattenState, evidence: dict[str, Any]) -> None:
        request = flatten.request
        async with self._pool.acquire() as connection, connection.transaction():
            told_state = await connection.fetchval(_TELL, request.request_id, state, evidence, self._clock.now())
            if told_state not in (None, "working"):
                told = {"request_id": request.request_id, "venue": request.venue, **evidence}
                told |= {"requested_by": request.requested_by, "why": request.why}
                decision = f"position_flatten:{state}"
                await self._journal.decided(decision, told, symbol=request.symbol, connection=connection)


def _order(row: dict[str, Any]) -> Order:
    kinds: dict[str, Any] = {
        "leg": Leg(row["leg"]),
        "side": Side(row["side"]),
        "status": OrderStatus(row["status"]),
        "purpose": Purpose.CLOSE,
        "entry": WHOLE_TRADE,
        "reduce_only": True,
    }
    return Order(**{**row, **kinds})
