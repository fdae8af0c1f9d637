"""The fault proxy does to a connection exactly what it is told, and leaves nothing behind."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

import pytest

from support.fault_proxy import HOST, Direction, FaultProxy, fault_proxy

DEADLINE_SECONDS = 5.0
SILENCE_SECONDS = 0.1


class Echo:
    """A server that sends back what it gets, and remembers it."""

    def __init__(self) -> None:
        self.received = b""
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while chunk := await reader.read(65_536):
                self.received += chunk
                writer.write(chunk)
                await writer.drain()
        writer.close()


class Client:
    """One connection through the proxy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    async def receive(self, length: int) -> bytes:
        """So many bytes, in time."""
        return await asyncio.wait_for(self._reader.readexactly(length), DEADLINE_SECONDS)

    async def ask(self, data: bytes) -> bytes:
        self.send(data)
        return await self.receive(len(data))

    async def hears_nothing(self) -> bool:
        """Whether nothing comes, not even an end."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._reader.read(1), SILENCE_SECONDS)
            return False
        return True

    async def is_cut(self) -> bool:
        """Whether the connection has ended."""
        with suppress(ConnectionError):
            return await asyncio.wait_for(self._reader.read(1), DEADLINE_SECONDS) == b""
        return True

    def close(self) -> None:
        self._writer.close()


async def until(condition: Callable[[], bool]) -> None:
    """Waits for something that must become true."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not condition():  # noqa: ASYNC110  # what is waited for is a fact, not an event
            await asyncio.sleep(0.005)


@pytest.fixture
async def echo() -> AsyncIterator[Echo]:
    echo = Echo()
    server = await asyncio.start_server(echo.serve, HOST, 0)
    echo.port = server.sockets[0].getsockname()[1]
    yield echo
    server.close()
    await server.wait_closed()


@pytest.fixture
async def proxy(echo: Echo) -> AsyncIterator[FaultProxy]:
    async with fault_proxy(echo.port) as proxy:
        yield proxy


@pytest.fixture
async def connect(proxy: FaultProxy) -> AsyncIterator[Callable[[], "asyncio.Future[Client]"]]:
    clients: list[Client] = []

    async def open_client() -> Client:
        clients.append(Client(*await asyncio.open_connection(HOST, proxy.port)))
        return clients[-1]

    yield lambda: asyncio.ensure_future(open_client())
    for client in clients:
        client.close()


Connect = Callable[[], "asyncio.Future[Client]"]


async def test_everything_passes_unchanged_and_in_order(connect: Connect) -> None:
    client = await connect()
    data = bytes(range(256)) * 4096
    assert await client.ask(data) == data


async def test_end_of_a_stream_arrives_with_all_before_it(echo: Echo, proxy: FaultProxy) -> None:
    reader, writer = await asyncio.open_connection(HOST, proxy.port)
    writer.write(b"x" * 1_000_000)
    writer.write_eof()
    assert len(await asyncio.wait_for(reader.read(-1), DEADLINE_SECONDS)) == len(echo.received) == 1_000_000
    writer.close()
    await until(lambda: proxy.open_connections == 0)


async def test_new_connections_are_dropped_while_the_old_ones_go_on(proxy: FaultProxy, connect: Connect) -> None:
    old = await connect()
    assert await old.ask(b"before") == b"before"
    proxy.drop_new()
    assert await (await connect()).is_cut()
    assert await old.ask(b"after") == b"after"
    await proxy.heal()
    assert await (await connect()).ask(b"new") == b"new"
    assert (proxy.accepted, proxy.dropped) == (2, 1)


async def test_existing_connections_are_cut_while_new_ones_are_taken(proxy: FaultProxy, connect: Connect) -> None:
    first, second = await connect(), await connect()
    await first.ask(b"1")
    await second.ask(b"2")
    assert await proxy.cut() == 2
    assert await first.is_cut()
    assert await second.is_cut()
    assert await (await connect()).ask(b"3") == b"3"


async def test_delay_is_in_both_directions(proxy: FaultProxy, connect: Connect) -> None:
    client = await connect()
    proxy.delay(0.05)
    began = time.monotonic()
    assert await client.ask(b"late") == b"late"
    assert time.monotonic() - began >= 0.1


async def test_black_hole_takes_connections_and_answers_nobody(echo: Echo, proxy: FaultProxy, connect: Connect) -> None:
    old = await connect()
    await old.ask(b"before")
    proxy.blackhole()
    new = await connect()
    for client in (old, new):
        client.send(b"lost")
        assert await client.hears_nothing()
    assert echo.received == b"before"


async def test_stream_that_lost_bytes_is_cut_when_everything_heals(proxy: FaultProxy, connect: Connect) -> None:
    quiet, loser = await connect(), await connect()
    await quiet.ask(b"1")
    await loser.ask(b"2")
    proxy.blackhole()
    loser.send(b"lost")
    assert await loser.hears_nothing()
    await proxy.heal()
    assert await loser.is_cut()
    assert await quiet.ask(b"still here") == b"still here"


async def test_end_that_was_lost_is_cut_when_everything_heals() -> None:
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), HOST, 0)
    async with server, fault_proxy(server.sockets[0].getsockname()[1]) as proxy:
        proxy.half_open(Direction.TO_CLIENT)
        client = Client(*await asyncio.open_connection(HOST, proxy.port))
        assert await client.hears_nothing()
        await proxy.heal()
        assert await client.is_cut()
        client.close()


async def test_stranded_connections_carry_nothing_any_more_and_new_ones_everything(
    echo: Echo, proxy: FaultProxy, connect: Connect
) -> None:
    client = await connect()
    await client.ask(b"before")
    proxy.strand()
    client.send(b"lost")
    assert await client.hears_nothing()
    assert await (await connect()).ask(b"new") == b"new"
    await proxy.heal()
    assert await client.hears_nothing()
    assert echo.received == b"beforenew"


async def test_half_open_towards_the_server_loses_what_clients_send(
    echo: Echo, proxy: FaultProxy, connect: Connect
) -> None:
    client = await connect()
    proxy.half_open(Direction.TO_SERVER)
    client.send(b"lost")
    assert await client.hears_nothing()
    assert echo.received == b""


async def test_half_open_towards_the_client_loses_the_answers_only(
    echo: Echo, proxy: FaultProxy, connect: Connect
) -> None:
    client = await connect()
    proxy.half_open(Direction.TO_CLIENT)
    client.send(b"done")
    await until(lambda: echo.received == b"done")
    assert await client.hears_nothing()


async def test_server_that_is_not_there_looks_like_a_cut(connect: Connect, proxy: FaultProxy) -> None:
    async with fault_proxy(target_port=1) as to_nobody:
        client = Client(*await asyncio.open_connection(HOST, to_nobody.port))
        assert await client.is_cut()
        client.close()
    assert proxy.open_connections == 0


async def test_proxy_that_ends_leaves_no_connection_and_no_port(echo: Echo) -> None:
    async with fault_proxy(echo.port) as proxy:
        client = Client(*await asyncio.open_connection(HOST, proxy.port))
        await client.ask(b"x")
    assert await client.is_cut()
    assert proxy.open_connections == 0
    with pytest.raises(ConnectionError):
        await asyncio.open_connection(HOST, proxy.port)
    client.close()
