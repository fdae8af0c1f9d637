"""Orders, positions, fills and funding through ccxt: the same cases for every protocol."""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from support.simulated_venues import KEY, SECRET
from venue_sim.matching import Side
from venue_sim.venue import OrderRequest

from .conftest import SOL, Wire, make_client

SETTLEMENT = datetime(2025, 10, 10, 16, tzinfo=UTC)


async def test_market_order_fills_at_the_levels_of_the_book(wire: Wire) -> None:
    order = await wire.market_order("buy", 60, "buy-1")
    assert order["status"] == "closed"
    assert order["filled"] == 60.0
    expected = (Decimal("200.02") * Decimal("49.9") + Decimal("200.04") * Decimal("10.1")) / 60
    assert order["average"] == pytest.approx(float(expected), abs=1e-6)
    assert order["clientOrderId"] == "buy-1"


async def test_order_larger_than_the_book_fills_what_there_is(wire: Wire) -> None:
    wire.simulated.venue.account.balance = Decimal(1_000_000)
    order = await wire.market_order("sell", 1000, "too-big")
    displayed = sum(level.quantity for level in wire.simulated.venue.book("SOL").bids)
    assert order["filled"] == float(displayed) < 1000
    raw = order["info"].get("status") or order["info"]["orderStatus"]
    assert raw == {"binance": "EXPIRED", "bybit": "PartiallyFilledCanceled"}[wire.protocol]


async def test_bybit_create_says_nothing_but_ids_and_binance_everything(wire: Wire) -> None:
    created = await wire.client.create_order(SOL, "market", "buy", 1, None, {"clientOrderId": "one"})
    if wire.protocol == "bybit":
        assert created["status"] is None
        assert created["filled"] is None
        assert created["clientOrderId"] == "one"
    else:
        assert created["status"] == "closed"
        assert created["filled"] == 1.0


async def test_position_is_signed_by_its_side_and_gone_when_closed(wire: Wire) -> None:
    await wire.market_order("sell", 2, "open")
    positions = await wire.client.fetch_positions([SOL])
    assert [(p["side"], p["contracts"], p["entryPrice"]) for p in positions] == [("short", 2.0, 199.98)]
    closed = await wire.market_order("buy", 2, "close", reduce_only=True)
    assert closed["reduceOnly"] is True
    positions = await wire.client.fetch_positions([SOL])
    assert all(not p["contracts"] for p in positions)


async def test_balance_is_what_the_ledger_says(wire: Wire) -> None:
    await wire.market_order("buy", 10, "open")
    balance = await wire.client.fetch_balance()
    venue = wire.simulated.venue
    assert balance["USDT"]["total"] == pytest.approx(float(venue.account.balance + venue.unrealised_pnl()), abs=0.5)
    raw = balance["info"]
    available = (
        raw["availableBalance"] if wire.protocol == "binance" else raw["result"]["list"][0]["totalAvailableBalance"]
    )
    assert Decimal(available) == venue.available().quantize(Decimal("0.00000001"))


async def test_fills_carry_ids_fees_and_market_time(wire: Wire) -> None:
    await wire.market_order("buy", 60, "buy-1")
    trades = await wire.client.fetch_my_trades(SOL)
    ledger = wire.simulated.venue.account.fills
    assert sorted(trade["id"] for trade in trades) == sorted(fill.fill_id for fill in ledger)
    assert sum(Decimal(str(trade["fee"]["cost"])) for trade in trades) == sum(fill.fee for fill in ledger)
    assert {trade["timestamp"] for trade in trades} == {wire.simulated.clock.moment.timestamp() * 1000}


async def test_fills_can_be_read_page_by_page(wire: Wire) -> None:
    for number in range(7):
        await wire.market_order("buy", 1, f"order-{number}")
    seen: list[str] = []
    params: dict[str, Any] = {} if wire.protocol == "bybit" else {"fromId": 0}
    for _ in range(4):
        trades = await wire.client.fetch_my_trades(SOL, None, 3, params)
        if not trades:
            break
        seen += [trade["id"] for trade in trades]
        if wire.protocol == "binance":
            params = {"fromId": int(trades[-1]["id"]) + 1}
        else:
            cursor = next((t["info"]["nextPageCursor"] for t in trades if "nextPageCursor" in t["info"]), None)
            if not cursor:
                break
            params = {"cursor": cursor}
    assert sorted(seen) == sorted(fill.fill_id for fill in wire.simulated.venue.account.fills)


async def test_fills_before_the_asked_time_are_left_out(wire: Wire) -> None:
    await wire.market_order("buy", 1, "early")
    wire.simulated.clock.moment += timedelta(minutes=10)
    since = int(wire.simulated.clock.moment.timestamp() * 1000)
    await wire.market_order("buy", 1, "late")
    trades = await wire.client.fetch_my_trades(SOL, since)
    assert [trade["timestamp"] for trade in trades] == [since]


@pytest.mark.parametrize(("side", "sign"), [("buy", -1), ("sell", 1)])
async def test_longs_pay_a_positive_rate_and_shorts_receive_it(wire: Wire, side: str, sign: int) -> None:
    await wire.market_order(side, 10, "open")
    wire.simulated.clock.moment = SETTLEMENT + timedelta(seconds=1)
    payments = await wire.client.fetch_funding_history(SOL)
    assert [payment["timestamp"] for payment in payments] == [SETTLEMENT.timestamp() * 1000]
    assert payments[0]["id"] == wire.simulated.venue.account.payments[0].payment_id
    received = payments[0]["amount"] if wire.protocol == "binance" else -payments[0]["amount"]
    assert received == pytest.approx(sign * 10 * 200 * 0.0001)


async def test_client_order_id_is_accepted_once_for_ever(wire: Wire) -> None:
    await wire.market_order("buy", 1, "same")
    wire.simulated.clock.moment += timedelta(days=30)
    with pytest.raises(ccxt.ExchangeError, match=wire.code(-4116, 110072)):
        await wire.client.create_order(SOL, "market", "buy", 1, None, {"clientOrderId": "same"})
    assert len(wire.simulated.venue.account.orders) == 1


async def test_order_that_never_arrived_is_not_found(wire: Wire) -> None:
    with pytest.raises(ccxt.OrderNotFound):
        await wire.order("never-sent")


async def test_old_bybit_orders_are_found_in_the_history_only(wire: Wire) -> None:
    if wire.protocol != "bybit":
        pytest.skip("only Bybit keeps ended orders in two places")
    await wire.market_order("buy", 1, "old")
    for number in range(500):
        wire.simulated.venue.place(
            OrderRequest("SOL", Side.BUY, Decimal("0.1"), f"newer-{number}", False, received_monotonic_ns=0)
        )
    with pytest.raises(ccxt.OrderNotFound):
        await wire.order("old")
    params = {"category": "linear", "symbol": "SOLUSDT", "orderLinkId": "old"}
    history = await wire.client.privateGetV5OrderHistory(params)
    assert [row["orderStatus"] for row in history["result"]["list"]] == ["Filled"]


async def test_cancel_of_a_filled_order_finds_nothing_to_cancel(wire: Wire) -> None:
    await wire.market_order("buy", 1, "filled")
    params = {"origClientOrderId": "filled"} if wire.protocol == "binance" else {"orderLinkId": "filled"}
    with pytest.raises(ccxt.OrderNotFound, match=wire.code(-2011, 110001)):
        await wire.client.cancel_order("", SOL, params)


async def test_leverage_is_set_and_read_back(wire: Wire) -> None:
    await wire.client.set_leverage(7, SOL)
    if wire.protocol == "binance":
        leverage = (await wire.client.fetch_leverages([SOL]))[SOL]
    else:
        leverage = await wire.client.fetch_leverage(SOL)
    assert leverage["longLeverage"] == 7


async def test_leverage_above_the_maximum_is_refused(wire: Wire) -> None:
    with pytest.raises(ccxt.BadRequest, match=wire.code(-4028, 110013)):
        await wire.client.set_leverage(51, SOL)


async def test_setting_what_is_set_already_says_so(wire: Wire) -> None:
    if wire.protocol == "binance":
        await wire.client.set_leverage(20, SOL)
        with pytest.raises(ccxt.MarginModeAlreadySet):
            await wire.client.set_margin_mode("cross", SOL)
        with pytest.raises(ccxt.ExchangeError, match="-4059"):
            await wire.client.set_position_mode(False, SOL)
    else:
        await wire.client.set_margin_mode("cross", SOL)
        with pytest.raises(ccxt.ExchangeError, match="110043"):
            await wire.client.set_leverage(10, SOL)
        with pytest.raises(ccxt.ExchangeError, match="110025"):
            await wire.client.set_position_mode(False, SOL)


async def test_hedge_mode_refuses_one_way_orders(wire: Wire) -> None:
    await wire.client.set_position_mode(True, SOL)
    if wire.protocol == "binance":
        assert (await wire.client.fetch_position_mode(SOL))["hedged"] is True
    with pytest.raises(ccxt.ExchangeError, match=wire.code(-4061, 10001)):
        await wire.client.create_order(SOL, "market", "buy", 1)


async def test_trading_fee_is_the_scenarios(wire: Wire) -> None:
    assert (await wire.client.fetch_trading_fee(SOL))["taker"] == 0.0005


@pytest.mark.parametrize(
    ("binance", "bybit", "codes"),
    [
        ({"symbol": "NOPEUSDT"}, {"symbol": "NOPEUSDT"}, (-1121, 10001)),
        ({"quantity": "1.05"}, {"qty": "1.05"}, (-1111, 10001)),
        ({"quantity": "0"}, {"qty": "0"}, (-4003, 10001)),
        ({"quantity": "abc"}, {"qty": "abc"}, (-1100, 10001)),
        ({"quantity": "200000"}, {"qty": "200000"}, (-4005, 10001)),
        ({"reduceOnly": "true"}, {"reduceOnly": True}, (-2022, 110017)),
        ({"side": "HOLD"}, {"side": "Hold"}, (-1117, 10001)),
        ({"type": "LIMIT"}, {"orderType": "Limit"}, (-1116, 10001)),
        ({"newClientOrderId": "x" * 37}, {"orderLinkId": "x" * 37}, (-4015, 10001)),
        ({"positionSide": "LONG"}, {"positionIdx": 1}, (-4061, 10001)),
    ],
)
async def test_refused_order_has_the_venues_own_code_and_books_nothing(
    wire: Wire, binance: dict[str, Any], bybit: dict[str, Any], codes: tuple[int, int]
) -> None:
    with pytest.raises(ccxt.BaseError, match=wire.code(*codes)):
        await wire.raw_order(**(binance if wire.protocol == "binance" else bybit))
    assert wire.simulated.venue.account.orders == []


async def test_order_that_the_balance_does_not_cover_is_refused(wire: Wire) -> None:
    wire.simulated.venue.account.balance = Decimal(10)
    with pytest.raises(ccxt.ExchangeError, match=wire.code(-2019, 110007)):
        await wire.raw_order(**{"quantity" if wire.protocol == "binance" else "qty": "10"})
    assert wire.simulated.venue.account.orders == []


async def test_order_below_the_minimum_notional_is_refused_unless_it_reduces(wire: Wire) -> None:
    await wire.market_order("buy", 1, "open")
    wire.simulated.venue.override_mid("SOL", Decimal(20))
    with pytest.raises(ccxt.ExchangeError, match=wire.code(-4164, 110094)):
        await wire.client.create_order(SOL, "market", "buy", 0.1, None, {"clientOrderId": "small"})
    order = await wire.market_order("sell", 0.1, "reduce", reduce_only=True)
    assert order["filled"] == 0.1


async def test_reduce_only_never_turns_the_position_round(wire: Wire) -> None:
    await wire.market_order("buy", 1, "open")
    order = await wire.market_order("sell", 5, "close", reduce_only=True)
    assert order["filled"] == 1.0
    assert not list(wire.simulated.venue.account.open_positions())


@pytest.mark.parametrize(
    ("changes", "codes"),
    [({"apiKey": "other"}, (-2015, 10003)), ({"secret": "other"}, (-1022, 10004))],
)
async def test_wrong_key_or_secret_is_refused(wire: Wire, changes: dict[str, str], codes: tuple[int, int]) -> None:
    client = make_client(wire.protocol, wire.simulated.url, **changes)
    try:
        await client.load_markets()
        with pytest.raises(ccxt.AuthenticationError, match=wire.code(*codes)):
            await client.fetch_balance()
    finally:
        await client.close()


async def test_request_outside_the_receive_window_is_a_clock_error(wire: Wire) -> None:
    wire.client.nonce = lambda: wire.client.milliseconds() - 60_000
    with pytest.raises(ccxt.InvalidNonce, match=wire.code(-1021, 10002)):
        await wire.client.fetch_balance()


async def test_body_that_is_not_json_is_refused_by_bybit(wire: Wire) -> None:
    if wire.protocol != "bybit":
        pytest.skip("Binance takes forms, not JSON")
    timestamp = str(wire.client.milliseconds())
    body = "{not json"
    signature = hmac.new(SECRET.encode(), f"{timestamp}{KEY}5000{body}".encode(), hashlib.sha256).hexdigest()
    headers = {
        "X-BAPI-API-KEY": KEY,
        "X-BAPI-TIMESTAMP": timestamp,
        "X-BAPI-RECV-WINDOW": "5000",
        "X-BAPI-SIGN": signature,
    }
    response = await wire.client.session.post(f"{wire.simulated.url}/v5/order/create", data=body, headers=headers)
    assert (await response.json())["retCode"] == 10001
