"""Reads of the overview: one statement of indexed reads, independent of the length of the history."""

from collections import defaultdict
from decimal import Decimal

from asyncpg import Record

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
from common.domain.trade_states import ACTIVE_STATES
from common.persistence.database import Pool
from common.runtime.clock import Clock
from common.runtime.inputs import ID_MAX

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
# One statement is one snapshot and one round trip. A signal that never began to open has neither entries nor samples:
# most of a history is that.
_PAGE = f"""
WITH page AS MATERIALIZED ({{page}}), traded AS MATERIALIZED (
    SELECT id FROM page WHERE opened_at IS NOT NULL OR status IN ('opening', 'open', 'closing')
)
SELECT ARRAY(SELECT page FROM page ORDER BY id DESC) AS signals,
    ARRAY(SELECT line FROM (
        {columns.FILLED_ENTRY} WHERE signal_id = ANY(ARRAY(SELECT id FROM traded)) AND status = 'filled'
        ORDER BY signal_id, entry
    ) AS line) AS entries,
    ARRAY(SELECT line FROM traded CROSS JOIN LATERAL (
        {columns.SAMPLE_FIGURES} WHERE signal_id = traded.id ORDER BY live_trade_spread_sample.id DESC LIMIT 1
    ) AS line) AS samples
"""  # noqa: S608  column names of ours
_AROUND_IT = f""",
    ARRAY(SELECT line FROM ({columns.ERROR_LINE} ORDER BY id DESC LIMIT $2) AS line) AS errors,
    (SELECT line FROM ({_TRADING_STATE}) AS line) AS trading_state,
    ARRAY(SELECT line FROM ({_ACTIVE}) AS line) AS active
"""  # noqa: S608
_COUNT_BY_STATUS = "SELECT status, count(*) FROM watchlist.live_trade_signal GROUP BY status"
_FINALISED = """
SELECT count(*), coalesce(sum(net_pnl_usdt), 0) AS net_pnl_usdt FROM watchlist.live_trade_signal
WHERE status = 'closed' AND finalised_at IS NOT NULL
"""


def _names(select: str) -> list[str]:
    """The columns of a plain list: what comes inside of an array has no names."""
    return [name.strip() for name in select.split("FROM")[0].replace("SELECT", "").split(",")]


_SIGNAL_NAMES, _SAMPLE_NAMES = _names(columns.SIGNAL), _names(columns.SAMPLE_FIGURES)
_ERROR_NAMES, _STATE_NAMES = _names(columns.ERROR_LINE), _names(_TRADING_STATE)


def _signals(row: Record) -> SignalsRead:
    entries: dict[int, list[FilledEntry]] = defaultdict(list)
    for signal_id, *figures in row["entries"]:
        entries[signal_id].append(FilledEntry(*figures))
    samples = {sample[0]: SampleFigures(**dict(zip(_SAMPLE_NAMES, sample, strict=True))) for sample in row["samples"]}
    signals = [SignalRow(**dict(zip(_SIGNAL_NAMES, signal, strict=True))) for signal in row["signals"]]
    return SignalsRead(signals, entries, samples)


class PostgresSignals:
    """`OverviewReader` and `HistoryCounter` over Postgres."""

    def __init__(self, pool: Pool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock

    async def overview(self, limit: int) -> OverviewRead:
        """All of the overview from one snapshot."""
        row = await self._page(Wanted(limit, ID_MAX), _AROUND_IT)
        return OverviewRead(
            signals=_signals(row),
            errors=[ErrorLine(**dict(zip(_ERROR_NAMES, error, strict=True))) for error in row["errors"]],
            trading_state=TradingState(**dict(zip(_STATE_NAMES, row["trading_state"], strict=True))),
            active=ActiveTotals(
                by_status=dict.fromkeys(ACTIVE_STATES, 0) | {status: trades for status, trades, _ in row["active"]},
                open_notional_usdt=sum((notional for _, _, notional in row["active"]), Decimal(0)),
            ),
        )

    async def signals(self, wanted: Wanted) -> SignalsRead:
        """One page of signals from one snapshot."""
        return _signals(await self._page(wanted))

    async def _page(self, wanted: Wanted, around_it: str = "") -> Record:
        page, arguments = page_query(SIGNALS, wanted)
        row: Record | None = await self._pool.fetchrow(_PAGE.format(page=page) + around_it, *arguments)
        assert row is not None
        return row

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
