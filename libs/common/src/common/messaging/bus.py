"""NATS JetStream: connection, streams, publication and durable consumers.

Work is delivered at least once. A message whose handler fails is delivered again, and after the last try it is
quarantined: stored with its reason, shown by `/audit`, and taken off the stream. It is never dropped.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress

import nats
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, RetentionPolicy, StreamConfig
from nats.js.errors import BadRequestError
from nats.js.errors import Error as JetStreamError
from pydantic import ValidationError

from common.messages.envelope import Envelope
from common.messages.subjects import STREAM_SUBJECTS

log = structlog.get_logger(__name__)

PUBLISH_TIMEOUT_SECONDS = 2.0
ACK_WAIT_SECONDS = 30.0
MAX_DELIVERIES = 6
RETRY_DELAY_SECONDS = 1.0
SUBSCRIBE_RETRY_SECONDS = 0.5
FETCH_TIMEOUT_SECONDS = 5.0

BUS_ERRORS = (NatsError, JetStreamError, OSError, TimeoutError)

Handler = Callable[[Envelope], Awaitable[None]]
Quarantine = Callable[[str, bytes, str], Awaitable[None]]
"""Stores one given-up message: (subject, body, reason)."""


class Bus:
    """One service's connection to the bus; reconnects for ever."""

    def __init__(self, client: Client, service: str) -> None:
        self._client = client
        self._service = service
        self._jetstream = client.jetstream()

    @classmethod
    async def connect(cls, url: str, service: str) -> "Bus":
        """Connects and makes sure that the streams exist.

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
        bus = cls(client, service)
        await bus._ensure_streams()
        return bus

    async def _ensure_streams(self) -> None:
        for name, subjects in STREAM_SUBJECTS.items():
            config = StreamConfig(
                name=name,
                subjects=subjects,
                retention=RetentionPolicy.LIMITS,
                max_age=7 * 24 * 3600,
                duplicate_window=600,
            )
            try:
                await self._jetstream.add_stream(config)
            except BadRequestError:  # an earlier version made it with other subjects
                await self._jetstream.update_stream(config)

    async def publish(self, subject: str, body: bytes, message_id: str) -> bool:
        """True once a stream has stored it, False when the bus could not be reached. See `Publisher`."""
        try:
            await self._jetstream.publish(
                subject, body, timeout=PUBLISH_TIMEOUT_SECONDS, headers={"Nats-Msg-Id": message_id}
            )
        except BUS_ERRORS as error:
            log.warning("bus.publish_failed", subject=subject, message_id=message_id, error=repr(error))
            return False
        return True

    async def round_trip_seconds(self) -> float:
        """Time of one ping.

        Raises:
            nats.errors.Error, TimeoutError: the server does not answer.
        """
        started = asyncio.get_running_loop().time()
        await self._client.flush(timeout=1)
        return asyncio.get_running_loop().time() - started

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
        """Delivers messages of `subjects` to `handler` until cancelled, up to `concurrency` at once."""
        config = ConsumerConfig(
            durable_name=durable,
            filter_subjects=list(subjects),
            ack_policy=AckPolicy.EXPLICIT,
            deliver_policy=DeliverPolicy.ALL,
            ack_wait=ACK_WAIT_SECONDS,
            max_deliver=-1,
            max_ack_pending=1000,
        )
        slots = asyncio.Semaphore(concurrency)
        async with asyncio.TaskGroup() as group:
            while True:
                subscription = await self._subscribe(stream, durable, config)
                async for message in self._messages(subscription, stream, durable):
                    await slots.acquire()
                    task = group.create_task(self._deliver(message, handler, quarantine))
                    task.add_done_callback(lambda _: slots.release())

    async def _subscribe(self, stream: str, durable: str, config: ConsumerConfig) -> JetStreamContext.PullSubscription:
        """Subscribes, however long that takes: a server that lost its consumer gets it anew."""
        while True:
            try:
                await self._jetstream.add_consumer(stream, config)
                return await self._jetstream.pull_subscribe_bind(durable, stream)
            except BUS_ERRORS as error:
                log.warning("bus.subscribe_failed", durable=durable, error=repr(error))
                await asyncio.sleep(SUBSCRIBE_RETRY_SECONDS)

    async def _messages(
        self, subscription: JetStreamContext.PullSubscription, stream: str, durable: str
    ) -> AsyncIterator[Msg]:
        """Messages as they come, until the subscription breaks."""
        try:
            while True:
                try:
                    messages = await subscription.fetch(1, timeout=FETCH_TIMEOUT_SECONDS)
                except TimeoutError:
                    await self._jetstream.consumer_info(stream, durable)
                    continue
                for message in messages:
                    yield message
        except BUS_ERRORS as error:
            log.warning("bus.fetch_failed", durable=durable, error=repr(error))
            await asyncio.sleep(SUBSCRIBE_RETRY_SECONDS)
        finally:
            with suppress(*BUS_ERRORS):
                await subscription.unsubscribe()

    async def _deliver(self, message: Msg, handler: Handler, quarantine: Quarantine) -> None:
        try:
            envelope = Envelope.model_validate_json(message.data)
        except ValidationError as error:
            await self._give_up(message, quarantine, f"not an envelope: {error}")
            return
        work = asyncio.ensure_future(handler(envelope))
        await asyncio.wait({work})
        failure = work.exception()
        with suppress(*BUS_ERRORS):
            if failure is None:
                await message.ack()
                return
            log.error("bus.handler_failed", subject=message.subject, message_id=envelope.id, exc_info=failure)
            if isinstance(failure, ValidationError) or message.metadata.num_delivered >= MAX_DELIVERIES:
                await self._give_up(message, quarantine, repr(failure))
            else:
                await message.nak(delay=RETRY_DELAY_SECONDS)

    async def _give_up(self, message: Msg, quarantine: Quarantine, reason: str) -> None:
        await quarantine(message.subject, message.data, reason)
        with suppress(*BUS_ERRORS):
            await message.term()

    async def close(self) -> None:
        """Closes the connection."""
        with suppress(*BUS_ERRORS):
            await self._client.close()
