"""Own orders over sockets: ccxt.pro against every protocol that tells of them, and what happens when a stream fails."""

import asyncio
import dataclasses
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from prometheus_client import REGISTRY
from pydantic import SecretStr

from common.domain.identifiers import Side
from common.runtime.clock import SystemClock
from common.venues.addresses import VenueAddress
from common.venues.ccxt import own_orders as own_orders_module
from common.venues.ccxt.own_orders import ORDER_STREAMS, OwnOrders
from common.venues.ccxt.trading import connect_trading_venue
from common.venues.credentials import Credentials
from common.venues.ports import Account, OrderDesk, OrderIntent, OrderState
from support.simulated_venues import KEY, PASSPHRASE, SECRET, TRADING_KEYS, RunningVenue, running_venue
from venue_sim.account import OrderStatus
from venue_sim.dialects.binance import own_orders as binance_orders
from venue_sim.faults import FaultSpec

DEADLINE_SECONDS = 60.0
LONG_SECONDS = 600.0
"""Of a fault that the test ends, or that outlives it."""
FAILED = ("venue_unreachable", "venue_refused")


@dataclass
class Told:
    """One venue, an account there, and the orders that its stream told to have ended."""

    protocol: str
    simulated: RunningVenue
    account: Account
    desk: OrderDesk
    orders: OwnOrders
    ended: list[str] = field(default_factory=list)

    def follow(self, client_order_id: str) -> Callable[[], None]:
        return self.orders.follow(client_order_id, lambda: self.ended.append(client_order_id))

    async def send(self, client_order_id: str, side: Side = Side.BUY) -> None:
        await self.desk.send(OrderIntent(self.protocol, "SOL", side, Decimal(10), client_order_id, False, Decimal(200)))

    async def sent_and_told(self, client_order_id: str) -> None:
        self.follow(client_order_id)
        await self.send(client_order_id)
        await until(lambda: client_order_id in self.ended)

    def fault(self, **spec: Any) -> None:
        self.simulated.venue.faults.arm(FaultSpec.model_validate(spec), self.simulated.venue.moment())

    def no_faults(self) -> None:
        self.simulated.venue.faults.clear()

    def fired(self, kind: str) -> int:
        faults = self.simulated.venue.faults.ever_armed(self.simulated.venue.moment())
        return sum(fault.fired for fault in faults if fault.spec.kind == kind)

    def when_lost(self, act: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
        """Acts after each loss, before the stream is begun anew."""
        measures = self.orders._measures
        count = measures.lost

        def counted(why: str) -> None:
            count(why)
            act()

        monkeypatch.setattr(measures, "lost", counted)

    def lost_for(self, *whys: str) -> float:
        return sum(sample("tandem_order_streams_lost_total", venue=self.protocol, why=why) for why in whys)


def sample(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def until(found: Callable[[], Any]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not found():  # noqa: ASYNC110  # what changes tells nobody here
            await asyncio.sleep(0.01)


@asynccontextmanager
async def listening(protocol: str, keys: Credentials = TRADING_KEYS) -> AsyncIterator[Told]:
    """A venue whose stream is begun with `keys`."""
    async with running_venue(protocol) as simulated:
        address = VenueAddress(protocol, protocol, simulated.url)
        market, account, desk = await connect_trading_venue(address, TRADING_KEYS, SystemClock())
        orders = OwnOrders(market.markets, address, keys, SystemClock())
        try:
            yield Told(protocol, simulated, account, desk, orders)
        finally:
            await orders.close()
            await account.close()


@pytest.fixture(autouse=True)
def no_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_orders_module, "PAUSE_SECONDS_MIN", 0.05)
    monkeypatch.setattr(own_orders_module, "PAUSE_SECONDS_MAX", 0.1)


@pytest.fixture(params=sorted(ORDER_STREAMS))
async def told(request: pytest.FixtureRequest) -> AsyncIterator[Told]:
    async with listening(request.param) as told:
        await until(lambda: told.orders.is_up)
        yield told


async def test_the_end_of_an_order_is_heard(told: Told) -> None:
    assert sample("tandem_order_stream_up", venue=told.protocol) == 1
    heard = sample("tandem_orders_heard_total", venue=told.protocol)
    await told.sent_and_told("ab01")
    assert told.ended == ["ab01"]
    assert sample("tandem_orders_heard_total", venue=told.protocol) == heard + 1


async def test_an_order_that_waits_is_told_of_when_it_fills_and_not_when_it_is_taken(told: Told) -> None:
    told.fault(kind="delayed_fill", seconds=30, clock="market")
    told.follow("ab01")
    await told.send("ab01")
    assert not told.ended
    told.simulated.clock.moment += timedelta(seconds=31)
    await until(lambda: told.ended)
    report = await told.account.order("SOL", "ab01")
    assert report is not None
    assert (report.state, report.filled_quantity) == (OrderState.FILLED, Decimal(10))


async def test_a_cancelled_remainder_is_told_of(told: Told) -> None:
    told.fault(kind="stuck", share="0.5")
    told.follow("ab01")
    await told.send("ab01")
    await told.desk.cancel("SOL", "ab01")
    await until(lambda: told.ended)
    report = await told.account.order("SOL", "ab01")
    assert report is not None
    assert (report.state, report.filled_quantity) == (OrderState.CANCELLED, Decimal(5))


async def test_only_who_still_waits_is_told_and_each_one_once(told: Told) -> None:
    stop = told.follow("ab01")
    again: list[str] = []
    told.orders.follow("ab01", lambda: again.append("told"))
    stop()
    await told.sent_and_told("cd01")
    await told.send("ab01")
    await until(lambda: again)
    assert (told.ended, again) == (["cd01"], ["told"])
    assert not told.orders._followers


async def test_what_is_told_twice_or_late_tells_nobody_twice(told: Told) -> None:
    await told.sent_and_told("ab01")
    (order,) = told.simulated.venue.account.orders
    told.follow("ab01")
    for earlier in (OrderStatus.WORKING, OrderStatus.WORKING):
        told.simulated.venue.account.tell(dataclasses.replace(order, status=earlier, filled=Decimal(0), fills=[]))
    await told.sent_and_told("cd01")  # so that the others have come, too
    assert told.ended == ["ab01", "cd01"]
    for _ in range(3):
        told.simulated.venue.account.tell(order)
    await told.sent_and_told("cd02")
    assert told.ended == ["ab01", "cd01", "ab01", "cd02"]


async def test_a_killed_stream_is_begun_anew(told: Told) -> None:
    lost = told.lost_for("venue_unreachable")
    told.fault(kind="drop", endpoint="order_stream")
    await until(lambda: told.lost_for("venue_unreachable") > lost)
    await until(lambda: told.orders.is_up)
    await told.sent_and_told("ab01")


async def test_a_stream_that_says_nothing_leaves_the_answers_to_requests(told: Told) -> None:
    told.fault(kind="silence", endpoint="order_stream", for_seconds=LONG_SECONDS)
    told.follow("ab01")
    await told.send("ab01")
    report = await told.account.order("SOL", "ab01")
    assert report is not None
    assert report.state is OrderState.FILLED
    swallowed = told.fired("silence")
    await until(lambda: told.fired("silence") > swallowed)
    told.no_faults()
    await told.sent_and_told("cd01")
    assert told.ended == ["cd01"]


async def test_a_stream_is_renewed_before_a_right_can_end(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_orders_module, "RENEW_SECONDS", 0.2)
    renewed = told.lost_for("renewal")

    def long_after_two() -> None:
        if told.lost_for("renewal") >= renewed + 2:
            monkeypatch.setattr(own_orders_module, "RENEW_SECONDS", 60.0)

    told.when_lost(long_after_two, monkeypatch)
    told.fault(kind="drop", endpoint="order_stream")  # the one that runs has the old time
    await until(lambda: told.lost_for("renewal") >= renewed + 2)
    await until(lambda: told.orders.is_up)
    await told.sent_and_told("ab01")


UNREADABLE = {
    "binance": {"e": "ORDER_TRADE_UPDATE", "o": {"s": "SOLUSDT", "n": "much"}},
    "bybit": {"topic": "order", "data": [7]},
    "okx": {"arg": {"channel": "orders", "instType": "SWAP"}, "data": [{"instId": ["SOL-USDT-SWAP"]}]},
    "bitget": {"arg": {"channel": "orders", "instType": "USDT-FUTURES"}, "data": [{"feeDetail": [{"fee": "much"}]}]},
    "gate": {"channel": "futures.orders", "event": "update", "result": [7]},
    "hyperliquid": {"channel": "orderUpdates", "data": [7]},
}


async def test_what_cannot_be_read_ends_the_stream_and_not_the_listening(told: Told) -> None:
    lost = told.lost_for(*FAILED)
    client = next(client for url, client in told.orders._exchange.clients.items() if "://" in url)
    client.handle_text_or_binary_message(json.dumps(UNREADABLE[told.protocol]))
    await until(lambda: told.lost_for(*FAILED) > lost)
    await until(lambda: told.orders.is_up)
    await told.sent_and_told("ab01")


async def test_a_ban_of_the_handshake_is_a_ban_of_all_requests(told: Told) -> None:
    gate = told.orders._exchange.gate
    assert gate.bans.banned_until() is None
    told.fault(kind="ban", for_seconds=LONG_SECONDS, status=429)
    told.fault(kind="drop", endpoint="order_stream")
    await until(lambda: gate.bans.banned_until() is not None)
    assert not told.orders.is_up


async def test_who_listens_asks_for_nothing_else(told: Told) -> None:
    exchange = told.orders._exchange
    assert exchange.options["maxRetriesOnFailure"] == 0
    assert exchange.gate is told.account._exchange.gate  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="the right to listen"):
        await exchange.create_order(exchange.symbols[0], "market", "buy", 10, 200, {"clientOrderId": "ab01"})
    assert not told.simulated.venue.account.orders


WRONG = {
    "secret": Credentials(SecretStr(KEY), SecretStr(f"0x{'2' * 64}"), SecretStr(PASSPHRASE)),
    "key": Credentials(SecretStr("0x" + "3" * 40), SecretStr(SECRET), SecretStr(PASSPHRASE)),
}


REFUSED = [
    (protocol, wrong)
    for protocol in sorted(ORDER_STREAMS)
    for wrong in sorted(WRONG)
    if protocol != "hyperliquid" and (protocol, wrong) != ("binance", "secret")
]
"""At Binance the key alone gives the right to listen, at Hyperliquid there is none to give."""


@pytest.mark.parametrize(("protocol", "wrong"), REFUSED)
async def test_who_cannot_show_that_the_account_is_theirs_is_refused(protocol: str, wrong: str) -> None:
    async with listening(protocol, WRONG[wrong]) as told:
        refused = told.lost_for(*FAILED)
        told.follow("ab01")
        await until(lambda: told.lost_for(*FAILED) >= refused + 3)
        await told.send("ab01")
        assert not told.ended
        assert not told.orders.is_up
        assert sample("tandem_order_stream_up", venue=protocol) == 0


async def test_of_another_account_nothing_is_told() -> None:
    async with listening("hyperliquid", WRONG["key"]) as told:
        await until(lambda: told.orders.is_up)
        told.follow("ab01")
        await told.send("ab01")
        await asyncio.sleep(0.2)
        assert not told.ended


async def test_a_right_to_listen_that_ends_is_asked_for_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binance_orders, "VALID_MS", 300)
    async with listening("binance") as told:
        lost = told.lost_for("venue_refused")
        told.when_lost(lambda: monkeypatch.setattr(binance_orders, "VALID_MS", 60_000), monkeypatch)
        await until(lambda: told.lost_for("venue_refused") > lost)
        await until(lambda: told.orders.is_up)
        await told.sent_and_told("ab01")


@pytest.mark.parametrize("protocol", sorted(ORDER_STREAMS))
async def test_no_secret_is_in_what_is_logged(
    protocol: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    secrets = [KEY, SECRET, PASSPHRASE]
    for keys in (TRADING_KEYS, *WRONG.values()):
        secrets += keys.texts
        async with listening(protocol, keys) as told:
            await until(partial(_has_tried, told))
            secrets += [key for url in told.orders._exchange.clients for key in url.partition("listenKey=")[2:]]
            told.fault(kind="drop", endpoint="order_stream", for_seconds=0.3)
            told.fault(kind="server_error", endpoint="any", for_seconds=0.3)
            await asyncio.sleep(0.3)
    logged = caplog.text + "".join(capsys.readouterr())
    assert "order_stream.lost" in logged
    assert not [secret for secret in secrets if secret and secret in logged]


def _has_tried(told: Told) -> bool:
    return bool(told.orders.is_up or told.lost_for(*FAILED))
