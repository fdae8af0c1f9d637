"""What leaves for a venue, request by request: nobody but us and the venue has a part in it.

ccxt adds broker ids, referrers and paid builders to what it sends unless it is kept from doing so. So a whole trade
is made here, every request of it is kept, and orders are compared with what they may hold, field by field.
"""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from common.domain.identifiers import Leg, Purpose, Side, client_order_id
from common.runtime.clock import SystemClock
from common.venues.addresses import VenueAddress
from common.venues.ccxt.account import CcxtAccount
from common.venues.ccxt.market_data import CcxtMarketData
from common.venues.ccxt.orders import CcxtOrderDesk
from common.venues.ccxt.trading import connect_trading_venue
from common.venues.ports import OrderIntent
from support.simulated_venues import NOON, PROTOCOLS, TRADING_KEYS, RunningVenue, running_venue

OPEN_ID = client_order_id("0123456789abcdef", 1, Leg.LONG, Purpose.OPEN, 1)
CLOSE_ID = client_order_id("0123456789abcdef", 0, Leg.LONG, Purpose.CLOSE, 1)

OPENING: Mapping[str, dict[str, Any]] = {
    "binance": {
        "symbol": "SOLUSDT",
        "side": "BUY",
        "type": "MARKET",
        "quantity": "2",
        "newClientOrderId": OPEN_ID,
        "newOrderRespType": "RESULT",
        "reduceOnly": "false",
    },
    "bybit": {
        "category": "linear",
        "symbol": "SOLUSDT",
        "side": "Buy",
        "orderType": "Market",
        "qty": "2",
        "orderLinkId": OPEN_ID,
        "reduceOnly": False,
    },
    "okx": {
        "instId": "SOL-USDT-SWAP",
        "tdMode": "cross",
        "side": "buy",
        "ordType": "market",
        "sz": "0.2",
        "clOrdId": OPEN_ID,
        "reduceOnly": False,
    },
    "bitget": {
        "symbol": "SOLUSDT",
        "productType": "USDT-FUTURES",
        "marginMode": "crossed",
        "marginCoin": "USDT",
        "side": "buy",
        "orderType": "market",
        "size": "2",
        "clientOid": OPEN_ID,
        "force": "GTC",
    },
    "gate": {
        "contract": "SOL_USDT",
        "size": 20,
        "price": "0",
        "tif": "ioc",
        "reduce_only": False,
        "text": f"t-{OPEN_ID}",
    },
    "hyperliquid": {
        "type": "order",
        "orders": [
            {
                "a": 0,
                "b": True,
                "p": "210",
                "s": "2",
                "r": False,
                "t": {"limit": {"tif": "Ioc"}},
                "c": f"0x0000{OPEN_ID}",
            }
        ],
        "grouping": "na",
    },
}
"""Two SOL bought at the market, as they may leave: on OKX a contract is ten here, on Gate a tenth; of Hyperliquid it is
the whole action.
"""

CLOSING: Mapping[str, dict[str, Any]] = {
    "binance": {"side": "SELL", "newClientOrderId": CLOSE_ID, "reduceOnly": "true"},
    "bybit": {"side": "Sell", "orderLinkId": CLOSE_ID, "reduceOnly": True},
    "okx": {"side": "sell", "clOrdId": CLOSE_ID, "reduceOnly": True},
    "bitget": {"side": "sell", "clientOid": CLOSE_ID, "reduceOnly": "YES"},
    "gate": {"size": -20, "text": f"t-{CLOSE_ID}", "reduce_only": True},
    "hyperliquid": {
        "orders": [OPENING["hyperliquid"]["orders"][0] | {"b": False, "p": "190", "r": True, "c": f"0x0000{CLOSE_ID}"}]
    },
}
"""What is different when they are sold again."""

SIGNING = {"timestamp", "recvWindow", "signature"}
"""Fields of Binance's form that are about the request, not about the order."""

HEADERS: Mapping[str, set[str]] = {
    "binance": {"x-mbx-apikey"},
    "bybit": {"x-bapi-api-key", "x-bapi-timestamp", "x-bapi-recv-window", "x-bapi-sign"},
    "okx": {"ok-access-key", "ok-access-sign", "ok-access-timestamp", "ok-access-passphrase", "exptime"},
    "bitget": {"access-key", "access-sign", "access-timestamp", "access-passphrase"},
    "gate": {"key", "sign", "timestamp", "x-gate-size-decimal", "x-gate-exptime"},
    "hyperliquid": set(),
}
"""Headers of an order that no HTTP client sends by itself."""

HTTP_HEADERS = {"host", "accept", "accept-encoding", "user-agent", "content-type", "content-length", "connection"}

CHANGING: Mapping[str, set[str]] = {
    "binance": {"POST /fapi/v1/order", "DELETE /fapi/v1/order", "POST /fapi/v1/leverage"},
    "bybit": {"POST /v5/order/create", "POST /v5/order/cancel", "POST /v5/position/set-leverage"},
    "okx": {"POST /api/v5/trade/order", "POST /api/v5/trade/cancel-order", "POST /api/v5/account/set-leverage"},
    "bitget": {
        "POST /api/v2/mix/order/place-order",
        "POST /api/v2/mix/order/cancel-order",
        "POST /api/v2/mix/account/set-leverage",
    },
    "gate": {
        "POST /api/v4/futures/usdt/orders",
        f"DELETE /api/v4/futures/usdt/orders/t-{CLOSE_ID}",
        "POST /api/v4/futures/usdt/positions/SOL_USDT/leverage",
    },
    "hyperliquid": {"POST /exchange order", "POST /exchange cancelByCloid", "POST /exchange updateLeverage"},
}
"""Everything that a whole trade changes at the venue."""


@dataclass
class Kept:
    """One request."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: str

    @property
    def name(self) -> str:
        """What it does: at Hyperliquid the type of the action says it."""
        named = f"{self.method} {self.path}"
        return f"{named} {self.fields['type']}" if self.path == "/exchange" else named

    @property
    def is_reading(self) -> bool:
        """Whether it cannot change anything."""
        return self.method == "GET" or self.path == "/info"

    @property
    def fields(self) -> dict[str, Any]:
        """What an order consists of."""
        if self.path == "/exchange":
            return dict(json.loads(self.body)["action"])
        if self.body.startswith("{"):
            return dict(json.loads(self.body))
        form = dict(parse_qsl(self.query) + parse_qsl(self.body))
        return {name: value for name, value in form.items() if name not in SIGNING}


@dataclass
class Recorder:
    """In front of a venue: keeps every request."""

    kept: list[Kept] = field(default_factory=list)

    def around(self, app: ASGIApp) -> ASGIApp:
        async def keeping(scope: Scope, receive: Receive, send: Send) -> None:
            body = b""
            while (message := await receive())["type"] == "http.request":
                body += message.get("body", b"")
                if not message.get("more_body"):
                    break
            headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
            query = scope["query_string"].decode()
            self.kept.append(Kept(scope["method"], scope["path"], query, headers, body.decode()))
            given = False

            async def again() -> Message:
                nonlocal given
                if given:
                    return await receive()
                given = True
                return {"type": "http.request", "body": body, "more_body": False}

            await app(scope, again, send)

        return keeping


@dataclass
class Trader:
    """One venue behind a recorder."""

    protocol: str
    simulated: RunningVenue
    kept: list[Kept]
    market: CcxtMarketData
    account: CcxtAccount
    desk: CcxtOrderDesk

    @property
    def orders(self) -> list[Kept]:
        """The orders that left."""
        ends = ("/order", "/create", "/place-order", "/orders", " order")
        placing = next(name for name in CHANGING[self.protocol] if name.endswith(ends)).replace("DELETE", "POST")
        return [kept for kept in self.kept if kept.name == placing]

    async def send(self, side: Side, client_id: str, *, reduce_only: bool) -> None:
        quantity = self.simulated.venue.instruments["SOL"].quantity_step * 20
        intent = OrderIntent("venue", "SOL", side, quantity, client_id, reduce_only, reference_price=Decimal(200))
        await self.desk.send(intent)


@pytest.fixture(params=PROTOCOLS)
async def trader(request: pytest.FixtureRequest) -> AsyncIterator[Trader]:
    recorder = Recorder()
    async with AsyncExitStack() as stack:
        simulated = await stack.enter_async_context(running_venue(request.param, recorder.around))
        address = VenueAddress("venue", request.param, simulated.url)
        parts = await connect_trading_venue(address, TRADING_KEYS, SystemClock())
        stack.push_async_callback(parts[1].close)
        yield Trader(request.param, simulated, recorder.kept, *parts)


async def whole_trade(trader: Trader) -> None:
    """Everything that Tandem ever asks of a venue, once."""
    await trader.market.instruments()
    await trader.market.tops(["SOL", "ETH"])
    await trader.market.funding(["SOL"])
    await trader.market.server_time_offset_seconds()
    await trader.market.book("SOL")
    await trader.account.prepare("SOL", 5)
    await trader.account.balance()
    await trader.send(Side.BUY, OPEN_ID, reduce_only=False)
    await trader.account.positions()
    await trader.send(Side.SELL, CLOSE_ID, reduce_only=True)
    await trader.desk.cancel("SOL", CLOSE_ID)
    await trader.account.order("SOL", CLOSE_ID)
    await trader.account.fills("SOL", NOON)
    await trader.account.funding_payments("SOL", NOON)


async def test_an_order_holds_what_it_must_and_nothing_else(trader: Trader) -> None:
    await whole_trade(trader)
    opening, closing = trader.orders
    assert opening.fields == OPENING[trader.protocol]
    assert closing.fields == OPENING[trader.protocol] | CLOSING[trader.protocol]
    assert set(opening.headers) - HTTP_HEADERS == HEADERS[trader.protocol]
    assert "ccxt" not in opening.headers.get("user-agent", "").lower()


async def test_a_trade_changes_nothing_but_orders_and_leverage(trader: Trader) -> None:
    await whole_trade(trader)
    changing = [kept.name for kept in trader.kept if not kept.is_reading]
    assert set(changing) == CHANGING[trader.protocol]
    assert len(trader.orders) == 2


async def test_no_request_names_a_broker_a_referrer_or_a_builder(trader: Trader) -> None:
    await whole_trade(trader)
    for kept in trader.kept:
        told = " ".join([kept.query, kept.body, *kept.headers, *kept.headers.values()]).lower()
        for word in ("broker", "referer", "referrer", "builder", '"tag"', "&tag=", "ccxt"):
            assert word not in told, f"{kept.method} {kept.path}: {word}"


async def test_everything_that_is_signed_for_hyperliquid_is_known_to_the_last_field(trader: Trader) -> None:
    if trader.protocol != "hyperliquid":
        pytest.skip("only Hyperliquid's actions are signed one by one")
    await whole_trade(trader)
    requests = [json.loads(kept.body) for kept in trader.kept if not kept.is_reading]
    leverage = {"type": "updateLeverage", "asset": 0, "isCross": True, "leverage": 5}
    cancel = {"type": "cancelByCloid", "cancels": [{"asset": 0, "cloid": f"0x0000{CLOSE_ID}"}]}
    closing = OPENING["hyperliquid"] | CLOSING["hyperliquid"]
    assert [request.pop("action") for request in requests] == [leverage, OPENING["hyperliquid"], closing, cancel]
    assert [set(request) for request in requests] == [
        {"nonce", "signature"},
        {"nonce", "signature", "expiresAfter"},
        {"nonce", "signature", "expiresAfter"},
        {"nonce", "signature"},
    ]


@pytest.mark.parametrize(
    "action",
    [
        {"type": "approveBuilderFee"},
        {"type": "setReferrer"},
        OPENING["hyperliquid"] | {"builder": {"b": "0x0", "f": 0}},
        OPENING["hyperliquid"] | {"orders": [{"a": 0}]},
    ],
)
async def test_an_action_that_is_not_ours_never_leaves_hyperliquid(trader: Trader, action: dict[str, Any]) -> None:
    if trader.protocol != "hyperliquid":
        pytest.skip("only Hyperliquid's actions are signed one by one")
    await trader.market.instruments()
    sent = len(trader.kept)
    with pytest.raises(ValueError, match=r"does not sign|builder|client order id"):
        await trader.market._exchange.privatePostExchange({"action": action, "nonce": 1, "signature": {}})
    assert len(trader.kept) == sent


async def test_an_order_without_a_client_id_never_leaves_okx(trader: Trader) -> None:
    if trader.protocol != "okx":
        pytest.skip("only OKX's ccxt makes up a client id, and tags the order with it")
    await trader.market.instruments()
    with pytest.raises(ValueError, match="client order id"):
        await trader.market._exchange.create_order("SOL/USDT:USDT", "market", "buy", 1)
    assert trader.orders == []


async def test_one_position_at_binance_is_asked_for_by_its_contract(trader: Trader) -> None:
    if trader.protocol != "binance":
        pytest.skip("only Binance's ccxt asks for all positions where one is wanted")
    await trader.send(Side.SELL, OPEN_ID, reduce_only=False)
    before = len(trader.kept)
    assert {symbol: held.quantity for symbol, held in (await trader.account.positions(["SOL"])).items()} == {"SOL": -2}
    assert await trader.account.positions(["ETH"]) == {}
    asked = [(kept.path, kept.fields["symbol"]) for kept in trader.kept[before:]]
    assert asked == [("/fapi/v3/positionRisk", "SOLUSDT"), ("/fapi/v3/positionRisk", "ETHUSDT")]
