"""What is held and what hangs, read from the ledger every second and shown as gauges.

The ledger is the truth for all executors: two that run beside each other show the same figures.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal

import asyncpg

from common.domain.identifiers import Leg
from common.domain.trade_states import ACTIVE_STATES
from common.persistence.database import Pool
from common.runtime.clock import Clock
from executor.adapters.measures import (
    CLOSING_SECONDS,
    DAY_NET_PNL_USDT,
    LEFT_ALONE_TRADES,
    NOTIONAL_USDT,
    ONE_LEGGED_SECONDS,
    TRADES,
    TRADING_STATE,
    UNFINALISED_SECONDS,
    UNRESOLVED_SECONDS,
    UNWOUND_ENTRIES,
)
from executor.application.ports import RailFigures, TradingStates
from executor.domain.trading_state import TradingState

MEASURE_SECONDS = 1.0
"""Real seconds between two looks: a leg that stands alone for longer is seen."""

# Each leg of each trade that is not over: what filled, less what the entries left over below the venue's minimum.
_LEGS = """
SELECT trade.id, placed.leg, placed.venue,
       sum(CASE WHEN placed.purpose = 'open' THEN placed.filled_quantity ELSE -placed.filled_quantity END) AS held,
       coalesce(max(left_over.quantity), 0) AS left_over,
       sum(placed.filled_quantity * coalesce(placed.average_price, placed.reference_price))
           FILTER (WHERE placed.purpose = 'open')
           / nullif(sum(placed.filled_quantity) FILTER (WHERE placed.purpose = 'open'), 0) AS price
FROM watchlist.live_trade_signal AS trade
JOIN watchlist.live_trade_order AS placed ON placed.signal_id = trade.id
LEFT JOIN LATERAL (
    SELECT sum((coalesce(snapshot -> 'residual', snapshot -> 'failure' -> 'residual') ->> placed.leg)::numeric)
        AS quantity
    FROM watchlist.live_trade_entry WHERE signal_id = trade.id
) AS left_over ON true
WHERE trade.status IN ('opening', 'open', 'closing')
GROUP BY trade.id, placed.leg, placed.venue
"""
_STANDING = """
SELECT (SELECT min(intended_at) FROM watchlist.live_trade_order WHERE status IN ('intent', 'working', 'unknown'))
           AS unresolved_since,
       (SELECT min(close_requested_at) FROM watchlist.live_trade_signal WHERE status = 'closing') AS closing_since,
       (SELECT min(closed_at) FROM watchlist.live_trade_signal
        WHERE status IN ('closed', 'failed') AND finalised_at IS NULL) AS unfinalised_since
"""
_STATUSES = """
SELECT status, count(*) FROM watchlist.live_trade_signal WHERE status IN ('opening', 'open', 'closing') GROUP BY status
"""
_LEFT_ALONE = """
SELECT count(*) FROM watchlist.live_trade_signal
WHERE status IN ('opening', 'open', 'closing') AND NOT (long_venue = ANY($1) AND short_venue = ANY($1))
"""


class Exposure:
    """Keeps the gauges. Ages are strategy time, how long legs differ is real time seen by this process."""

    def __init__(self, pool: Pool, states: TradingStates, figures: RailFigures, venues: Iterable[str], clock: Clock):
        self._pool = pool
        self._states = states
        self._figures = figures
        self._venues = tuple(venues)
        self._clock = clock
        self._unmatched_since: dict[int, float] = {}

    async def measure(self) -> None:
        """One look."""
        self._show_legs(await self._pool.fetch(_LEGS))
        statuses = {row["status"]: row["count"] for row in await self._pool.fetch(_STATUSES)}
        for status in ACTIVE_STATES:
            TRADES.labels(status).set(statuses.get(status, 0))
        LEFT_ALONE_TRADES.set(await self._pool.fetchval(_LEFT_ALONE, self._venues))
        await self._show_standing()
        state, now = await self._states.current(), self._clock.now()
        for known in TradingState:
            TRADING_STATE.labels(known.value).set(state is known)
        day, unwound = await self._figures.read(now)
        DAY_NET_PNL_USDT.set(float(day.net_usdt))
        UNWOUND_ENTRIES.set(unwound)

    def _show_legs(self, legs: Sequence[asyncpg.Record]) -> None:
        notional = dict.fromkeys(self._venues, 0.0)
        matched: dict[int, Decimal] = {}
        for leg in legs:
            held_usdt = float(leg["held"] * (leg["price"] or 0))
            notional[leg["venue"]] = notional.get(leg["venue"], 0.0) + held_usdt
            side = 1 if leg["leg"] == Leg.LONG else -1
            matched[leg["id"]] = matched.get(leg["id"], Decimal(0)) + side * (leg["held"] - leg["left_over"])
        for venue, usdt in notional.items():
            NOTIONAL_USDT.labels(venue).set(usdt)
        now = self._clock.monotonic()
        unmatched = {signal_id for signal_id, difference in matched.items() if difference}
        self._unmatched_since = {signal_id: self._unmatched_since.get(signal_id, now) for signal_id in unmatched}
        ONE_LEGGED_SECONDS.set(now - min(self._unmatched_since.values(), default=now))

    async def _show_standing(self) -> None:
        standing = await self._pool.fetchrow(_STANDING)
        assert standing is not None
        now = self._clock.now()
        UNRESOLVED_SECONDS.set(_age_seconds(standing["unresolved_since"], now))
        CLOSING_SECONDS.set(_age_seconds(standing["closing_since"], now))
        UNFINALISED_SECONDS.set(_age_seconds(standing["unfinalised_since"], now))


def _age_seconds(since: datetime | None, now: datetime) -> float:
    return max(0.0, (now - since).total_seconds()) if since is not None else 0.0
