"""What is in a database survives every way up and down the revisions, or the way is refused."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
import pytest_asyncio
from alembic import command
from alembic.script import ScriptDirectory

from common.persistence.database import connect_pool
from common.persistence.migrate import LOST_BELOW, DataWouldBeLost, configuration, downgrade
from common.persistence.tables import SCHEMA
from local_stack.stack import LocalStack
from support.embedded_stack import Database, empty_database
from support.ledger_rows import NOON, LedgerRows

REVISIONS = [found.revision for found in ScriptDirectory.from_config(configuration("")).walk_revisions()][::-1]
_LOSING = [place for place, revision in enumerate(REVISIONS) if revision in LOST_BELOW]
KEEPING_ALL = [REVISIONS[first:end] for first, end in pairwise([*_LOSING, None]) if len(REVISIONS[first:end]) > 1]
"""The ways of more than one revision on which nothing is lost either way."""
BROUGHT_EMPTY = {
    "operator_session",
    "command_answer",
    "operator_flatten",
    "operator_flatten_order",
    "operator_flatten_fill",
    "alert",
    "live_trade_counterfactual",
}
"""What a later revision brings without a row: nothing of an older schema belongs there."""

Row = dict[str, Any]
Contents = dict[str, list[Row]]

_SHAPE = """
SELECT 'column', c.relname, a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || ' ' || a.attnotnull
    || ' ' || a.attidentity::text || ' ' || coalesce(a.attacl::text, '')
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND attnum > 0 AND NOT attisdropped
WHERE c.relnamespace = 'watchlist'::regnamespace AND c.relkind IN ('r', 'p')
UNION ALL SELECT 'constraint', conrelid::regclass::text, pg_get_constraintdef(oid)
FROM pg_constraint WHERE connamespace = 'watchlist'::regnamespace AND contype <> 'n'
UNION ALL SELECT 'index', tablename, indexdef FROM pg_indexes WHERE schemaname = 'watchlist'
UNION ALL SELECT 'grant', c.relname, acl.grantee::regrole || ' ' || acl.privilege_type
FROM pg_class c, aclexplode(c.relacl) acl WHERE c.relnamespace = 'watchlist'::regnamespace AND c.relkind IN ('r', 'p')
"""


@pytest_asyncio.fixture(loop_scope="session")
async def old(postgres_server: LocalStack) -> AsyncIterator[Database]:
    """A database without any schema yet."""
    async with empty_database(postgres_server) as fresh:
        yield fresh


async def move(database: Database, direction: str, revision: str) -> None:
    await asyncio.to_thread(getattr(command, direction), configuration(database.owner_dsn), revision)


async def fill(rows: LedgerRows) -> None:
    """At least a row of every table, and history over several months."""
    trade = await rows.trade()
    await rows.entry(trade)
    await rows.funding(trade, "long", "-0.0123456789", NOON)
    await rows.venue_position("binance", "SOL", "0.5")
    for month in range(3):
        moment = NOON + timedelta(days=31 * month)
        await rows.sample(trade, at=moment)
        await rows.audit("opened", signal_id=trade.id, at=moment)
        await rows.audit("scanned", service="signal_ingest", at=moment)
    await rows.error(signal_id=trade.id)
    await rows.observation()
    await rows.message("m-1")
    await rows.pool.execute(
        "INSERT INTO watchlist.trading_state (id, state, reason, changed_by) VALUES (1, 'halted', 'r', 'c') "
        "ON CONFLICT (id) DO UPDATE SET state = 'halted', reason = 'r', changed_by = 'c'"
    )
    if await rows.pool.fetchval("SELECT to_regclass('watchlist.installation') IS NOT NULL"):
        await rows.pool.execute(
            "INSERT INTO watchlist.installation VALUES (1, 'live', $1) ON CONFLICT DO NOTHING", NOON
        )
    if await rows.pool.fetchval("SELECT to_regclass('watchlist.operator_flatten') IS NOT NULL"):
        await rows.pool.execute("INSERT INTO watchlist.operator_session VALUES ('s', 'desk', 't', 0)")
        await rows.pool.execute("INSERT INTO watchlist.command_answer VALUES ('desk', 'k', 'force_close', 'b', 0)")
        await rows.pool.execute(
            "INSERT INTO watchlist.operator_flatten"
            " VALUES ('f', 'k', 'binance', 'SOL', 'operator:ada', 'flat', '{}', $1)",
            NOON,
        )
        await rows.pool.execute(
            "INSERT INTO watchlist.operator_flatten_order (request_id, leg, attempt, client_order_id, venue, symbol,"
            " side, quantity, reference_price, status, intended_at)"
            " VALUES ('f', 'long', 1, 'c', 'binance', 'SOL', 'sell', 1, 100, 'filled', $1)",
            NOON,
        )
    if await rows.pool.fetchval("SELECT to_regclass('watchlist.operator_flatten_fill') IS NOT NULL"):
        await rows.pool.execute(
            "INSERT INTO watchlist.operator_flatten_fill (order_id, venue, symbol, fill_id, side, price, quantity,"
            " traded_at) SELECT id, venue, symbol, 'x', side, 100, 1, $1 FROM watchlist.operator_flatten_order",
            NOON,
        )
    if await rows.pool.fetchval("SELECT to_regclass('watchlist.alert') IS NOT NULL"):
        await rows.alert("t-1")
    if await rows.pool.fetchval("SELECT to_regclass('watchlist.live_trade_counterfactual') IS NOT NULL"):
        await rows.counterfactual(trade.id)


async def contents(rows: LedgerRows) -> Contents:
    """Every row of every table, as JSON, in an order of its own."""
    tables = await rows.pool.fetch("SELECT tablename FROM pg_tables WHERE schemaname = $1", SCHEMA)
    found: Contents = {}
    for table in {row["tablename"] for row in tables} - {"alembic_version"}:
        told = await rows.pool.fetch(f"SELECT to_jsonb(t) AS row FROM watchlist.{table} t")
        found[table] = sorted((row["row"] for row in told), key=lambda row: json.dumps(row, sort_keys=True))
    empty = {table for table, rows_of_it in found.items() if not rows_of_it}
    assert empty <= BROUGHT_EMPTY, "a table is left out of this test"
    return {table: found[table] for table in found.keys() - empty}


def common_part(one: Contents, other: Contents) -> tuple[Contents, Contents]:
    """What both revisions have a place for."""

    def cut(these: Contents, those: Contents) -> Contents:
        known = {table: set(those[table][0]) for table in these if table in those}
        return {
            table: [{name: value for name, value in row.items() if name in names} for row in these[table]]
            for table, names in known.items()
        }

    return cut(one, other), cut(other, one)


def same(one: Contents, other: Contents) -> bool:
    first, second = common_part(one, other)
    return first == second


async def shape(rows: LedgerRows) -> list[tuple[str, ...]]:
    """Columns, constraints, indexes and grants."""
    return sorted(tuple(row) for row in await rows.pool.fetch(_SHAPE))


@pytest_asyncio.fixture(loop_scope="session")
async def old_rows(old: Database) -> AsyncIterator[LedgerRows]:
    pool = await connect_pool(old.owner_dsn, "test")
    yield LedgerRows(pool)
    await pool.close()


@pytest.mark.parametrize("start", REVISIONS)
async def test_rows_of_each_revision_survive_the_way_to_the_newest(
    old: Database, old_rows: LedgerRows, start: str
) -> None:
    await move(old, "upgrade", start)
    await fill(old_rows)
    before = await contents(old_rows)
    if start == "0001":  # the next one brings the first trading state itself
        await old_rows.pool.execute("DELETE FROM watchlist.trading_state")
        del before["trading_state"]
    await move(old, "upgrade", "head")
    assert same(before, await contents(old_rows))


@pytest.mark.parametrize("path", KEEPING_ALL, ids=lambda path: f"{path[0]}-{path[-1]}")
async def test_up_and_down_step_by_step_every_row_and_the_whole_shape_come_back(
    old: Database, old_rows: LedgerRows, path: list[str]
) -> None:
    await move(old, "upgrade", path[0])
    await fill(old_rows)
    before, shapes = await contents(old_rows), {path[0]: await shape(old_rows)}
    for revision in path[1:]:
        await move(old, "upgrade", revision)
        assert same(before, await contents(old_rows)), revision
        shapes[revision] = await shape(old_rows)
    newest = await contents(old_rows)
    for revision in path[-2::-1]:
        await asyncio.to_thread(downgrade, old.owner_dsn, revision)
        assert same(newest, await contents(old_rows)), revision
        assert await shape(old_rows) == shapes[revision]
    assert await contents(old_rows) == before
    await move(old, "upgrade", path[-1])
    assert same(before, await contents(old_rows))
    assert await shape(old_rows) == shapes[path[-1]]


async def test_ids_go_on_where_they_were_and_never_come_twice(old: Database, old_rows: LedgerRows) -> None:
    await move(old, "upgrade", "0002")
    last = max([await old_rows.audit("one"), await old_rows.audit("two")])
    await old_rows.pool.execute("DELETE FROM watchlist.audit")
    await move(old, "upgrade", "0003")
    assert await old_rows.audit("three") == last + 1
    await move(old, "downgrade", "0002")
    assert await old_rows.audit("four") == last + 2


async def test_history_comes_into_its_months(old: Database, old_rows: LedgerRows) -> None:
    await move(old, "upgrade", "0002")
    for moment in ("2025-10-31T23:59:59.999999Z", "2025-11-01T00:00:00Z", "2025-12-31T23:30:00-01:00"):
        await old_rows.audit("decided", at=datetime.fromisoformat(moment))
    await move(old, "upgrade", "0003")
    found = await old_rows.pool.fetch("SELECT tableoid::regclass::text AS month FROM watchlist.audit ORDER BY id")
    assert [row["month"] for row in found] == [
        f"watchlist_months.audit_{month}" for month in ("2025_10", "2025_11", "2026_01")
    ]


@pytest.mark.parametrize(
    ("revision", "told"),
    [
        ("base", "halted Tandem comes back active"),
        ("0001", "halted Tandem comes back active"),
        ("0004", "executor of the other mode would start"),
    ],
)
async def test_what_would_destroy_data_is_refused_unless_it_is_known(
    old: Database, old_rows: LedgerRows, revision: str, told: str
) -> None:
    await move(old, "upgrade", "head")
    await fill(old_rows)
    before = await contents(old_rows)
    with pytest.raises(DataWouldBeLost, match=told):
        await asyncio.to_thread(downgrade, old.owner_dsn, revision)
    assert await contents(old_rows) == before
    await asyncio.to_thread(downgrade, old.owner_dsn, revision, may_lose_data=True)
    version = await old_rows.pool.fetchval("SELECT max(version_num) FROM watchlist.alembic_version")
    assert version == (None if revision == "base" else revision)
