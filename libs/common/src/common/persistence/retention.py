"""Keeps the history by month: `python -m common.persistence.retention` with the owner's DATABASE_URL, once a day.

Months are made ahead, what went to the default partition meanwhile moves into its month, or becomes one partition where
it is too much to move, and what is older than the settings say goes. Months that an unfinished trade reaches into stay.
Nothing depends on it: without it rows collect in the default partition, and history is kept for ever.
"""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import asyncpg
from pydantic import Field
from pydantic_settings import SettingsConfigDict

from common.persistence.database import DATABASE_AWAY
from common.persistence.owner import owner_dsn
from common.persistence.tables import MONTHS_SCHEMA, SCHEMA
from common.runtime.clock import clock_from_environment
from common.runtime.secret_files import with_secret_files
from common.runtime.settings import SettingsError, ShownSettings, load

if TYPE_CHECKING:
    Connection = asyncpg.Connection[Any]
else:  # asyncpg's classes are generic for the type checker only
    Connection = asyncpg.Connection

Result = TypeVar("Result")

AHEAD_MONTHS = 2
DELETE_BATCH = 10_000
MOVED_ROWS_MAX = 10_000
LOCK_TRIES = 10
# Shorter than the second after which the server looks for deadlocks: in one, this command gives way and not a service.
_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '500ms'"
_BUSY = (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError)

_PARTITIONS = """
SELECT child.relname FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid
WHERE inhparent = $1::regclass
"""
# What an unfinished trade still tells of itself: from the first observation of its event on.
_STILL_NEEDED_SINCE = """
SELECT min(least(signal.created_at, event.first_observed_at)) FROM watchlist.live_trade_signal AS signal
LEFT JOIN watchlist.watch_signal_event AS event ON event.id = signal.event_id
WHERE signal.status IN ('opening', 'open', 'closing')
   OR (signal.status IN ('closed', 'failed') AND signal.finalised_at IS NULL)
"""


class RetentionSettings(ShownSettings):
    """How many full months are kept, besides the running one; 0 keeps for ever."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True)
    own_prefixes = ("RETENTION_",)

    retention_audit_months: int = Field(24, ge=0, le=1200, description="the audit and the errors")
    retention_samples_months: int = Field(6, ge=0, le=1200, description="samples, observations, counterfactuals")


@dataclass(frozen=True, slots=True)
class History:
    """A table that only grows, and the column with the time of its rows."""

    table: str
    time: str


AUDIT, SAMPLES = History("audit", "decided_at"), History("live_trade_spread_sample", "sampled_at")
ERRORS, OBSERVATIONS = History("live_trade_error", "occurred_at"), History("watch_observation", "observed_at")
COUNTERFACTUALS = History("live_trade_counterfactual", "skipped_at")
BY_MONTH = (AUDIT, SAMPLES)


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A calendar month in UTC."""

    year: int
    month: int

    @classmethod
    def of(cls, moment: datetime) -> "Month":
        utc = moment.astimezone(UTC)
        return cls(utc.year, utc.month)

    def later(self, months: int) -> "Month":
        """This month moved by `months`, which may be below zero."""
        years, month = divmod(self.year * 12 + self.month - 1 + months, 12)
        return Month(years, month + 1)

    @property
    def start(self) -> datetime:
        return datetime(self.year, self.month, 1, tzinfo=UTC)

    def partition_of(self, history: History) -> str:
        """The partition's name, which is also how it is found again."""
        return f"{history.table}_{self.year:04}_{self.month:02}"


async def make_months(connection: Connection, now: datetime) -> list[str]:
    """Makes the partitions of this month, of the next ones, and of what is in the default partition; returns them.

    Raises:
        asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError: the tables are too busy now.
    """
    made = []
    for history in BY_MONTH:
        if await _has_many_in_default(connection, history):
            made += await _patiently(connection, partial(_take_default_whole, connection, history, Month.of(now)))
        wanted = {Month.of(now).later(number) for number in range(AHEAD_MONTHS + 1)}
        wanted |= await _months_in_default(connection, history)
        for month in sorted(wanted - set(await _months(connection, history))):
            await _patiently(connection, partial(_make, connection, history, month))
            made.append(month.partition_of(history))
    return made


async def forget(connection: Connection, settings: RetentionSettings, now: datetime) -> dict[str, int]:
    """Drops the months, and deletes the errors and observations, that are older than the settings say.

    Returns how many months or rows went, by table.

    Raises:
        asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError: the tables are too busy now.
    """
    needed_since = await connection.fetchval(_STILL_NEEDED_SINCE)
    gone = {}
    for kept_months, by_month, by_rows in (
        (settings.retention_audit_months, AUDIT, [ERRORS]),
        (settings.retention_samples_months, SAMPLES, [OBSERVATIONS, COUNTERFACTUALS]),
    ):
        if kept_months:
            oldest = Month.of(now).later(-kept_months)
            if needed_since is not None:
                oldest = min(oldest, Month.of(needed_since))
            gone[by_month.table] = await _drop_before(connection, by_month, oldest)
            for by_row in by_rows:
                gone[by_row.table] = await _delete_before(connection, by_row, oldest)
    return gone


async def _months(connection: Connection, history: History) -> list[Month]:
    rows = await connection.fetch(_PARTITIONS, f"{SCHEMA}.{history.table}")
    ends = [row["relname"].removeprefix(f"{history.table}_") for row in rows]
    return sorted(Month(*map(int, end.split("_"))) for end in ends if end != "default")


async def _months_in_default(connection: Connection, history: History) -> set[Month]:
    rows = await connection.fetch(
        f"SELECT DISTINCT date_trunc('month', {history.time}, 'UTC') AS month "  # noqa: S608  names of ours
        f"FROM {MONTHS_SCHEMA}.{history.table}_default"
    )
    return {Month.of(row["month"]) for row in rows}


async def _has_many_in_default(connection: Connection, history: History) -> bool:
    rows = f"SELECT FROM {MONTHS_SCHEMA}.{history.table}_default OFFSET {MOVED_ROWS_MAX}"
    return bool(await connection.fetchval(f"SELECT EXISTS ({rows})"))


async def _take_default_whole(connection: Connection, history: History, this_month: Month) -> list[str]:
    """Makes the default partition that of all months in it: its rows are looked at behind the locked door, not moved.

    It is named by the last of them, so it goes when that one does. Nothing is made where a month stands between them,
    or where rows are of a time that has not come.
    """
    table, default = f"{SCHEMA}.{history.table}", f"{MONTHS_SCHEMA}.{history.table}_default"
    await _lock(connection, history)
    ends = await connection.fetchrow(f"SELECT min({history.time}) AS first, max({history.time}) AS last FROM {default}")  # noqa: S608
    if ends is None or ends["first"] is None:
        return []  # another one was faster
    first, last = Month.of(ends["first"]), Month.of(ends["last"])
    if last > this_month or any(first <= month <= last for month in await _months(connection, history)):
        return []
    made = last.partition_of(history)
    await connection.execute(f"ALTER TABLE {table} DETACH PARTITION {default}")
    await connection.execute(f"ALTER TABLE {default} RENAME TO {made}")
    await _attach(connection, history, f"{MONTHS_SCHEMA}.{made}", first, last)
    await connection.execute(f"CREATE TABLE {default} PARTITION OF {table} DEFAULT")
    return [made]


async def _make(connection: Connection, history: History, month: Month) -> None:
    """Behind a locked door: who chose the default partition before the move would be refused there, or miss rows."""
    default, made = f"{MONTHS_SCHEMA}.{history.table}_default", f"{MONTHS_SCHEMA}.{month.partition_of(history)}"
    start, end = month.start.isoformat(), month.later(1).start.isoformat()
    await _lock(connection, history)
    if await connection.fetchval("SELECT to_regclass($1)", made) is not None:
        return  # another one was faster
    await connection.execute(f"CREATE TABLE {made} (LIKE {SCHEMA}.{history.table})")
    await connection.execute(
        f"WITH moved AS (DELETE FROM {default} WHERE {history.time} >= '{start}' AND {history.time} < '{end}' "  # noqa: S608
        f"RETURNING *) INSERT INTO {made} SELECT * FROM moved"
    )
    await _attach(connection, history, made, month, month)


async def _lock(connection: Connection, history: History) -> None:
    await connection.execute(f"LOCK TABLE {SCHEMA}.{history.table} IN ACCESS EXCLUSIVE MODE")


async def _attach(connection: Connection, history: History, partition: str, first: Month, last: Month) -> None:
    start, end = first.start.isoformat(), last.later(1).start.isoformat()
    await connection.execute(
        f"ALTER TABLE {SCHEMA}.{history.table} ATTACH PARTITION {partition} FOR VALUES FROM ('{start}') TO ('{end}')"
    )


async def _drop_before(connection: Connection, history: History, oldest: Month) -> int:
    old = [month for month in await _months(connection, history) if month < oldest]
    for month in old:
        statement = f"DROP TABLE {MONTHS_SCHEMA}.{month.partition_of(history)}"
        await _patiently(connection, partial(connection.execute, statement))
    return len(old)


async def _delete_before(connection: Connection, history: History, oldest: Month) -> int:
    name, deleted = f"{SCHEMA}.{history.table}", 0
    statement = f"DELETE FROM {name} WHERE id IN (SELECT id FROM {name} WHERE {history.time} < $1 LIMIT $2) RETURNING 1"  # noqa: S608
    while True:
        batch = len(await connection.fetch(statement, oldest.start, DELETE_BATCH))
        deleted += batch
        if batch < DELETE_BATCH:
            return deleted


async def _patiently(connection: Connection, work: Callable[[], Awaitable[Result]]) -> Result:
    """Runs work in a transaction that does not stand in others' way while it waits: it gives up and comes again."""
    tries_left = LOCK_TRIES
    while True:
        tries_left -= 1
        try:
            async with connection.transaction():
                await connection.execute(_LOCK_TIMEOUT)
                return await work()
        except _BUSY:
            if not tries_left:
                raise


async def _run(dsn: str, settings: RetentionSettings, now: datetime) -> None:
    connection = await asyncpg.connect(dsn, timeout=5)
    try:
        for made in await make_months(connection, now):
            print(f"made {made}")
        for table, gone in (await forget(connection, settings, now)).items():
            what = "months dropped" if table in {history.table for history in BY_MONTH} else "rows deleted"
            print(f"{table}: {gone} {what}")
    finally:
        await connection.close()


def main() -> int:
    try:
        given = with_secret_files(os.environ)
        dsn, settings = owner_dsn(given), load(RetentionSettings, given)
        asyncio.run(_run(dsn, settings, clock_from_environment(given).now()))
    except (SettingsError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    except (*_BUSY, *DATABASE_AWAY) as error:
        print(f"nothing is lost, run it again: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
