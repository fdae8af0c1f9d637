"""signal-ingest over a real database and a real bus, asked in the same process, on clocks that the test moves."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import asyncpg
import httpx
import nats

from common.messages.envelope import Envelope
from common.messages.subjects import STREAM_SUBJECTS
from common.messaging.bus import Bus
from common.persistence.database import Pool, connect_pool
from signal_ingest.bootstrap import SERVICE, Parts, assemble, read_configuration
from support.embedded_stack import Database
from support.observed_pairs import MOMENT
from support.standing_clock import StandingClock


@dataclass
class IngestService:
    """One replica: its parts, its HTTP side, and eyes on what it stored and published."""

    parts: Parts
    pool: Pool
    clock: StandingClock
    http: httpx.AsyncClient = field(repr=False)

    async def post(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Posts one observation that must be accepted."""
        response = await self.http.post("/signals", json=body)
        assert response.status_code == 201, response.text
        answer: dict[str, Any] = response.json()
        return answer

    async def post_batch(self, bodies: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Posts observations that must all be accepted."""
        response = await self.http.post("/signals/batch", content="\n".join(json.dumps(body) for body in bodies))
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        assert answer["refused"] == []
        return answer

    async def rows(self, table: str, columns: str = "*") -> list[asyncpg.Record]:
        """All rows of a table, oldest first."""
        return await self.pool.fetch(f"SELECT {columns} FROM watchlist.{table} ORDER BY id")

    async def outbox_ids(self) -> list[str]:
        """Message ids in the order in which they were written."""
        return [row["message_id"] for row in await self.rows("outbox", "message_id")]


@asynccontextmanager
async def ingest_service(
    database: Database, nats_url: str, *, clock: StandingClock | None = None, **settings: str
) -> AsyncIterator[IngestService]:
    """One replica whose outbox publishes; its rounds run when the test calls them."""
    clock = clock or StandingClock(MOMENT)
    environment = {
        "DATABASE_URL": database.dsn_of(SERVICE),
        "NATS_URL": nats_url,
        "SCANNER_ENABLED": "0",
        "ACCESS_REQUIRED": "0",
        **settings,
    }
    configuration = replace(read_configuration(environment), clock=clock)
    pool = await connect_pool(database.dsn_of(SERVICE), SERVICE)
    bus = await Bus.connect(nats_url, SERVICE)
    parts = assemble(configuration, pool, bus)
    publishing = asyncio.create_task(parts.outbox.run())
    transport = httpx.ASGITransport(parts.app)
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
            yield IngestService(parts, pool, clock, http)
    finally:
        publishing.cancel()
        await bus.close()
        await pool.close()


async def heard(nats_url: str, stream: str, count: int) -> list[Envelope]:
    """The first `count` messages of a stream, in order; fails when they do not come in time."""
    connection = await nats.connect(nats_url)
    try:
        subscription = await connection.jetstream().subscribe(
            STREAM_SUBJECTS[stream][0].rsplit(".", 1)[0] + ".>", stream=stream, ordered_consumer=True
        )
        return [Envelope.model_validate_json((await subscription.next_msg(timeout=20)).data) for _ in range(count)]
    finally:
        await connection.close()
