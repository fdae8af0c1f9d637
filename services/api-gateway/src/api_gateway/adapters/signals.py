"""Reads of the overview: indexed, fixed in number, and independent of the length of the history."""

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal

from api_gateway.adapters import columns
from api_gateway.adapters.listings import SIGNALS, page_query
from api_gateway.application.ports import OverviewRead, SignalsRead, Wanted
from api_gateway.application.views import (
    ActiveTotals,
    ErrorLine,
    HistoryCount,
    SampleFigures,
    SignalRow,
    TradingState,
)
from api_gateway.domain.scale_in_outlook import FilledEntry
from common.persistence.database import Connection, Pool
from common.persistence.tables import ACTIVE_STATES
from common.runtime.clock import Clock

_FILLED_ENTRIES = columns.FILLED_ENTRY + "WHERE signal_id = ANY($1) AND status = 'filled' ORDER BY signal_id, entry"
_LATEST_SAMPLES = """
SELECT sample.* FROM unnest($1::bigint[]) AS wanted (signal_id)
CROSS JOIN LATERAL (
    SELECT signal_id, sampled_at, verdict, spread_now, exit_spread_pct, pnl_spread, total_pnl_usdt, pnl_complete
    FROM watchlist.live_trade_spread_sample WHERE signal_id = wanted.signal_id ORDER BY id DESC LIMIT 1
) AS sample
"""
_NEWEST_ERRORS = columns.ERROR_LINE + "ORDER BY id DESC LIMIT $1"
_TRADING_STATE = "SELECT state, reason, changed_by, changed_at FROM watchlist.trading_state"
# The condition is the one of the index over active trades, word for word: the history is never looked at.
_ACTIVE = """
SELECT signal.status, count(*) AS trades, coalesce(sum(filled.notional_usdt), 0) AS notional_usdt
FROM watchlist.live_trade_signal AS signal
CROSS JOIN LATERAL (
    SELECT sum(notional_usdt) AS notional_usdt FROM watchlist.live_trade_entry
    WHERE signal_id = signal.id AND status = 'filled'
) AS filled
WHERE signal.status IN ('opening', 'open', 'closing') GROUP BY signal.status
"""
_COUNT_BY_STATUS = "SELECT status, count(*) FROM watchlist.live_trade_signal GROUP BY status"
_FINALISED = """
SELECT count(*), coalesce(sum(net_pnl_usdt), 0) AS net_pnl_usdt FROM watchlist.live_trade_signal
WHERE status = 'closed' AND finalised_at IS NOT NULL
"""


async def _filled_entries(connection: Connection, signal_ids: Sequence[int]) -> dict[int, list[FilledEntry]]:
    entries: dict[int, list[FilledEntry]] = defaultdict(list)
    if signal_ids:
        for signal_id, *figures in await connection.fetch(_FILLED_ENTRIES, signal_ids):
            entries[signal_id].append(FilledEntry(*figures))
    return entries


async def latest_samples(connection: Connection, signal_ids: Sequence[int]) -> dict[int, SampleFigures]:
    """The newest sample of each signal that has one."""
    if not signal_ids:
        return {}
    rows = await connection.fetch(_LATEST_SAMPLES, signal_ids)
    return {row["signal_id"]: SampleFigures.model_validate(dict(row)) for row in rows}


class PostgresSignals:
    """`OverviewReader` and `HistoryCounter` over Postgres."""

    def __init__(self, pool: Pool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock

    async def overview(self, limit: int) -> OverviewRead:
        """All of the overview from one snapshot, in six queries at most."""
        async with (
            self._pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            signals = await self._signals(connection, Wanted(limit, 2**62))
            errors = await connection.fetch(_NEWEST_ERRORS, limit)
            state = await connection.fetchrow(_TRADING_STATE)
            active = await connection.fetch(_ACTIVE)
        assert state is not None
        return OverviewRead(
            signals=signals,
            errors=[ErrorLine.model_validate(dict(row)) for row in errors],
            trading_state=TradingState.model_validate(dict(state)),
            active=ActiveTotals(
                by_status=dict.fromkeys(ACTIVE_STATES, 0) | {row["status"]: row["trades"] for row in active},
                open_notional_usdt=sum((row["notional_usdt"] for row in active), Decimal(0)),
            ),
        )

    async def signals(self, wanted: Wanted) -> SignalsRead:
        """One page of signals from one snapshot, in three queries at most."""
        async with (
            self._pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            return await self._signals(connection, wanted)

    async def count_history(self) -> HistoryCount:
        """Counts everything on one core: the other ones are for trading."""
        async with (
            self._pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            await connection.execute("SET LOCAL max_parallel_workers_per_gather = 0")
            counts = await connection.fetch(_COUNT_BY_STATUS)
            finalised = await connection.fetchrow(_FINALISED)
        assert finalised is not None
        return HistoryCount(
            counted_at=self._clock.now(),
            by_status={row["status"]: row["count"] for row in counts},
            finalised_trades=finalised["count"],
            finalised_net_pnl_usdt=finalised["net_pnl_usdt"],
        )

    async def _signals(self, connection: Connection, wanted: Wanted) -> SignalsRead:
        sql, arguments = page_query(SIGNALS, wanted)
        signals = [SignalRow.model_validate(dict(row)) for row in await connection.fetch(sql, *arguments)]
        # A signal that never began to open has neither entries nor samples: most of a history is that.
        traded = [signal.id for signal in signals if signal.opened_at is not None or signal.status in ACTIVE_STATES]
        entries = await _filled_entries(connection, traded)
        return SignalsRead(signals, entries, await latest_samples(connection, traded))
