"""What the book channels of all venues have in common: who follows which books, what changed since, and their faults.

A client says which books it wants, and then gets what changed, every `push_seconds` real seconds while something did.
Changes are stamped with market time and numbered with the book's update ids, as in the answers to requests. A book
that a request showed between two pushes is part of the next change: whoever began with that answer ends up right.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, ClassVar

import orjson

from venue_sim.faults import EndpointClass, FaultKind, Target
from venue_sim.market import Book, Level
from venue_sim.venue import Venue

_DROP = frozenset({FaultKind.DROP})
_SILENCE = frozenset({FaultKind.SILENCE})
_GAP = frozenset({FaultKind.GAP})


class StreamCut(Exception):
    """The connection ends here, without a word."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a book became since the last push; a quantity of zero is a price that is gone.

    `number` counts the changes of this feed, `previous_id` is the book's update id before, `book` all of it now.
    """

    topic: str
    is_snapshot: bool
    number: int
    previous_id: int
    book: Book
    bids: Sequence[Level]
    asks: Sequence[Level]


@dataclass(slots=True)
class Feed:
    """One followed book: what was pushed last (None: the whole book is next), and prices shown elsewhere since."""

    topic: str
    symbol: str
    levels: int
    number: int
    sent: Book | None = None
    shown_bids: set[Decimal] = field(default_factory=set)
    shown_asks: set[Decimal] = field(default_factory=set)

    def change(self, book: Book) -> Change | None:
        """From what was pushed last to `book`; None while it is the same book."""
        before = self.sent
        if book is before and not self.shown_bids and not self.shown_asks:
            return None
        levels = self.levels
        bids = _changed(before.bids[:levels] if before else (), book.bids[:levels], self.shown_bids)
        asks = _changed(before.asks[:levels] if before else (), book.asks[:levels], self.shown_asks)
        if before is not None and before.update_id == book.update_id and not bids and not asks:
            return None
        self.sent = book
        self.number += 1
        self.shown_bids.clear()
        self.shown_asks.clear()
        previous = book if before is None else before
        return Change(self.topic, before is None, self.number, previous.update_id, book, bids, asks)


def _changed(before: Iterable[Level], now: Sequence[Level], shown: set[Decimal]) -> list[Level]:
    old, new = dict(before), dict(now)
    gone = (old.keys() | shown) - new.keys()
    changed = [level for level in now if old.get(level.price) != level.quantity or level.price in shown]
    return changed + [Level(price, Decimal(0)) for price in sorted(gone)]


class BookChannel(ABC):
    """A venue's book channel on the wire of one connection: reads what its client says, words what it gets.

    `headers` are those of the handshake, with names in lower case.
    """

    push_seconds: ClassVar[float]
    begins_with_snapshot: ClassVar[bool]
    """Otherwise the client takes the whole book from a request."""

    def __init__(self, venue: Venue, headers: Mapping[str, str]) -> None:
        self._venue = venue
        self._headers = headers

    @abstractmethod
    def serves(self, path: str) -> bool:
        """Whether books are streamed at this path."""

    @abstractmethod
    def hear(self, text: str, session: "StreamSession") -> list[str]:
        """Answers one message of a client, and has the session follow or leave what it asks for."""

    @abstractmethod
    def words(self, change: Change) -> Any:
        """The message that tells of a change."""


class StreamSession:
    """One client's connection."""

    def __init__(self, venue: Venue, channel: BookChannel) -> None:
        self._venue = venue
        self._channel = channel
        self._feeds: dict[str, Feed] = {}
        venue.book_shown.append(self._remember)

    def close(self) -> None:
        """The connection is over."""
        self._venue.book_shown.remove(self._remember)

    def hear(self, text: str) -> list[str]:
        """Answers one message of the client."""
        return self._channel.hear(text, self)

    def is_followed(self, topic: str) -> bool:
        """Whether the client has asked for it already."""
        return topic in self._feeds

    def follow(self, topic: str, symbol: str, levels: int) -> None:
        """Pushes the book of a listed symbol from now on; nothing changes where that is so already."""
        if topic in self._feeds:
            return
        book = self._venue.streamed_book(symbol)
        feed = Feed(topic, symbol, levels, number=book.update_id)
        if not self._channel.begins_with_snapshot:
            feed.sent = book
        self._feeds[topic] = feed

    def leave(self, topic: str) -> None:
        """Pushes it no longer."""
        self._feeds.pop(topic, None)

    def due(self) -> Iterator[str]:
        """What is to be pushed now.

        Raises:
            StreamCut: a fault ends the connection.
        """
        for feed in list(self._feeds.values()):
            if self._meets(_DROP, feed):
                raise StreamCut
            if self._meets(_SILENCE, feed):
                continue
            change = feed.change(self._venue.streamed_book(feed.symbol))
            if change is not None and not self._meets(_GAP, feed):
                yield json_text(self._channel.words(change))

    async def rest(self) -> None:
        """Until the next push."""
        await asyncio.sleep(self._channel.push_seconds)

    def _meets(self, kinds: frozenset[FaultKind], feed: Feed) -> bool:
        faults, now = self._venue.faults, self._venue.moment()
        target = Target(EndpointClass.STREAM, feed.symbol, signed=False)
        return not faults.is_quiet(now) and faults.take(target, kinds, now) is not None

    def _remember(self, book: Book) -> None:
        for feed in self._feeds.values():
            if feed.symbol == book.symbol:
                feed.shown_bids.update(level.price for level in book.bids)
                feed.shown_asks.update(level.price for level in book.asks)


def json_text(content: Any) -> str:
    """`content` as JSON."""
    return orjson.dumps(content).decode()


def parse_object(text: str) -> dict[str, Any] | None:
    """A JSON object, or None."""
    try:
        content = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return content if isinstance(content, dict) else None
