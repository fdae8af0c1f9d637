"""Orders, positions, fills and funding through ccxt: the same cases for every protocol."""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from support.simulated_venues import KEY, NOON, SECRET
from venue_sim.matching import Side
from venue_sim.venue import OrderRequest

from .conftest import Wire, make_client
from .spoken import SPOKEN

SETTLEMENT = datetime(2025, 10, 10, 16, tzinfo=UTC)


async def test_market_order_fills_at_the_levels_of_the_book(wire: Wire) -> None:
    order = await wire.market_order("buy", 60, "buy1")
    assert order["status"] == "closed"
    assert order["filled"] == 60.0
    expected = (Decimal("200.02") * Decimal("49.9") + Decimal("200.04") * Decimal("10.1")) / 60
    if wire.protocol != "hyperliquid":  # whose orders do not say their price
        assert order["average"] == pytest.approx(float(expected), abs=1e-6)
    assert order["clientOrderId"] == wire.client_id("buy1")


async def test_order_larger_than_the_book_fills_what_there_is(wire: Wire) -> None:
    wire.simulated.venue.account.balance = Decimal(1_000_000)
    order = await wire.market_order("sell", 1000, "toobig")
    displayed = sum(level.quantity for level in wire.simulated.venue.book("SOL").bids)
    assert order["filled"] == float(displayed) < 1000
    assert wire.spoken.beyond_the_book in order["info"].values()


async def test_create_says_the_outcome_where_the_venue_does_and_nothing_but_ids_elsewhere(wire: Wire) -> None:
    created = await wire.create("buy", 1, "one")
    if wire.protocol == "hyperliquid":  # which names no client id, but says what filled
        assert (created["status"], created["filled"], created["average"]) == (None, 1.0, 200.02)
        return
    assert created["clientOrderId"] == wire.client_id("one")
    outcome = (created["status"], created["filled"])
    one_sol = 1 / wire.spoken.contract_size
    assert outcome == (("closed", one_sol) if wire.spoken.create_says_the_outcome else (None, None))


async def test_position_is_signed_by_its_side_and_gone_when_closed(wire: Wire) -> None:
    await wire.market_order("sell", 2, "open")
    positions = await wire.client.fetch_positions([wire.sol])
    held = [(p["side"], p["contracts"] * wire.spoken.contract_size, p["entryPrice"]) for p in positions]
    assert held == [("short", 2.0, 199.98)]
    closed = await wire.market_order("buy", 2, "close", reduce_only=True)
    assert closed["reduceOnly"] is True
    positions = await wire.client.fetch_positions([wire.sol])
    assert all(not p["contracts"] for p in positions)


async def test_balance_is_what_the_ledger_says(wire: Wire) -> None:
    await wire.market_order("buy", 10, "open")
    balance = await wire.client.fetch_balance()
    venue = wire.simulated.venue
    equity = float(venue.account.balance + venue.unrealised_pnl())
    assert balance[wire.spoken.settle]["total"] == pytest.approx(equity, abs=0.5)
    raw = json.dumps(balance["info"])
    assert f'"{venue.available().quantize(Decimal("0.00000001"))}"' in raw


async def test_fills_carry_ids_fees_and_market_time(wire: Wire) -> None:
    await wire.market_order("buy", 60, "buy1")
    trades = await wire.client.fetch_my_trades(wire.sol)
    ledger = wire.simulated.venue.account.fills
    assert sorted(_fill_id(trade) for trade in trades) == sorted(fill.fill_id for fill in ledger)
    assert sum(Decimal(str(trade["fee"]["cost"])) for trade in trades) == sum(fill.fee for fill in ledger)
    assert {trade["timestamp"] for trade in trades} == {wire.simulated.clock.moment.timestamp() * 1000}


async def test_fills_can_be_read_page_by_page(wire: Wire) -> None:
    if wire.protocol == "hyperliquid":
        pytest.skip("pages begin with a time there: see test_hyperliquid")
    for number in range(7):
        await wire.market_order("buy", 1, f"order{number}")
    seen: list[str] = []
    params: dict[str, Any] | None = {"fromId": 0} if wire.protocol == "binance" else {}
    while params is not None:
        trades = await wire.client.fetch_my_trades(wire.sol, None, 3, params)
        seen += [_fill_id(trade) for trade in trades]
        params = _next_page(wire.protocol, trades, len(seen))
    assert sorted(seen) == sorted(fill.fill_id for fill in wire.simulated.venue.account.fills)


def _fill_id(trade: dict[str, Any]) -> str:
    """OKX books a fill under the number of its bill, and ccxt names the trade."""
    return str(trade["info"].get("billId") or trade["id"])


def _next_page(protocol: str, trades: list[dict[str, Any]], seen: int) -> dict[str, Any] | None:
    if not trades:
        return None
    if protocol == "binance":
        return {"fromId": int(trades[-1]["id"]) + 1}
    if protocol == "okx":
        return {"after": min(_fill_id(trade) for trade in trades)}
    if protocol == "gate":
        return {"offset": seen} if len(trades) == 3 else None
    if protocol == "bitget":
        return {"idLessThan": min(_fill_id(trade) for trade in trades)}
    cursor = next((t["info"]["nextPageCursor"] for t in trades if "nextPageCursor" in t["info"]), None)
    return {"cursor": cursor} if cursor else None


async def test_fills_before_the_asked_time_are_left_out(wire: Wire) -> None:
    await wire.market_order("buy", 1, "early")
    wire.simulated.clock.moment += timedelta(minutes=10)
    since = int(wire.simulated.clock.moment.timestamp() * 1000)
    await wire.market_order("buy", 1, "late")
    trades = await wire.client.fetch_my_trades(wire.sol, since)
    assert [trade["timestamp"] for trade in trades] == [since]


@pytest.mark.parametrize(("side", "sign"), [("buy", -1), ("sell", 1)])
async def test_longs_pay_a_positive_rate_and_shorts_receive_it(wire: Wire, side: str, sign: int) -> None:
    await wire.market_order(side, 10, "open")
    wire.simulated.clock.moment = SETTLEMENT + timedelta(seconds=1)
    since = None if wire.spoken.signs_readings else int(NOON.timestamp() * 1000)
    payments = await wire.client.fetch_funding_history(wire.sol, since)
    assert [payment["timestamp"] for payment in payments] == [SETTLEMENT.timestamp() * 1000]
    if wire.spoken.payments_have_ids:
        assert payments[0]["id"] == wire.simulated.venue.account.payments[0].payment_id
    received = -payments[0]["amount"] if wire.protocol == "bybit" else payments[0]["amount"]
    assert received == pytest.approx(sign * 10 * 200 * 0.0001)


async def test_client_order_id_is_accepted_once_for_ever(wire: Wire) -> None:
    await wire.market_order("buy", 1, "same")
    wire.simulated.clock.moment += timedelta(days=30)
    with pytest.raises(ccxt.ExchangeError, match=wire.code("duplicate")):
        await wire.create("buy", 1, "same")
    assert len(wire.simulated.venue.account.orders) == 1


async def test_order_that_never_arrived_is_not_found(wire: Wire) -> None:
    with pytest.raises(ccxt.OrderNotFound):
        await wire.order("neversent")


async def test_old_bybit_orders_are_found_in_the_history_only(wire: Wire) -> None:
    if wire.protocol != "bybit":
        pytest.skip("only Bybit keeps ended orders in two places")
    await wire.market_order("buy", 1, "old")
    for number in range(500):
        wire.simulated.venue.place(
            OrderRequest("SOL", Side.BUY, Decimal("0.1"), f"newer{number}", False, received_monotonic_ns=0)
        )
    with pytest.raises(ccxt.OrderNotFound):
        await wire.order("old")
    params = {"category": "linear", "symbol": "SOLUSDT", "orderLinkId": "old"}
    history = await wire.client.privateGetV5OrderHistory(params)
    assert [row["orderStatus"] for row in history["result"]["list"]] == ["Filled"]


async def test_cancel_of_a_filled_order_finds_nothing_to_cancel(wire: Wire) -> None:
    await wire.market_order("buy", 1, "filled")
    # ccxt knows not every venue's code of it.
    with pytest.raises(ccxt.ExchangeError, match=wire.code("too_late_to_cancel")):
        await wire.cancel("filled")


async def test_leverage_is_set_and_read_back(wire: Wire) -> None:
    await wire.client.set_leverage(7, wire.sol)
    if wire.protocol == "hyperliquid":
        asked = {"type": "activeAssetData", "user": KEY, "coin": "SOL"}
        assert (await wire.client.publicPostInfo(asked))["leverage"] == {"type": "cross", "value": 7}
        return
    if wire.protocol == "gate":
        position = {"settle": "usdt", "contract": wire.spoken.sol}
        row = await wire.client.privateFuturesGetSettlePositionsContract(position)
        leverage = {"longLeverage": int(row["leverage"])}
    elif wire.protocol == "binance":
        leverage = (await wire.client.fetch_leverages([wire.sol]))[wire.sol]
    else:
        leverage = await wire.client.fetch_leverage(wire.sol, {"marginMode": "cross"} if wire.protocol == "okx" else {})
    assert leverage["longLeverage"] == wire.simulated.venue.leverage("SOL") == 7


async def test_leverage_above_the_maximum_is_refused(wire: Wire) -> None:
    with pytest.raises(ccxt.ExchangeError, match=wire.code("leverage")):
        await wire.client.set_leverage(51, wire.sol)


async def test_setting_what_is_set_already_says_so_or_does_nothing(wire: Wire) -> None:
    venue = wire.simulated.venue
    settings = {
        "leverage": wire.client.set_leverage(venue.leverage("SOL"), wire.sol),
    }
    if wire.spoken.has_hedge_mode:
        settings["position_mode"] = wire.client.set_position_mode(False, wire.sol)
    if wire.spoken.margin_mode_can_be_set:
        settings["margin_mode"] = wire.client.set_margin_mode("cross", wire.sol)
    before = venue.leverage("SOL")
    for name, setting in settings.items():
        refused_with = wire.spoken.setting_again_is_refused.get(name)
        if refused_with is None:
            await setting
        else:
            with pytest.raises(ccxt.ExchangeError, match=refused_with):
                await setting
    assert (venue.leverage("SOL"), venue.account.hedged) == (before, False)


async def test_hedge_mode_refuses_one_way_orders(wire: Wire) -> None:
    if not wire.spoken.has_hedge_mode:
        pytest.skip("this venue has none")
    await wire.client.set_position_mode(True, wire.sol)
    if wire.spoken.position_mode_can_be_read:
        assert (await wire.client.fetch_position_mode(wire.sol))["hedged"] is True
    with pytest.raises(ccxt.ExchangeError, match=wire.code("hedge_mode")):
        await wire.create("buy", 1, "oneway")


async def test_trading_fee_is_the_scenarios(wire: Wire) -> None:
    assert (await wire.client.fetch_trading_fee(wire.sol))["taker"] == 0.0005


@pytest.mark.parametrize("refusal", sorted(SPOKEN["binance"].wrong_orders))
async def test_refused_order_has_the_venues_own_code_and_books_nothing(wire: Wire, refusal: str) -> None:
    if refusal not in wire.spoken.wrong_orders:
        pytest.skip("an order cannot say this here")
    with pytest.raises(ccxt.BaseError, match=wire.code(refusal)):
        await wire.raw_order(**wire.spoken.wrong_orders[refusal])
    assert wire.simulated.venue.account.orders == []


async def test_order_below_the_minimum_notional_is_refused_unless_it_reduces(wire: Wire) -> None:
    if wire.spoken.notional_min is None:
        pytest.skip("this venue has a minimum quantity only")
    await wire.market_order("buy", 1, "open")
    wire.simulated.venue.override_mid("SOL", Decimal(20))
    with pytest.raises(ccxt.ExchangeError, match=wire.code("notional")):
        await wire.create("buy", 0.1, "small")
    order = await wire.market_order("sell", 0.1, "reduce", reduce_only=True)
    assert order["filled"] == 0.1


async def test_reduce_only_never_turns_the_position_round(wire: Wire) -> None:
    await wire.market_order("buy", 1, "open")
    order = await wire.market_order("sell", 5, "close", reduce_only=True)
    assert order["filled"] == 1.0
    assert not list(wire.simulated.venue.account.open_positions())


@pytest.mark.parametrize(
    ("changes", "refusal"), [({"apiKey": "other"}, "wrong_key"), ({"secret": "other"}, "wrong_secret")]
)
async def test_wrong_key_or_secret_is_refused(wire: Wire, changes: dict[str, str], refusal: str) -> None:
    if not wire.spoken.signs_readings:
        pytest.skip("readings need no key here")
    client = make_client(wire.protocol, wire.simulated.url, **changes)
    try:
        await client.load_markets()
        with pytest.raises(ccxt.AuthenticationError, match=wire.code(refusal)):
            await client.fetch_balance()
    finally:
        await client.close()


async def test_request_outside_the_receive_window_is_a_clock_error(wire: Wire) -> None:
    if not wire.spoken.signs_readings:
        pytest.skip("readings need no key here")
    wire.client.nonce = lambda: wire.client.milliseconds() - 60_000
    # ccxt takes Gate's for a wrong key.
    with pytest.raises((ccxt.InvalidNonce, ccxt.AuthenticationError), match=wire.code("clock")):
        await wire.client.fetch_balance()


async def test_wrong_passphrase_is_refused_where_there_are_some(wire: Wire) -> None:
    code = {"okx": "50105", "bitget": "40012"}.get(wire.protocol)
    if code is None:
        pytest.skip("this venue's keys have no passphrase")
    wire.client.password = "other"
    with pytest.raises(ccxt.AuthenticationError, match=code):
        await wire.client.fetch_balance()


async def test_body_that_is_not_json_is_refused_by_bybit(wire: Wire) -> None:
    if wire.protocol != "bybit":
        pytest.skip("signs its body as Bybit does")
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
