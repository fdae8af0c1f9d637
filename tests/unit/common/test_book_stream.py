"""A streamed book is shown while it is surely the venue's, and everything else ends it at once."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from ccxt.base import errors as ccxt_errors
from prometheus_client import REGISTRY

from common.runtime.clock import SystemClock
from common.runtime.metrics import BookStreamMeasures
from common.venues.ccxt import book_stream
from common.venues.ccxt.bans import BudgetSpent
from common.venues.ccxt.book_stream import BookStream
from common.venues.ccxt.markets import Markets
from common.venues.ccxt.streaming import StreamFacts

SOL = "SOL/USDT:USDT"


class SetClock(SystemClock):
    def __init__(self) -> None:
        self.seconds = 1000.0

    def monotonic(self) -> float:
        return self.seconds


class NoBans:
    def check(self) -> None:
        return


class OpenGate:
    bans = NoBans()


class Connection:
    def closed(self) -> bool:
        return False


class Exchange:
    """What a stream uses of ccxt.pro: a test pushes updates and failures, and sees what was left."""

    id = "set"

    def __init__(self) -> None:
        self.orderbooks: dict[str, Any] = {}
        self.clients: dict[str, Connection] = {"ws://venue": Connection()}
        self.gate = OpenGate()
        self.markets = {
            SOL: {
                "symbol": SOL,
                "base": "SOL",
                "swap": True,
                "linear": True,
                "active": True,
                "settle": "USDT",
                "contractSize": 10.0,
                "precision": {"amount": 0.1},
            }
        }
        self.watched = 0
        self.refused: Exception | None = None
        self.left: list[dict[str, Any]] = []
        self._updates: asyncio.Queue[Any] = asyncio.Queue()

    async def load_markets(self, reload: bool) -> dict[str, Any]:
        return self.markets

    def set_markets_from_exchange(self, exchange: Any) -> None:
        assert exchange is self

    def admit_subscription(self) -> None:
        if self.refused is not None:
            raise self.refused

    async def watch_order_book(self, symbol: str, limit: int | None) -> Any:
        self.watched += 1
        update = await self._updates.get()
        if isinstance(update, BaseException):
            raise update
        self.orderbooks[symbol] = update
        return update

    async def un_watch_order_book(self, symbol: str, params: dict[str, Any]) -> None:
        self.left.append(params)

    def push(self, update: Any) -> None:
        self._updates.put_nowait(update)


def update(bid: float, ask: float, nonce: int = 1) -> dict[str, Any]:
    return {"bids": [[bid, 1.0], [bid - 1, 2.0]], "asks": [[ask, 1.5]], "nonce": nonce}


class Streamed:
    def __init__(self) -> None:
        self.exchange, self.clock = Exchange(), SetClock()
        markets = Markets("set", self.exchange, self.clock)
        facts = StreamFacts(leaving={"limit": 50}, checked_levels=3)
        measures, room, slots = BookStreamMeasures("set"), asyncio.Semaphore(2), asyncio.Semaphore(2)
        self.stream = BookStream("SOL", markets, self.exchange, facts, 50, room, slots, self.clock, measures)
        self.news = 0
        self.stream.followers.append(self._count)

    def _count(self) -> None:
        self.news += 1

    async def take(self, pushed: Any) -> None:
        """Pushes, and waits until it was heard."""
        before = self.news
        self.exchange.push(pushed)
        await self.until(lambda: self.news > before)

    @staticmethod
    async def until(holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not holds():  # noqa: ASYNC110  # the fake tells nobody
                await asyncio.sleep(0)


@pytest.fixture
async def streamed(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Streamed]:
    monkeypatch.setattr(book_stream, "PAUSE_SECONDS_MIN", 0.001)
    made = Streamed()
    running = asyncio.create_task(made.stream.run())
    yield made
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_an_update_is_a_book_in_base_units_with_the_time_at_which_it_came(streamed: Streamed) -> None:
    assert streamed.stream.book() is None
    await streamed.take(update(100.1, 101.5, nonce=7))
    streamed.clock.seconds += 5
    book = streamed.stream.book()
    assert book is not None
    assert book.bids.levels == ((Decimal("100.1"), Decimal(10)), (Decimal("99.1"), Decimal(20)))
    assert book.asks.levels == ((Decimal("101.5"), Decimal(15)),)
    assert (book.venue, book.symbol, book.sequence) == ("set", "SOL", 7)
    assert book.age_seconds(streamed.clock.monotonic()) == 5


async def test_levels_below_those_that_the_venue_lets_one_check_are_not_shown(streamed: Streamed) -> None:
    deep = {"bids": [[100 - row, 1.0] for row in range(5)], "asks": [[101, 1.0]], "nonce": 1}
    await streamed.take(deep)
    book = streamed.stream.book()
    assert book is not None
    assert [level[0] for level in book.bids.levels] == [100, 99, 98]


async def test_the_same_update_is_converted_once(streamed: Streamed) -> None:
    await streamed.take(update(100, 101))
    assert streamed.stream.book() is streamed.stream.book()


@pytest.mark.parametrize(
    "lost",
    [
        ccxt_errors.ChecksumError("updates are missing"),
        ccxt_errors.InvalidNonce("updates are missing"),
        ccxt_errors.NetworkError("closed"),
        asyncio.CancelledError(),
        KeyError("not the venue's form"),
        update(102, 101),
        update(101, 101),
    ],
    ids=repr,
)
async def test_whatever_is_wrong_ends_the_book_leaves_the_channel_and_begins_anew(
    streamed: Streamed, lost: Any
) -> None:
    await streamed.take(update(100, 101))
    await streamed.take(lost)
    assert streamed.stream.book() is None
    await streamed.until(lambda: streamed.exchange.left == [{"limit": 50}])
    await streamed.take(update(103, 104))
    book = streamed.stream.book()
    assert book is not None
    assert book.bids.best == 103


async def test_a_silent_stream_ends(streamed: Streamed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book_stream, "SILENCE_SECONDS", 0.01)
    await streamed.take(update(100, 101))
    await streamed.take(update(100, 101))
    told = streamed.news
    await streamed.until(lambda: streamed.news > told)
    assert streamed.stream.book() is None
    assert streamed.exchange.left


async def test_a_book_that_ccxt_has_dropped_is_none_before_that_is_heard(streamed: Streamed) -> None:
    await streamed.take(update(100, 101))
    del streamed.exchange.orderbooks[SOL]
    assert streamed.stream.book() is None


async def test_a_book_that_became_crossed_since_it_was_heard_of_is_none(streamed: Streamed) -> None:
    live = update(100, 101)
    await streamed.take(live)
    live["bids"].insert(0, [105.0, 1.0])
    assert streamed.stream.book() is None


async def test_a_book_that_may_not_be_followed_now_is_neither_asked_for_nor_left(streamed: Streamed) -> None:
    await streamed.take(update(100, 101))
    streamed.exchange.refused = BudgetSpent("not followed", 0)
    before = lost_for("venue_budget_spent")
    streamed.exchange.push(ccxt_errors.InvalidNonce("updates are missing"))
    await streamed.until(lambda: lost_for("venue_budget_spent") > before + 2)
    assert (streamed.exchange.watched, len(streamed.exchange.left)) == (2, 1)
    streamed.exchange.refused = None
    await streamed.take(update(100, 101))
    assert streamed.stream.book() is not None


def lost_for(why: str) -> float:
    return REGISTRY.get_sample_value("tandem_book_streams_lost_total", {"venue": "set", "why": why}) or 0.0


async def test_a_stream_that_keeps_failing_is_begun_ever_later(
    streamed: Streamed, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    at_once = asyncio.sleep

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        await at_once(0)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    monkeypatch.setattr(book_stream, "PAUSE_SECONDS_MAX", 0.004)
    for _ in range(6):
        streamed.exchange.push(ccxt_errors.NetworkError("closed"))
    async with asyncio.timeout(20):
        while streamed.exchange.watched < 7:
            await at_once(0)
    assert [pause for pause in pauses if pause != 0] == [0.001, 0.002, 0.004, 0.004, 0.004]


async def test_being_stopped_is_not_taken_for_a_closed_connection(streamed: Streamed) -> None:
    await streamed.take(update(100, 101))
    running = asyncio.create_task(streamed.stream.run())
    await streamed.until(lambda: streamed.exchange.watched > 2)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert streamed.exchange.left == []
