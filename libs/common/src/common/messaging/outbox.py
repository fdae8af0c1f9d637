"""The transactional outbox: a message is committed with the state that it tells of, then published.

It is published right after the commit by the process that wrote it, and by a sweep should that process have died.
The bus drops the second copy by its id (`Nats-Msg-Id`), and consumers are idempotent beyond that window.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

import structlog

from common.messages.contracts import Message
from common.messages.envelope import Envelope
from common.persistence.database import DATABASE_AWAY, Connection, Pool
from common.runtime.clock import Clock

log = structlog.get_logger(__name__)

_INSERT = """
INSERT INTO watchlist.outbox (service, message_id, subject, body, created_at)
SELECT $1, m.message_id, m.subject, m.body, $5
FROM unnest($2::text[], $3::text[], $4::bytea[]) WITH ORDINALITY AS m (message_id, subject, body, place) ORDER BY place
ON CONFLICT (message_id) DO NOTHING RETURNING id, message_id, subject, body
"""
_UNPUBLISHED = """
SELECT id, message_id, subject, body FROM watchlist.outbox
WHERE service = $1 AND published_at IS NULL AND id > $2 ORDER BY id LIMIT $3
"""
_PUBLISHED = "UPDATE watchlist.outbox SET published_at = $2 WHERE id = ANY($1)"
_BACKLOG = "SELECT count(*), min(created_at) FROM watchlist.outbox WHERE service = $1 AND published_at IS NULL"


class Publisher(Protocol):
    """The sending side of the bus."""

    async def publish(self, subject: str, body: bytes, message_id: str) -> bool:
        """True once the bus has stored it (or had it already), False when it could not be reached."""
        ...


@dataclass(frozen=True, slots=True)
class OutboxMessage:
    """One committed message on its way out."""

    id: int
    message_id: str
    subject: str
    body: bytes


class Outbox:
    """The outbox of one service. Call `add` inside the transaction and `submit` after its commit."""

    def __init__(self, service: str, pool: Pool, publisher: Publisher, clock: Clock) -> None:
        self._service = service
        self._pool = pool
        self._publisher = publisher
        self._clock = clock
        self._pending: asyncio.Queue[OutboxMessage] = asyncio.Queue()
        self._in_hand: set[int] = set()

    async def add(self, connection: Connection, subject: str, message_id: str, payload: Message) -> list[OutboxMessage]:
        """Writes one message in the caller's transaction; an id that is there already adds nothing."""
        return await self.add_all(connection, [(subject, message_id, payload)])

    async def add_all(
        self, connection: Connection, messages: Sequence[tuple[str, str, Message]]
    ) -> list[OutboxMessage]:
        """Writes many messages, each (subject, message id, payload), with one statement; see `add`."""
        now = self._clock.now()
        bodies = [
            Envelope(
                id=message_id,
                subject=subject,
                producer=self._service,
                sent_at=now,
                payload=payload.model_dump(mode="json"),
            )
            .model_dump_json()
            .encode()
            for subject, message_id, payload in messages
        ]
        subjects, message_ids = [m[0] for m in messages], [m[1] for m in messages]
        rows = await connection.fetch(_INSERT, self._service, message_ids, subjects, bodies, now)
        return [OutboxMessage(**row) for row in rows]

    def submit(self, messages: Sequence[OutboxMessage]) -> None:
        """Hands committed messages to `run` for publication at once."""
        for message in messages:
            self._in_hand.add(message.id)
            self._pending.put_nowait(message)

    async def run(self) -> None:
        """Publishes what is submitted, for ever."""
        while True:
            batch = [await self._pending.get()]
            while not self._pending.empty() and len(batch) < 500:
                batch.append(self._pending.get_nowait())
            try:
                await self._publish(batch)
            finally:
                self._in_hand.difference_update(message.id for message in batch)

    async def sweep(self) -> int:
        """Publishes what an earlier process, or a bus that was away, left behind. Returns how many.

        What `run` has in hand is left to it.
        """
        published, last_id = 0, 0
        while True:
            rows = await self._pool.fetch(_UNPUBLISHED, self._service, last_id, 500)
            if not rows:
                return published
            last_id = rows[-1]["id"]
            left = [OutboxMessage(**row) for row in rows if row["id"] not in self._in_hand]
            done = await self._publish(left)
            published += done
            if done < len(left):
                return published

    async def backlog(self) -> tuple[int, timedelta]:
        """How many messages wait, and the age of the oldest in strategy time."""
        row = await self._pool.fetchrow(_BACKLOG, self._service)
        assert row is not None
        oldest = row["min"]
        return row["count"], self._clock.now() - oldest if oldest else timedelta(0)

    async def _publish(self, batch: Sequence[OutboxMessage]) -> int:
        stored = await asyncio.gather(*(self._publisher.publish(m.subject, m.body, m.message_id) for m in batch))
        done = [message.id for message, ok in zip(batch, stored, strict=True) if ok]
        if done:
            try:
                await self._pool.execute(_PUBLISHED, done, self._clock.now())
            except DATABASE_AWAY as error:
                log.warning("outbox.mark_failed", messages=len(done), error=str(error))
        return len(done)
