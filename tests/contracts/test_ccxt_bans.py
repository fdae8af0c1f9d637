"""A venue that bans is not asked again before the ban is over: asking on lengthens it, and then nothing closes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from common.domain.identifiers import Side
from common.runtime.clock import SystemClock
from common.venues.addresses import VenueAddress
from common.venues.ccxt.account import CcxtAccount
from common.venues.ccxt.bans import BAN_SECONDS_MAX, BAN_SECONDS_UNSAID, LIMIT_SECONDS_UNSAID
from common.venues.ccxt.facts import FACTS
from common.venues.ccxt.market_data import CcxtMarketData
from common.venues.ccxt.orders import CcxtOrderDesk
from common.venues.ccxt.trading import connect_trading_venue
from common.venues.errors import OrderNotSent, VenueBanned, VenueUnreachable
from common.venues.ports import OrderIntent, OrderState
from support.simulated_venues import PROTOCOLS, TRADING_KEYS, running_venue

EVERY = pytest.mark.parametrize("protocol", PROTOCOLS)
BODY = b'{"code":-1003,"msg":"Too many requests","retCode":10006,"retMsg":"Too many visits"}'
CLOSE = OrderIntent("venue", "SOL", Side.SELL, Decimal(1), "c1", reduce_only=False, reference_price=Decimal(200))


class MovedClock(SystemClock):
    """The time at which it was made, and what a test adds to it: how slow we are does not shorten a ban."""

    def __init__(self) -> None:
        self.ahead_seconds = 0.0
        self._monotonic, self._unix_seconds = super().monotonic(), super().unix_seconds()

    def monotonic(self) -> float:
        return self._monotonic + self.ahead_seconds

    def unix_seconds(self) -> float:
        return self._unix_seconds + self.ahead_seconds


class BanningWire:
    """In front of a venue: while it bans, every request gets the ban; it counts them."""

    def __init__(self) -> None:
        self.ban: tuple[int, bytes, dict[str, str]] | None = None
        self.requests = 0

    def around(self, app: ASGIApp) -> ASGIApp:
        async def wire(scope: Scope, receive: Receive, send: Send) -> None:
            self.requests += 1
            if self.ban is None:
                await app(scope, receive, send)
                return
            status, body, headers = self.ban
            raw = [(name.encode(), value.encode()) for name, value in headers.items()]
            raw += [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
            await send({"type": "http.response.start", "status": status, "headers": raw})
            await send({"type": "http.response.body", "body": body})

        return wire


class Banned:
    """One exchange behind the wire, ready to trade."""

    def __init__(self, market: CcxtMarketData, account: CcxtAccount, desk: CcxtOrderDesk) -> None:
        self.market, self.account, self.desk = market, account, desk
        self.clock = MovedClock()
        self.wire = BanningWire()

    async def ban_for(self, status: int, headers: dict[str, str], body: bytes = BODY) -> float:
        """Meets a ban and says for how many seconds it holds."""
        self.wire.ban = (status, body, headers)
        with pytest.raises(VenueBanned) as met:
            await self.market.book("SOL")
        self.wire.ban = None
        self.wire.requests = 0
        assert met.value.until_seconds is not None
        return met.value.until_seconds - self.clock.unix_seconds()


@asynccontextmanager
async def exchange(protocol: str) -> AsyncIterator[Banned]:
    wire, clock = BanningWire(), MovedClock()
    async with running_venue(protocol, wire.around) as simulated:
        address = VenueAddress("venue", protocol, simulated.url)
        market, account, desk = await connect_trading_venue(address, TRADING_KEYS, clock)
        banned = Banned(market, account, desk)
        banned.wire, banned.clock = wire, clock
        try:
            await market.instruments()
            yield banned
        finally:
            await account.close()


@EVERY
async def test_during_a_ban_no_request_leaves_and_after_it_everything_works(protocol: str) -> None:
    async with exchange(protocol) as venue:
        seconds = await venue.ban_for(418, {"Retry-After": "90"})
        assert seconds == pytest.approx(90, abs=0.01)
        for _ in range(5):
            with pytest.raises(VenueBanned, match="not asked"):
                await venue.market.book("SOL")
            with pytest.raises(VenueBanned):
                await venue.account.positions(["SOL"])
            with pytest.raises(OrderNotSent):
                await venue.desk.send(CLOSE)
        assert venue.wire.requests == 0
        venue.clock.ahead_seconds = 91
        assert (await venue.desk.send(CLOSE)).state is OrderState.FILLED
        assert (await venue.market.book("SOL")).venue == "venue"


@EVERY
@pytest.mark.parametrize("status", [418, 429])
async def test_a_ban_without_a_time_has_one_of_ours(protocol: str, status: int) -> None:
    async with exchange(protocol) as venue:
        seconds = await venue.ban_for(status, {})
        ours = FACTS[protocol].unsaid_seconds[status]
        assert seconds == pytest.approx(ours, abs=0.01)
        venue.clock.ahead_seconds = ours - 1
        with pytest.raises(VenueBanned):
            await venue.market.book("SOL")
        assert venue.wire.requests == 0
        venue.clock.ahead_seconds = ours + 1
        await venue.market.book("SOL")


@pytest.mark.parametrize("said", ["soon", "-5", "nan", "inf", "99999999999"])
async def test_a_time_that_is_none_is_not_believed(said: str) -> None:
    async with exchange("binance") as venue:
        assert await venue.ban_for(429, {"Retry-After": said}) == pytest.approx(BAN_SECONDS_UNSAID[429], abs=0.01)


async def test_a_venue_whose_clock_is_far_off_does_not_ban_for_ever() -> None:
    async with exchange("binance") as venue:
        body = b'{"code":-1003,"msg":"Way too many requests; IP banned until 9999999999999."}'
        assert await venue.ban_for(418, {}, body) == pytest.approx(BAN_SECONDS_MAX, abs=0.01)


@EVERY
async def test_an_address_refused_at_the_edge_is_not_asked_again(protocol: str) -> None:
    async with exchange(protocol) as venue:
        venue.wire.ban = (403, b"access too frequent", {})
        with pytest.raises((VenueBanned, VenueUnreachable)):
            await venue.market.book("SOL")
        venue.wire.requests = 0
        with pytest.raises(VenueBanned, match="not asked"):
            await venue.market.book("SOL")
        with pytest.raises(OrderNotSent):
            await venue.desk.send(CLOSE)
        assert venue.wire.requests == 0
        venue.clock.ahead_seconds = FACTS[protocol].unsaid_seconds[403] - 1
        with pytest.raises(VenueBanned, match="not asked"):
            await venue.market.book("SOL")


async def test_bybit_is_left_alone_for_the_ten_minutes_that_it_asks_for() -> None:
    async with exchange("bybit") as venue:
        assert await venue.ban_for(403, {}, b"access too frequent") == pytest.approx(600, abs=0.01)


async def test_a_limit_told_with_an_answer_that_went_through_lasts_a_moment() -> None:
    async with exchange("bybit") as venue:
        assert await venue.ban_for(200, {}) == pytest.approx(LIMIT_SECONDS_UNSAID, abs=0.01)


async def test_a_shorter_ban_opens_nothing_earlier() -> None:
    async with exchange("binance") as venue:
        venue.wire.ban = (418, BODY, {"Retry-After": "100"})
        first = asyncio.create_task(venue.market.book("SOL"))
        second = asyncio.create_task(venue.market.book("SOL"))
        await asyncio.wait({first, second})
        assert all(isinstance(task.exception(), VenueBanned) for task in (first, second))
        gate = venue.market._exchange.gate
        gate.ban(429, {"Retry-After": "1"}, "", None)
        venue.clock.ahead_seconds = 95
        with pytest.raises(VenueBanned, match="not asked"):
            await venue.market.book("SOL")
