"""Connections to Postgres: asyncpg with explicit SQL, JSON decoded, and errors sorted into away and wrong."""

from typing import TYPE_CHECKING, Any

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

DATABASE_AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InterfaceError,
    # A pooled connection that has heard its server end, but not yet seen the socket close, refuses its next query so.
    asyncpg.InternalClientError,
    asyncpg.TooManyConnectionsError,
    OSError,
    TimeoutError,
)
"""The database cannot be reached now: nothing was decided, try again."""


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


class _SameForAll(_RawConnection):
    """A connection that needs no reset when it goes back to the pool.

    No code here leaves session state behind (settings, session locks, LISTEN), so the reset would only add a round
    trip to every statement.
    """

    def get_reset_query(self) -> str:
        return ""


async def connect_pool(dsn: str, service: str, *, size_max: int = 8) -> Pool:
    """A pool that names its service to the server.

    Raises:
        OSError, asyncpg.PostgresError: the database cannot be reached or refuses.
    """
    return await asyncpg.create_pool(
        dsn,
        init=_prepare,
        connection_class=_SameForAll,
        min_size=2,
        max_size=size_max,
        command_timeout=10,
        timeout=5,
        server_settings={"application_name": service, "timezone": "UTC"},
    )
