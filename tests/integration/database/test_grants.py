"""Every service reads everything and writes its own tables only: tried out as each service's own role."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from decimal import Decimal

import asyncpg
import pytest

from common.persistence.database import connect_pool
from common.persistence.retention import make_months
from common.persistence.tables import MONTHS_SCHEMA, PAPER_SCHEMA, SCHEMA
from local_stack.services import SERVICES
from support.embedded_stack import Database
from support.ledger_rows import NOON, LedgerRows, Trade

WRITER = {
    "watch_observation": "signal_ingest",
    "watch_signal_event": "signal_ingest",
    "live_trade_signal": "executor",
    "live_trade_entry": "executor",
    "live_trade_order": "executor",
    "live_trade_fill": "executor",
    "live_trade_funding": "executor",
    "live_trade_venue_position": "executor",
    "trading_state": "executor",
    "live_trade_spread_sample": "position_monitor",
    "operator_flatten": "executor",
    "operator_flatten_order": "executor",
    "operator_flatten_fill": "executor",
    "operator_session": "api_gateway",
    "command_answer": "api_gateway",
    "alert": "api_gateway",
    "live_trade_counterfactual": "position_monitor",
}
APPEND_ONLY = ("audit", "live_trade_error", "outbox")
TABLES = (*WRITER, *APPEND_ONLY, "installation")
PAPER_TABLES = ("account", "position", "order", "fill", "funding")

# What its writer may change of a row that is there: everything, unless it is named here.
CHANGES: dict[str, tuple[str, ...]] = {
    "watch_observation": (),
    "live_trade_fill": ("fee_usdt",),
    "operator_flatten_fill": ("fee_usdt",),
    "live_trade_funding": (),
    "live_trade_spread_sample": (),
}

# What is of no use any more: readings of trades that are over, looks that triggered nothing, messages that went out.
FORGETS = {
    ("executor", "live_trade_venue_position"),
    ("signal_ingest", "watch_observation"),
    ("api_gateway", "operator_session"),
    ("api_gateway", "command_answer"),
    ("api_gateway", "alert"),
    *((service, "outbox") for service in SERVICES),
}

FORBIDDEN = asyncpg.InsufficientPrivilegeError

Insert = Callable[[LedgerRows, Trade], Awaitable[object]]


async def sold(rows: LedgerRows, trade: Trade) -> int:
    """An order with its fill."""
    return await rows.filled_order(trade, "long", "close", "sell", "100", "0.1")


async def filled_entry(rows: LedgerRows, trade: Trade) -> int:
    return await rows.entry(trade, 2)


async def flatten(rows: LedgerRows, _: Trade) -> None:
    await rows.pool.execute(
        "INSERT INTO watchlist.operator_flatten (request_id, order_key, venue, symbol, requested_by, state, evidence,"
        " updated_at) VALUES ('f-1', 'k-1', 'binance', 'SOL', 'operator:ada', 'working', '{}', $1)",
        NOON,
    )


async def flatten_order(rows: LedgerRows, trade: Trade) -> None:
    await flatten(rows, trade)
    await rows.pool.execute(
        "INSERT INTO watchlist.operator_flatten_order (request_id, leg, attempt, client_order_id, venue, symbol, side,"
        " quantity, reference_price, status, intended_at)"
        " VALUES ('f-1', 'long', 1, 'c-1', 'binance', 'SOL', 'sell', 1, 100, 'intent', $1)",
        NOON,
    )


async def flatten_fill(rows: LedgerRows, trade: Trade) -> None:
    await flatten_order(rows, trade)
    await rows.pool.execute(
        "INSERT INTO watchlist.operator_flatten_fill (order_id, venue, symbol, fill_id, side, price, quantity,"
        " traded_at) SELECT max(id), 'binance', 'SOL', 'x-1', 'sell', 100, 1, $1 FROM watchlist.operator_flatten_order",
        NOON,
    )


async def session(rows: LedgerRows, _: Trade) -> None:
    await rows.pool.execute("INSERT INTO watchlist.operator_session VALUES ('s', 'desk', 't', 0)")


async def answer(rows: LedgerRows, _: Trade) -> None:
    await rows.pool.execute("INSERT INTO watchlist.command_answer VALUES ('desk', 'k', 'force_close', 'b', 0)")


INSERTS: dict[str, Insert] = {
    "watch_observation": lambda rows, _: rows.observation(),
    "watch_signal_event": lambda rows, _: rows.event("ETH"),
    "live_trade_signal": lambda rows, _: rows.signal("ETH"),
    "live_trade_entry": filled_entry,
    "live_trade_order": sold,
    "live_trade_fill": sold,
    "live_trade_funding": lambda rows, trade: rows.funding(trade, "long", "0.01", NOON),
    "live_trade_venue_position": lambda rows, _: rows.venue_position("binance", "ETH", "1"),
    "live_trade_spread_sample": lambda rows, trade: rows.sample(trade, total_pnl_usdt=Decimal(1)),
    "audit": lambda rows, trade: rows.audit("tested", signal_id=trade.id),
    "live_trade_error": lambda rows, trade: rows.error(signal_id=trade.id),
    "outbox": lambda rows, _: rows.message("m-1"),
    "operator_flatten": flatten,
    "operator_flatten_order": flatten_order,
    "operator_flatten_fill": flatten_fill,
    "operator_session": session,
    "command_answer": answer,
    "live_trade_counterfactual": lambda rows, trade: rows.counterfactual(trade.id),
    "alert": lambda rows, _: rows.alert("t-1"),
}
"""How a row of each table is made; of `trading_state` there is one for ever."""


@asynccontextmanager
async def as_service(database: Database, service: str) -> AsyncIterator[LedgerRows]:
    pool = await connect_pool(database.dsn_of(service), service)
    try:
        yield LedgerRows(pool)
    finally:
        await pool.close()


async def columns_of(rows: LedgerRows, table: str) -> list[str]:
    """All but identities, which nobody writes."""
    columns = await rows.pool.fetch(
        "SELECT column_name FROM information_schema.columns "
        "WHERE table_schema = $1 AND table_name = $2 AND is_identity = 'NO'",
        SCHEMA,
        table,
    )
    assert columns, f"{table} cannot be read"
    return [row["column_name"] for row in columns]


async def rewrite(rows: LedgerRows, table: str, columns: Iterable[str] | None = None) -> None:
    """Updates columns of the whole table, every one unless told which, to what they are."""
    named = await columns_of(rows, table) if columns is None else columns
    assignments = ", ".join(f"{column} = {column}" for column in named)
    await rows.pool.execute(f"UPDATE watchlist.{table} SET {assignments}")


async def test_no_table_is_left_out_of_these_tests(rows: LedgerRows) -> None:
    found = await rows.pool.fetch("SELECT tablename FROM pg_tables WHERE schemaname = $1", SCHEMA)
    assert {row["tablename"] for row in found} == {*TABLES, "alembic_version"}
    assert set(INSERTS) == set(TABLES) - {"trading_state", "installation"}
    paper = await rows.pool.fetch("SELECT tablename FROM pg_tables WHERE schemaname = $1", PAPER_SCHEMA)
    assert {row["tablename"] for row in paper} == set(PAPER_TABLES)


@pytest.mark.parametrize("table", WRITER)
async def test_a_service_writes_its_own_table(database: Database, rows: LedgerRows, table: str) -> None:
    trade = await rows.trade()
    async with as_service(database, WRITER[table]) as own:
        if table in INSERTS:
            await INSERTS[table](own, trade)
        if table not in CHANGES:
            await rewrite(own, table)


@pytest.mark.parametrize("table", CHANGES)
async def test_what_is_written_once_is_not_changed_by_its_writer_either(
    database: Database, rows: LedgerRows, table: str
) -> None:
    await INSERTS[table](rows, await rows.trade())
    async with as_service(database, WRITER[table]) as own:
        for column in await columns_of(own, table):
            if column in CHANGES[table]:
                await rewrite(own, table, [column])
                continue
            with pytest.raises(FORBIDDEN):
                await rewrite(own, table, [column])


async def test_nobody_adds_a_second_trading_state(database: Database) -> None:
    async with as_service(database, WRITER["trading_state"]) as own:
        with pytest.raises(FORBIDDEN):
            await own.insert("trading_state", id=2, state="active", reason="second", changed_by="test")


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_writes_nobody_elses_table(database: Database, rows: LedgerRows, service: str) -> None:
    await rows.entry(await rows.trade())
    async with as_service(database, service) as foreign:
        for table in (table for table, writer in WRITER.items() if writer != service):
            with pytest.raises(FORBIDDEN):
                await foreign.pool.execute(f"INSERT INTO watchlist.{table} DEFAULT VALUES")
            with pytest.raises(FORBIDDEN):
                await rewrite(foreign, table)


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_appends_to_the_common_tables_and_changes_nothing_there(
    database: Database, rows: LedgerRows, service: str
) -> None:
    trade = await rows.trade()
    async with as_service(database, service) as common:
        for table in APPEND_ONLY:
            await INSERTS[table](common, trade)
            with pytest.raises(FORBIDDEN):
                await rewrite(common, table)
        # The one exception: that a message went out.
        await common.pool.execute("UPDATE watchlist.outbox SET published_at = $1", NOON)


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_reads_everything_and_deletes_only_what_it_may_forget(database: Database, service: str) -> None:
    async with as_service(database, service) as rows:
        for table in TABLES:
            await rows.pool.fetchval(f"SELECT count(*) FROM watchlist.{table}")
            if (service, table) in FORGETS:
                await rows.pool.execute(f"DELETE FROM watchlist.{table}")
                continue
            with pytest.raises(FORBIDDEN):
                await rows.pool.execute(f"DELETE FROM watchlist.{table}")
            with pytest.raises(FORBIDDEN):
                await rows.pool.execute(f"TRUNCATE watchlist.{table} CASCADE")


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_reaches_no_partition_past_its_table(
    database: Database, rows: LedgerRows, service: str
) -> None:
    trade = await rows.trade()
    await rows.sample(trade)
    await rows.audit("tested")
    owner = await asyncpg.connect(database.owner_dsn)
    await make_months(owner, NOON)
    await owner.close()
    found = await rows.pool.fetch("SELECT tablename FROM pg_tables WHERE schemaname = $1", MONTHS_SCHEMA)
    partitions = {row["tablename"] for row in found}
    assert {"audit_default", "audit_2025_10", "live_trade_spread_sample_2025_10"} <= partitions
    async with as_service(database, service) as outsider:
        for partition in partitions:
            for statement in (
                f"SELECT FROM {MONTHS_SCHEMA}.{partition}",
                f"INSERT INTO {MONTHS_SCHEMA}.{partition} DEFAULT VALUES",
                f"UPDATE {MONTHS_SCHEMA}.{partition} SET evidence = '{{}}'",
                f"DELETE FROM {MONTHS_SCHEMA}.{partition}",
                f"TRUNCATE {MONTHS_SCHEMA}.{partition}",
                f"DROP TABLE {MONTHS_SCHEMA}.{partition}",
            ):
                with pytest.raises(FORBIDDEN):
                    await outsider.pool.execute(statement)


@pytest.mark.parametrize("service", SERVICES)
async def test_only_the_executor_says_what_a_database_is_for_and_takes_nothing_back(
    database: Database, service: str
) -> None:
    begin = "INSERT INTO watchlist.installation (id, mode, begun_at) VALUES (1, 'paper', $1)"
    async with as_service(database, service) as rows:
        if service == "executor":
            await rows.pool.execute(begin, NOON)
        else:
            with pytest.raises(FORBIDDEN):
                await rows.pool.execute(begin, NOON)
        with pytest.raises(FORBIDDEN):
            await rows.pool.execute("UPDATE watchlist.installation SET mode = 'live'")


@pytest.mark.parametrize("service", SERVICES)
async def test_paper_accounts_are_the_executors_and_their_history_stays(database: Database, service: str) -> None:
    async with as_service(database, service) as rows:
        for table in PAPER_TABLES:
            if service == "executor":
                await rows.pool.fetch(f'SELECT * FROM paper."{table}"')
                if table in ("order", "fill", "funding"):
                    with pytest.raises(FORBIDDEN):
                        await rows.pool.execute(f'UPDATE paper."{table}" SET symbol = symbol')
            else:
                with pytest.raises(FORBIDDEN):
                    await rows.pool.execute(f'INSERT INTO paper."{table}" DEFAULT VALUES')
            with pytest.raises(FORBIDDEN):
                await rows.pool.execute(f'DELETE FROM paper."{table}"')


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_cannot_change_the_schema(database: Database, service: str) -> None:
    async with as_service(database, service) as rows:
        for statement in (
            "CREATE TABLE watchlist.mine (id integer)",
            "CREATE TABLE watchlist_months.mine (id integer)",
            "ALTER TABLE watchlist.audit DETACH PARTITION watchlist_months.audit_default",
            "DROP TABLE watchlist.audit",
            "ALTER TABLE watchlist.live_trade_signal DISABLE TRIGGER ALL",
            "SET ROLE tandem",
        ):
            with pytest.raises(FORBIDDEN):
                await rows.pool.execute(statement)
