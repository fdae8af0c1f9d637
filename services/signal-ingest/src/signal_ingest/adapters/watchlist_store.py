"""The watchlist in Postgres. What is stored and what is announced commit together, a few statements a batch.

Two processes that work on the same pair meet at the row lock of its live event or, where there is none yet, at the
unique index over live events; the one that comes second starts its batch anew on what the first one left.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import asyncpg

from common.messages.contracts import Message
from common.messages.subjects import EVENT_OPENED
from common.messaging.outbox import Outbox, OutboxMessage
from common.persistence.database import Connection, Pool
from common.persistence.journal import Decision, Journal
from signal_ingest.adapters.event_rows import (
    EventMoved,
    event_from_row,
    insert_events,
    update_events,
)
from signal_ingest.application.announcements import event_decisions, event_message, message_id, subject_of
from signal_ingest.application.measures import EVENT_CHANGES
from signal_ingest.application.ports import Closing, MergeStep, Placement
from signal_ingest.domain.merging import EventChange
from signal_ingest.domain.observation import PairKey
from signal_ingest.domain.trigger import JudgedObservation
from signal_ingest.domain.watchlist_event import WatchlistEvent

TRIES = 8
ROUND_EVENTS = 1000
COPY_FROM = 100
"""Observations from which a COPY is cheaper than inserts: it asks the server for the columns' types each time."""

RACES = (asyncpg.UniqueViolationError, asyncpg.DeadlockDetectedError, EventMoved)
"""Another process was faster: nothing was stored, start anew."""

_OBSERVATION_COLUMNS = (
    "type",
    "symbol",
    "long_venue",
    "short_venue",
    "observed_at",
    "spread",
    "triggered",
    "refusal",
    "event_id",
    "observation",
)

_INSERT_OBSERVATION = f"""
INSERT INTO watchlist.watch_observation ({", ".join(_OBSERVATION_COLUMNS)})
VALUES ({", ".join(f"${number}" for number in range(1, len(_OBSERVATION_COLUMNS) + 1))})
"""  # noqa: S608  column names of ours

# The live events of the pairs of one batch, locked in the order of their ids.
_LIVE = """
SELECT e.* FROM watchlist.watch_signal_event e
JOIN unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS k (symbol, type, long_venue, short_venue)
    ON e.symbol = k.symbol AND e.type = k.type AND e.long_venue = k.long_venue AND e.short_venue = k.short_venue
WHERE e.merged AND e.status IN ('forming', 'open') ORDER BY e.id FOR UPDATE OF e
"""

# Events that another process holds are being fed right now: not quiet, or next round's business.
_QUIET = """
SELECT e.* FROM watchlist.watch_signal_event e
WHERE e.status <> 'closed' AND e.last_observed_at < $1 ORDER BY e.id LIMIT $2 FOR UPDATE SKIP LOCKED
"""

_WITHOUT_SIGNAL = """
SELECT e.* FROM watchlist.watch_signal_event e
WHERE e.status = 'open' AND NOT EXISTS (SELECT FROM watchlist.live_trade_signal s WHERE s.event_id = e.id)
ORDER BY e.id LIMIT $1
"""

_FORGET = """
DELETE FROM watchlist.watch_observation WHERE id IN (
    SELECT id FROM watchlist.watch_observation WHERE observed_at < $1 AND NOT triggered LIMIT $2)
RETURNING 1
"""

_COUNT_LIVE = """
SELECT count(*) FILTER (WHERE status = 'forming') AS forming, count(*) FILTER (WHERE status = 'open') AS open
FROM watchlist.watch_signal_event WHERE status <> 'closed'
"""


class PostgresWatchlist:
    """`WatchlistStore` over asyncpg, the outbox and the journal."""

    def __init__(self, pool: Pool, outbox: Outbox, journal: Journal) -> None:
        self._pool = pool
        self._outbox = outbox
        self._journal = journal

    async def record(
        self, batch: Sequence[JudgedObservation], keys: Sequence[PairKey], merge: MergeStep
    ) -> list[Placement | None]:
        """See `WatchlistStore`.

        Raises:
            TimeoutError: others changed the same events first, every time.
        """
        for _ in range(TRIES):
            try:
                return await self._record_once(batch, keys, merge)
            except RACES:
                continue
        raise TimeoutError(f"others changed the same events first, {TRIES} times in a row")

    async def _record_once(
        self, batch: Sequence[JudgedObservation], keys: Sequence[PairKey], merge: MergeStep
    ) -> list[Placement | None]:
        async with self._pool.acquire() as connection:
            async with connection.transaction():
                columns = [list(column) for column in zip(*keys, strict=True)] or [[], [], [], []]
                live = [event_from_row(row) for row in await connection.fetch(_LIVE, *columns)]
                merged = merge(live)
                messages = await self._store(connection, merged.changes)
                placements = [
                    None if index is None else _placement(merged.changes[index].after) for index in merged.change_of
                ]
                await _store_observations(connection, batch, placements)
            self._outbox.submit(messages)
        _count(merged.changes)
        return placements

    async def close_quiet(self, before: datetime, close: Closing) -> list[EventChange]:
        async with self._pool.acquire() as connection:
            async with connection.transaction():
                quiet = [event_from_row(row) for row in await connection.fetch(_QUIET, before, ROUND_EVENTS)]
                changes = [EventChange(event, close(event)) for event in quiet]
                messages = await self._store(connection, changes)
            self._outbox.submit(messages)
        _count(changes)
        return changes

    async def open_without_signal(self) -> list[WatchlistEvent]:
        return [event_from_row(row) for row in await self._pool.fetch(_WITHOUT_SIGNAL, ROUND_EVENTS)]

    async def announce_again(self, events: Sequence[WatchlistEvent], mark: str) -> None:
        announced = [(EVENT_OPENED, message_id(event, mark), event_message(event)) for event in events]
        async with self._pool.acquire() as connection:
            messages = await self._outbox.add_all(connection, announced)
        self._outbox.submit(messages)

    async def forget_untriggered(self, before: datetime, limit: int) -> int:
        return len(await self._pool.fetch(_FORGET, before, limit))

    async def count_live(self) -> dict[str, int]:
        row = await self._pool.fetchrow(_COUNT_LIVE)
        assert row is not None
        return dict(row)

    async def _store(self, connection: Connection, changes: Sequence[EventChange]) -> list[OutboxMessage]:
        """Updates before inserts: a pair's old event has to leave the index over live events first."""
        known = [change for change in changes if change.before is not None]
        begun = sorted((change for change in changes if change.before is None), key=lambda change: change.after.key)
        if known:
            await update_events(connection, known)
        if begun:
            ids = await insert_events(connection, [change.after for change in begun])
            for change, id_ in zip(begun, ids, strict=True):
                change.after = replace(change.after, id=id_)
        return await self._tell(connection, changes)

    async def _tell(self, connection: Connection, changes: Sequence[EventChange]) -> list[OutboxMessage]:
        announced: list[tuple[str, str, Message]] = []
        decisions: list[Decision] = []
        for change in changes:
            subject = subject_of(change)
            if subject is not None:
                announced.append((subject, message_id(change.after), event_message(change.after)))
            decisions += [
                Decision(name, evidence, symbol=change.after.key.symbol, event_id=change.after.id)
                for name, evidence in event_decisions(change)
            ]
        if decisions:
            await self._journal.decided_all(connection, decisions)
        return await self._outbox.add_all(connection, announced) if announced else []


def _placement(event: WatchlistEvent) -> Placement:
    assert event.id is not None
    return Placement(event.id, event.status.value, event.version)


def _count(changes: Sequence[EventChange]) -> None:
    for change in changes:
        if change.opened:
            EVENT_CHANGES.labels("opened").inc()
        if change.after.closed_at is not None:
            EVENT_CHANGES.labels("closed").inc()


async def _store_observations(
    connection: Connection, batch: Sequence[JudgedObservation], placements: Sequence[Placement | None]
) -> None:
    records = [
        (
            *_pair(judged),
            judged.observation.observed_at,
            judged.observation.spread,
            judged.triggered,
            judged.refusal,
            placement.event_id if placement else None,
            judged.observation.evidence,
        )
        for judged, placement in zip(batch, placements, strict=True)
    ]
    if len(records) < COPY_FROM:
        await connection.executemany(_INSERT_OBSERVATION, records)
        return
    await connection.copy_records_to_table(
        "watch_observation", schema_name="watchlist", columns=_OBSERVATION_COLUMNS, records=records
    )


def _pair(judged: JudgedObservation) -> tuple[str, str, str, str]:
    symbol, type_, long_venue, short_venue = judged.observation.key
    return type_, symbol, long_venue, short_venue
