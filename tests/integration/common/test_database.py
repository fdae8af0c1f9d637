"""Pooled connections to the real PostgreSQL when it, or the way to it, stops to answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import asyncpg
import pytest

from common.persistence import database as pools
from common.persistence.database import DATABASE_AWAY, Pool, connect_pool
from integration.common.test_fault_proxy import port_of, through
from support.embedded_stack import Database
from support.fault_proxy import Direction, FaultProxy, fault_proxy

CONNECTIONS = 8
DEADLINE_SECONDS = 30.0

_SLEEPS = """
SELECT EXISTS (SELECT FROM pg_stat_activity
               WHERE datname = current_database() AND query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid())
"""

_CANCEL = """
SELECT pg_cancel_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid()
"""


@pytest.fixture
async def proxy(database: Database) -> AsyncIterator[FaultProxy]:
    async with fault_proxy(port_of(database.owner_dsn)) as proxy:
        yield proxy


@pytest.fixture
async def pool(database: Database, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Pool]:
    """As a service's, with all its connections made."""
    monkeypatch.setattr(pools, "ANSWER_SECONDS", 2.0)
    monkeypatch.setitem(pools.LOST_CLIENT_SETTINGS, "idle_in_transaction_session_timeout", "1500ms")
    pool = await connect_pool(through(database.dsn_of("executor"), proxy), "test", size_max=CONNECTIONS)
    async with AsyncExitStack() as acquired:
        for _ in range(CONNECTIONS):
            await acquired.enter_async_context(pool.acquire())
    assert pool.get_size() == CONNECTIONS
    yield pool
    pool.terminate()


async def fails(pool: Pool) -> None:
    with pytest.raises(DATABASE_AWAY):
        await pool.fetchval("SELECT 1")


async def test_one_statement_without_an_answer_is_enough_to_leave_every_hung_connection(
    pool: Pool, proxy: FaultProxy
) -> None:
    proxy.strand()
    async with asyncio.timeout(DEADLINE_SECONDS):
        await asyncio.gather(*(fails(pool) for _ in range(3)))
        for _ in range(CONNECTIONS):
            assert await pool.fetchval("SELECT 1") == 1


async def test_a_transaction_that_hangs_ends_as_a_database_that_is_away(pool: Pool, proxy: FaultProxy) -> None:
    async def transact() -> None:
        async with pool.acquire() as connection, connection.transaction():
            proxy.strand()
            await connection.execute("SELECT 1")

    with pytest.raises(DATABASE_AWAY):
        await asyncio.wait_for(transact(), DEADLINE_SECONDS)
    assert await pool.fetchval("SELECT 1") == 1


async def test_a_statement_with_a_limit_of_its_own_ends_with_its_connection_and_no_other(pool: Pool) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        with pytest.raises(TimeoutError):
            await pool.fetchval("SELECT pg_sleep(600)", timeout=0.05)
        assert pool.get_size() == CONNECTIONS - 1
        while await pool.fetchval(_SLEEPS):  # noqa: ASYNC110  who ends it is another process
            await asyncio.sleep(0.05)
    assert pool.get_size() == CONNECTIONS - 1


async def test_a_service_works_again_as_soon_as_the_database_answers_again(pool: Pool, proxy: FaultProxy) -> None:
    proxy.half_open(Direction.TO_CLIENT)
    await asyncio.gather(*(fails(pool) for _ in range(CONNECTIONS)))
    await proxy.heal()
    async with asyncio.timeout(DEADLINE_SECONDS):
        for _ in range(CONNECTIONS):
            assert await pool.fetchval("SELECT 1") == 1


async def test_what_a_lost_client_had_locked_is_free_again(pool: Pool, proxy: FaultProxy, database: Database) -> None:
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("SELECT pg_advisory_xact_lock(1)")
        proxy.strand()
        another = await asyncpg.connect(database.dsn_of("executor"))
        async with asyncio.timeout(DEADLINE_SECONDS):
            await another.execute("SELECT pg_advisory_lock(1)")
        await another.close()
        with pytest.raises(DATABASE_AWAY):
            await transaction.commit()


async def test_what_arrays_are_made_of_is_asked_once(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    ask = asyncpg.Connection._introspect_types  # type: ignore[attr-defined]

    async def counted(connection: object, oids: object, timeout: float | None) -> object:
        asked.append(oids)
        return await ask(connection, oids, timeout)

    monkeypatch.setattr(asyncpg.Connection, "_introspect_types", counted)
    monkeypatch.setattr(pools._PooledConnection, "_builtin_types", {})
    async with AsyncExitStack() as acquired:
        for number in range(CONNECTIONS):
            connection = await acquired.enter_async_context(pool.acquire())
            sent = [[number, number + 1], [{"a": number}]]
            row = await connection.fetchrow("SELECT $1::bigint[], $2::jsonb[]", *sent)
            assert row is not None
            assert list(row) == sent
    assert len(asked) == 1


async def read_in_a_snapshot(pool: Pool) -> None:
    """On every connection of the pool: the server refuses to begin one inside of another transaction."""
    async with AsyncExitStack() as acquired:
        for _ in range(CONNECTIONS):
            connection = await acquired.enter_async_context(pool.acquire())
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                assert await connection.fetchval("SELECT 1") == 1


async def test_what_is_given_up_before_it_is_executed_leaves_no_transaction_behind(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare = asyncpg.Connection._get_statement  # type: ignore[attr-defined]

    async def prepared_and_given_up(*asked: object, **how: object) -> object:
        await prepare(*asked, **how)
        raise asyncio.CancelledError

    with monkeypatch.context() as patched:
        patched.setattr(asyncpg.Connection, "_get_statement", prepared_and_given_up)
        with pytest.raises(asyncio.CancelledError):
            await pool.fetchrow("SELECT count(*) FROM watchlist.live_trade_signal")
    await read_in_a_snapshot(pool)


async def test_an_argument_that_cannot_be_sent_leaves_no_transaction_behind(pool: Pool) -> None:
    with pytest.raises(asyncpg.DataError):
        await pool.fetchrow("SELECT FROM watchlist.live_trade_signal WHERE id = $1", "no number")
    await read_in_a_snapshot(pool)


async def test_a_statement_that_an_operator_cancels_is_a_database_that_is_away(pool: Pool, database: Database) -> None:
    async def cancel() -> None:
        owner = await asyncpg.connect(database.owner_dsn)
        while not await owner.fetchval(_CANCEL):  # noqa: ASYNC110  who begins it is another process
            await asyncio.sleep(0.02)
        await owner.close()

    async with asyncio.timeout(DEADLINE_SECONDS), asyncio.TaskGroup() as group:
        group.create_task(cancel())
        with pytest.raises(DATABASE_AWAY):
            await pool.execute("SELECT pg_sleep(600)", timeout=DEADLINE_SECONDS)


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.QueryCanceledError,
        asyncpg.AdminShutdownError,
        asyncpg.CrashShutdownError,
        asyncpg.CannotConnectNowError,
        asyncpg.TooManyConnectionsError,
        asyncpg.DiskFullError,
        asyncpg.OutOfMemoryError,
        asyncpg.PostgresIOError,
        asyncpg.ReadOnlySQLTransactionError,
        asyncpg.DeadlockDetectedError,
    ],
)
def test_what_passes_by_itself_is_no_fault_of_the_statement(error: type[Exception]) -> None:
    assert issubclass(error, DATABASE_AWAY)
