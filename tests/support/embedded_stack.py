"""PostgreSQL and NATS for tests: one server of each for the session, started when the first test asks for it.

A test that takes `database` has a freshly migrated database of its own; one that takes `nats_url` finds a NATS
without any stream, and its streams are deleted after it.
"""

import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field

import asyncpg
import nats
import pytest
import pytest_asyncio
from rich.console import Console

from local_stack.ports import Ports, claimed
from local_stack.screen import Screen
from local_stack.services import SERVICES
from local_stack.stack import LocalStack, StackPlan

_names = itertools.count(1)


@dataclass(frozen=True)
class Database:
    """Addresses of one migrated database, as `postgresql://` with password."""

    owner_dsn: str = field(repr=False)
    service_dsns: dict[str, str] = field(repr=False)
    """By service package: signal_ingest, executor, position_monitor, api_gateway."""

    def dsn_of(self, service: str) -> str:
        """The address as the role of one service."""
        return self.service_dsns[service]


def quiet_screen() -> Screen:
    """Shows nothing: a failing part explains itself, and its log is kept."""
    return Screen(Console(quiet=True))


@pytest.fixture
def free_port() -> Iterator[int]:
    """A port that nobody else chooses during the test."""
    with claimed({"test": 0}) as ports:
        yield ports["test"]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalStack]:
    """PostgreSQL whose database `tandem` is migrated and the template of every test's database."""
    plan = StackPlan(nats=False, ports=Ports.ephemeral(), var=tmp_path_factory.mktemp("postgres"))
    async with LocalStack(plan, quiet_screen()) as stack:
        yield stack


def fresh_database(server: LocalStack) -> AbstractAsyncContextManager[Database]:
    """A migrated database, dropped at the end with whatever is still connected."""
    return _database(server, "TEMPLATE tandem STRATEGY file_copy")


def empty_database(server: LocalStack) -> AbstractAsyncContextManager[Database]:
    """A database without the schema, dropped at the end with whatever is still connected."""
    return _database(server, "TEMPLATE template0 STRATEGY file_copy")


@asynccontextmanager
async def _database(server: LocalStack, origin: str) -> AsyncIterator[Database]:
    name = f"test_{next(_names)}"
    await _execute(server, f"CREATE DATABASE {name} {origin}")
    try:
        yield Database(server.cluster.dsn(name), {service: server.service_dsn(service, name) for service in SERVICES})
    finally:
        await _execute(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest_asyncio.fixture(loop_scope="session")
async def database(postgres_server: LocalStack) -> AsyncIterator[Database]:
    """A migrated database for one test."""
    async with fresh_database(postgres_server) as fresh:
        yield fresh


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def nats_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalStack]:
    plan = StackPlan(postgres=False, ports=Ports.ephemeral(), var=tmp_path_factory.mktemp("nats"))
    async with LocalStack(plan, quiet_screen()) as stack:
        yield stack


@pytest_asyncio.fixture(loop_scope="session")
async def nats_url(nats_server: LocalStack) -> AsyncIterator[str]:
    """The address of NATS with JetStream; streams and buckets of the test are deleted after it."""
    yield nats_server.nats_url
    await delete_streams(nats_server)


async def delete_streams(server: LocalStack) -> None:
    """Leaves a NATS without any stream."""
    connection = await nats.connect(server.nats_url)
    jetstream = connection.jetstream()
    for stream in await jetstream.streams_info():
        assert stream.config.name is not None
        await jetstream.delete_stream(stream.config.name)
    await connection.close()


async def _execute(server: LocalStack, statement: str) -> None:
    connection = await asyncpg.connect(server.cluster.dsn("postgres"))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
