"""Every integration test stands on these: a database of its own, and a NATS that remembers nothing."""

import asyncpg
import nats
import pytest

from support.embedded_stack import Database


async def tables(dsn: str) -> int:
    connection = await asyncpg.connect(dsn)
    try:
        query = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'watchlist'"
        count: int = await connection.fetchval(query)
        return count
    finally:
        await connection.close()


async def test_a_test_finds_its_database_migrated(database: Database) -> None:
    assert await tables(database.owner_dsn) > 0


@pytest.mark.parametrize("service", ["signal_ingest", "executor", "position_monitor", "api_gateway"])
async def test_each_service_connects_as_its_own_role(database: Database, service: str) -> None:
    connection = await asyncpg.connect(database.dsn_of(service))
    try:
        assert await connection.fetchval("SELECT current_user") == f"tandem_{service}"
    finally:
        await connection.close()


@pytest.mark.parametrize("round_", [1, 2])
async def test_what_one_test_writes_the_next_one_does_not_see(database: Database, round_: int) -> None:
    connection = await asyncpg.connect(database.owner_dsn)
    try:
        await connection.execute("CREATE TABLE left_behind (id int)")
    finally:
        await connection.close()


@pytest.mark.parametrize("round_", [1, 2])
async def test_nats_has_no_stream_when_a_test_begins(nats_url: str, round_: int) -> None:
    connection = await nats.connect(nats_url)
    try:
        jetstream = connection.jetstream()
        assert await jetstream.streams_info() == []
        await jetstream.add_stream(name="LEFT_BEHIND", subjects=["left.>"])
    finally:
        await connection.close()


def test_an_address_with_a_password_is_in_no_representation(database: Database) -> None:
    assert "postgresql" not in repr(database)
