"""What the ccxt adapter says about exposure when things go wrong on the wire, and what it never does by itself."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal

import ccxt
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from common.domain.identifiers import Side
from common.runtime.clock import SystemClock
from common.runtime.settings import SettingsError
from common.venues.addresses import VenueAddress
from common.venues.ccxt.account import CcxtAccount
from common.venues.ccxt.facts import FACTS, RECEIVE_WINDOW_MS
from common.venues.ccxt.market_data import CcxtMarketData, connect_market_data
from common.venues.ccxt.orders import CcxtOrderDesk
from common.venues.ccxt.trading import connect_trading_venue
from common.venues.errors import (
    OrderNotSent,
    OrderOutcomeUnknown,
    OrderRejected,
    VenueBanned,
    VenueRefused,
    VenueUnreachable,
)
from common.venues.ports import ORDER_VALID_SECONDS, OrderIntent, OrderState
from support.simulated_venues import KEY, PASSPHRASE, PROTOCOLS, SECRET, TRADING_KEYS, RunningVenue, running_venue
from venue_sim.interventions import Intervention

EVERY = pytest.mark.parametrize("protocol", PROTOCOLS)
ORDER_PATHS = (
    "/fapi/v1/order",
    "/v5/order/create",
    "/api/v5/trade/order",
    "/api/v2/mix/order/place-order",
    "/api/v4/futures/usdt/orders",
    "/exchange",
)
BOOK_PATHS = (
    "/fapi/v1/depth",
    "/v5/market/orderbook",
    "/api/v5/market/books",
    "/api/v2/mix/market/merge-depth",
    "/api/v4/futures/usdt/order_book",
    "/info",
)


@dataclass
class Faults:
    """Wraps a venue: counts requests by path, keeps the headers of orders, and answers some paths by itself."""

    answers: dict[str, tuple[int, bytes, dict[str, str]]] = field(default_factory=dict)
    accept_first: bool = False
    cut_off: bool = False
    delay_seconds: float = 0.0
    seen: list[str] = field(default_factory=list)
    order_headers: list[dict[str, str]] = field(default_factory=list)

    def fail(self, paths: tuple[str, ...], status: int, body: bytes, **headers: str) -> None:
        """Requests of these paths get this answer."""
        self.answers |= dict.fromkeys(paths, (status, body, headers))

    def around(self, app: ASGIApp) -> ASGIApp:
        """The venue with the faults in front of it."""

        async def faulty(scope: Scope, receive: Receive, send: Send) -> None:
            path = scope["path"]
            self.seen.append(f"{scope['method']} {path}")
            if path in ORDER_PATHS and scope["method"] == "POST":
                self.order_headers.append({name.decode(): value.decode() for name, value in scope["headers"]})
            fault = self.answers.get(path) if scope["method"] == "POST" or path in BOOK_PATHS else None
            if fault is None:
                await app(scope, receive, send)
                return
            if self.accept_first:
                await app(scope, receive, _nowhere)
            await asyncio.sleep(self.delay_seconds)
            await self._answer(fault, send)

        return faulty

    async def _answer(self, fault: tuple[int, bytes, dict[str, str]], send: Send) -> None:
        status, body, headers = fault
        promised = len(body) + (100 if self.cut_off else 0)
        raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        raw += [(b"content-type", b"application/json"), (b"content-length", str(promised).encode())]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": body, "more_body": self.cut_off})


async def _nowhere(_message: object) -> None:
    return


@dataclass
class Trading:
    """A desk behind a faulty wire."""

    simulated: RunningVenue
    faults: Faults
    market: CcxtMarketData
    account: CcxtAccount
    desk: CcxtOrderDesk


def one_sol(client_order_id: str = "c1") -> OrderIntent:
    """One SOL bought at the market."""
    return OrderIntent(
        venue="venue",
        symbol="SOL",
        side=Side.BUY,
        quantity=Decimal(1),
        client_order_id=client_order_id,
        reduce_only=False,
        reference_price=Decimal(200),
    )


@asynccontextmanager
async def trading(protocol: str) -> AsyncIterator[Trading]:
    faults = Faults()
    async with running_venue(protocol, faults.around) as simulated:
        address = VenueAddress("venue", protocol, simulated.url)
        parts = await connect_trading_venue(address, TRADING_KEYS, SystemClock())
        market, account, desk = parts
        try:
            await market.instruments()
            yield Trading(simulated, faults, market, account, desk)
        finally:
            await account.close()


@EVERY
@pytest.mark.parametrize("body", [b"", b"{not json", b"[]", b"{}", b'"text"', b"null"])
async def test_answer_that_cannot_be_read_leaves_the_outcome_unknown(protocol: str, body: bytes) -> None:
    async with trading(protocol) as desk:
        desk.faults.fail(ORDER_PATHS, 200, body)
        with pytest.raises(OrderOutcomeUnknown):
            await desk.desk.send(one_sol())


@EVERY
@pytest.mark.parametrize("status", [500, 502, 503, 504, 520, 529])
@pytest.mark.parametrize("body", [b"<html>", b'{"code":-9999,"retCode":999999,"msg":"x","retMsg":"x"}'])
async def test_server_error_leaves_the_outcome_unknown(protocol: str, status: int, body: bytes) -> None:
    async with trading(protocol) as desk:
        desk.faults.fail(ORDER_PATHS, status, body)
        with pytest.raises(OrderOutcomeUnknown):
            await desk.desk.send(one_sol())


WORDS = "The gears are stuck"
FAILURES = {
    "binance": ({"code": code, "msg": WORDS} for code in (-1000, -1001, -1006, -1007, -1008)),
    "bybit": ({"retCode": code, "retMsg": WORDS, "result": {}} for code in (429, 5004, 10000, 10016)),
    "okx": (
        {"code": code, "msg": WORDS, "data": []} for code in ("50001", "50004", "50013", "50026", "51054", "51149")
    ),
    "bitget": ({"code": code, "msg": WORDS, "data": None} for code in ("40010", "40015", "40725", "45001")),
    "gate": ({"label": label, "message": WORDS} for label in ("INTERNAL", "SERVER_ERROR", "TOO_BUSY")),
}
"""What a venue says that could not answer, although the request was good."""


@pytest.mark.parametrize(("protocol", "body"), [(name, body) for name, bodies in FAILURES.items() for body in bodies])
async def test_a_venue_that_could_not_answer_has_refused_nothing(protocol: str, body: dict[str, object]) -> None:
    async with trading(protocol) as desk:
        desk.faults.fail(
            ORDER_PATHS + BOOK_PATHS, 200 if protocol in ("bybit", "okx") else 400, json.dumps(body).encode()
        )
        with pytest.raises(OrderOutcomeUnknown, match=WORDS):
            await desk.desk.send(one_sol())
        with pytest.raises(VenueUnreachable, match=WORDS):
            await desk.market.book("SOL")


@EVERY
async def test_answer_that_breaks_off_leaves_the_outcome_unknown(protocol: str) -> None:
    async with trading(protocol) as desk:
        desk.faults.fail(ORDER_PATHS, 200, b'{"retCode":0,"orderId":')
        desk.faults.cut_off = True
        with pytest.raises(OrderOutcomeUnknown):
            await desk.desk.send(one_sol())


@EVERY
async def test_timeout_is_unknown_sent_once_and_found_by_its_client_id(protocol: str) -> None:
    async with trading(protocol) as desk:
        desk.market._exchange.timeout = 150
        desk.faults.fail(ORDER_PATHS, 200, b"{}")
        desk.faults.accept_first, desk.faults.delay_seconds = True, 0.4
        with pytest.raises(OrderOutcomeUnknown):
            await desk.desk.send(one_sol())
        assert len(desk.faults.order_headers) == 1
        report = await desk.account.order("SOL", "c1")
        assert report is not None
        assert (report.state, report.filled_quantity) == (OrderState.FILLED, Decimal(1))


@EVERY
@pytest.mark.parametrize("status", [418, 429])
async def test_banned_order_has_no_exposure(protocol: str, status: int) -> None:
    async with trading(protocol) as desk:
        desk.faults.fail(ORDER_PATHS, status, b'{"code":-1003,"msg":"Too many","retCode":10006,"retMsg":"Too many"}')
        with pytest.raises(OrderRejected):
            await desk.desk.send(one_sol())


@EVERY
async def test_ban_says_until_when(protocol: str) -> None:
    async with trading(protocol) as desk:
        until = b'{"code":-1003,"msg":"Way too many requests; IP(1.2.3.4) banned until 1788319856878.","retCode":10006}'
        desk.faults.fail(BOOK_PATHS, 418, until)
        with pytest.raises(VenueBanned) as named:
            await desk.market.book("SOL")
        assert named.value.until_seconds == 1788319856.878
        desk.faults.fail(BOOK_PATHS, 429, b'{"code":-1003,"msg":"Too many","retCode":10006}', retry_after="30")
        with pytest.raises(VenueBanned) as counted:
            await desk.market.book("SOL")
        assert counted.value.until_seconds is not None


@EVERY
async def test_connection_refused_means_not_sent(protocol: str) -> None:
    async with running_venue(protocol) as simulated:
        address = VenueAddress("venue", protocol, simulated.url)
        _, account, desk = await connect_trading_venue(address, TRADING_KEYS, SystemClock())
        await account.balance()
    try:
        with pytest.raises(OrderNotSent):
            await desk.send(one_sol())
        with pytest.raises(VenueUnreachable):
            await account.balance()
    finally:
        await account.close()


@EVERY
async def test_an_order_whose_process_slept_after_the_decision_is_refused_by_its_own_window(protocol: str) -> None:
    """It is late by less than other requests may be."""
    assert ORDER_VALID_SECONDS + 0.5 < RECEIVE_WINDOW_MS / 1000
    async with trading(protocol) as desk:
        late = replace(one_sol(), signed_at_seconds=SystemClock().unix_seconds() - ORDER_VALID_SECONDS - 0.5)
        with pytest.raises(OrderRejected):
            await desk.desk.send(late)
        for attempt in range(2, 10):  # a busy machine is late itself at times
            decided_at = SystemClock().unix_seconds() - 0.2
            with suppress(OrderRejected):
                young = replace(one_sol(f"c{attempt}"), signed_at_seconds=decided_at)
                assert (await desk.desk.send(young)).state is OrderState.FILLED
                return
        pytest.fail("no order was young enough")


@EVERY
async def test_wrong_clock_is_a_refusal_not_a_lost_connection(protocol: str) -> None:
    async with trading(protocol) as desk:
        desk.market._exchange.nonce = lambda: 1_700_000_000_000
        with pytest.raises(OrderRejected):
            await desk.desk.send(one_sol())
        if protocol == "hyperliquid":
            return  # its readings are not signed
        with pytest.raises(VenueRefused, match="clocks"):
            await desk.account.balance()


async def test_accepted_order_that_cannot_be_looked_up_is_working() -> None:
    async with trading("bybit") as desk:
        exchange = desk.market._exchange
        exchange.privateGetV5OrderRealtime = exchange.privateGetV5OrderHistory = _unreachable(exchange)
        report = await desk.desk.send(one_sol())
        assert (report.state, report.filled_quantity, report.average_price) == (OrderState.WORKING, Decimal(0), None)
        assert report.venue_order_id == desk.simulated.venue.account.orders[0].order_id


def _unreachable(exchange: object) -> Callable[[object], object]:
    async def ask(_parameters: object) -> object:
        raise ccxt.RequestTimeout(str(exchange))

    return ask


@EVERY
async def test_orders_carry_no_broker_tag(protocol: str) -> None:
    async with trading(protocol) as desk:
        await desk.desk.send(one_sol("c1"))
        (headers,) = desk.faults.order_headers
        assert "referer" not in headers
        assert not any("ccxt" in value.lower() or "broker" in name for name, value in headers.items())
        (order,) = desk.simulated.venue.account.orders
        # Gate's ledger has the id without its prefix.
        assert order.client_id in ("c1", FACTS[protocol].client_order_id_form.format("c1"))


@EVERY
async def test_secrets_are_in_no_log_and_no_error(protocol: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with trading(protocol) as desk:
        await desk.account.balance()
        await desk.desk.send(one_sol())
        desk.faults.fail(ORDER_PATHS, 503, b"")
        with pytest.raises(OrderOutcomeUnknown) as caught:
            await desk.desk.send(one_sol("c2"))
    told = caplog.text + str(caught.value) + repr(caught.value)
    assert KEY not in told
    assert SECRET not in told
    assert PASSPHRASE not in told
    assert "signature" not in told


@pytest.mark.parametrize("protocol", ["okx", "gate"])
async def test_contract_whose_size_changed_can_be_closed_and_not_opened(protocol: str) -> None:
    async with trading(protocol) as desk:
        await desk.desk.send(one_sol("c1"))
        resized = {"kind": "change_rules", "symbol": "SOL", "contract_size": 5}
        desk.simulated.venue.intervene(Intervention.model_validate(resized))
        await desk.desk._markets._read()
        assert "contract size" in ((await desk.market.instruments())["SOL"].halted or "")
        with pytest.raises(OrderNotSent, match="contract size"):
            await desk.desk.send(one_sol("c2"))
        assert (await desk.account.positions())["SOL"].quantity == 1
        closing = replace(one_sol("c3"), side=Side.SELL, reduce_only=True)
        assert (await desk.desk.send(closing)).filled_quantity == 1
        assert await desk.account.positions() == {}


@EVERY
async def test_no_request_goes_to_the_real_venue(protocol: str) -> None:
    market = connect_market_data(VenueAddress("venue", protocol, "http://127.0.0.1:9"), SystemClock())
    addresses: list[str] = []

    def collect(urls: object) -> None:
        for url in urls.values() if isinstance(urls, dict) else [urls]:
            collect(url) if isinstance(url, dict) else addresses.append(str(url))

    collect(market._exchange.urls["api"])
    assert addresses
    assert all(url.split("//")[1].startswith("127.0.0.1:9") for url in addresses)
    await market.close()


def test_unknown_protocol_is_named_with_what_is_allowed() -> None:
    with pytest.raises(SettingsError, match=r"kraken.*LIVE_TRADING_ALLOWED_EXCHANGES.*binance or bybit"):
        connect_market_data(VenueAddress("kraken", "kraken", None), SystemClock())
