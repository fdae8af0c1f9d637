"""At every venue: what its limits do not allow is not sent, and closing still is."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from common.domain.identifiers import Side
from common.runtime.clock import SystemClock
from common.venues.addresses import VenueAddress
from common.venues.ccxt import limits as limits_module
from common.venues.ccxt.account import CcxtAccount
from common.venues.ccxt.budgets import Share, SharedBudget
from common.venues.ccxt.limits import VenueLimits
from common.venues.ccxt.market_data import CcxtMarketData
from common.venues.ccxt.orders import CcxtOrderDesk
from common.venues.ccxt.request_limits import ACCOUNT, ADDRESS, CONNECTIONS, REQUEST_LIMITS, Budget
from common.venues.ccxt.trading import connect_trading_venue
from common.venues.errors import OrderNotSent, VenueBudgetSpent
from common.venues.ports import OrderIntent, OrderState
from common.venues.urgency import urgently
from support.shared_limits import SharedInMemory
from support.simulated_venues import PROTOCOLS, TRADING_KEYS, running_venue

EVERY = pytest.mark.parametrize("protocol", PROTOCOLS)
SPAN_SECONDS = 10**10
"""From 1970 on: no test sees a second span, whenever it runs."""
ORDER = OrderIntent("venue", "SOL", Side.BUY, Decimal(1), "c1", reduce_only=False, reference_price=Decimal(200))


class Counting:
    """Counts what reaches a venue."""

    def __init__(self) -> None:
        self.requests = 0

    def around(self, app: ASGIApp) -> ASGIApp:
        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            self.requests += 1
            await app(scope, receive, send)

        return counted


@asynccontextmanager
async def limited_venue(
    protocol: str, shared: SharedInMemory | None = None
) -> AsyncIterator[tuple[CcxtMarketData, CcxtAccount, CcxtOrderDesk, Counting]]:
    """A venue whose budgets are some hundred units for the whole day, half of them in reserve."""
    documented = REQUEST_LIMITS[protocol]
    budgets = {name: Budget(400, SPAN_SECONDS, SPAN_SECONDS, reserve_percent=50) for name in documented.budgets}
    limits = VenueLimits(
        SystemClock(), shared or SharedInMemory(), trades=True, limited=lambda _: replace(documented, budgets=budgets)
    )
    wire = Counting()
    keeper = asyncio.create_task(limits.run())
    async with running_venue(protocol, wire.around) as simulated:
        address = VenueAddress("venue", protocol, simulated.url)
        market, account, desk = await connect_trading_venue(address, TRADING_KEYS, SystemClock(), limits)
        try:
            yield market, account, desk, wire
        finally:
            keeper.cancel()
            await asyncio.wait({keeper})
            await account.close()


async def spend_all(market: CcxtMarketData, read: Callable[[], Awaitable[object]]) -> None:
    """Asks until a budget has nothing more to share: who is refused before that had its share too late, and has it."""
    budgets, refused = market.markets.exchange.gate.budgets.values(), 0
    for _ in range(1000):
        try:
            await read()
            refused = 0
        except VenueBudgetSpent:
            refused += not all(budget.may_get_more for budget in budgets)
        if refused == 2:
            return
    pytest.fail("no limit was met")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits_module, "SLOWED_SECONDS_MAX", 0.1)


@EVERY
async def test_when_only_the_reserve_is_left_polling_stops_and_closing_goes_on(protocol: str) -> None:
    async with limited_venue(protocol) as (market, account, desk, wire):
        await market.instruments()
        opened = await desk.send(ORDER)
        assert opened.state is OrderState.FILLED
        await spend_all(market, lambda: market.book("SOL"))
        if ACCOUNT in REQUEST_LIMITS[protocol].budgets:
            await spend_all(market, account.balance)
        sent = wire.requests
        with pytest.raises(VenueBudgetSpent, match="not asked"):
            await market.book("SOL")
        assert wire.requests == sent

        closing = replace(ORDER, side=Side.SELL, client_order_id="c2", reduce_only=True)
        assert (await desk.send(closing)).state is OrderState.FILLED
        found = await account.order("SOL", "c2")
        assert found is not None
        assert found.state is OrderState.FILLED
        with urgently():
            assert await account.positions(["SOL"]) == {}
            assert (await market.book("SOL")).symbol == "SOL"


@pytest.mark.parametrize("protocol", [name for name in PROTOCOLS if ACCOUNT in REQUEST_LIMITS[name].budgets])
async def test_an_order_beyond_all_limits_is_refused_at_once_and_leaves_no_exposure(
    protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits_module, "SLOWED_SECONDS_MAX", 20.0)
    shared = SharedInMemory()
    span = int(SystemClock().unix_seconds() // SPAN_SECONDS)
    shared.texts[f"budget.venue.{ACCOUNT}"] = SharedBudget({span: Share(1000, 1000)}).text()
    async with limited_venue(protocol, shared) as (market, _, desk, wire):
        await market.instruments()
        sent, started = wire.requests, asyncio.get_running_loop().time()
        with pytest.raises(OrderNotSent, match="kept for closing"):
            await desk.send(replace(ORDER, signed_at_seconds=SystemClock().unix_seconds()))
        assert asyncio.get_running_loop().time() - started < 10
        assert wire.requests == sent


async def test_a_server_that_stands_in_has_no_limits_of_its_own() -> None:
    limits = VenueLimits(SystemClock())
    assert limits.gate(VenueAddress("okx", "okx", "http://127.0.0.1:9")).budgets == {}
    assert set(VenueLimits(SystemClock()).gate(VenueAddress("okx", "okx", None)).budgets) == {
        ADDRESS,
        ACCOUNT,
        CONNECTIONS,
    }


async def test_a_venue_has_room_while_it_bans_nobody_and_half_of_each_limit_is_left() -> None:
    budgets = {name: Budget(400, SPAN_SECONDS, SPAN_SECONDS, reserve_percent=50) for name in (ADDRESS, ACCOUNT)}
    clock = SystemClock()
    limits = VenueLimits(clock, limited=lambda _: replace(REQUEST_LIMITS["okx"], budgets=budgets))
    gate = limits.gate(VenueAddress("okx", "okx", None))
    assert limits.has_room("okx")
    local = gate.budgets[ACCOUNT]
    half = local.budget.ordinary_units // 2
    for left, has_room in ((half, True), (half - 1, False), (half, True)):
        local.grant(local.span(), Share(), left)
        assert limits.has_room("okx") is has_room
    gate.bans.hear(clock.unix_seconds() + 60)
    assert not limits.has_room("okx")
