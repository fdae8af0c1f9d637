"""The client's side of the database in memory: what the adapters use of asyncpg's pool and connections."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from typing import Any, Protocol

import asyncpg

from support.memory_postgres import MemoryPostgres, Row, Transaction
from support.virtual_process import Journey, Life, Reply, ask

NOTICED_AFTER_SECONDS = 0.2
"""From the death of a client to the end of its transactions."""


class DatabaseNetwork(Protocol):
    """How requests to the database travel."""

    def journey(self, life: Life) -> Journey:
        """The next request's; a lost request or answer breaks the connection.

        Raises:
            OSError: the server cannot be reached now.
        """
        ...


class AtOnce:
    """A network without any delay or fault."""

    def journey(self, life: Life) -> Journey:
        return Journey(0.0, 0.0)


@dataclass(eq=False)
class MemoryPool:
    """`asyncpg.Pool` for one process."""

    server: MemoryPostgres
    life: Life = field(default_factory=Life)
    network: DatabaseNetwork = field(default_factory=AtOnce)
    _outside: Context = field(default_factory=copy_context)
    _open: dict[Transaction, None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.life.at_death.append(self._leave)

    def _leave(self) -> None:
        """What is under way may still arrive, a COMMIT too; then the server notices that nobody is there."""
        loop = asyncio.get_running_loop()
        loop.call_later(NOTICED_AFTER_SECONDS, self.break_all, context=self._outside)

    def break_all(self) -> None:
        """The server ends whatever this process has not committed."""
        for transaction in self._open:
            self.server.roll_back(transaction)
        self._open.clear()

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator["MemoryConnection"]:
        yield MemoryConnection(self)

    async def fetch(self, statement: str, *arguments: Any) -> list[Row]:
        return await MemoryConnection(self).fetch(statement, *arguments)

    async def fetchrow(self, statement: str, *arguments: Any) -> Row | None:
        return await MemoryConnection(self).fetchrow(statement, *arguments)

    async def fetchval(self, statement: str, *arguments: Any) -> Any:
        return await MemoryConnection(self).fetchval(statement, *arguments)

    async def execute(self, statement: str, *arguments: Any) -> None:
        await self.fetch(statement, *arguments)

    async def close(self) -> None:
        return

    async def travel(self, serve: Callable[[Reply[Any]], None], transaction: Transaction | None) -> Any:
        """One request and its answer; where either is lost, the connection is broken and says so."""
        journey = self.network.journey(self.life)
        if not (journey.request_lost or journey.answer_lost):
            return await ask(asyncio.get_running_loop(), self.life, serve, journey, self._outside)
        self._send_only(serve, journey)
        await asyncio.sleep(journey.there_seconds + journey.back_seconds)
        if transaction is not None:
            self.server.roll_back(transaction)
            self._open.pop(transaction, None)
        raise asyncpg.ConnectionDoesNotExistError("the connection was closed in the middle of an operation")

    def _send_only(self, serve: Callable[[Reply[Any]], None], journey: Journey) -> None:
        if journey.request_lost or not self.life.alive:
            return
        loop = asyncio.get_running_loop()
        nobody: Reply[Any] = Reply(loop, loop.create_future(), 0.0, self._outside, is_lost=True)
        loop.call_later(journey.there_seconds, serve, nobody, context=self._outside)

    def begun(self, isolation: str | None) -> Transaction:
        """A new transaction of this process."""
        transaction = self.server.begin(isolation=isolation)
        self._open[transaction] = None
        return transaction

    def give_up(self, transaction: Transaction) -> None:
        """Rolls back, unless this process is dead: then nothing reaches the server any more."""
        if self.life.alive:
            self.server.roll_back(transaction)
            self.over(transaction)

    def over(self, transaction: Transaction) -> None:
        """The transaction needs no cleaning up any more."""
        self._open.pop(transaction, None)


class MemoryConnection:
    """`asyncpg.Connection` as the adapters use it; outside of a transaction every statement commits by itself."""

    def __init__(self, pool: MemoryPool) -> None:
        self._pool = pool
        self._transaction: Transaction | None = None

    async def fetch(self, statement: str, *arguments: Any) -> list[Row]:
        work = self._pool.server.known(statement)
        rows: list[Row] = await self._run(lambda transaction: work(transaction, *arguments))
        return rows

    async def fetchrow(self, statement: str, *arguments: Any) -> Row | None:
        rows = await self.fetch(statement, *arguments)
        return rows[0] if rows else None

    async def fetchval(self, statement: str, *arguments: Any) -> Any:
        row = await self.fetchrow(statement, *arguments)
        return None if row is None else next(iter(row.values()))

    async def execute(self, statement: str, *arguments: Any) -> None:
        await self.fetch(statement, *arguments)

    async def executemany(self, statement: str, many: Iterable[Sequence[Any]]) -> None:
        work = self._pool.server.known(statement)
        await self._run(lambda transaction: [work(transaction, *arguments) for arguments in many])

    async def copy_records_to_table(
        self, table: str, *, schema_name: str, columns: Sequence[str], records: Iterable[Sequence[Any]]
    ) -> None:
        rows = [dict(zip(columns, record, strict=True)) for record in records]
        await self._run(lambda transaction: [transaction.insert(table, **row) for row in rows])

    @asynccontextmanager
    async def transaction(self, *, isolation: str | None = None, readonly: bool = False) -> AsyncIterator[None]:
        transaction = self._transaction = self._pool.begun(isolation)
        try:
            yield
            await self._pool.travel(lambda reply: self._commit(transaction, reply), transaction)
        except BaseException:
            self._pool.give_up(transaction)
            raise
        finally:
            self._transaction = None
        self._pool.over(transaction)

    def _commit(self, transaction: Transaction, reply: Reply[Any]) -> None:
        if transaction.is_over:
            reply.refuse(asyncpg.InterfaceError("the connection is closed"))
            return
        self._pool.server.commit(transaction)
        reply.give(None)

    async def _run(self, work: Callable[[Transaction], Any]) -> Any:
        server, transaction = self._pool.server, self._transaction
        if transaction is not None:
            return await self._pool.travel(
                lambda reply: server.run(transaction, work, reply.give, reply.refuse), transaction
            )

        def serve(reply: Reply[Any]) -> None:
            single = server.begin()

            def done(answer: Any) -> None:
                server.commit(single)
                reply.give(answer)

            def failed(error: BaseException) -> None:
                server.roll_back(single)
                reply.refuse(error)

            server.run(single, work, done, failed)

        return await self._pool.travel(serve, None)
