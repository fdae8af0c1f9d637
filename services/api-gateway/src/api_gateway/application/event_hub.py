"""One reading of the feed for all listeners of this process, with a bounded queue for each.

A listener that does not keep up is let go: it comes back with the last id that it saw and misses nothing. What a
listener missed is read for it from the feed, page by page, as fast as it takes it.
"""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Protocol

import structlog

log = structlog.get_logger(__name__)

QUEUE_MAX = 512
LISTENERS_MAX = 1000
AGAIN_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class News:
    """One message; `body` is its envelope as JSON, and `sequence` the same for everybody who reads."""

    sequence: int
    subject: str
    body: bytes


class NewsAway(Exception):
    """What happens cannot be read now."""


class TooManyListeners(Exception):
    """This process has as many listeners as it takes."""


class NewsReader(Protocol):
    """Everything that happens, in one order for everybody; every method raises NewsAway."""

    async def ensure(self) -> None: ...

    async def bounds(self) -> tuple[int, int]:
        """The first sequence that is still kept, and the last one."""
        ...

    def after(self, sequence: int) -> AsyncGenerator[News, None]: ...


@dataclass(eq=False)
class Listener:
    """One listener's queue. `is_too_slow` once it was full: nothing more comes."""

    queue: asyncio.Queue[News] = field(default_factory=lambda: asyncio.Queue(QUEUE_MAX))
    is_too_slow: bool = False

    def offer(self, message: News) -> None:
        """Queues the message, or lets the listener go and frees what it held."""
        if self.is_too_slow:
            return
        if self.queue.full():
            self.is_too_slow = True
            while self.queue.qsize() > 1:
                self.queue.get_nowait()
            return
        self.queue.put_nowait(message)


class EventHub:
    """Hands each message of the feed to every listener."""

    def __init__(self, feed: NewsReader) -> None:
        self._feed = feed
        self._listeners: set[Listener] = set()
        self.position: int | None = None
        """The sequence of the last message that was handed out; None before the feed was reached."""

    async def run(self) -> None:
        """Reads for ever; where the bus is away, it goes on behind the last message as soon as it is back."""
        while True:
            try:
                await self._feed.ensure()
                first, last = await self._feed.bounds()
                if self.position is None or not first - 1 <= self.position <= last:
                    self.position = last  # the bus has lost its streams: listeners find their ids out of bounds
                await self._read()
            except NewsAway as error:
                log.warning("event_hub.interrupted", error=repr(error))
            await asyncio.sleep(AGAIN_SECONDS)

    async def _read(self) -> None:
        assert self.position is not None
        messages = self._feed.after(self.position)
        try:
            async for message in messages:
                self.position = message.sequence
                for listener in self._listeners:
                    listener.offer(message)
        finally:
            await messages.aclose()

    def listen(self) -> Listener:
        """A new listener, from now on.

        Raises:
            TooManyListeners.
        """
        if len(self._listeners) >= LISTENERS_MAX:
            raise TooManyListeners
        listener = Listener()
        self._listeners.add(listener)
        return listener

    def leave(self, listener: Listener) -> None:
        """Forgets the listener."""
        self._listeners.discard(listener)

    async def is_kept(self, sequence: int) -> bool:
        """Whether nothing behind `sequence` is lost; raises NewsAway."""
        first, last = await self._feed.bounds()
        return first - 1 <= sequence <= last

    async def missed(self, sequence: int, until: int) -> AsyncGenerator[News, None]:
        """What came behind `sequence`, `until` included; raises NewsAway."""
        if sequence >= until:
            return
        messages = self._feed.after(sequence)
        try:
            async for message in messages:
                if message.sequence > until:
                    return
                yield message
                if message.sequence == until:
                    return
        finally:
            await messages.aclose()
