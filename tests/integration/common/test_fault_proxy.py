"""The fault proxy in front of the real PostgreSQL and the real NATS: what their clients see is what it was told."""

import asyncio
from urllib.parse import urlsplit

import asyncpg
import nats
import nats.errors
import pytest

from support.embedded_stack import Database
from support.fault_proxy import HOST, Direction, FaultProxy, fault_proxy

ANSWER_SECONDS = 2.0
"""Enough for the statement to arrive, also on a slow machine."""
DEADLINE_SECONDS = 20.0


def through(url: str, proxy: FaultProxy) -> str:
    """The same server, reached through the proxy."""
    port = urlsplit(url).port
    return url.replace(f":{port}", f":{proxy.port}")


def port_of(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port


async def test_postgres_session_ends_with_its_connection_and_a_new_one_works(database: Database) -> None:
    async with fault_proxy(port_of(database.owner_dsn)) as proxy:
        connection = await asyncpg.connect(through(database.owner_dsn, proxy))
        assert await connection.fetchval("SELECT 1") == 1
        await proxy.cut()
        with pytest.raises((asyncpg.PostgresConnectionError, asyncpg.InterfaceError, OSError)):
            await connection.fetchval("SELECT 1")
        again = await asyncpg.connect(through(database.owner_dsn, proxy))
        assert await again.fetchval("SELECT 2") == 2
        await again.close()


async def test_postgres_commits_what_it_got_although_its_answer_never_comes(database: Database) -> None:
    direct = await asyncpg.connect(database.owner_dsn)
    await direct.execute("CREATE TABLE written (number integer)")
    async with fault_proxy(port_of(database.owner_dsn)) as proxy:
        connection = await asyncpg.connect(through(database.owner_dsn, proxy))
        proxy.half_open(Direction.TO_CLIENT)
        with pytest.raises(TimeoutError):
            await connection.execute("INSERT INTO written VALUES (1)", timeout=ANSWER_SECONDS)
        await proxy.heal()
        connection.terminate()
    async with asyncio.timeout(DEADLINE_SECONDS):
        while await direct.fetchval("SELECT count(*) FROM written") != 1:  # noqa: ASYNC110  who writes is another process
            await asyncio.sleep(0.05)
    await direct.close()


async def test_nats_client_reconnects_after_a_cut_and_times_out_in_a_black_hole(nats_url: str) -> None:
    async with fault_proxy(port_of(nats_url)) as proxy:
        url = f"nats://{HOST}:{proxy.port}"
        client = await nats.connect(url, reconnect_time_wait=0.05, max_reconnect_attempts=-1)
        await client.flush()
        accepted = proxy.accepted
        await proxy.cut()
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not (proxy.accepted > accepted and client.is_connected):  # noqa: ASYNC110  # a fact, not an event
                await asyncio.sleep(0.01)
        proxy.blackhole()
        with pytest.raises((nats.errors.Error, TimeoutError)):
            await client.flush(1)
        await proxy.heal()
        await client.close()
