"""Keyset pages over one table each: newest first, by primary key, never by offset.

Only the filters that were given reach the SQL, so that each combination is planned for what it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from api_gateway.adapters import columns
from api_gateway.application.views import AuditRecord, ErrorRecord, Event, Observation, Order, Page, Sample
from common.persistence.database import Pool

RowType = TypeVar("RowType", AuditRecord, ErrorRecord, Event, Observation, Order, Sample)


def page_query(select: str, limit: int, before: int, filters: Mapping[str, object | None]) -> tuple[str, list[object]]:
    """SQL and arguments of one page; a filter of None filters nothing.

    The filters' names are columns: they are written in code and never taken from a request.
    """
    conditions, arguments = ["id < $1"], [before, limit]
    values: list[object] = [*arguments]
    for column, value in filters.items():
        if value is not None:
            values.append(value)
            conditions.append(f"{column} = ${len(values)}")
    return " ".join([select, "WHERE", " AND ".join(conditions), "ORDER BY id DESC LIMIT $2"]), values


@dataclass(frozen=True)
class Listing(Generic[RowType]):
    """One table as pages of `row`; `select` is its columns and table, without any condition."""

    pool: Pool
    select: str
    row: type[RowType]

    async def page(self, limit: int, before: int, filters: Mapping[str, object | None]) -> Page[RowType]:
        """Rows with ids below `before` whose columns equal the given filters."""
        sql, arguments = page_query(self.select, limit + 1, before, filters)
        rows = await self.pool.fetch(sql, *arguments)
        items = [self.row.model_validate(dict(row)) for row in rows[:limit]]
        return Page(items=items, next=items[-1].id if len(rows) > limit else None)


class TableListings:
    """`Listings` over Postgres: each table with the model that shows it."""

    def __init__(self, pool: Pool) -> None:
        self.events = Listing(pool, columns.EVENT, Event)
        self.observations = Listing(pool, columns.OBSERVATION, Observation)
        self.orders = Listing(pool, columns.ORDER, Order)
        self.samples = Listing(pool, columns.SAMPLE, Sample)
        self.errors = Listing(pool, columns.ERROR, ErrorRecord)
        self.audit = Listing(pool, columns.AUDIT, AuditRecord)
