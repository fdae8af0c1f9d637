"""NATS JetStream in memory, as far as `common.messaging.bus` uses it, so that the real bus runs in a simulation.

What is promised: a message is stored once for an id within the window, and delivered at least once to one client of
each durable consumer: again when it is not acknowledged in time, when the handler asks for it, and sometimes for no
reason at all. Nothing promises an order, except to a consumer of one slot (`max_ack_pending=1`): it gets the messages
in the order of the stream, each again and again until it is acknowledged, and nothing beside one that is not.
"""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from random import Random
from types import SimpleNamespace
from typing import Any, Protocol

import nats.errors
from nats.js.api import ConsumerConfig, StreamConfig

from common.messages.subjects import STREAM_SUBJECTS
from common.messaging.bus import MESSAGE_ID
from support.virtual_process import Journey, Life, Reply, ask

DUPLICATE_WINDOW_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Disorder:
    """How often a delivery takes another message than the first, and how often one is delivered for no reason."""

    out_of_turn: float = 0.0
    twice: float = 0.0


@dataclass(frozen=True, slots=True)
class Stored:
    """One message of a stream."""

    sequence: int
    subject: str
    body: bytes
    headers: Mapping[str, str]


@dataclass(eq=False)
class _Consumer:
    """One durable consumer: what waits, who pulls, and what is out with a client."""

    filters: Sequence[str]
    ack_wait_seconds: float
    unanswered_max: int
    waiting: deque[Stored] = field(default_factory=deque)
    pulls: deque[Reply[Any]] = field(default_factory=deque)
    deliveries: dict[int, int] = field(default_factory=dict)
    out: dict[int, asyncio.TimerHandle] = field(default_factory=dict)
    done: set[int] = field(default_factory=set)
    unanswered: set[int] = field(default_factory=set)
    """Delivered and not done with, also while a message waits to be delivered again."""
    offered: int = 0

    @property
    def keeps_order(self) -> bool:
        return self.unanswered_max == 1

    def may_have(self, message: "Stored") -> bool:
        """Whether it may be delivered now: as one more, or once more."""
        return message.sequence in self.unanswered or len(self.unanswered) < self.unanswered_max


@dataclass(eq=False)
class _Stream:
    subjects: Sequence[str]
    messages: list[Stored] = field(default_factory=list)
    consumers: dict[str, _Consumer] = field(default_factory=dict)


def matches(pattern: str, subject: str) -> bool:
    """Whether a subject is one of a pattern's; `*` stands for one token."""
    wanted, given = pattern.split("."), subject.split(".")
    return len(wanted) == len(given) and all(w in ("*", g) for w, g in zip(wanted, given, strict=True))


class MemoryJetStream:
    """The server. Everything here happens in the moment in which it is called."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        random: Random | None = None,
        disorder: Disorder = Disorder(),
        streams: Mapping[str, Sequence[str]] = STREAM_SUBJECTS,
    ) -> None:
        self.disorder = disorder
        self._loop = loop
        self._random = random or Random(0)
        self._streams = {name: _Stream(subjects) for name, subjects in streams.items()}
        self._seen: dict[str, float] = {}
        self._outside = copy_context()

    def store(self, subject: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Keeps a message, unless its id was seen within the window."""
        now, message_id = self._loop.time(), headers.get(MESSAGE_ID)
        if message_id is not None:
            if now - self._seen.get(message_id, -DUPLICATE_WINDOW_SECONDS) < DUPLICATE_WINDOW_SECONDS:
                return
            self._seen[message_id] = now
        for stream in self._streams.values():
            if any(matches(pattern, subject) for pattern in stream.subjects):
                message = Stored(len(stream.messages) + 1, subject, body, headers)
                stream.messages.append(message)
                for consumer in stream.consumers.values():
                    self._offer(consumer, message)

    def add_consumer(self, stream: str, config: ConsumerConfig) -> None:
        """Makes the durable consumer where there is none yet; a new one gets every message that is kept."""
        assert config.durable_name is not None
        known = self._streams[stream].consumers
        if config.durable_name not in known:
            consumer = _Consumer(config.filter_subjects or [], config.ack_wait or 30.0, config.max_ack_pending or 1000)
            known[config.durable_name] = consumer
            for message in self._streams[stream].messages:
                self._offer(consumer, message)

    def pull(self, stream: str, durable: str, reply: Reply[Any]) -> None:
        """Answers with a message as soon as there is one."""
        consumer = self._streams[stream].consumers[durable]
        consumer.pulls.append(reply)
        self._serve(consumer)

    def settle(self, stream: str, durable: str, sequence: int) -> None:
        """The message is done with: acknowledged or given up."""
        consumer = self._streams[stream].consumers[durable]
        self._take_back(consumer, sequence)
        consumer.done.add(sequence)
        consumer.unanswered.discard(sequence)
        self._serve(consumer)

    def again(self, stream: str, durable: str, sequence: int, delay_seconds: float) -> None:
        """The client wants it delivered again, later."""
        consumer = self._streams[stream].consumers[durable]
        self._take_back(consumer, sequence)
        message = self._streams[stream].messages[sequence - 1]
        self._later(delay_seconds, consumer, message)

    def in_progress(self, stream: str, durable: str, sequence: int) -> None:
        """The client still works on it: the time for the acknowledgement begins anew."""
        consumer = self._streams[stream].consumers[durable]
        if sequence in consumer.out:
            self._take_back(consumer, sequence)
            message = self._streams[stream].messages[sequence - 1]
            consumer.out[sequence] = self._later(consumer.ack_wait_seconds, consumer, message)

    def lag(self, stream: str, durable: str) -> SimpleNamespace:
        """How many messages wait for a consumer, and how many are out with its clients."""
        consumer = self._streams[stream].consumers[durable]
        return SimpleNamespace(num_pending=len(consumer.waiting), num_ack_pending=len(consumer.out))

    def backlog(self) -> int:
        """Messages that some consumer has not finished."""
        consumers = [consumer for stream in self._streams.values() for consumer in stream.consumers.values()]
        return sum(consumer.offered - len(consumer.done) for consumer in consumers)

    @staticmethod
    def _concerns(consumer: _Consumer, message: Stored) -> bool:
        return any(matches(pattern, message.subject) for pattern in consumer.filters)

    def _offer(self, consumer: _Consumer, message: Stored) -> None:
        if self._concerns(consumer, message):
            consumer.offered += 1
            consumer.waiting.append(message)
            if self._random.random() < self.disorder.twice and not consumer.keeps_order:
                consumer.waiting.append(message)
            self._serve(consumer)

    def _serve(self, consumer: _Consumer) -> None:
        while consumer.waiting:
            while consumer.pulls and consumer.pulls[0].future.done():
                consumer.pulls.popleft()
            message = self._next(consumer) if consumer.pulls else None
            if message is None:
                return
            reply = consumer.pulls.popleft()
            consumer.unanswered.add(message.sequence)
            count = consumer.deliveries[message.sequence] = consumer.deliveries.get(message.sequence, 0) + 1
            self._take_back(consumer, message.sequence)
            consumer.out[message.sequence] = self._later(consumer.ack_wait_seconds, consumer, message)
            reply.give((message, count))

    def _next(self, consumer: _Consumer) -> Stored | None:
        """The message to deliver next, or None where each has to wait for an answer to another one."""
        eligible = [message for message in consumer.waiting if consumer.may_have(message)]
        if not eligible:
            return None
        chosen = eligible[0]
        if len(eligible) > 1 and self._random.random() < self.disorder.out_of_turn:
            chosen = eligible[self._random.randrange(len(eligible))]
        consumer.waiting.remove(chosen)
        return chosen

    def _later(self, seconds: float, consumer: _Consumer, message: Stored) -> asyncio.TimerHandle:
        def return_it() -> None:
            consumer.out.pop(message.sequence, None)
            if message.sequence in consumer.done:
                consumer.unanswered.discard(message.sequence)
            else:
                consumer.waiting.append(message)
            self._serve(consumer)

        return self._loop.call_later(seconds, return_it, context=self._outside)

    @staticmethod
    def _take_back(consumer: _Consumer, sequence: int) -> None:
        timer = consumer.out.pop(sequence, None)
        if timer is not None:
            timer.cancel()


class BusNetwork(Protocol):
    """How requests to the bus travel."""

    def journey(self, life: Life) -> Journey:
        """The next request's.

        Raises:
            OSError: the server cannot be reached now.
        """
        ...


@dataclass(eq=False)
class MemoryNats:
    """`nats.aio.client.Client` and its JetStream context for one process."""

    server: MemoryJetStream
    life: Life
    network: BusNetwork
    is_connected: bool = True
    outside: Context = field(default_factory=copy_context)

    def jetstream(self, timeout: float) -> "MemoryNats":
        return self

    async def publish(self, subject: str, body: bytes, timeout: float, headers: Mapping[str, str]) -> None:
        await self.request(lambda: self.server.store(subject, body, headers), timeout)

    async def add_stream(self, config: StreamConfig) -> None:
        await self.request(lambda: None, 5.0)

    async def stream_info(self, name: str) -> None:
        await self.request(lambda: None, 5.0)

    async def add_consumer(self, stream: str, config: ConsumerConfig) -> None:
        await self.request(lambda: self.server.add_consumer(stream, config), 5.0)

    async def pull_subscribe_bind(self, durable: str, stream: str) -> "MemorySubscription":
        return MemorySubscription(self, stream, durable)

    async def consumer_info(self, stream: str, durable: str) -> SimpleNamespace:
        await self.request(lambda: None, 5.0)
        return self.server.lag(stream, durable)

    async def close(self) -> None:
        return

    async def request(self, work: Any, timeout: float) -> None:
        """Has `work` done by the server.

        Raises:
            nats.errors.TimeoutError: no answer came; it may be done all the same.
            OSError: the server cannot be reached.
        """

        def serve(reply: Reply[None]) -> None:
            work()
            reply.give(None)

        await self.answered(serve, timeout)

    async def answered(self, serve: Any, timeout: float) -> Any:
        """The server's answer; raises as `request` does."""
        journey = self.network.journey(self.life)
        try:
            async with asyncio.timeout(timeout):
                return await ask(asyncio.get_running_loop(), self.life, serve, journey, self.outside)
        except TimeoutError as error:
            raise nats.errors.TimeoutError from error

    def tell(self, work: Any) -> None:
        """Sends what needs no answer; it may get lost."""
        journey = self.network.journey(self.life)
        if self.life.alive and not journey.request_lost:
            loop = asyncio.get_running_loop()
            handle = loop.call_later(journey.there_seconds, work, context=self.outside)
            self.life.in_flight[handle] = None


@dataclass(eq=False)
class MemorySubscription:
    """A pull subscription."""

    client: MemoryNats
    stream: str
    durable: str

    async def fetch(self, batch: int, timeout: float) -> list["MemoryMessage"]:
        def serve(reply: Reply[Any]) -> None:
            self.client.server.pull(self.stream, self.durable, reply)

        message, count = await self.client.answered(serve, timeout)
        return [MemoryMessage(self, message, count)]

    async def unsubscribe(self) -> None:
        return


class MemoryMessage:
    """A delivered message."""

    def __init__(self, subscription: MemorySubscription, message: Stored, deliveries: int) -> None:
        self._subscription = subscription
        self._sequence = message.sequence
        self.subject = message.subject
        self.data = message.body
        self.headers = message.headers
        self.metadata = SimpleNamespace(num_delivered=deliveries, sequence=SimpleNamespace(stream=message.sequence))

    async def ack(self) -> None:
        at = self._subscription
        at.client.tell(lambda: at.client.server.settle(at.stream, at.durable, self._sequence))

    async def term(self) -> None:
        await self.ack()

    async def in_progress(self) -> None:
        at = self._subscription
        at.client.tell(lambda: at.client.server.in_progress(at.stream, at.durable, self._sequence))

    async def nak(self, delay: float = 0.0) -> None:
        at = self._subscription
        at.client.tell(lambda: at.client.server.again(at.stream, at.durable, self._sequence, delay))
