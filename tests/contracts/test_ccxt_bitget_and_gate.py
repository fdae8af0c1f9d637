"""What is true of Bitget's or Gate's adapter only, beside the contract that all venues share."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from common.domain.identifiers import Side
from common.runtime.clock import SystemClock
from common.venues.addresses import VenueAddress
from common.venues.ccxt import account_gate
from common.venues.ccxt.account import CcxtAccount
from common.venues.ccxt.orders import CcxtOrderDesk
from common.venues.ccxt.trading import connect_trading_venue
from common.venues.errors import OrderOutcomeUnknown, OrderRejected, VenueUnreachable
from common.venues.ports import OrderIntent, OrderState
from support.simulated_venues import NOON, TRADING_KEYS, RunningVenue, running_venue
from venue_sim.matching import Side as LedgerSide
from venue_sim.venue import OrderRequest

BUY = OrderIntent("venue", "SOL", Side.BUY, Decimal(1), "c1", reduce_only=False, reference_price=Decimal(200))
PLACING = ("/api/v2/mix/order/place-order", "/api/v4/futures/usdt/orders")


@dataclass
class Wire:
    """Keeps the headers of orders; with `answer` it answers them itself, and the venue sees none."""

    answer: tuple[int, dict[str, Any]] | None = None
    headers: list[dict[str, str]] = field(default_factory=list)

    def around(self, app: ASGIApp) -> ASGIApp:
        async def watched(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["method"] != "POST" or scope["path"] not in PLACING:
                await app(scope, receive, send)
                return
            self.headers.append({name.decode(): value.decode() for name, value in scope["headers"]})
            if self.answer is None:
                await app(scope, receive, send)
                return
            status, content = self.answer
            headers = [(b"content-type", b"application/json")]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": json.dumps(content).encode()})

        return watched


@dataclass
class Trading:
    """One venue's account and desk, the ledger behind them, and the wire between."""

    simulated: RunningVenue
    account: CcxtAccount
    desk: CcxtOrderDesk
    wire: Wire

    def place(self, client_id: str, symbol: str = "SOL") -> None:
        """An order of the ledger's own smallest size, without the wire."""
        quantity = Decimal("0.1")
        self.simulated.venue.place(OrderRequest(symbol, LedgerSide.BUY, quantity, client_id, False, 0))


@asynccontextmanager
async def trading(protocol: str) -> AsyncIterator[Trading]:
    wire = Wire()
    async with running_venue(protocol, wire.around) as simulated:
        address = VenueAddress("venue", protocol, simulated.url)
        _, account, desk = await connect_trading_venue(address, TRADING_KEYS, SystemClock())
        try:
            await account.balance()
            yield Trading(simulated, account, desk, wire)
        finally:
            await account.close()


async def test_bitgets_orders_are_signed_so_early_that_they_are_too_old_after_their_window() -> None:
    async with trading("bitget") as venue:
        decided = SystemClock().unix_seconds()
        await venue.desk.send(replace(BUY, signed_at_seconds=decided))
        assert int(venue.wire.headers[0]["access-timestamp"]) == int(decided * 1000) - 30_000 + 1_500


async def test_gates_orders_say_until_when_they_are_valid() -> None:
    async with trading("gate") as venue:
        decided = SystemClock().unix_seconds()
        await venue.desk.send(replace(BUY, signed_at_seconds=decided))
        assert int(venue.wire.headers[0]["x-gate-exptime"]) == int(decided * 1000) + 1_500


async def test_a_success_of_bitgets_in_other_words_is_no_refusal() -> None:
    async with trading("bitget") as venue:
        venue.wire.answer = (200, {"code": "00000", "msg": "ok", "requestTime": 1, "data": {"orderId": "1"}})
        with pytest.raises(OrderOutcomeUnknown):
            await venue.desk.send(BUY)


async def test_gate_refusing_one_request_with_403_is_no_ban() -> None:
    async with trading("gate") as venue:
        venue.wire.answer = (403, {"label": "FORBIDDEN", "message": "no permission"})
        with pytest.raises(OrderRejected):
            await venue.desk.send(BUY)
        await venue.account.balance()


async def test_an_order_whose_client_id_gate_forgot_is_found_among_those_that_ended() -> None:
    async with trading("gate") as venue:
        venue.place("c1")
        for number in range(account_gate._PAGE):
            venue.place(f"b{number}")
        venue.simulated.clock.moment += timedelta(minutes=2)
        report = await venue.account.order("SOL", "c1")
        assert report is not None
        assert (report.state, report.filled_quantity) == (OrderState.FILLED, Decimal("0.1"))
        assert await venue.account.order("SOL", "never") is None


async def test_an_order_beyond_what_is_searched_at_gate_is_not_called_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account_gate, "_PAGE", 1)
    monkeypatch.setattr(account_gate, "_SEARCHED_PAGES", 2)
    async with trading("gate") as venue:
        for client_id in ("c1", "c2", "c3"):
            venue.place(client_id)
        venue.simulated.clock.moment += timedelta(minutes=2)
        with pytest.raises(VenueUnreachable, match="c1 is not among the last"):
            await venue.account.order("SOL", "c1")


async def test_positions_of_more_than_a_page_are_all_read_at_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account_gate, "_PAGE", 1)
    async with trading("gate") as venue:
        venue.place("c1")
        venue.place("c2", "ETH")
        positions = await venue.account.positions()
        assert {symbol: position.quantity for symbol, position in positions.items()} == {
            "SOL": Decimal("0.1"),
            "ETH": Decimal("0.1"),
        }
        assert positions["SOL"].leverage == 10


@pytest.mark.parametrize(
    "reason", ["ioc", "reduce_only", "reduce_out", "position_closed", "auto_deleveraged", "stp", "not_invented_yet"]
)
async def test_whatever_ended_an_order_at_gate_it_is_not_working_any_more(reason: str) -> None:
    async with trading("gate") as venue:
        row = {"id": 1, "contract": "SOL_USDT", "size": 5, "left": 3, "price": "0", "tif": "ioc", "fill_price": "200"}
        read = venue.account._exchange.parse_order
        assert read({**row, "status": "finished", "finish_as": reason})["status"] == "canceled"
        assert read({**row, "status": "finished", "finish_as": "filled"})["status"] == "closed"
        assert read({**row, "status": "open", "finish_as": "_new"})["status"] == "open"


@pytest.mark.parametrize(
    ("protocol", "row_of", "changed"),
    [
        ("gate", "privateFuturesGetSettleMyTradesTimerange", {"point_fee": "0.01"}),
        (
            "bitget",
            "privateMixGetV2MixOrderFills",
            {"feeDetail": [{"feeCoin": "BGB", "totalFee": "-1"}, {"feeCoin": "USDT", "totalFee": "-2"}]},
        ),
    ],
)
async def test_a_fee_that_was_not_paid_in_usdt_alone_is_not_known(
    protocol: str, row_of: str, changed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with trading(protocol) as venue:
        venue.place("c1")
        exchange = venue.account._exchange
        read = getattr(exchange, row_of)

        async def with_another_fee(parameters: dict[str, Any]) -> Any:
            answer = await read(parameters)
            for row in answer["data"]["fillList"] if protocol == "bitget" else answer:
                row.update(changed)
            return answer

        monkeypatch.setattr(exchange, row_of, with_another_fee)
        fills = await venue.account.fills("SOL", NOON)
        assert [fill.fee_usdt for fill in fills] == [None]
