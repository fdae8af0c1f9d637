"""NATS JetStream: connection, streams, publication and durable consumers.

Streams are made at the start and again wherever one turns out to be missing, because a server that lost its storage
still answers pings. Work is delivered at least once, see `consumer`.
"""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress

import nats
import structlog
from nats.aio.client import Client
from nats.js.api import RetentionPolicy, StreamConfig
from nats.js.errors import BadRequestError, NoStreamResponseError, NotFoundError

from common.messages.subjects import STREAM_LIMITS, STREAM_SUBJECTS
from common.messaging.consumer import TRACEPARENT, Consumer, Handler, Quarantine
from common.messaging.failures import BUS_ERRORS
from common.messaging.feed import Feed
from common.messaging.venue_limits import VenueLimitsBucket

log = structlog.get_logger(__name__)

MESSAGE_ID = "Nats-Msg-Id"
PUBLISH_TIMEOUT_SECONDS = 2.0
API_TIMEOUT_SECONDS = 2.0
"""A cluster that has no leader for a moment does not answer at all: asking again is how to find out."""
DUPLICATE_WINDOW_SECONDS = 600
STREAMS_AGAIN_SECONDS = 0.5
"""How long a repair of the streams counts: the publications that fail together ask for one."""


class Bus:
    """One service's connection to the bus; reconnects for ever."""

    def __init__(self, client: Client, service: str, stream_replicas: int = 1) -> None:
        self._client = client
        self._stream_replicas = stream_replicas
        self._service = service
        self._jetstream = client.jetstream(timeout=API_TIMEOUT_SECONDS)
        self._consumers: list[Consumer] = []
        self._ensuring = asyncio.Lock()
        self._ensured_seconds = float("-inf")

    @classmethod
    async def connect(cls, url: str, service: str, stream_replicas: int = 1) -> "Bus":
        """Connects and makes sure that the streams exist, each on `stream_replicas` servers of a cluster.

        Raises:
            nats.errors.Error, OSError: the server cannot be reached.
        """

        async def lost() -> None:
            log.warning("bus.disconnected")

        async def found() -> None:
            log.info("bus.reconnected")

        async def said(error: Exception) -> None:
            log.warning("bus.error", error=repr(error))

        client = await nats.connect(
            url,
            name=service,
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.2,
            connect_timeout=2,
            disconnected_cb=lost,
            reconnected_cb=found,
            error_cb=said,
        )
        bus = cls(client, service, stream_replicas)
        async with AsyncExitStack() as given_up:
            given_up.push_async_callback(client.close)
            await bus.ensure_streams()
            given_up.pop_all()
        return bus

    async def ensure_streams(self) -> None:
        """Makes the streams that are missing, and sets the limits of the others.

        Raises:
            nats.errors.Error, nats.js.errors.Error, TimeoutError: the server does not do it.
        """
        async with self._ensuring:
            now = asyncio.get_running_loop().time()
            if now - self._ensured_seconds < STREAMS_AGAIN_SECONDS:
                return
            for name in STREAM_SUBJECTS:
                await self._ensure_stream(_stream_config(name, self._stream_replicas))
            self._ensured_seconds = asyncio.get_running_loop().time()

    async def _ensure_stream(self, config: StreamConfig) -> None:
        try:
            await self._jetstream.add_stream(config)
        except BadRequestError:  # an earlier version made it with other subjects or limits
            await self._jetstream.update_stream(config)

    async def publish(self, subject: str, body: bytes, message_id: str, traceparent: str | None = None) -> bool:
        """True once a stream has stored it, False when the bus could not be reached. See `Publisher`."""
        headers = {MESSAGE_ID: message_id}
        if traceparent is not None:
            headers[TRACEPARENT] = traceparent
        try:
            try:
                await self._jetstream.publish(subject, body, timeout=PUBLISH_TIMEOUT_SECONDS, headers=headers)
            except NoStreamResponseError:
                log.warning("bus.stream_missing", subject=subject)
                await self.ensure_streams()
                await self._jetstream.publish(subject, body, timeout=PUBLISH_TIMEOUT_SECONDS, headers=headers)
        except BUS_ERRORS as error:
            log.warning("bus.publish_failed", subject=subject, message_id=message_id, error=repr(error))
            return False
        return True

    async def ask_for_all(self) -> None:
        """Asks the server for every stream, and for every consumer of this service.

        A stream that is missing is made anew, and told of all the same.

        Raises:
            nats.errors.Error, nats.js.errors.Error, TimeoutError: one is missing, or the server does not answer.
        """
        try:
            await asyncio.gather(*(self._jetstream.stream_info(name) for name in STREAM_SUBJECTS))
        except NotFoundError:
            log.warning("bus.stream_missing")
            await self.ensure_streams()
            raise
        await asyncio.gather(*(consumer.answers() for consumer in self._consumers))

    @property
    def is_connected(self) -> bool:
        """Whether the connection stands right now."""
        return bool(self._client.is_connected)

    async def consume(
        self,
        stream: str,
        durable: str,
        subjects: Sequence[str],
        handler: Handler,
        quarantine: Quarantine,
        *,
        concurrency: int = 16,
    ) -> None:
        """Delivers messages of `subjects` to `handler` until cancelled, up to `concurrency` at once; see `Consumer`."""
        consumer = Consumer(self._jetstream, stream, durable, subjects, handler, quarantine, concurrency)
        self._consumers.append(consumer)
        try:
            await consumer.run(self.ensure_streams)
        finally:
            self._consumers.remove(consumer)

    def feed(self) -> Feed:
        """What a reader wants to follow, in one order."""
        return Feed(self._jetstream)

    def venue_limits(self) -> VenueLimitsBucket:
        """What services share of the venues' limits."""
        return VenueLimitsBucket(self._jetstream, lambda: self.is_connected, self._stream_replicas)

    async def close(self) -> None:
        """Closes the connection."""
        with suppress(*BUS_ERRORS):
            await self._client.close()


def _stream_config(name: str, replicas: int) -> StreamConfig:
    limits = STREAM_LIMITS[name]
    return StreamConfig(
        name=name,
        subjects=STREAM_SUBJECTS[name],
        retention=RetentionPolicy.LIMITS,
        max_age=limits.age_seconds,
        max_bytes=limits.size_bytes,
        duplicate_window=DUPLICATE_WINDOW_SECONDS,
        num_replicas=replicas,
    )
