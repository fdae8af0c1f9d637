"""Durable consumption: at least once, one message a slot, and no message is lost because something else failed.

A handler that fails gets its message again; after `FAILURES_MAX` failures the message is quarantined: stored with its
reason, shown by `/audit`, and delivered no more (the stream keeps it until its age). What is not the message's fault
(`TryLater`, a database or a bus that is away) never counts. While a handler works, the bus is told so: a slow one does
not get a second copy.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from contextvars import ContextVar
from typing import Any

import structlog
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from opentelemetry.trace import SpanKind
from pydantic import ValidationError

from common.messages.envelope import Envelope
from common.messaging.errors import TryLater
from common.messaging.failures import BUS_ERRORS
from common.persistence.database import DATABASE_AWAY
from common.runtime.metrics import FAILED, HANDLED, QUARANTINED, TRY_LATER, ConsumerMeasures
from common.runtime.tracing import span

log = structlog.get_logger(__name__)

ACK_WAIT_SECONDS = 30.0
HEARTBEAT_SECONDS = 10.0
FAILURES_MAX = 6
RETRY_DELAY_SECONDS = 1.0
SUBSCRIBE_RETRY_SECONDS = 0.5
FETCH_TIMEOUT_SECONDS = 5.0

TRACEPARENT = "traceparent"
"""The header that a message carries its trace in."""

in_hand: ContextVar[Envelope | None] = ContextVar("in_hand", default=None)
"""The message that the running task handles."""

Handler = Callable[[Envelope], Coroutine[Any, Any, None]]
Quarantine = Callable[[str, bytes, str], Coroutine[Any, Any, None]]
"""Stores one given-up message: (subject, body, reason)."""


class Consumer:
    """One durable consumer of a stream, with its own slots."""

    def __init__(
        self,
        jetstream: JetStreamContext,
        stream: str,
        durable: str,
        subjects: Sequence[str],
        handler: Handler,
        quarantine: Quarantine,
        concurrency: int,
    ) -> None:
        self.stream = stream
        self.durable = durable
        self._jetstream = jetstream
        self._handler = handler
        self._measures = ConsumerMeasures(durable)
        self._quarantine = quarantine
        self._slots = asyncio.Semaphore(concurrency)
        self._failures: dict[int, int] = {}
        self._in_hand: set[int] = set()
        self._config = ConsumerConfig(
            durable_name=durable,
            filter_subjects=list(subjects),
            ack_policy=AckPolicy.EXPLICIT,
            deliver_policy=DeliverPolicy.ALL,
            ack_wait=ACK_WAIT_SECONDS,
            max_deliver=-1,
            # One slot means that order matters: also over processes, nothing is given out beside an unanswered message.
            max_ack_pending=1 if concurrency == 1 else 1000,
        )

    async def run(self, ensure_streams: Callable[[], Awaitable[None]]) -> None:
        """Delivers messages until cancelled; a server that lost stream or consumer gets them anew."""
        async with asyncio.TaskGroup() as group:
            while True:
                subscription = await self._subscribe(ensure_streams)
                async for message in self._messages(subscription):
                    group.create_task(self._deliver(message))

    async def answers(self) -> None:
        """Asks the server for the consumer.

        Raises:
            nats.errors.Error, nats.js.errors.Error, TimeoutError: it is not there, or the server does not answer.
        """
        self._measures.lag(await self._jetstream.consumer_info(self.stream, self.durable))

    async def _subscribe(self, ensure_streams: Callable[[], Awaitable[None]]) -> JetStreamContext.PullSubscription:
        """Subscribes, however long that takes."""
        while True:
            try:
                await ensure_streams()
                await self._jetstream.add_consumer(self.stream, self._config)
                return await self._jetstream.pull_subscribe_bind(self.durable, self.stream)
            except BUS_ERRORS as error:
                log.warning("bus.subscribe_failed", durable=self.durable, error=repr(error))
                await asyncio.sleep(SUBSCRIBE_RETRY_SECONDS)

    async def _messages(self, subscription: JetStreamContext.PullSubscription) -> AsyncIterator[Msg]:
        """Messages as they come, each with a slot of its own that `_deliver` gives back, until the subscription breaks.

        Nothing is fetched before there is a slot for it: a message that waited here would be delivered again.
        """
        try:
            while True:
                await self._slots.acquire()
                message = None
                try:
                    message = await self._fetch(subscription)
                finally:
                    if message is None:
                        self._slots.release()
                if message is not None:
                    yield message
        except BUS_ERRORS as error:
            log.warning("bus.fetch_failed", durable=self.durable, error=repr(error))
            await asyncio.sleep(SUBSCRIBE_RETRY_SECONDS)
        finally:
            with suppress(*BUS_ERRORS):
                await subscription.unsubscribe()

    async def _fetch(self, subscription: JetStreamContext.PullSubscription) -> Msg | None:
        try:
            messages = await subscription.fetch(1, timeout=FETCH_TIMEOUT_SECONDS)
        except TimeoutError:
            await self.answers()
            return None
        return messages[0] if messages else None

    async def _deliver(self, message: Msg) -> None:
        sequence = message.metadata.sequence.stream
        try:
            if sequence in self._in_hand:
                with suppress(*BUS_ERRORS):
                    await message.nak(delay=ACK_WAIT_SECONDS)
                return
            self._in_hand.add(sequence)
            parent = (message.headers or {}).get(TRACEPARENT)
            try:
                with span(f"process {message.subject}", kind=SpanKind.CONSUMER, parent=parent):
                    await self._handle(message, sequence)
            except asyncio.CancelledError:
                # This process ends: whoever takes over has the message at once, and not when its ack is overdue.
                with suppress(*BUS_ERRORS):
                    await message.nak()
                raise
            finally:
                self._in_hand.discard(sequence)
        finally:
            self._slots.release()

    async def _handle(self, message: Msg, sequence: int) -> None:
        try:
            envelope = Envelope.model_validate_json(message.data)
        except ValidationError as error:
            await self._give_up(message, sequence, f"not an envelope: {error}")
            return
        in_hand.set(envelope)
        failure = await self._outcome(message, self._handler(envelope))
        if failure is None:
            self._measures.count(HANDLED)
            self._failures.pop(sequence, None)
            with suppress(*BUS_ERRORS):
                await message.ack()
        elif isinstance(failure, (TryLater, *DATABASE_AWAY)):
            self._measures.count(TRY_LATER)
            log.warning("bus.try_later", subject=message.subject, message_id=envelope.id, error=repr(failure))
            await self._again(message)
        else:
            await self._failed(message, sequence, envelope, failure)

    async def _failed(self, message: Msg, sequence: int, envelope: Envelope, failure: BaseException) -> None:
        self._measures.count(FAILED)
        log.error("bus.handler_failed", subject=message.subject, message_id=envelope.id, exc_info=failure)
        self._failures[sequence] = self._failures.get(sequence, 0) + 1
        if isinstance(failure, ValidationError) or self._failures[sequence] >= FAILURES_MAX:
            await self._give_up(message, sequence, repr(failure))
        else:
            await self._again(message)

    async def _give_up(self, message: Msg, sequence: int, reason: str) -> None:
        """Quarantines; a message that cannot be stored now comes again instead."""
        failure = await self._outcome(message, self._quarantine(message.subject, message.data, reason))
        if failure is not None:
            log.error("bus.quarantine_failed", subject=message.subject, reason=reason, exc_info=failure)
            await self._again(message)
            return
        self._measures.count(QUARANTINED)
        self._failures.pop(sequence, None)
        with suppress(*BUS_ERRORS):
            await message.term()

    async def _again(self, message: Msg) -> None:
        with suppress(*BUS_ERRORS):
            await message.nak(delay=RETRY_DELAY_SECONDS)

    async def _outcome(self, message: Msg, work: Coroutine[Any, Any, None]) -> BaseException | None:
        """What `work` failed with; the bus is told every few seconds that it still goes on."""
        task = asyncio.ensure_future(work)
        try:
            while not (await asyncio.wait({task}, timeout=HEARTBEAT_SECONDS))[0]:
                with suppress(*BUS_ERRORS):
                    await message.in_progress()
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.wait({task})
            raise
        return TryLater("the handler was cancelled") if task.cancelled() else task.exception()
