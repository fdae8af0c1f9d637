"""Flattened positions in Postgres, with the orders against what no trade holds."""

from collections.abc import Callable, Sequence
from typing import Any

from common.domain.identifiers import Leg, Purpose, Side
from common.messages.contracts import FlattenRequested
from common.persistence.database import Pool
from common.persistence.journal import Journal
from common.runtime.clock import Clock
from executor.adapters.signal_ledger import draw_order_key
from executor.application.ports import Flatten, FlattenState, Outcome
from executor.domain.order_machine import OrderStatus, sources_of
from executor.domain.records import WHOLE_TRADE, NewOrder, Order
from executor.domain.trade_machine import TradeStatus

# What was there before is left as it is: the order key, and how far the wish has come.
_BEGIN = """
WITH new AS (
    INSERT INTO watchlist.operator_flatten
        (request_id, order_key, venue, symbol, requested_by, state, evidence, updated_at)
    VALUES ($1, $2, $3, $4, $5, 'working', $6, $7) ON CONFLICT (request_id) DO NOTHING RETURNING order_key, state
)
SELECT order_key, state FROM new
UNION ALL SELECT order_key, state FROM watchlist.operator_flatten WHERE request_id = $1
"""
_ACTIVE_TRADE = """
SELECT id, status FROM watchlist.live_trade_signal
WHERE symbol = $1 AND status IN ('opening', 'open', 'closing') AND $2 IN (long_venue, short_venue)
"""
_COLUMNS = """
id, version, leg, attempt, client_order_id, venue, symbol, side, quantity, reference_price, status, venue_order_id,
filled_quantity, average_price, intended_at, extract(epoch FROM clock_timestamp() - written_at)::float8 AS age_seconds
"""
_ORDERS = f"SELECT {_COLUMNS} FROM watchlist.operator_flatten_order WHERE request_id = $1 ORDER BY id"  # noqa: S608
_ADD = f"""
INSERT INTO watchlist.operator_flatten_order
    (request_id, leg, attempt, client_order_id, venue, symbol, side, quantity, reference_price, status, intended_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'intent', $10) RETURNING {_COLUMNS}
"""  # noqa: S608
_OUTCOME = """
UPDATE watchlist.operator_flatten_order
SET status = $3, venue_order_id = coalesce($4, venue_order_id), filled_quantity = $5, average_price = $6,
    error = $7, resolved_at = $8, version = version + 1
WHERE id = $1 AND status = ANY($2) AND filled_quantity <= $5 RETURNING id
"""
_TELL = """
UPDATE watchlist.operator_flatten SET state = $2, evidence = $3, updated_at = $4
WHERE request_id = $1 AND state = 'working'
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
        assert row is not None, "it was inserted, or it was there"
        return Flatten(request, row["order_key"], row["state"] != "working")

    async def active_trade(self, venue: str, symbol: str) -> tuple[int, TradeStatus] | None:
        row = await self._pool.fetchrow(_ACTIVE_TRADE, symbol, venue)
        return None if row is None else (row["id"], TradeStatus(row["status"]))

    async def orders(self, request_id: str) -> Sequence[Order]:
        return [_order(dict(row)) for row in await self._pool.fetch(_ORDERS, request_id)]

    async def add_order(self, request_id: str, order: NewOrder) -> Order:
        row = await self._pool.fetchrow(
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
        assert row is not None
        return _order(dict(row))

    async def record_outcome(self, order: Order, outcome: Outcome) -> bool:
        changed = await self._pool.fetchval(
            _OUTCOME,
            order.id,
            sources_of(outcome.status),
            outcome.status.value,
            outcome.venue_order_id,
            outcome.filled_quantity,
            outcome.average_price,
            outcome.error,
            self._clock.now(),
        )
        return changed is not None

    async def tell(self, flatten: Flatten, state: FlattenState, evidence: dict[str, Any]) -> None:
        request = flatten.request
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(_TELL, request.request_id, state, evidence, self._clock.now())
            if state != "working":
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
        "booked_quantity": row["filled_quantity"],
    }
    return Order(**{**row, **kinds})
