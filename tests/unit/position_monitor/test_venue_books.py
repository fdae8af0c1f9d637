"""Polled books: changes are told, failures age the last book, and nobody is polled for whom nobody asks."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from position_monitor.adapters.venue_books import VenueBooks
from support.monitor_fakes import SetMarketData, SetVenues, StandingClock
from support.watched_trades import book

KEY = ("binance", "SOL")


class Polled:
    def __init__(self) -> None:
        self.market = SetMarketData("binance")
        self.market.books["SOL"] = book("binance", "100", "101")
        self.books = VenueBooks(SetVenues(self.market), StandingClock(), 0.001)
        self.changes = 0

    def count(self) -> None:
        self.changes += 1


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(2):
        while not condition():  # noqa: ASYNC110  # the poller under test tells nobody that it asked
            await asyncio.sleep(0.001)


async def test_a_change_of_levels_is_told_and_the_same_levels_are_not() -> None:
    polled = Polled()
    polled.books.subscribe(KEY, polled.count)
    await polled.books.read(KEY)
    polled.market.books["SOL"] = book("binance", "100", "101", received_at=1.0)
    await polled.books.read(KEY)
    assert polled.changes == 1
    polled.market.books["SOL"] = book("binance", "100", "102")
    await polled.books.read(KEY)
    assert polled.changes == 2


async def test_the_same_levels_read_again_are_fresh_again() -> None:
    polled = Polled()
    polled.books.subscribe(KEY, polled.count)
    await polled.books.read(KEY)
    polled.market.books["SOL"] = book("binance", "100", "101", received_at=9.0)
    await polled.books.read(KEY)
    latest = polled.books.latest(KEY).book
    assert latest is not None
    assert latest.received_at_seconds == 9.0


async def test_a_failure_keeps_the_last_book_with_its_age_and_tells_why() -> None:
    polled = Polled()
    polled.books.subscribe(KEY, polled.count)
    await polled.books.read(KEY)
    polled.market.fail()
    asked = await polled.books.read(KEY)
    assert (asked.book, asked.failure) == (None, "venue_unreachable")
    latest = polled.books.latest(KEY)
    assert latest.book is not None
    assert latest.failure == "venue_unreachable"
    assert polled.changes == 2


async def test_a_venue_that_no_setting_names_has_no_book() -> None:
    assert (await Polled().books.read(("okx", "SOL"))).failure == "venue_not_configured"


async def test_what_is_subscribed_is_polled_until_it_no_longer_is() -> None:
    polled = Polled()
    running = asyncio.create_task(polled.books.run())
    stop = polled.books.subscribe(KEY, polled.count)
    await until(lambda: polled.market.asked >= 3)
    stop()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    asked = polled.market.asked
    assert polled.books.latest(KEY).failure == "book_missing"
    await asyncio.sleep(0.02)
    assert polled.market.asked <= asked + 1
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
