"""Connections to Postgres: asyncpg with explicit SQL, JSON decoded, and errors sorted into away and wrong."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import asyncpg
import orjson

if TYPE_CHECKING:
    Pool = asyncpg.Pool[Any]
    Connection = asyncpg.pool.PoolConnectionProxy[Any]
    _RawConnection = asyncpg.Connection[Any]
else:  # asyncpg's classes are generic for the type checker only
    Pool = asyncpg.Pool
    Connection = asyncpg.pool.PoolConnectionProxy
    _RawConnection = asyncpg.Connection

T = TypeVar("T")

ANSWER_SECONDS = 5.0
"""How long a statement, or a new connection, waits for the server."""
FAREWELL_SECONDS = 1.0

LOST_CLIENT_SETTINGS = {
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "idle_in_transaction_session_timeout": "15s",
    "client_connection_check_interval": "1s",
}
"""What a client that is lost in the middle of a transaction held is free again: after 11 s where its machine is gone,
after 15 s where it only stands still, and after 1 s where it gave its statement up.
"""

_FIRST_CHANGING_OID = 10_000
"""A type of PostgreSQL's own with a smaller one has the same in every database and every version."""
_NOTHING_PREPARED = SimpleNamespace(name="none")
"""What asyncpg asks of the statement that told it the types: it was not an anonymous one, so none was replaced."""

DATABASE_AWAY = (
    asyncpg.PostgresConnectionError,
    # An operator, or the server's own end, took the connection or the statement away.
    asyncpg.OperatorInterventionError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    # Its disk or its memory is full, or it has as many connections as it takes.
    asyncpg.InsufficientResourcesError,
    asyncpg.PostgresSystemError,
    # It became the standby of another one.
    asyncpg.ReadOnlySQLTransactionError,
    # It chose this transaction to end a deadlock.
    asyncpg.TransactionRollbackError,
    asyncpg.InterfaceError,
    # A pooled connection that has heard its server end, but not yet seen the socket close, refuses its next query so.
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)
"""The database does not answer now. A statement that was on its way may still have taken effect: whoever tries again
does so under a unique key or from a state that is read anew.
"""


def encode_json(value: object) -> str:
    """JSON text; decimals become text and times RFC 3339 in UTC, as everywhere outside of the process.

    PostgreSQL keeps no NUL in text, so each becomes the replacement character.
    """
    text = orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_UTC_Z)
    if b"\\u0000" in text:
        text = orjson.dumps(_without_nul(orjson.loads(text)))
    return text.decode()


def storable_text(text: str) -> str:
    """The text as PostgreSQL can keep it: without NUL, and without halves of surrogate pairs."""
    return text.replace("\0", "\ufffd").encode(errors="replace").decode()


def _without_nul(value: object) -> object:
    """JSON as it was parsed, with the NULs of its texts and names replaced."""
    match value:
        case str():
            return value.replace("\0", "\ufffd")
        case list():
            return [_without_nul(item) for item in value]
        case dict():
            return {str(_without_nul(name)): _without_nul(item) for name, item in value.items()}
    return value


_JSONB_VERSION = b"\x01"


async def _prepare(connection: _RawConnection) -> None:
    """Binary codecs: COPY, which the observations come in by, knows no other."""
    for kind, prefix in (("json", b""), ("jsonb", _JSONB_VERSION)):

        def encode(value: object, prefix: bytes = prefix) -> bytes:
            return prefix + encode_json(value).encode()

        def decode(data: bytes, start: int = len(prefix)) -> Any:
            return orjson.loads(memoryview(data)[start:])

        await connection.set_type_codec(kind, encoder=encode, decoder=decode, schema="pg_catalog", format="binary")


class _PooledConnection(_RawConnection):
    """A connection that is ready quickly when it is new, needs no reset when it goes back, and is not used again once
    it has left a statement without an answer.

    No code here leaves session state behind (settings, session locks, LISTEN), so the reset would only add a round
    trip to every statement.
    """

    _builtin_types: ClassVar[dict[frozenset[int], Any]] = {}
    expire_others: Callable[[], Awaitable[None]]

    def get_reset_query(self) -> str:
        return ""

    async def _introspect_types(self, typeoids: Iterable[int], timeout: float | None) -> Any:
        """What arrays are made of, asked once a process: asyncpg asks on every connection, and each answer takes
        PostgreSQL tens of milliseconds, at times many hundreds.
        """
        wanted = frozenset(typeoids)
        if max(wanted) >= _FIRST_CHANGING_OID:
            return await super()._introspect_types(typeoids, timeout)  # type: ignore[misc]
        if wanted not in self._builtin_types:
            self._builtin_types[wanted], _ = await super()._introspect_types(typeoids, timeout)  # type: ignore[misc]
        return self._builtin_types[wanted], _NOTHING_PREPARED

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
        return await self._answered(super().execute(query, *args, timeout=timeout), timeout)

    async def fetch(self, query: str, *args: Any, timeout: float | None = None, **how: Any) -> Any:
        return await self._answered(super().fetch(query, *args, timeout=timeout, **how), timeout)

    async def fetchval(self, query: str, *args: Any, timeout: float | None = None, **how: Any) -> Any:
        return await self._answered(super().fetchval(query, *args, timeout=timeout, **how), timeout)

    async def fetchrow(self, query: str, *args: Any, timeout: float | None = None, **how: Any) -> Any:
        return await self._answered(super().fetchrow(query, *args, timeout=timeout, **how), timeout)

    async def copy_records_to_table(self, table_name: str, *, timeout: float | None = None, **how: Any) -> str:
        return await self._answered(super().copy_records_to_table(table_name, timeout=timeout, **how), timeout)

    async def close(self, *, timeout: float | None = None) -> None:
        """Says good-bye, and waits only shortly for the server to hear it."""
        with suppress(TimeoutError):
            await super().close(timeout=FAREWELL_SECONDS if timeout is None else timeout)

    async def _answered(self, statement: Awaitable[T], timeout: float | None) -> T:
        """The statement's answer. Where none comes the connection ends at once instead of waiting until the server
        has cancelled the statement, and so do the pool's others before they are used again: whatever hung, hung for
        them too. A statement with a time limit of its own only ends its own connection, and so does one that is given
        up outside of a transaction.
        """
        try:
            return await statement
        except TimeoutError:
            self.terminate()
            if timeout is None:
                await self.expire_others()
            raise
        except (asyncio.CancelledError, asyncpg.DataError):
            # A statement is prepared first and executed then. What is given up in between leaves the server in a
            # transaction that nobody knows of, and the next one on this connection would find itself inside of it.
            if not self.is_closed() and not self.is_in_transaction():
                self.terminate()
            raise


async def connect_pool(dsn: str, service: str, *, size_max: int = 8) -> Pool:
    """A pool that names its service to the server.

    A statement without an answer for `ANSWER_SECONDS` fails with one of `DATABASE_AWAY`, and what it changed is then
    unknown.

    Raises:
        OSError, asyncpg.PostgresError: the database cannot be reached or refuses.
    """

    async def prepare(connection: Any) -> None:
        connection.expire_others = pool.expire_connections
        await _prepare(connection)

    pool: Pool = asyncpg.create_pool(
        dsn,
        init=prepare,
        connection_class=_PooledConnection,
        min_size=2,
        max_size=size_max,
        command_timeout=ANSWER_SECONDS,
        timeout=ANSWER_SECONDS,
        server_settings={"application_name": service, "timezone": "UTC", **LOST_CLIENT_SETTINGS},
    )
    return await pool
