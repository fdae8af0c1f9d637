"""Follows skipped signals, a bounded number of them, without taking anything from open trades.

A signal is looked at once a minute of strategy time, and few of them in a second. A venue that an open trade needs is
asked for it only while plenty is left of what the venue allows; otherwise only the books count that are kept current
for the trade anyway. What is known stands in the store, so a restart goes on where it was; the time in between counts
as looks that were missed.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from common.domain.identifiers import Leg
from common.runtime.clock import Clock
from position_monitor.application.ports import BookKey, BookReading, BookSource, Leadership
from position_monitor.domain.counterfactual import Counterfactual, CounterfactualRules, Skipped, choose, enter, follow
from position_monitor.domain.market import NoPrices, Quote

FRESH_FOR = timedelta(minutes=5)
"""A skip that is found later than this, after a restart, is not followed: the books are others by then."""
LOOKS_A_ROUND_MAX = 3
ROUND_REAL_SECONDS = 1.0
NEEDED_BY_TRADES = "venue_needed_by_trades"


class CounterfactualStore(Protocol):
    """What is known of skipped signals; every method raises as the database does."""

    async def found(self, since: datetime) -> Sequence[Skipped]:
        """Type B signals recorded since then, skipped or expired, that have no row yet."""
        ...

    async def followed(self) -> Sequence[Counterfactual]:
        """Who is followed now; a signal that was opened after all is followed no more."""
        ...

    async def begin(self, one: Counterfactual) -> None: ...

    async def refuse(self, skipped: Skipped, why: str) -> None:
        """There was no entry: nothing will be known of it."""
        ...

    async def save(self, one: Counterfactual) -> None: ...

    async def displace(self, one: Counterfactual) -> None:
        """Its place is another's from now on."""
        ...


class Counterfactuals:
    """One round after the other; see the module."""

    def __init__(
        self,
        books: BookSource,
        store: CounterfactualStore,
        needed: Callable[[], Collection[BookKey]],
        has_room: Callable[[str], bool],
        leadership: Leadership,
        rules: CounterfactualRules,
        places: int,
        clock: Clock,
    ) -> None:
        self._books = books
        self._store = store
        self._needed = needed
        self._has_room = has_room
        self._leadership = leadership
        self._rules = rules
        self._places = places
        self._clock = clock

    async def round(self) -> None:
        """Takes in what was skipped, and looks at what is due, a few at a time."""
        if not self._leadership.is_ours:
            return
        followed = list(await self._store.followed())
        begun, displaced = choose(followed, await self._store.found(self._clock.now() - FRESH_FOR), self._places)
        places_left = self._places - len(followed)
        for skipped in begun[:LOOKS_A_ROUND_MAX]:
            if not await self._begin(skipped):
                continue
            places_left -= 1
            if places_left < 0:
                narrowest = displaced.pop()
                await self._store.displace(narrowest)
                followed.remove(narrowest)
        due = [one for one in followed if one.is_due(self._clock.now())]
        for one in sorted(due, key=lambda one: one.looked_at)[: max(0, LOOKS_A_ROUND_MAX - len(begun))]:
            quotes = await self._quotes(one.skipped)
            await self._store.save(follow(one, quotes, self._rules, self._clock.now()))

    async def _begin(self, skipped: Skipped) -> bool:
        """Whether there were books to enter at."""
        entered = enter(skipped, await self._quotes(skipped), self._rules, self._clock.now())
        if isinstance(entered, NoPrices):
            await self._store.refuse(skipped, entered.reason)
            return False
        await self._store.begin(entered)
        return True

    async def _quotes(self, skipped: Skipped) -> Mapping[Leg, Quote]:
        needed = self._needed()
        keys = [(venue, skipped.symbol) for venue in skipped.venues.values()]
        readings = await asyncio.gather(*(self._reading(key, needed) for key in keys))
        return {leg: self._quote(reading) for leg, reading in zip(skipped.venues, readings, strict=True)}

    async def _reading(self, key: BookKey, needed: Collection[BookKey]) -> BookReading:
        if key in needed:
            return self._books.latest(key)
        if any(venue == key[0] for venue, _ in needed) and not self._has_room(key[0]):
            return BookReading(None, NEEDED_BY_TRADES)
        return await self._books.read(key)

    def _quote(self, reading: BookReading) -> Quote:
        if reading.book is None:
            return Quote(None, failure=reading.failure)
        return Quote(reading.book, reading.book.age_seconds(self._clock.monotonic()), reading.failure)
