"""The trading state and the figures of the rails in Postgres."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from common.domain.identifiers import Leg, Purpose
from common.persistence.database import DATABASE_AWAY, Pool
from common.persistence.journal import Journal
from common.runtime.clock import Clock
from common.venues.errors import OrderNotSent
from executor.domain.rails import DayPnl
from executor.domain.realised import OrderSoFar, realised_usdt
from executor.domain.trading_state import TradingState

_CURRENT = "SELECT state FROM watchlist.trading_state WHERE id = 1"
_CHANGE = """
UPDATE watchlist.trading_state SET state = $1, reason = $2, changed_by = $3, changed_at = $4
WHERE id = 1 AND state <> $1 AND ($5::text IS NULL OR state = $5) RETURNING state
"""
_DAY_NET_PNL = """
SELECT coalesce(sum(net_pnl_usdt), 0) FROM watchlist.live_trade_signal WHERE finalised_at >= $1
"""
_IS_NOT_FINAL = """
(trade.status IN ('opening', 'open', 'closing')
 OR (trade.status IN ('closed', 'failed') AND trade.finalised_at IS NULL AND trade.closed_at >= $1))
"""
_ORDERS_SO_FAR = f"""
SELECT placed.signal_id, trade.status IN ('opening', 'open', 'closing') AS is_active,
       placed.intended_at >= $1 AS is_of_day, placed.leg, placed.purpose, placed.filled_quantity AS quantity,
       coalesce(placed.average_price, placed.reference_price) AS price,
       coalesce(sum(fill.quantity) FILTER (WHERE fill.fee_usdt IS NOT NULL), 0) AS quantity_with_fee,
       coalesce(sum(fill.fee_usdt), 0) AS fees_usdt
FROM watchlist.live_trade_signal AS trade
JOIN watchlist.live_trade_order AS placed ON placed.signal_id = trade.id AND placed.filled_quantity > 0
LEFT JOIN watchlist.live_trade_fill AS fill ON fill.signal_id = trade.id AND fill.order_id = placed.id
WHERE {_IS_NOT_FINAL} GROUP BY trade.id, placed.id
"""  # noqa: S608  a condition of ours
_FUNDING_SO_FAR = f"""
SELECT paid.signal_id, sum(paid.amount_usdt) FROM watchlist.live_trade_signal AS trade
JOIN watchlist.live_trade_funding AS paid ON paid.signal_id = trade.id
WHERE {_IS_NOT_FINAL} AND (paid.settled_at >= $1 OR trade.status IN ('closed', 'failed')) GROUP BY paid.signal_id
"""  # noqa: S608
_UNWOUND_ENTRIES = """
SELECT count(DISTINCT (signal_id, entry)) FROM watchlist.live_trade_order WHERE purpose = 'unwind' AND intended_at >= $1
"""


class PostgresTradingStates:
    """See `executor.application.ports.TradingStates`."""

    def __init__(self, pool: Pool, journal: Journal, clock: Clock) -> None:
        self._pool = pool
        self._journal = journal
        self._clock = clock
        self._unasked: asyncio.Task[TradingState] | None = None

    async def current(self) -> TradingState:
        """Both legs of a pair ask in the same moment and share one statement, which leaves after they have asked."""
        if self._unasked is None:
            self._unasked = asyncio.create_task(self._ask())
        try:
            return await asyncio.shield(self._unasked)
        except DATABASE_AWAY as error:
            raise OrderNotSent("every venue", f"the trading state is not known: {error!r}") from error

    async def _ask(self) -> TradingState:
        self._unasked = None  # who asks from here on might be told of a state from before the question
        return TradingState(await self._pool.fetchval(_CURRENT))

    async def change(
        self,
        state: TradingState,
        reason: str,
        changed_by: str,
        evidence: dict[str, Any],
        *,
        only_from: TradingState | None = None,
    ) -> bool:
        async with self._pool.acquire() as connection, connection.transaction():
            now = self._clock.now()
            changed = await connection.fetchval(_CHANGE, state.value, reason, changed_by, now, only_from)
            if changed is None:
                return False
            detail = {"state": state, "reason": reason, "changed_by": changed_by, **evidence}
            await self._journal.decided("trading_state_changed", detail, connection=connection)
            # Alerts are made of it: a change is never committed without.
            message = f"trading is {state}: {reason}"
            await self._journal.failed("trading_state_changed", message, detail, connection=connection)
        return True


class PostgresRailFigures:
    """See `executor.application.ports.RailFigures`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def read(self, now: datetime) -> tuple[DayPnl, int]:
        """What becomes final between two of these statements is missed by one look, and never counted twice."""
        since = now - timedelta(days=1)
        final = await self._pool.fetchval(_DAY_NET_PNL, since)
        orders = [_order(row) for row in await self._pool.fetch(_ORDERS_SO_FAR, since)]
        funding = {row["signal_id"]: row["sum"] for row in await self._pool.fetch(_FUNDING_SO_FAR, since)}
        unwinds = await self._pool.fetchval(_UNWOUND_ENTRIES, now - timedelta(hours=1))
        return DayPnl(final, realised_usdt(orders, funding)), unwinds


def _order(row: asyncpg.Record) -> OrderSoFar:
    return OrderSoFar(**{**row, "leg": Leg(row["leg"]), "purpose": Purpose(row["purpose"])})
