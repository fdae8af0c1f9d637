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
from common.runtime.metrics import OUTBOX_OLDEST_SECONDS
from common.runtime.tracing import message_traceparents

log = structlog.get_logger(__name__)

_INSERT = """
INSERT INTO watchlist.outbox (service, message_id, subject, body, traceparent, created_at)
SELECT $1, m.message_id, m.subject, m.body, m.traceparent, $6
FROM unnest($2::text[], $3::text[], $4::bytea[], $5::text[])
    WITH ORDINALITY AS m (message_id, subject, body, traceparent, place) ORDER BY place
ON CONFLICT (message_id) DO NOTHING RETURNING id, message_id, subject, body, traceparent
"""
_UNPUBLISHED = """
SELECT id, message_id, subject, body, traceparent FROM watchlist.outbox
WHERE service = $1 AND published_at IS NULL AND id > $2 ORDER BY id LIMIT $3
"""
_PUBLISHED = "UPDATE watchlist.outbox SET published_at = $2 WHERE id = ANY($1)"
# The bus keeps nothing longer than its streams do; who asks for a message's id again asks about work of its day.
_FORGET = """
DELETE FROM watchlist.outbox WHERE id IN (
    SELECT id FROM watchlist.outbox
    WHERE service = $1 AND created_at < $2 AND published_at IS NOT NULL LIMIT $3)
RETURNING 1
"""

KEPT = timedelta(days=1)
"""How long a published message is kept, in strategy time."""
FORGET_BATCH = 1000
FORGET_EVERY_SECONDS = 60.0


class Publisher(Protocol):
    """The sending side of the bus."""

    async def publish(self, subject: str, body: bytes, message_id: str, traceparent: str | None) -> bool:
        """True once the bus has stored it (or had it already), False when it could not be reached.

        `traceparent` goes along as a header.
        """
        ...


@dataclass(frozen=True, slots=True)
class OutboxMessage:
    """One committed message on its way out."""

    id: int
    message_id: str
    subject: str
    body: bytes
    traceparent: str | None


class Outbox:
    """The outbox of one service. Call `add` inside the transaction and `submit` after its commit."""

    def __init__(self, service: str, pool: Pool, publisher: Publisher, clock: Clock) -> None:
        self._service = service
        self._pool = pool
        self._publisher = publisher
        self._clock = clock
        self._pending: asyncio.Queue[OutboxMessage] = asyncio.Queue()
        self._in_hand: set[int] = set()
        self._oldest: tuple[int, float] | None = None

    async def add(self, connection: Connection, subject: str, message_id: str, payload: Message) -> list[OutboxMessage]:
        """Writes one message in the caller's transaction; an id that is there already adds nothing."""
        return await self.add_all(connection, [(subject, message_id, payload)])

    async def add_all(
        self, connection: Connection, messages: Sequence[tuple[str, str, Message]]
    ) -> list[OutboxMessage]:
        """Writes many messages, each (subject, message id, payload), with one statement; see `add`."""
        now, committed_at_seconds = self._clock.now(), self._clock.unix_seconds()
        bodies = [
            Envelope(
                id=message_id,
                subject=subject,
                producer=self._service,
                sent_at=now,
                committed_at_seconds=committed_at_seconds,
                payload=payload.model_dump(mode="json"),
            )
            .model_dump_json()
            .encode()
            for subject, message_id, payload in messages
        ]
        subjects, message_ids = [m[0] for m in messages], [m[1] for m in messages]
        traceparents = message_traceparents(subjects)
        rows = await connection.fetch(_INSERT, self._service, message_ids, subjects, bodies, traceparents, now)
        return [OutboxMessage(**row) for row in rows]

    def submit(self, messages: Sequence[OutboxMessage]) -> None:
        """Hands committed messages to `run` for publication at once."""
        for message in messages:
            self._in_hand.add(message.id)
            self._pending.put_nowait(message)

    async def run(self) -> None:
        """Publishes what is submitted, for ever."""
        OUTBOX_OLDEST_SECONDS.set_function(self.oldest_waits_seconds)
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
            if not last_id:
                self._see_oldest(rows[0]["id"] if rows else None)
            if not rows:
                return published
            last_id = rows[-1]["id"]
            left = [OutboxMessage(**row) for row in rows if row["id"] not in self._in_hand]
            done = await self._publish(left)
            published += done
            if done < len(left):
                return published

    def oldest_waits_seconds(self) -> float:
        """Real seconds since `sweep` first saw the oldest message that is still unpublished; 0 without one."""
        return self._clock.monotonic() - self._oldest[1] if self._oldest is not None else 0.0

    async def forget_published(self) -> int:
        """Deletes what was published long ago, in small batches; returns how many."""
        before, forgotten = self._clock.now() - KEPT, 0
        while True:
            batch = len(await self._pool.fetch(_FORGET, self._service, before, FORGET_BATCH))
            forgotten += batch
            if batch < FORGET_BATCH:
                return forgotten

    def _see_oldest(self, message_id: int | None) -> None:
        if message_id is None:
            self._oldest = None
        elif self._oldest is None or self._oldest[0] != message_id:
            self._oldest = (message_id, self._clock.monotonic())

    async def _publish(self, batch: Sequence[OutboxMessage]) -> int:
        publish = self._publisher.publish
        stored = await asyncio.gather(*(publish(m.subject, m.body, m.message_id, m.traceparent) for m in batch))
        done = [message.id for message, ok in zip(batch, stored, strict=True) if ok]
        if done:
            try:
                await self._pool.execute(_PUBLISHED, done, self._clock.now())
            except DATABASE_AWAY as error:
                log.warning("outbox.mark_failed", messages=len(done), error=str(error))
        return len(done)
