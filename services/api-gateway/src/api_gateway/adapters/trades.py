"""Reads of whole trades: each from one snapshot, so that its parts agree with each other."""

from collections import defaultdict
from collections.abc import Sequence
from typing import TypeVar

from api_gateway.adapters import columns
from api_gateway.adapters.listings import SIGNAL_DETAILS, page_query
from api_gateway.application.ports import PositionsRead, ScaleInRead, TradeRead, Wanted
from api_gateway.application.views import (
    AuditRecord,
    Entry,
    ErrorRecord,
    Event,
    Fill,
    Funding,
    Order,
    Recent,
    Sample,
    SampleFigures,
    SignalDetail,
    SignalRow,
    VenuePosition,
    View,
)
from common.persistence.database import Connection, Pool

RowType = TypeVar("RowType", bound=View)

SAMPLES_MAX = 200
AUDIT_MAX = 500
ERRORS_MAX = 200

_OF_SIGNAL = "WHERE signal_id = $1 ORDER BY id"
_NEWEST_OF_SIGNAL = "WHERE signal_id = $1 ORDER BY id DESC LIMIT $2"
_BY_ID = "WHERE id = $1"
# Decisions about the events that a trade rests on, before anything was decided about the trade itself.
_OF_EVENTS = "WHERE event_id = ANY($1) AND signal_id IS NULL ORDER BY id LIMIT $2"
_TURNING_POINTS = """
WITH told AS (
    SELECT *, lag((verdict, evidence ->> 'reason')) OVER (ORDER BY id) AS before
    FROM watchlist.live_trade_spread_sample WHERE signal_id = $1
), turned AS (
    SELECT * FROM told WHERE before IS DISTINCT FROM (verdict, evidence ->> 'reason') ORDER BY id DESC LIMIT $2
)
SELECT id, signal_id, sampled_at, verdict, long_sell, short_buy, spread_now, exit_spread_pct, pnl_spread,
    position_pnl_usdt, total_pnl_usdt, pnl_complete, funding_per_hour, evidence
FROM turned ORDER BY id
"""
_COUNT_SAMPLES = "SELECT count(*) FROM watchlist.live_trade_spread_sample WHERE signal_id = $1"
_COUNT_AUDIT = "SELECT count(*) FROM watchlist.audit WHERE signal_id = $1"
_COUNT_ERRORS = "SELECT count(*) FROM watchlist.live_trade_error WHERE signal_id = $1"
_FILLED_ENTRIES_OF = columns.ENTRY + "WHERE signal_id = ANY($1) AND status = 'filled' ORDER BY signal_id, entry"
_LATEST_SAMPLES_OF = f"""
SELECT sample.* FROM unnest($1::bigint[]) AS wanted (id)
CROSS JOIN LATERAL (
    {columns.SAMPLE_FIGURES} WHERE signal_id = wanted.id ORDER BY live_trade_spread_sample.id DESC LIMIT 1
) AS sample
"""  # noqa: S608  column names of ours
_ORDERS_OF = columns.ORDER + "WHERE signal_id = ANY($1) ORDER BY id"
_VENUE_POSITIONS = """
SELECT venue, symbol, quantity, read_at FROM watchlist.live_trade_venue_position WHERE symbol = ANY($1)
"""


class PostgresTrades:
    """`TradeReader` over Postgres."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def trade(self, signal_id: int) -> TradeRead | None:
        """One signal and everything that belongs to it."""
        async with (
            self._pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            row = await connection.fetchrow(columns.SIGNAL_DETAIL + _BY_ID, signal_id)
            if row is None:
                return None
            signal = SignalDetail.model_validate(dict(row))
            event = await connection.fetchrow(columns.EVENT + _BY_ID, signal.event_id)
            entries = await _rows(connection, columns.ENTRY, Entry, signal_id)
            events = sorted({signal.event_id, *(entry.event_id for entry in entries)})
            event_audit = await connection.fetch(columns.AUDIT + _OF_EVENTS, events, AUDIT_MAX)
            turning_points = await connection.fetch(_TURNING_POINTS, signal_id, SAMPLES_MAX)
            return TradeRead(
                signal=signal,
                event=None if event is None else Event.model_validate(dict(event)),
                event_audit=[AuditRecord.model_validate(dict(row)) for row in event_audit],
                entries=entries,
                orders=await _rows(connection, columns.ORDER, Order, signal_id),
                fills=await _rows(connection, columns.FILL, Fill, signal_id),
                funding=await _rows(connection, columns.FUNDING, Funding, signal_id),
                samples=await _recent(connection, columns.SAMPLE, _COUNT_SAMPLES, Sample, signal_id, SAMPLES_MAX),
                turning_points=[Sample.model_validate(dict(row)) for row in turning_points],
                audit=await _recent(connection, columns.AUDIT, _COUNT_AUDIT, AuditRecord, signal_id, AUDIT_MAX),
                errors=await _recent(connection, columns.ERROR, _COUNT_ERRORS, ErrorRecord, signal_id, ERRORS_MAX),
            )

    async def scale_in(self, wanted: Wanted) -> ScaleInRead:
        """Trades of one status with their filled entries and latest samples."""
        sql, arguments = page_query(SIGNAL_DETAILS, wanted)
        async with (
            self._pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            trades = [SignalDetail.model_validate(dict(row)) for row in await connection.fetch(sql, *arguments)]
            ids = [trade.id for trade in trades]
            entries: dict[int, list[Entry]] = defaultdict(list)
            for row in await connection.fetch(_FILLED_ENTRIES_OF, ids):
                entries[row["signal_id"]].append(Entry.model_validate(dict(row)))
            samples = await connection.fetch(_LATEST_SAMPLES_OF, ids)
            figures = {row["signal_id"]: SampleFigures.model_validate(dict(row)) for row in samples}
            return ScaleInRead(trades, entries, figures)

    async def positions(self, wanted: Wanted) -> PositionsRead:
        """Active trades with their orders and the venues' positions in their symbols."""
        async with (
            self._pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            trades = [
                SignalRow.model_validate(dict(row))
                for row in await connection.fetch(
                    columns.ACTIVE_SIGNALS_PAGE,
                    wanted.before,
                    wanted.limit,
                    wanted.equals.get("symbol"),
                    wanted.venue,
                    wanted.equals.get("status"),
                )
            ]
            orders: dict[int, list[Order]] = defaultdict(list)
            for row in await connection.fetch(_ORDERS_OF, [trade.id for trade in trades]):
                orders[row["signal_id"]].append(Order.model_validate(dict(row)))
            venues = await connection.fetch(_VENUE_POSITIONS, [trade.symbol for trade in trades])
        return PositionsRead(trades, orders, [VenuePosition.model_validate(dict(row)) for row in venues])


async def _rows(connection: Connection, select: str, row: type[RowType], signal_id: int) -> Sequence[RowType]:
    return [row.model_validate(dict(record)) for record in await connection.fetch(select + _OF_SIGNAL, signal_id)]


async def _recent(
    connection: Connection, select: str, count: str, row: type[RowType], signal_id: int, limit: int
) -> Recent[RowType]:
    records = await connection.fetch(select + _NEWEST_OF_SIGNAL, signal_id, limit)
    items = [row.model_validate(dict(record)) for record in reversed(records)]
    total = len(items) if len(items) < limit else await connection.fetchval(count, signal_id)
    return Recent(count=total, items=items)
