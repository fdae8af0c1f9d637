"""ccxt's streaming classes as this project has them: no book lacks an update or has a level too many, ever."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from ccxt.base import errors as ccxt_errors

from common.runtime.clock import SystemClock
from common.venues.addresses import VenueAddress
from common.venues.ccxt.market_data import connect_market_data
from common.venues.ccxt.streaming import make_streaming_exchange

MARKET_IDS = {"bitget": "SOLUSDT", "gate": "SOL_USDT", "hyperliquid": "SOL"}
CONTRACT: dict[str, Any] = {
    "base": "SOL",
    "quote": "USDT",
    "settle": "USDT",
    "symbol": "SOL/USDT:USDT",
    "type": "swap",
    "spot": False,
    "swap": True,
    "contract": True,
    "linear": True,
    "option": False,
    "contractSize": 1.0,
}
SOL = "SOL/USDT:USDT"


class Channel:
    """One streaming exchange of a venue, and a connection of it that is never made: what it hears a test says."""

    def __init__(self, protocol: str) -> None:
        address = VenueAddress(protocol, protocol, "http://127.0.0.1:9")
        self.asking = connect_market_data(address, SystemClock())
        self.exchange = make_streaming_exchange(address, self.asking.markets.exchange)
        self.exchange.set_markets([{**CONTRACT, "id": MARKET_IDS[protocol], "baseName": "SOL"}])
        self.client = self.exchange.client("ws://127.0.0.1:9/books")
        self.next_update = self.client.future(f"orderbook:{SOL}")

    def hear(self, message: Any) -> None:
        self.exchange.handle_message(self.client, message)

    @property
    def book(self) -> Any:
        """None where ccxt has none."""
        return self.exchange.orderbooks.get(SOL)

    async def close(self) -> None:
        self.next_update.cancel()
        await self.exchange.close()
        await self.asking.close()


@pytest.fixture
async def channel(request: pytest.FixtureRequest) -> AsyncIterator[Channel]:
    made = Channel(request.param)
    yield made
    await made.close()


ON_BITGET = pytest.mark.parametrize("channel", ["bitget"], indirect=True)
ON_GATE = pytest.mark.parametrize("channel", ["gate"], indirect=True)


def on_bitget(action: str, bids: list[list[str]], asks: list[list[str]], checksum: int = 0) -> dict[str, Any]:
    row = {"bids": bids, "asks": asks, "checksum": checksum, "seq": 1, "ts": "1760097600000"}
    arg = {"instType": "USDT-FUTURES", "channel": "books", "instId": "SOLUSDT"}
    return {"action": action, "arg": arg, "data": [row]}


@ON_BITGET
async def test_a_snapshot_leaves_nothing_of_the_book_before(channel: Channel) -> None:
    channel.hear(on_bitget("snapshot", [["100", "1"], ["99", "2"]], [["101", "1"]]))
    channel.hear(on_bitget("snapshot", [["90", "3"]], [["91", "4"]]))
    assert [level[:2] for level in channel.book["bids"]] == [[90.0, 3.0]]
    assert [level[:2] for level in channel.book["asks"]] == [[91.0, 4.0]]


@ON_BITGET
async def test_a_book_with_a_wrong_sum_is_none_at_once_and_stays_none_until_a_snapshot(channel: Channel) -> None:
    channel.hear(on_bitget("snapshot", [["100", "1"]], [["101", "1"]]))
    channel.hear(on_bitget("update", [["100.5", "1"]], [], checksum=1))
    assert channel.book is None
    with pytest.raises(ccxt_errors.InvalidNonce):
        await channel.client.future(f"orderbook:{SOL}")
    channel.hear(on_bitget("update", [["100.6", "1"]], [], checksum=2))
    assert channel.book is None
    channel.hear(on_bitget("snapshot", [["100", "1"]], [["101", "1"]]))
    assert channel.exchange.orderbooks[SOL]["bids"][0][0] == 100


def on_gate(first: int, last: int, bids: dict[str, str], **more: Any) -> dict[str, Any]:
    levels = [{"p": price, "s": size} for price, size in bids.items()]
    result = {"t": 1760097600000, "s": "SOL_USDT", "U": first, "u": last, "b": levels, "a": [], **more}
    return {"channel": "futures.order_book_update", "event": "update", "result": result}


class Gate(Channel):
    """The same, whose whole book the test answers."""

    def __init__(self) -> None:
        super().__init__("gate")
        self.whole: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.exchange.fetch_order_book = self._fetch
        self.client.subscriptions |= {"7": f"orderbook:{SOL}", f"orderbook:{SOL}": {"symbol": SOL, "limit": 100}}
        self.hear({"id": 7, "channel": "futures.order_book_update", "event": "subscribe", "result": {}})

    async def _fetch(self, symbol: str, limit: int) -> Any:
        assert (symbol, limit) == (SOL, 100)
        return await self.whole

    async def begin(self, nonce: int) -> None:
        self.whole.set_result({"bids": [[100.0, 1.0]], "asks": [[102.0, 1.0]], "nonce": nonce, "symbol": SOL})
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    @property
    def bids(self) -> list[float] | None:
        return None if self.book is None else [level[0] for level in self.book["bids"]]


@pytest.fixture
async def gate() -> AsyncIterator[Gate]:
    made = Gate()
    await asyncio.sleep(0)
    yield made
    await made.close()


async def test_the_whole_book_has_what_came_before_its_answer(gate: Gate) -> None:
    gate.hear(on_gate(9, 10, {"99": "1"}))
    gate.hear(on_gate(11, 12, {"101": "1"}))
    assert not gate.next_update.done()
    await gate.begin(nonce=10)
    assert gate.bids == [101.0, 100.0]
    assert await gate.next_update is gate.book
    gate.hear(on_gate(13, 14, {"100": "0"}))
    assert gate.bids == [101.0]


@pytest.mark.parametrize(
    "changes",
    [
        [on_gate(13, 14, {"101": "1"})],
        [on_gate(11, 12, {"101": "1"}), on_gate(14, 15, {"100": "0"})],
        [on_gate(11, 12, {"101": "1"}, full=True)],
    ],
    ids=["the book lies behind", "one is missing", "no difference"],
)
@pytest.mark.parametrize("before_its_answer", [True, False])
async def test_what_does_not_follow_ends_the_book(gate: Gate, changes: list[Any], before_its_answer: bool) -> None:
    if not before_its_answer:
        await gate.begin(nonce=10)
        assert gate.bids == [100.0]
        assert await gate.next_update is gate.book
    for change in changes:
        gate.hear(change)
    if before_its_answer:
        await gate.begin(nonce=10)
    assert gate.book is None
    gate.hear(on_gate(16, 16, {"100": "0"}))
    assert gate.book is None


async def test_a_whole_book_that_cannot_be_had_ends_this_book_only(gate: Gate) -> None:
    gate.whole.set_exception(ccxt_errors.RequestTimeout("no answer"))
    with pytest.raises(ccxt_errors.RequestTimeout):
        await gate.next_update
    assert gate.book is None
    assert gate.client.error is None
    assert gate.exchange.clients == {gate.client.url: gate.client}


async def test_an_answer_that_comes_after_the_book_was_left_changes_nothing(gate: Gate) -> None:
    del gate.exchange.orderbooks[SOL]
    await gate.begin(nonce=10)
    assert gate.book is None


async def test_gate_is_told_to_push_sizes_in_full() -> None:
    channel = Channel("gate")
    assert channel.client.options["headers"] == {"X-Gate-Size-Decimal": "1"}
    await channel.close()


@pytest.mark.parametrize("channel", ["bitget", "gate", "hyperliquid"], indirect=True)
async def test_what_a_connection_does_not_follow_is_not_left(channel: Channel) -> None:
    async with asyncio.timeout(20):
        await channel.exchange.un_watch_order_book(SOL)
    assert channel.client.connecting is False


@pytest.mark.parametrize("channel", ["hyperliquid"], indirect=True)
async def test_an_error_of_hyperliquid_is_heard(channel: Channel) -> None:
    channel.hear({"channel": "error", "data": "Invalid subscription"})
    with pytest.raises(ccxt_errors.ExchangeError, match="Invalid subscription"):
        await channel.next_update
