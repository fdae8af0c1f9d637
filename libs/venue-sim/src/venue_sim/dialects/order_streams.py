"""What the channels of own orders have in common: who may listen, what is told when, and its faults.

A client first shows that the account is its own, then hears of every order when it is taken, at each of its fills and
when it ends. What happened before it listened it never hears of.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import suppress
from typing import ClassVar

from venue_sim.account import Order
from venue_sim.dialects.streams import StreamCut
from venue_sim.faults import EndpointClass, FaultKind, Target
from venue_sim.venue import Venue

_DROP = frozenset({FaultKind.DROP})
_SILENCE = frozenset({FaultKind.SILENCE})
_TARGET = Target(EndpointClass.ORDER_STREAM, signed=False)
WORKING_SECONDS = 0.005
"""How often it is looked whether a working order has filled."""
IDLE_SECONDS = 0.1
"""The same for faults, where no order is working."""


class OrderChannel(ABC):
    """A venue's channel of own orders on the wire."""

    listens_at_once: ClassVar[bool] = False
    """Whoever is let in has shown all that is needed."""

    @abstractmethod
    def serves(self, path: str) -> bool:
        """Whether orders are told of at this path."""

    def admits(self, query: str) -> bool:
        """Whether a handshake with this query string is let in; most venues ask later."""
        return True

    @abstractmethod
    def hear(self, text: str, session: "OrderSession") -> list[str] | None:
        """Answers one message of a client, and has the session listen where it may; None where it is not about orders,
        at a path that is not for orders alone.
        """

    @abstractmethod
    def words(self, order: Order) -> str:
        """The message that tells how an order stands now."""

    def last_words(self, session: "OrderSession") -> str | None:
        """What is said when the right to listen has ended; None while it has not."""
        return None


class OrderSession:
    """One client's connection, whose address had this query string."""

    def __init__(self, venue: Venue, channel: OrderChannel, query: str = "") -> None:
        self.query = query
        self.has_logged_in = False
        self.listens = channel.listens_at_once
        self._venue = venue
        self._channel = channel
        self._news: list[str] = []
        self._woken = asyncio.Event()
        venue.account.order_changed.append(self._note)

    def close(self) -> None:
        """The connection is over."""
        self._venue.account.order_changed.remove(self._note)

    def hear(self, text: str) -> list[str] | None:
        """Answers one message of the client, where it is about orders."""
        return self._channel.hear(text, self)

    def due(self) -> Iterator[str]:
        """What is to be told now.

        Raises:
            StreamCut: a fault ends the connection.
        """
        self._woken.clear()
        self._venue.settle()
        if self._meets(_DROP):
            raise StreamCut
        last_words = self._channel.last_words(self) if self.listens else None
        if last_words is not None:
            self.listens = False
            self._news.append(last_words)
        news, self._news = self._news, []
        if not self._meets(_SILENCE):
            yield from news

    async def rest(self) -> None:
        """Until there may be something to tell."""
        seconds = WORKING_SECONDS if self._venue.working_orders() else IDLE_SECONDS
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()

    def _note(self, order: Order) -> None:
        if self.listens:
            self._news.append(self._channel.words(order))
            self._woken.set()

    def _meets(self, kinds: frozenset[FaultKind]) -> bool:
        faults, now = self._venue.faults, self._venue.moment()
        return not faults.is_quiet(now) and faults.take(_TARGET, kinds, now) is not None
