"""Months are made and dropped under the services' feet, and nothing is lost that is still of use."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
import pytest_asyncio

from api_gateway.adapters.listings import AUDIT, SAMPLES, Source, page_query
from api_gateway.application.ports import Wanted
from common.persistence import retention
from common.persistence.database import connect_pool
from common.persistence.retention import AUDIT as AUDIT_HISTORY
from common.persistence.retention import BY_MONTH, Connection, Month, RetentionSettings, forget, make_months
from common.runtime.settings import SettingsError, load
from support.embedded_stack import Database
from support.ledger_rows import LedgerRows

NOVEMBER = datetime(2026, 11, 22, tzinfo=UTC)
ONE_MONTH = RetentionSettings(retention_audit_months=1, retention_samples_months=1)


def day(year: int, month: int, day_of_month: int = 15) -> datetime:
    return datetime(year, month, day_of_month, tzinfo=UTC)


@dataclass
class Desk:
    """The owner's connection, on which the command works, and rows beside it."""

    connection: Connection
    rows: LedgerRows

    async def months(self, table: str = "audit") -> list[str]:
        """The partitions' ends, in order."""
        found = await self.rows.pool.fetch(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'watchlist_months' AND tablename LIKE $1 || '%'", table
        )
        return sorted(row["tablename"].removeprefix(f"{table}_") for row in found)

    async def times(self, table: str, time: str) -> list[datetime]:
        rows = await self.rows.pool.fetch(f"SELECT {time} AS at FROM watchlist.{table} ORDER BY id")
        return [row["at"] for row in rows]


@pytest_asyncio.fixture(loop_scope="session")
async def desk(database: Database, rows: LedgerRows) -> AsyncIterator[Desk]:
    connection = await asyncpg.connect(database.owner_dsn)
    for table in (history.table for history in BY_MONTH):  # those of the day on which the tests run
        for made in await Desk(connection, rows).months(table):
            if made != "default":
                await connection.execute(f"DROP TABLE watchlist_months.{table}_{made}")
    yield Desk(connection, rows)
    await connection.close()


@pytest.mark.parametrize(
    ("month", "later", "expected"),
    [
        (Month(2026, 11), 0, Month(2026, 11)),
        (Month(2026, 11), 2, Month(2027, 1)),
        (Month(2026, 1), -1, Month(2025, 12)),
        (Month(2026, 11), -24, Month(2024, 11)),
    ],
)
def test_months_are_counted_over_the_turn_of_the_year(month: Month, later: int, expected: Month) -> None:
    assert month.later(later) == expected


def test_a_month_is_one_of_utc() -> None:
    assert Month.of(datetime.fromisoformat("2025-12-31T23:30:00-01:00")) == Month(2026, 1)


async def test_this_month_and_the_next_two_are_made_once(desk: Desk) -> None:
    made = await make_months(desk.connection, NOVEMBER)
    expected = ["2026_11", "2026_12", "2027_01"]
    assert made == [f"{table}_{end}" for table in ("audit", "live_trade_spread_sample") for end in expected]
    assert await make_months(desk.connection, NOVEMBER) == []
    assert await make_months(desk.connection, day(2026, 12)) == ["audit_2027_02", "live_trade_spread_sample_2027_02"]


async def test_a_freshly_migrated_database_has_the_months_of_today(rows: LedgerRows) -> None:
    found = await rows.pool.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'watchlist_months'")
    today = Month.of(datetime.now(UTC))
    # A month may have turned since the migration.
    assert {today.later(1).partition_of(history) for history in BY_MONTH} <= {row["tablename"] for row in found}


async def test_rows_of_months_that_nobody_made_move_there_and_later_ones_find_their_month(desk: Desk) -> None:
    trade = await desk.rows.trade()
    for moment in (day(2025, 10, 1), day(2025, 10, 31), day(2026, 2)):
        await desk.rows.sample(trade, at=moment)
        await desk.rows.audit("decided", at=moment)
    await make_months(desk.connection, NOVEMBER)
    await desk.rows.audit("decided", at=day(2025, 10, 20))
    found = await desk.rows.pool.fetch("SELECT tableoid::regclass::text AS month FROM watchlist.audit ORDER BY id")
    assert [row["month"][-7:] for row in found] == ["2025_10", "2025_10", "2026_02", "2025_10"]
    assert await desk.months("live_trade_spread_sample") == [
        "2025_10", "2026_02", "2026_11", "2026_12", "2027_01", "default"
    ]  # fmt: skip
    assert len(await desk.times("live_trade_spread_sample", "sampled_at")) == 3


async def test_what_is_too_much_to_move_becomes_one_partition_that_goes_with_its_last_month(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "MOVED_ROWS_MAX", 2)
    trade = await desk.rows.trade(status="closed", finalised_at=day(2026, 9))
    moments = [day(2026, 7, 1), day(2026, 9, 30), day(2026, 9, 2)]
    for moment in moments:
        await desk.rows.sample(trade, at=moment)
        await desk.rows.audit("decided", at=moment)
    made = await make_months(desk.connection, NOVEMBER)
    assert made[:4] == ["audit_2026_09", "audit_2026_11", "audit_2026_12", "audit_2027_01"]
    await desk.rows.audit("decided", at=day(2026, 8))
    await desk.rows.audit("decided", at=day(2026, 6))
    found = await desk.rows.pool.fetch("SELECT tableoid::regclass::text AS month FROM watchlist.audit ORDER BY id")
    assert [row["month"].removeprefix("watchlist_months.audit_") for row in found] == ["2026_09"] * 4 + ["default"]
    assert await make_months(desk.connection, NOVEMBER) == ["audit_2026_06"]
    settings = RetentionSettings(retention_audit_months=2, retention_samples_months=2)
    assert (await forget(desk.connection, settings, NOVEMBER))["live_trade_spread_sample"] == 0
    assert await desk.times("live_trade_spread_sample", "sampled_at") == moments
    assert (await forget(desk.connection, ONE_MONTH, NOVEMBER))["live_trade_spread_sample"] == 1
    assert await desk.times("live_trade_spread_sample", "sampled_at") == []


@pytest.mark.parametrize("strange", [day(2027, 5), day(2026, 5)], ids=["not yet come", "before a month that is there"])
async def test_what_cannot_become_one_partition_is_moved(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, strange: datetime
) -> None:
    monkeypatch.setattr(retention, "MOVED_ROWS_MAX", 1)
    await make_months(desk.connection, day(2026, 6))  # with August
    for moment in (strange, day(2026, 9), day(2026, 10)):
        await desk.rows.audit("decided", at=moment)
    made = await make_months(desk.connection, NOVEMBER)
    assert {Month.of(strange).partition_of(AUDIT_HISTORY), "audit_2026_09", "audit_2026_10"} <= set(made)
    assert await desk.connection.fetchval("SELECT count(*) FROM watchlist_months.audit_default") == 0
    assert await make_months(desk.connection, NOVEMBER) == []


@pytest.mark.parametrize("moved_rows_max", [10_000, 3])
async def test_no_row_is_lost_that_a_service_writes_while_its_month_is_made(
    database: Database, desk: Desk, monkeypatch: pytest.MonkeyPatch, moved_rows_max: int
) -> None:
    monkeypatch.setattr(retention, "MOVED_ROWS_MAX", moved_rows_max)
    trade = await desk.rows.trade()
    own = await connect_pool(database.dsn_of("position_monitor"), "position_monitor")
    count = "SELECT count(*) FROM watchlist.live_trade_spread_sample"
    begun, done = asyncio.Event(), asyncio.Event()

    async def write() -> int:
        """Each row is there, for itself and beside all that were written before."""
        written = 0
        while not done.is_set():
            await LedgerRows(own).sample(trade, at=NOVEMBER + timedelta(seconds=written))
            written += 1
            if written == 5:
                begun.set()
            assert await own.fetchval(count) >= written
        return written

    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        writers = [tasks.create_task(write()) for _ in range(4)]
        await begun.wait()
        await make_months(desk.connection, NOVEMBER)
        done.set()
    await own.close()
    assert await desk.connection.fetchval(count) == sum(writer.result() for writer in writers)
    assert await desk.connection.fetchval("SELECT count(*) FROM watchlist_months.live_trade_spread_sample_default") == 0


async def test_only_full_months_older_than_the_settings_go(desk: Desk) -> None:
    trade = await desk.rows.trade(status="closed", finalised_at=day(2025, 10))
    moments = [day(2026, 9, 30), day(2026, 10, 1), NOVEMBER]
    for moment in moments:
        await desk.rows.sample(trade, at=moment)
        await desk.rows.audit("decided", at=moment)
        await desk.rows.error(at=moment)
        await desk.rows.observation(at=moment)
        await desk.rows.counterfactual(await desk.rows.signal(), skipped_at=moment)
    await make_months(desk.connection, NOVEMBER)
    settings = RetentionSettings(retention_audit_months=1, retention_samples_months=2)
    assert await forget(desk.connection, settings, NOVEMBER) == {
        "audit": 1, "live_trade_error": 1, "live_trade_spread_sample": 0, "watch_observation": 0,
        "live_trade_counterfactual": 0,
    }  # fmt: skip
    assert await desk.times("audit", "decided_at") == moments[1:]
    assert await desk.times("live_trade_error", "occurred_at") == moments[1:]
    assert await desk.times("live_trade_spread_sample", "sampled_at") == moments
    assert await forget(desk.connection, ONE_MONTH, NOVEMBER) == {
        "audit": 0, "live_trade_error": 0, "live_trade_spread_sample": 1, "watch_observation": 1,
        "live_trade_counterfactual": 1,
    }  # fmt: skip
    assert await desk.times("live_trade_spread_sample", "sampled_at") == moments[1:]
    assert await desk.times("watch_observation", "observed_at") == moments[1:]


async def test_a_trades_own_records_are_kept_whatever_their_age(desk: Desk) -> None:
    trade = await desk.rows.trade(status="closed", finalised_at=day(2025, 10))
    await desk.rows.entry(trade)
    await desk.rows.funding(trade, "long", "0.1", day(2025, 10))
    await forget(desk.connection, ONE_MONTH, day(2036, 1))
    for table in ("live_trade_signal", "live_trade_entry", "live_trade_order", "live_trade_fill", "live_trade_funding"):
        assert await desk.connection.fetchval(f"SELECT count(*) FROM watchlist.{table}"), table


async def test_zero_months_keep_for_ever(desk: Desk) -> None:
    await desk.rows.audit("decided", at=day(2015, 1))
    await make_months(desk.connection, NOVEMBER)
    for_ever = RetentionSettings(retention_audit_months=0, retention_samples_months=0)
    assert await forget(desk.connection, for_ever, NOVEMBER) == {}
    assert len(await desk.times("audit", "decided_at")) == 1


@pytest.mark.parametrize("status", ["opening", "open", "closing", "closed", "failed"])
async def test_nothing_goes_that_an_unfinished_trade_reaches_into(desk: Desk, status: str) -> None:
    seen_at = datetime(2025, 10, 31, 23, 59, tzinfo=UTC)
    event_id = await desk.rows.event(at=seen_at)
    trade = await desk.rows.trade(status=status, event_id=event_id, created_at=day(2025, 11, 1))
    for moment in (day(2025, 9), day(2025, 10), day(2025, 11)):
        await desk.rows.sample(trade, at=moment)
        await desk.rows.audit("decided", at=moment)
        await desk.rows.error(at=moment)
        await desk.rows.observation(at=moment)
    await make_months(desk.connection, NOVEMBER)
    await forget(desk.connection, ONE_MONTH, NOVEMBER)
    for table, time in (
        ("audit", "decided_at"),
        ("live_trade_error", "occurred_at"),
        ("live_trade_spread_sample", "sampled_at"),
        ("watch_observation", "observed_at"),
    ):
        assert await desk.times(table, time) == [day(2025, 10), day(2025, 11)], table
    await desk.rows.set_status(trade.id, "closed", finalised_at=NOVEMBER)
    await forget(desk.connection, ONE_MONTH, NOVEMBER)
    assert await desk.times("audit", "decided_at") == []


async def test_it_gives_way_to_who_reads_and_does_its_work_later(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "LOCK_TRIES", 2)
    await desk.rows.audit("decided", at=day(2025, 10))
    await make_months(desk.connection, NOVEMBER)
    async with desk.rows.pool.acquire() as reader, reader.transaction():
        assert await reader.fetchval("SELECT count(*) FROM watchlist.audit") == 1
        with pytest.raises(asyncpg.LockNotAvailableError):
            await forget(desk.connection, ONE_MONTH, NOVEMBER)
        assert await reader.fetchval("SELECT count(*) FROM watchlist.audit") == 1
    assert (await forget(desk.connection, ONE_MONTH, NOVEMBER))["audit"] == 1


@pytest.mark.parametrize(
    ("source", "filters"),
    [
        (AUDIT, {}),
        (AUDIT, {"service": "executor"}),
        (AUDIT, {"signal_id": 1}),
        (AUDIT, {"event_id": 1}),
        (AUDIT, {"symbol": "SOL"}),
        (AUDIT, {"decision": "opened"}),
        (SAMPLES, {}),
        (SAMPLES, {"signal_id": 1}),
    ],
)
async def test_a_page_is_read_from_the_ends_of_the_months_without_sorting(
    desk: Desk, source: Source, filters: dict[str, object]
) -> None:
    await make_months(desk.connection, NOVEMBER)
    sql, arguments = page_query(source, Wanted(50, 2**62, filters))
    async with desk.connection.transaction():
        await desk.connection.execute("SET LOCAL enable_seqscan = off")  # tables without rows are not worth an index
        await desk.connection.execute("SET LOCAL enable_bitmapscan = off")
        plan = "\n".join(row[0] for row in await desk.connection.fetch(f"EXPLAIN {sql}", *arguments))
    assert "Merge Append" in plan
    assert "Sort  " not in plan
    assert "Filter" not in plan  # no row is looked at for nothing
    assert plan.count("Index Scan") == 4


async def test_the_command_says_what_it_did(
    database: Database, desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    await desk.rows.audit("decided", at=day(2025, 10))
    monkeypatch.setenv("DATABASE_URL", database.owner_dsn)
    monkeypatch.setenv("RETENTION_AUDIT_MONTHS", "1")
    assert await asyncio.to_thread(retention.main) == 0
    printed = capsys.readouterr().out.splitlines()
    assert "made audit_2025_10" in printed
    assert "audit: 1 months dropped" in printed
    assert "live_trade_error: 0 rows deleted" in printed


async def test_the_command_says_in_a_sentence_what_is_wrong(
    database: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", "tandem")
    assert await asyncio.to_thread(retention.main) == 2
    assert "DATABASE_URL must be the owner's address" in capsys.readouterr().err
    monkeypatch.setenv("DATABASE_URL", "postgresql://tandem@127.0.0.1:1/tandem")
    assert await asyncio.to_thread(retention.main) == 1
    assert "nothing is lost, run it again" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["RETENTION_AUDIT_MONTHS", "RETENTION_SAMPLES_MONTHS"])
@pytest.mark.parametrize("value", ["-1", "1.5", "for ever", ""])
def test_a_wrong_retention_is_refused_with_its_name_and_value(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"{name}='{value}': "):
        load(RetentionSettings, {name: value})
