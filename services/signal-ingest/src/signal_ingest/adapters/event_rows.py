"""A watchlist event as a row of the database, and back."""

from collections.abc import Sequence
from typing import Any

import asyncpg

from common.persistence.database import Connection
from signal_ingest.domain.merging import EventChange
from signal_ingest.domain.observation import PairKey
from signal_ingest.domain.watchlist_event import EventPrediction, EventStatus, FactorSummary, WatchlistEvent

_INSERT = """
INSERT INTO watchlist.watch_signal_event AS e (
    version, type, symbol, long_venue, short_venue, status, merged, observations, first_observed_at, last_observed_at,
    opened_at, closed_at, factors, last_observation, pnl_hat, win_prob, horizon_min, prediction_source)
SELECT
    n.version, n.type, n.symbol, n.long_venue, n.short_venue, n.status, n.merged, n.observations, n.first_observed_at,
    n.last_observed_at, n.opened_at, n.closed_at, n.factors, n.last_observation, n.pnl_hat, n.win_prob, n.horizon_min,
    n.prediction_source
FROM unnest(
    $1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::boolean[], $8::bigint[],
    $9::timestamptz[], $10::timestamptz[], $11::timestamptz[], $12::timestamptz[], $13::jsonb[], $14::jsonb[],
    $15::float8[], $16::float8[], $17::float8[], $18::text[]
) WITH ORDINALITY AS n (
    version, type, symbol, long_venue, short_venue, status, merged, observations, first_observed_at, last_observed_at,
    opened_at, closed_at, factors, last_observation, pnl_hat, win_prob, horizon_min, prediction_source, place)
ORDER BY n.place
RETURNING e.id
"""

# The version and the status that were read are part of the condition: a row that somebody else moved is not found.
_UPDATE = """
UPDATE watchlist.watch_signal_event AS e SET
    version = n.version, status = n.status, observations = n.observations, first_observed_at = n.first_observed_at,
    last_observed_at = n.last_observed_at, opened_at = n.opened_at, closed_at = n.closed_at, factors = n.factors,
    last_observation = n.last_observation, pnl_hat = n.pnl_hat, win_prob = n.win_prob, horizon_min = n.horizon_min,
    prediction_source = n.prediction_source
FROM unnest(
    $1::bigint[], $2::bigint[], $3::text[], $4::bigint[], $5::text[], $6::bigint[], $7::timestamptz[],
    $8::timestamptz[], $9::timestamptz[], $10::timestamptz[], $11::jsonb[], $12::jsonb[], $13::float8[], $14::float8[],
    $15::float8[], $16::text[]
) AS n (
    id, old_version, old_status, version, status, observations, first_observed_at, last_observed_at, opened_at,
    closed_at, factors, last_observation, pnl_hat, win_prob, horizon_min, prediction_source)
WHERE e.id = n.id AND e.version = n.old_version AND e.status = n.old_status
RETURNING e.id
"""


class EventMoved(Exception):
    """An event was changed by somebody else since it was read."""


def event_from_row(row: asyncpg.Record) -> WatchlistEvent:
    """The event that a row of `watch_signal_event` holds."""
    prediction = None
    if row["prediction_source"] is not None:
        prediction = EventPrediction(row["pnl_hat"], row["win_prob"], row["horizon_min"], row["prediction_source"])
    return WatchlistEvent(
        id=row["id"],
        version=row["version"],
        key=PairKey(row["symbol"], row["type"], row["long_venue"], row["short_venue"]),
        status=EventStatus(row["status"]),
        merged=row["merged"],
        observations=row["observations"],
        first_observed_at=row["first_observed_at"],
        last_observed_at=row["last_observed_at"],
        opened_at=row["opened_at"],
        closed_at=row["closed_at"],
        factors={name: FactorSummary(**summary) for name, summary in row["factors"].items()},
        last_observation=row["last_observation"],
        prediction=prediction,
    )


async def insert_events(connection: Connection, events: Sequence[WatchlistEvent]) -> list[int]:
    """Stores new events; their ids in the same order.

    Raises:
        asyncpg.UniqueViolationError: another process began an event of the same pair.
    """
    rows = [
        (
            event.version,
            event.key.type,
            event.key.symbol,
            event.key.long_venue,
            event.key.short_venue,
            event.status.value,
            event.merged,
            event.observations,
            event.first_observed_at,
            event.last_observed_at,
            *_tail(event),
        )
        for event in events
    ]
    stored = await connection.fetch(_INSERT, *_columns(rows))
    # Identities are drawn in the order of the SELECT; the order of the answer is not promised.
    return sorted(row["id"] for row in stored)


async def update_events(connection: Connection, changes: Sequence[EventChange]) -> None:
    """Stores the new versions of events.

    Raises:
        EventMoved: one is no longer as it was read; the transaction must be given up.
    """
    rows = [
        (
            before.id,
            before.version,
            before.status.value,
            after.version,
            after.status.value,
            after.observations,
            after.first_observed_at,
            after.last_observed_at,
            *_tail(after),
        )
        for before, after in ((change.before, change.after) for change in changes)
        if before is not None
    ]
    updated = await connection.fetch(_UPDATE, *_columns(rows))
    if len(updated) != len(rows):
        raise EventMoved(f"{len(rows) - len(updated)} of {len(rows)} events changed since they were read")


def _tail(event: WatchlistEvent) -> tuple[Any, ...]:
    """The columns that both statements end with."""
    return (
        event.opened_at,
        event.closed_at,
        {name: summary.as_figures() for name, summary in event.factors.items()},
        event.last_observation,
        *(event.prediction or (None, None, None, None)),
    )


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
