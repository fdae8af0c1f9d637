"""One order over what several streams tell: the server copies them into a stream of its own.

The sequence of that stream is the same for everybody who reads it, so that a reader who comes back, to whichever
process, goes on behind the last message that it saw.
"""

from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass

import structlog
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, StreamConfig, StreamSource
from nats.js.errors import BadRequestError

from common.messages.subjects import FEED_SOURCES, FEED_STREAM, STREAM_LIMITS
from common.messaging.failures import BUS_ERRORS

log = structlog.get_logger(__name__)

BATCH = 100
FETCH_SECONDS = 5.0
FORGOTTEN_AFTER_SECONDS = 60.0
"""The server drops a reading that nobody fetches from for so long."""


@dataclass(frozen=True, slots=True)
class FeedMessage:
    """One message; `body` is its envelope as JSON."""

    sequence: int
    subject: str
    body: bytes


class Feed:
    """The stream of all news."""

    def __init__(self, jetstream: JetStreamContext) -> None:
        self._jetstream = jetstream

    async def ensure(self) -> None:
        """Makes the stream where it is missing.

        Raises:
            nats.errors.Error, nats.js.errors.Error, TimeoutError: the server does not do it.
        """
        limits = STREAM_LIMITS[FEED_STREAM]
        config = StreamConfig(
            name=FEED_STREAM,
            sources=[StreamSource(name=name) for name in FEED_SOURCES],
            max_age=limits.age_seconds,
            max_bytes=limits.size_bytes,
        )
        try:
            await self._jetstream.add_stream(config)
        except BadRequestError:  # an earlier version made it with other limits
            await self._jetstream.update_stream(config)

    async def bounds(self) -> tuple[int, int]:
        """The first sequence that is still kept, and the last one; raises as `ensure`."""
        state = (await self._jetstream.stream_info(FEED_STREAM)).state
        return state.first_seq, state.last_seq

    async def after(self, sequence: int) -> AsyncGenerator[FeedMessage, None]:
        """Every message behind `sequence`, in order, without end.

        Raises:
            nats.errors.Error, nats.js.errors.Error, TimeoutError: the server or the reading is gone: go on behind the
                last message.
        """
        config = ConsumerConfig(
            ack_policy=AckPolicy.NONE,
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=sequence + 1,
            inactive_threshold=FORGOTTEN_AFTER_SECONDS,
            mem_storage=True,
        )
        consumer = await self._jetstream.add_consumer(FEED_STREAM, config)
        subscription = await self._jetstream.pull_subscribe_bind(consumer.name, FEED_STREAM)
        try:
            while True:
                try:
                    batch = await subscription.fetch(BATCH, timeout=FETCH_SECONDS)
                except TimeoutError:
                    await self._jetstream.consumer_info(FEED_STREAM, consumer.name)
                    continue
                for message in batch:
                    yield FeedMessage(message.metadata.sequence.stream, message.subject, message.data)
        finally:
            with suppress(*BUS_ERRORS):
                await subscription.unsubscribe()
                await self._jetstream.delete_consumer(FEED_STREAM, consumer.name)
