"""Keyset pages over one table each: newest first, by primary key, never by offset.

Only the filters that were given reach the SQL, so that each combination is planned for what it is. Two filters are
written so that an index bounds them whatever the planner believes: a venue on either leg is a union of two pages, and
a time becomes a bound of the ids, where these grow with it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, Literal, TypeVar

from api_gateway.adapters import columns
from api_gateway.application.ports import Wanted
from api_gateway.application.views import (
    AlertRecord,
    AuditRecord,
    Counterfactual,
    CounterfactualSummary,
    ErrorRecord,
    Event,
    Observation,
    Order,
    Page,
    ReasonSummary,
    Sample,
)
from common.persistence.database import Pool

RowType = TypeVar("RowType", AlertRecord, AuditRecord, Counterfactual, ErrorRecord, Event, Observation, Order, Sample)

LEG_VENUES = ("long_venue", "short_venue")
SPAN_MAX = timedelta(hours=1)
"""A longer span is looked for along the ids: to put all of it in order would take longer."""
IDS_OUT_OF_TURN = 1000
"""How many rows may have got their ids before a row with an earlier time: those of transactions side by side."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a list comes from: its columns and table without any condition, and what its filters mean there.

    `told` are conditions of filters that are no columns, with `{}` for the value. `finds_time` is by `ids` where these
    grow with it; where they do not, a short `span` is read whole and put in order; `rows` are compared where they are
    few.
    """

    select: str
    table: str
    time: str | None = None
    venues: Sequence[str] = ()
    told: Mapping[str, str] = field(default_factory=dict)
    finds_time: Literal["ids", "span", "rows"] = "ids"


# What an error is about stands in its detail, or is its trade's. Errors are few, and each is asked by its trade's id.
_OF_ERRORS_TRADE = "FROM watchlist.live_trade_signal AS trade WHERE trade.id = live_trade_error.signal_id"
_ABOUT = {
    "symbol": f"coalesce(detail ->> 'symbol', (SELECT symbol {_OF_ERRORS_TRADE})) = {{}}",
    "venue": f"coalesce(detail ->> 'venue' = {{0}}, (SELECT {{0}} IN (long_venue, short_venue) {_OF_ERRORS_TRADE}))",
}

EVENTS = Source(columns.EVENT, "watch_signal_event", "first_observed_at", LEG_VENUES)
# One may be posted long after its time.
OBSERVATIONS = Source(columns.OBSERVATION, "watch_observation", "observed_at", LEG_VENUES, finds_time="span")
SIGNALS = Source(columns.SIGNAL, "live_trade_signal", "created_at", LEG_VENUES)
SIGNAL_DETAILS = Source(columns.SIGNAL_DETAIL, "live_trade_signal", "created_at", LEG_VENUES)
ORDERS = Source(columns.ORDER, "live_trade_order", "intended_at", ("venue",))
# Always those of one trade.
SAMPLES = Source(columns.SAMPLE, "live_trade_spread_sample", "sampled_at", finds_time="rows")
ERRORS = Source(columns.ERROR, "live_trade_error", "occurred_at", told=_ABOUT)
ALERTS = Source(columns.ALERT, "alert", "raised_at", finds_time="rows")
COUNTERFACTUALS = Source(columns.COUNTERFACTUAL, "live_trade_counterfactual", "skipped_at", LEG_VENUES)
AUDIT = Source(columns.AUDIT, "audit", "decided_at")


def page_query(source: Source, wanted: Wanted) -> tuple[str, list[object]]:
    """SQL and arguments of one page of `wanted.limit` rows.

    The filters' names are columns, or stand in `told`: they are written in code and never taken from a request.
    """
    values: list[object] = [wanted.before, wanted.limit]

    def argument(value: object) -> str:
        values.append(value)
        return f"${len(values)}"

    filters = {**wanted.equals, **({} if source.venues else {"venue": wanted.venue})}
    conditions = ["id < $1"]
    conditions += [
        source.told.get(name, f"{name} = {{}}").format(argument(value))
        for name, value in filters.items()
        if value is not None
    ]
    conditions += _time_bounds(source, wanted, argument) if source.time else []
    is_span = source.finds_time == "span" and _is_short(wanted)
    # A sum is no column, so that no plan hopes to meet the span along the ids.
    order = "id + 0" if is_span else "id"
    if wanted.venue is None or not source.venues:
        return _page(source, conditions, order), values
    venue = argument(wanted.venue)
    pages = [_page(source, [*conditions, f"{column} = {venue}"], order) for column in source.venues]
    if len(pages) == 1:
        return pages[0], values
    # No row has the same venue on both legs, so none comes twice.
    either = " UNION ALL ".join(f"({page})" for page in pages)
    return f"SELECT * FROM ({either}) AS either ORDER BY id DESC LIMIT $2", values  # noqa: S608  names of ours


def _is_short(wanted: Wanted) -> bool:
    return wanted.since is not None and wanted.until is not None and wanted.until - wanted.since <= SPAN_MAX


def _page(source: Source, conditions: Sequence[str], order: str) -> str:
    return " ".join([source.select, "WHERE", " AND ".join(conditions), f"ORDER BY {order} DESC LIMIT $2"])


def _time_bounds(source: Source, wanted: Wanted, argument: Callable[[object], str]) -> list[str]:
    """The exact bounds, and beside each, where ids grow with it, a bound of the ids: an old page is not looked for
    along all newer rows.
    """
    column, bounds = source.time, []
    for value, comparison, order, slack in (
        (wanted.since, ">=", "ASC", -IDS_OUT_OF_TURN),
        (wanted.until, "<=", "DESC", IDS_OUT_OF_TURN),
    ):
        if value is not None:
            place = argument(value)
            bounds.append(f"{column} {comparison} {place}")
            if source.finds_time != "ids":
                continue
            bounds.append(
                f"id {comparison} (SELECT id + ({slack}) FROM watchlist.{source.table} "  # noqa: S608  names of ours
                f"WHERE {column} {comparison} {place} ORDER BY {column} {order}, id {order} LIMIT 1)"
            )
    return bounds


@dataclass(frozen=True)
class Listing(Generic[RowType]):
    """One table as pages of `row`."""

    pool: Pool
    source: Source
    row: type[RowType]

    async def page(self, wanted: Wanted) -> Page[RowType]:
        """One page; see `Wanted`."""
        sql, arguments = page_query(self.source, wanted.one_more())
        rows = await self.pool.fetch(sql, *arguments)
        items = [self.row.model_validate(dict(row)) for row in rows[: wanted.limit]]
        return Page(items=items, next=items[-1].id if len(rows) > wanted.limit else None)


class CounterfactualSummaries:
    """What skipping for each reason cost or saved."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def summary(self, since: datetime | None, until: datetime | None) -> CounterfactualSummary:
        """By reason, over what was skipped between both (included; None: no bound)."""
        rows = await self._pool.fetch(columns.COUNTERFACTUAL_SUMMARY, since, until)
        return CounterfactualSummary(items=[ReasonSummary(**row) for row in rows])


class TableListings:
    """`Listings` over Postgres: each table with the model that shows it."""

    def __init__(self, pool: Pool) -> None:
        self.events = Listing(pool, EVENTS, Event)
        self.observations = Listing(pool, OBSERVATIONS, Observation)
        self.orders = Listing(pool, ORDERS, Order)
        self.samples = Listing(pool, SAMPLES, Sample)
        self.errors = Listing(pool, ERRORS, ErrorRecord)
        self.alerts = Listing(pool, ALERTS, AlertRecord)
        self.counterfactuals = Listing(pool, COUNTERFACTUALS, Counterfactual)
        self.audit = Listing(pool, AUDIT, AuditRecord)
