"""A TCP proxy that a test puts between a service and NATS or Postgres, and then makes fail.

What passes, passes unchanged and in order. A connection that has lost a byte never carries another one after
healing: it is cut, as a broken stream must be. Bounded: a chunk is read only when the one before it has left.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum

HOST = "127.0.0.1"
_CHUNK_BYTES = 65_536
_CONNECTIONS_MAX = 256


class Direction(Enum):
    """Which way bytes travel."""

    TO_SERVER = "to_server"
    TO_CLIENT = "to_client"


@dataclass(frozen=True, slots=True)
class _Behaviour:
    """What happens now: whether connections are taken, how late bytes are, and which ways swallow them."""

    accepts: bool = True
    delay_seconds: float = 0.0
    swallows: frozenset[Direction] = frozenset()


@dataclass(eq=False)
class _Connection:
    """One client's connection and the task that carries its bytes."""

    client: asyncio.StreamWriter
    upstream: asyncio.StreamWriter | None = None
    task: asyncio.Task[None] | None = None
    has_lost_bytes: bool = False
    is_stranded: bool = False
    has_ended_well: bool = False


@dataclass
class FaultProxy:
    """Listens on `port` and carries bytes to `target_port`, both on the loopback interface, as it is told."""

    target_port: int
    port: int = 0
    accepted: int = 0
    dropped: int = 0
    _behaviour: _Behaviour = _Behaviour()
    _connections: set[_Connection] = field(default_factory=set)

    @property
    def open_connections(self) -> int:
        """Connections that clients hold, whether bytes pass or not."""
        return len(self._connections)

    async def heal(self) -> None:
        """Everything passes again; connections that have lost bytes are cut."""
        self._behaviour = _Behaviour()
        await self._cut([connection for connection in self._connections if connection.has_lost_bytes])

    def drop_new(self) -> None:
        """New connections are cut as soon as they are made; existing ones go on."""
        self._behaviour = _Behaviour(accepts=False)

    def delay(self, seconds: float) -> None:
        """Every chunk arrives so much later, in both directions."""
        self._behaviour = _Behaviour(delay_seconds=seconds)

    def blackhole(self) -> None:
        """Connections are taken and kept, and nothing that anybody sends arrives."""
        self._behaviour = _Behaviour(swallows=frozenset(Direction))

    def half_open(self, swallowed: Direction) -> None:
        """What is sent this way never arrives; the other way everything does."""
        self._behaviour = _Behaviour(swallows=frozenset({swallowed}))

    def strand(self) -> None:
        """Existing connections never carry anything again, not even their end; new ones are as they are.

        So a way forgets its connections: a router that started anew, a server whose address moved to another one.
        """
        for connection in self._connections:
            connection.is_stranded = True

    async def cut(self) -> int:
        """Cuts every existing connection, and answers how many there were; new ones are as they are."""
        return await self._cut(list(self._connections))

    async def _cut(self, connections: list[_Connection]) -> int:
        tasks = [connection.task for connection in connections if connection.task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        return len(tasks)

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Takes a client's connection, or not."""
        if not self._behaviour.accepts or len(self._connections) >= _CONNECTIONS_MAX:
            self.dropped += 1
            writer.transport.abort()
            return
        self.accepted += 1
        connection = _Connection(writer)
        self._connections.add(connection)
        connection.task = asyncio.create_task(self._carry(connection, reader))
        connection.task.add_done_callback(lambda _task: self._end(connection))

    def _end(self, connection: _Connection) -> None:
        self._connections.discard(connection)
        for writer in (connection.client, connection.upstream):
            if writer is not None and connection.has_ended_well:
                writer.close()
            elif writer is not None:
                writer.transport.abort()

    async def _carry(self, connection: _Connection, reader: asyncio.StreamReader) -> None:
        if self._behaviour.swallows == frozenset(Direction):
            await self._swallow(connection, reader)
            return
        try:
            answers, upstream = await asyncio.open_connection(HOST, self.target_port)
            connection.upstream = upstream
            async with asyncio.TaskGroup() as ways:
                ways.create_task(self._pump(connection, Direction.TO_SERVER, reader, upstream))
                ways.create_task(self._pump(connection, Direction.TO_CLIENT, answers, connection.client))
            connection.has_ended_well = True
        except* OSError:
            connection.has_ended_well = False

    async def _swallow(self, connection: _Connection, reader: asyncio.StreamReader) -> None:
        connection.has_lost_bytes = True
        with suppress(OSError):
            while await reader.read(_CHUNK_BYTES):
                pass

    async def _pump(
        self, connection: _Connection, way: Direction, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while chunk := await reader.read(_CHUNK_BYTES):
            if self._behaviour.delay_seconds:
                await asyncio.sleep(self._behaviour.delay_seconds)
            if self._is_lost(connection, way):
                continue
            writer.write(chunk)
            await writer.drain()
        if not self._is_lost(connection, way) and writer.can_write_eof():
            writer.write_eof()

    def _is_lost(self, connection: _Connection, way: Direction) -> bool:
        """Whether what goes this way now gets lost; an end that is lost is cut at the healing as lost bytes are."""
        if way in self._behaviour.swallows:
            connection.has_lost_bytes = True
        return connection.is_stranded or way in self._behaviour.swallows


@asynccontextmanager
async def fault_proxy(target_port: int) -> AsyncIterator[FaultProxy]:
    """A proxy before a port of this machine; ended with all its connections."""
    proxy = FaultProxy(target_port)
    server = await asyncio.start_server(proxy.accept, HOST, 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.cut()
        await server.wait_closed()
