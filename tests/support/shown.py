"""Everything that a running system shows or stores, as texts by place: what a search for secrets looks through."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import asyncpg
import httpx
import nats
from nats.js.errors import NotFoundError

Places = list[tuple[str, str]]

_PATHS = (
    "/settings",
    "/openapi.json",
    "/metrics",
    "/health/ready",
    "/health/live",
    "/audit?limit=500",
    "/docs",
    "/nowhere",
)
_LISTS = ("overview", "errors", "signals", "positions")


async def shown(http: httpx.AsyncClient, urls: Mapping[str, str], logs: Path, database: str, bus: str) -> Places:
    """Logs, what each service answers, every row of every table, every message of every stream. `urls` by service."""
    texts = _files(logs)
    for service, url in urls.items():
        paths = [*_PATHS, "/nowhere"]
        if service == "api_gateway":
            paths += ["/api/health", "/api/settings", *(f"/api/live_trading/{name}" for name in _LISTS)]
        texts += [(f"{service} {path.partition('?')[0]}", (await http.get(url + path)).text) for path in paths]
    return [*texts, *await _tables(database), *await _streams(bus)]


def _files(logs: Path) -> Places:
    return [(path.name, path.read_text()) for path in sorted(logs.glob("*.log"))]


async def _tables(dsn: str) -> Places:
    connection = await asyncpg.connect(dsn)
    try:
        names = await connection.fetch(
            "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname <> 'pg_catalog'"
        )
        rows = {name[0]: await connection.fetch(f"SELECT one::text FROM {name[0]} AS one") for name in names}
    finally:
        await connection.close()
    return [(f"table {name}", "\n".join(row[0] for row in found)) for name, found in rows.items()]


async def _streams(url: str) -> Places:
    """With their headers; buckets are streams too."""
    connection = await nats.connect(url)
    jetstream = connection.jetstream()
    found = []
    for stream in await jetstream.streams_info():
        texts = [repr(stream.config)]
        for sequence in range(max(1, stream.state.first_seq), stream.state.last_seq + 1):
            with suppress(NotFoundError):
                message = await jetstream.get_msg(str(stream.config.name), sequence)
                texts.append(f"{message.subject} {message.headers} {(message.data or b'').decode()}")
        found.append((f"stream {stream.config.name}", "\n".join(texts)))
    await connection.close()
    return found
