"""Every fault through the real adapter: a fault of the venue must mean to a trader what the ports promise."""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from common.domain.identifiers import Side
from common.runtime.clock import SystemClock
from common.venues.addresses import VenueAddress
from common.venues.ccxt.account import CcxtAccount
from common.venues.ccxt.market_data import CcxtMarketData
from common.venues.ccxt.orders import CcxtOrderDesk
from common.venues.ccxt.trading import connect_trading_venue
from common.venues.errors import (
    OrderOutcomeUnknown,
    OrderRejected,
    VenueBanned,
    VenueError,
    VenueRefused,
    VenueUnreachable,
)
from common.venues.ports import OrderIntent, OrderReport, OrderState
from support.simulated_venues import NOON, PROTOCOLS, TRADING_KEYS, RunningVenue, control_client, running_venue
from venue_sim.account import Account

from .spoken import SPOKEN

PATIENCE_MS = 20_000
TIMEOUT_MS = 1000
"""How long an answer is waited for that never comes: long enough for the request to arrive on a busy machine."""
LOST: list[dict[str, Any]] = [
    {"kind": "timeout", "seconds": 5},
    {"kind": "drop"},
    {"kind": "server_error"},
    {"kind": "server_error", "status": 502},
    {"kind": "malformed"},
    {"kind": "empty_object"},
]
"""What leaves it open whether a request took effect."""


def name_of(fault: dict[str, Any]) -> str:
    return "-".join(str(value) for value in fault.values())


class MarketClock(SystemClock):
    """The venue's hand-set market time, real monotonic time."""

    def __init__(self, simulated: RunningVenue) -> None:
        self._simulated = simulated

    def now(self) -> Any:
        return self._simulated.clock.moment


@dataclass
class Trader:
    """One adapter, the venue that it trades at, and the venue's control interface."""

    protocol: str
    simulated: RunningVenue
    market: CcxtMarketData
    account: CcxtAccount
    desk: CcxtOrderDesk
    control: httpx.AsyncClient

    @property
    def ledger(self) -> Account:
        return self.simulated.venue.account

    def code(self, refusal: str) -> str:
        """The venue's own code of a refusal."""
        return str(SPOKEN[self.protocol].codes[refusal])

    async def arm(self, **fault: Any) -> None:
        """Puts a fault in force; where it is that no answer comes, the next request gives up soon."""
        answer = await self.control.post("/faults", json=fault)
        assert answer.status_code == 200, answer.text
        if fault["kind"] == "timeout":
            self.market._exchange.timeout = TIMEOUT_MS

    async def act(self, kind: str, **parameters: Any) -> None:
        """Makes something happen at the venue."""
        answer = await self.control.post("/actions", json={"kind": kind, "symbol": "SOL", **parameters})
        assert answer.status_code == 200, answer.text

    async def fired(self) -> int:
        """How often faults have happened."""
        return int(sum((await self.control.get("/faults")).json()["fired"].values()))

    async def buy(self, quantity: str = "2", client_order_id: str = "c1") -> OrderReport:
        """Buys SOL at the market."""
        return await self._send(Side.BUY, quantity, client_order_id, reduce_only=False)

    async def reduce(self, quantity: str, client_order_id: str = "d1") -> OrderReport:
        """Sells SOL at the market, reduce-only."""
        return await self._send(Side.SELL, quantity, client_order_id, reduce_only=True)

    async def asked(self, client_order_id: str = "c1") -> OrderReport | None:
        """What the venue says of an order, however long that takes."""
        self.market._exchange.timeout = PATIENCE_MS
        return await self.account.order("SOL", client_order_id)

    async def known(self, client_order_id: str = "c1") -> OrderReport:
        """What the venue says of an order that it must know."""
        report = await self.asked(client_order_id)
        assert report is not None
        return report

    async def _send(self, side: Side, quantity: str, client_order_id: str, *, reduce_only: bool) -> OrderReport:
        intent = OrderIntent(
            venue=self.market.venue,
            symbol="SOL",
            side=side,
            quantity=Decimal(quantity),
            client_order_id=client_order_id,
            reduce_only=reduce_only,
            reference_price=Decimal(200),
        )
        return await self.desk.send(intent)


@pytest.fixture(params=PROTOCOLS)
async def trader(request: pytest.FixtureRequest) -> AsyncIterator[Trader]:
    async with AsyncExitStack() as stack:
        simulated = await stack.enter_async_context(running_venue(request.param))
        control = await stack.enter_async_context(control_client(simulated))
        address = VenueAddress(request.param, request.param, simulated.url)
        clock = MarketClock(simulated)
        market, account, desk = await connect_trading_venue(address, TRADING_KEYS, clock)
        stack.push_async_callback(account.close)
        await market.instruments()
        market._exchange.timeout = PATIENCE_MS
        yield Trader(request.param, simulated, market, account, desk, control)


@pytest.mark.parametrize("fault", LOST, ids=name_of)
async def test_order_lost_before_acceptance_is_unknown_and_surely_not_there(
    trader: Trader, fault: dict[str, Any]
) -> None:
    await trader.arm(**fault)
    with pytest.raises(OrderOutcomeUnknown):
        await trader.buy()
    assert await trader.asked() is None
    assert (trader.ledger.orders, await trader.fired()) == ([], 1)


@pytest.mark.parametrize("fault", LOST, ids=name_of)
async def test_order_whose_answer_is_lost_is_unknown_and_found_filled_once(
    trader: Trader, fault: dict[str, Any]
) -> None:
    await trader.arm(**fault, accepted=True)
    with pytest.raises(OrderOutcomeUnknown):
        await trader.buy()
    report = await trader.known()
    assert (report.state, report.filled_quantity) == (OrderState.FILLED, Decimal(2))
    assert (len(trader.ledger.orders), await trader.fired()) == (1, 1)


@pytest.mark.parametrize("fault", LOST, ids=name_of)
async def test_reading_that_is_lost_is_unreachable(trader: Trader, fault: dict[str, Any]) -> None:
    # aiohttp repeats a GET by itself when its connection is cut: the second one meets the fault as well.
    await trader.arm(**fault, endpoint="positions", times=2)
    with pytest.raises(VenueUnreachable):
        await trader.account.positions()


async def test_answer_that_breaks_off_is_never_an_empty_book(trader: Trader) -> None:
    await trader.arm(kind="empty_object", endpoint="book", times=2)
    with pytest.raises(VenueError):
        await trader.market.book("SOL")


@pytest.mark.parametrize(("reason", "refusal"), [("margin", "margin"), ("generic", "some_rejection")])
async def test_rejected_order_has_the_venues_code_and_no_exposure(trader: Trader, reason: str, refusal: str) -> None:
    await trader.arm(kind="reject", reason=reason)
    with pytest.raises(OrderRejected) as caught:
        await trader.buy()
    assert caught.value.code == trader.code(refusal)
    assert trader.ledger.orders == []


async def test_reduce_only_rejection_spares_opening_orders(trader: Trader) -> None:
    await trader.arm(kind="reject", reason="reduce_only")
    await trader.buy()
    with pytest.raises(OrderRejected) as caught:
        await trader.reduce("2")
    assert caught.value.code == trader.code("reduce_only")
    assert (await trader.reduce("2", "d2")).filled_quantity == 2


async def test_clock_error_is_a_rejection_and_for_readings_a_refusal(trader: Trader) -> None:
    await trader.arm(kind="nonce", endpoint="any", times=2)
    with pytest.raises(OrderRejected) as caught:
        await trader.buy()
    assert caught.value.code == trader.code("clock")
    if trader.protocol != "hyperliquid":  # whose readings are not signed
        with pytest.raises(VenueRefused, match="clocks"):
            await trader.account.balance()
    assert trader.ledger.orders == []


async def test_order_answered_as_a_duplicate_is_unknown_and_there(trader: Trader) -> None:
    await trader.arm(kind="duplicate")
    with pytest.raises(OrderOutcomeUnknown):
        await trader.buy()
    assert (await trader.known()).state is OrderState.FILLED


@pytest.mark.parametrize("status", [418, 429])
async def test_ban_refuses_everything_without_exposure(trader: Trader, status: int) -> None:
    await trader.arm(kind="ban", status=status, for_seconds=600)
    with pytest.raises(OrderRejected):
        await trader.buy()
    with pytest.raises(VenueBanned):
        await trader.account.positions()
    with pytest.raises(VenueBanned):
        await trader.market.book("SOL")
    assert trader.ledger.orders == []


@pytest.mark.parametrize("status", [418, 429])
async def test_binance_says_until_when_it_bans(trader: Trader, status: int) -> None:
    if trader.protocol != "binance":
        pytest.skip("this venue names no moment")
    await trader.arm(kind="ban", status=status, for_seconds=600)
    with pytest.raises(VenueBanned) as caught:
        await trader.market.book("SOL")
    assert caught.value.until_seconds == pytest.approx(time.time() + 600, abs=10)


async def test_late_answer_within_the_timeout_is_an_answer(trader: Trader) -> None:
    await trader.arm(kind="delay", seconds=0.1)
    began = time.monotonic()
    assert (await trader.buy()).state is OrderState.FILLED
    assert time.monotonic() - began >= 0.1


async def test_order_that_fills_later_is_working_until_then(trader: Trader) -> None:
    await trader.arm(kind="delayed_fill", seconds=30, clock="market")
    report = await trader.buy()
    assert (report.state, report.filled_quantity, report.average_price) == (OrderState.WORKING, Decimal(0), None)
    assert (await trader.known()).state is OrderState.WORKING
    trader.simulated.clock.moment += timedelta(seconds=30)
    report = await trader.known()
    assert (report.state, report.filled_quantity, report.average_price) == (
        OrderState.FILLED,
        Decimal(2),
        Decimal("200.02"),
    )
    (fill,) = await trader.account.fills("SOL", NOON)
    assert fill.traded_at == trader.simulated.clock.moment


async def test_unknown_order_can_turn_out_to_be_working(trader: Trader) -> None:
    await trader.arm(kind="drop", accepted=True)
    await trader.arm(kind="stuck")
    with pytest.raises(OrderOutcomeUnknown):
        await trader.buy()
    assert (await trader.known()).state is OrderState.WORKING


async def test_partial_fill_is_final_with_what_it_got(trader: Trader) -> None:
    await trader.arm(kind="partial_fill", share="0.5")
    report = await trader.buy()
    assert (report.state, report.filled_quantity) == (OrderState.CANCELLED, Decimal(1))


async def test_order_that_gets_nothing_is_final_with_nothing(trader: Trader) -> None:
    await trader.arm(kind="partial_fill", share="0")
    if trader.protocol == "hyperliquid":
        with pytest.raises(OrderRejected, match="could not immediately match"):
            await trader.buy()
        assert (await trader.known()).state is OrderState.REJECTED
        return
    report = await trader.buy()
    assert (report.state, report.filled_quantity, report.average_price) == (OrderState.CANCELLED, Decimal(0), None)


async def test_stuck_order_ends_when_it_is_cancelled(trader: Trader) -> None:
    await trader.arm(kind="stuck", share="0.5")
    report = await trader.buy()
    assert (report.state, report.filled_quantity) == (OrderState.WORKING, Decimal(1))
    await trader.desk.cancel("SOL", "c1")
    report = await trader.known()
    assert (report.state, report.filled_quantity) == (OrderState.CANCELLED, Decimal(1))


async def test_cancel_that_finds_the_order_filled_is_no_error(trader: Trader) -> None:
    await trader.arm(kind="stuck", cancel_fills=True)
    await trader.buy()
    await trader.desk.cancel("SOL", "c1")
    report = await trader.known()
    assert (report.state, report.filled_quantity) == (OrderState.FILLED, Decimal(2))


async def test_cancel_whose_answer_is_lost_may_have_worked(trader: Trader) -> None:
    await trader.arm(kind="stuck")
    await trader.buy()
    await trader.arm(kind="timeout", endpoint="order.cancel", accepted=True, seconds=5)
    with pytest.raises(VenueUnreachable):
        await trader.desk.cancel("SOL", "c1")
    assert (await trader.known()).state is OrderState.CANCELLED


async def test_dust_is_a_position_below_the_minimum(trader: Trader) -> None:
    await trader.buy()
    await trader.arm(kind="dust")
    await trader.reduce("2")
    position = (await trader.account.positions())["SOL"]
    assert position.quantity < (await trader.market.instruments())["SOL"].quantity_min


async def test_stale_book_keeps_its_update_id_and_prices(trader: Trader) -> None:
    await trader.arm(kind="stale_book", for_seconds=600)
    before = await trader.market.book("SOL")
    trader.simulated.venue.override_mid("SOL", Decimal(250))
    after = await trader.market.book("SOL")
    assert (after.sequence, after.bids, after.asks) == (before.sequence, before.bids, before.asks)


async def test_crossed_book_is_seen_as_crossed(trader: Trader) -> None:
    await trader.arm(kind="crossed_book")
    assert (await trader.market.book("SOL")).is_crossed
    assert not (await trader.market.book("SOL")).is_crossed


async def test_empty_side_is_an_empty_side(trader: Trader) -> None:
    await trader.arm(kind="empty_side", side="asks")
    book = await trader.market.book("SOL")
    assert (len(book.bids.levels), len(book.asks.levels)) == (5, 0)


async def test_positions_can_lag_behind_a_fill(trader: Trader) -> None:
    await trader.arm(kind="lag", endpoint="positions", seconds=60, clock="market", for_seconds=600)
    await trader.buy()
    assert await trader.account.positions() == {}
    trader.simulated.clock.moment += timedelta(seconds=60)
    assert (await trader.account.positions())["SOL"].quantity == 2


async def test_order_fills_and_funding_can_appear_late(trader: Trader) -> None:
    trader.simulated.clock.moment = NOON + timedelta(hours=3, minutes=59)
    for endpoint in ("order.query", "fills", "funding"):
        await trader.arm(kind="lag", endpoint=endpoint, seconds=120, clock="market", for_seconds=3600)
    await trader.buy()
    trader.simulated.clock.moment += timedelta(seconds=61)
    assert await trader.account.order("SOL", "c1") is None
    assert list(await trader.account.fills("SOL", NOON)) == []
    assert list(await trader.account.funding_payments("SOL", NOON)) == []
    trader.simulated.clock.moment += timedelta(seconds=120)
    assert (await trader.known()).state is OrderState.FILLED
    assert len(await trader.account.fills("SOL", NOON)) == 1
    assert len(await trader.account.funding_payments("SOL", NOON)) == 1


@pytest.mark.parametrize("kind", ["external_close", "liquidate", "deleverage"])
async def test_what_the_venue_closed_is_in_its_fills_under_ids_that_are_not_ours(trader: Trader, kind: str) -> None:
    mine = await trader.buy()
    await trader.act(kind)
    assert await trader.account.positions() == {}
    fills = await trader.account.fills("SOL", NOON)
    assert [(fill.side, fill.quantity) for fill in fills] == [(Side.BUY, Decimal(2)), (Side.SELL, Decimal(2))]
    assert fills[1].venue_order_id != mine.venue_order_id == fills[0].venue_order_id
    assert fills[1].fill_id == trader.ledger.fills[1].fill_id
    assert fills[1].fee_usdt == trader.ledger.fills[1].fee


async def test_position_opened_by_hand_is_a_position(trader: Trader) -> None:
    await trader.act("external_open", quantity="3", side="sell")
    assert (await trader.account.positions())["SOL"].quantity == -3


async def test_order_on_the_lot_step_of_yesterday_is_rejected(trader: Trader) -> None:
    await trader.act("change_rules", quantity_step="1", quantity_min="1")
    with pytest.raises(OrderRejected):
        await trader.buy("1.5")
    assert trader.ledger.orders == []


async def test_faults_are_shown_with_their_counts_until_they_are_cleared(trader: Trader) -> None:
    await trader.arm(kind="partial_fill", share="0.5", times=2)
    await trader.arm(kind="drop", endpoint="book", symbol="ETH")
    await trader.buy()
    state = (await trader.control.get("/faults")).json()
    assert [(fault["live"], fault["fired"]) for fault in state["faults"]] == [(True, 1), (True, 0)]
    assert state["fired"] == {"partial_fill": 1, "drop": 0}
    assert state["faults"][1]["fault"] == {"kind": "drop", "endpoint": "book", "symbol": "ETH"}
    assert (await trader.control.delete("/faults")).json()["faults"] == []
    assert (await trader.buy("2", "c2")).filled_quantity == 2


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("/faults", {"kind": "explode"}, "kind"),
        ("/faults", {"kind": "delay"}, "seconds: is missing; delay needs it"),
        ("/faults", {"kind": "drop", "endpoint": "nowhere"}, "endpoint"),
        ("/faults", {"kind": "drop", "symbol": "NOPE"}, "symbol = 'NOPE': is not listed; allowed: SOL, ETH"),
        ("/faults", ["drop"], "the body"),
        ("/actions", {"kind": "external_close"}, "symbol"),
        ("/actions", {"kind": "external_close", "symbol": "SOL"}, "reduce_only_without_position"),
        ("/actions", {"kind": "external_open", "symbol": "SOL"}, "quantity: is missing"),
        ("/actions", {"kind": "change_rules", "symbol": "SOL"}, "quantity_step: is missing"),
        ("/actions", {"kind": "liquidate", "symbol": "SOL", "side": "buy"}, "side: liquidate has no such parameter"),
    ],
)
async def test_wrong_fault_or_action_is_a_problem_that_names_the_field(
    trader: Trader, path: str, body: Any, said: str
) -> None:
    answer = await trader.control.post(path, json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert said in answer.json()["detail"]
