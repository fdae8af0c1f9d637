"""The simulated venues' answers beside examples of the venues' own: same fields, same JSON types."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import ccxt
import pytest

from support.simulated_venues import KEY, PASSPHRASE, SECRET, HandClock, open_test_venue
from venue_sim.account import MarginMode
from venue_sim.dialects.wire import Call, Dialect, parse_decimal, wall_clock_ms
from venue_sim.faults import FaultSpec
from venue_sim.matching import Side
from venue_sim.venue import OrderRequest, Venue

RESPONSES = Path(__file__).parents[4] / "shared" / "data" / "venue-responses"

pytestmark = pytest.mark.skipif(not RESPONSES.is_dir(), reason="the recorded responses are not beside this checkout")

SOL = {"symbol": "SOLUSDT"}
LINEAR = {"category": "linear"}
BINANCE_ORDER = SOL | {"side": "BUY", "type": "MARKET", "quantity": "1", "newOrderRespType": "RESULT"}
BYBIT_ORDER = LINEAR | SOL | {"side": "Buy", "orderType": "Market", "qty": "1"}

BINANCE = [
    ("ExchangeData/GetExchangeInfo", {}),
    ("ExchangeData/GetFundingInfo", {}),
    ("ExchangeData/GetMarkPrice", SOL),
    ("ExchangeData/GetOrderBook", SOL),
    ("ExchangeData/GetBookPrice", SOL),
    ("ExchangeData/GetTicker", SOL),
    ("ExchangeData/GetServerTime", {}),
    ("Account/ChangeInitialLeverage", SOL | {"leverage": "3"}),
    ("Account/ChangeMarginType", {"symbol": "ETHUSDT", "marginType": "ISOLATED"}),
    ("Account/GetAccountInfoV3", {}),
    ("Account/GetBalances", {}),
    ("Account/GetIncomeHistory", {}),
    ("Account/GetSymbolConfiguration", SOL),
    ("Account/GetUserCommissionRate", SOL),
    ("Account/GetAccountConfiguration", {}),
    ("Account/GetPositionInformation", SOL),
    ("Trading/GetUserTrades", SOL),
    ("Trading/PlaceOrder", BINANCE_ORDER),
    ("Trading/GetOrder", SOL | {"origClientOrderId": "held"}),
]
BYBIT = [
    ("ExchangeData/GetLinearInverseSymbols", LINEAR),
    ("ExchangeData/GetLinearInverseTickers", LINEAR | SOL),
    ("ExchangeData/GetOrderbook", LINEAR | SOL),
    ("ExchangeData/GetFundingRateHistory", LINEAR | SOL),
    ("Account/SetLeverage", LINEAR | SOL | {"buyLeverage": "3", "sellLeverage": "3"}),
    ("Account/GetBalances", {"accountType": "UNIFIED"}),
    ("Account/GetFeeRate", LINEAR | SOL),
    ("Account/GetMarginAccountInfo", {}),
    ("Trading/PlaceOrder", BYBIT_ORDER),
    ("Trading/GetOrders", LINEAR | SOL | {"orderLinkId": "held"}),
    ("Trading/GetOrderHistory", LINEAR | SOL),
    ("Trading/GetPositions", LINEAR | SOL),
    ("Trading/GetUserTrades", LINEAR | SOL),
]
SWAPS, SOL_SWAP = {"instType": "SWAP"}, {"instId": "SOL-USDT-SWAP"}
OKX_ORDER = SOL_SWAP | {"tdMode": "cross", "side": "buy", "ordType": "market", "sz": "0.1", "clOrdId": "shape"}
OKX = [
    ("ExchangeData/GetSymbols", SWAPS),
    ("ExchangeData/GetOrderBook", SOL_SWAP),
    ("ExchangeData/GetTickers", SWAPS),
    ("ExchangeData/GetFundingRates", SOL_SWAP),
    ("ExchangeData/GetFundingRateHistory", SOL_SWAP),
    ("ExchangeData/GetServerTime", {}),
    ("Account/GetAccountConfiguration", {}),
    ("Account/GetAccountBalance", {}),
    ("Account/GetAccountPositions", {}),
    ("Account/SetAccountPositionMode", {"posMode": "net_mode"}),
    ("Account/GetAccountLeverage", SOL_SWAP | {"mgnMode": "cross"}),
    ("Account/SetAccountLeverage", SOL_SWAP | {"mgnMode": "cross", "lever": "5"}),
    ("Account/GetFeeRates", SWAPS),
    ("Account/GetBillHistory", {}),
    ("Account/GetBillArchive", {}),
    ("Trading/PlaceOrder", OKX_ORDER),
    ("Trading/CancelOrder", SOL_SWAP | {"clOrdId": "working"}),
    ("Trading/GetOrderDetails", SOL_SWAP | {"clOrdId": "held"}),
    ("Trading/GetOrders", SOL_SWAP),
    ("Trading/GetOrderHistory", SWAPS),
    ("Trading/GetUserTrades", SOL_SWAP),
    ("Trading/GetUserTradesArchive", SOL_SWAP),
]
USDT, SOL_USDT = {"productType": "USDT-FUTURES"}, {"productType": "USDT-FUTURES", "symbol": "SOLUSDT"}
SOL_IN_USDT = SOL_USDT | {"marginCoin": "USDT"}
BITGET_ORDER = SOL_IN_USDT | {"marginMode": "crossed", "side": "buy", "orderType": "market", "size": "1"}
BITGET = [
    ("ExchangeData/GetContracts", USDT),
    ("ExchangeData/GetOrderBook", SOL_USDT),
    ("ExchangeData/GetTickers", USDT),
    ("ExchangeData/GetTicker", SOL_USDT),
    ("ExchangeData/GetFundingRate", SOL_USDT),
    ("ExchangeData/GetNextFundingTime", SOL_USDT),
    ("ExchangeData/GetHistoricalFundingRate", SOL_USDT),
    ("Account/GetBalances", USDT),
    ("Account/GetBalance", SOL_IN_USDT),
    ("Account/GetLedger", USDT),
    ("Account/SetLeverage", SOL_IN_USDT | {"leverage": "5"}),
    ("Account/SetMarginMode", SOL_IN_USDT | {"symbol": "ETHUSDT", "marginMode": "isolated"}),
    ("Account/SetPositionMode", USDT | {"posMode": "one_way_mode"}),
    ("Trading/PlaceOrder", BITGET_ORDER | {"clientOid": "77777"}),
    ("Trading/CancelOrder", SOL_USDT | {"clientOid": "working"}),
    ("Trading/GetOrder", SOL_USDT | {"clientOid": "held"}),
    ("Trading/GetOpenOrders", SOL_USDT),
    ("Trading/GetClosedOrders", SOL_USDT),
    ("Trading/GetPositions", USDT | {"marginCoin": "USDT"}),
    ("Trading/GetPosition", SOL_IN_USDT),
    ("Trading/GetUserTrades", SOL_USDT),
    ("Trading/GetHistoricalUserTrades", SOL_USDT),
]
SOL_CONTRACT = {"contract": "SOL_USDT"}
GATE_ORDER = SOL_CONTRACT | {"size": "10", "price": "0", "tif": "ioc", "text": "t-c1"}
GATE = [
    ("ExchangeData/GetContracts", {}),
    ("ExchangeData/GetContract", {}),
    ("ExchangeData/GetOrderBook", SOL_CONTRACT | {"with_id": "true"}),
    ("ExchangeData/GetTickers", {}),
    ("ExchangeData/GetFundingRateHistory", SOL_CONTRACT),
    ("Account/GetAccount", {}),
    ("Account/GetLedger", {}),
    ("Account/SetMarginMode", SOL_CONTRACT | {"mode": "CROSS"}),
    ("Account/UpdatePositionMode", {"dual_mode": "true"}),
    ("Trading/PlaceOrder", GATE_ORDER),
    ("Trading/GetOrder", {}),
    ("Trading/CancelOrder", {}),
    ("Trading/GetOrders", SOL_CONTRACT | {"status": "finished"}),
    ("Trading/GetOrdersByTime", SOL_CONTRACT),
    ("Trading/GetPositions", {}),
    ("Trading/UpdatePositionLeverage", {"leverage": "0", "cross_leverage_limit": "5"}),
    ("Trading/GetUserTrades", SOL_CONTRACT),
    ("Trading/GetUserTradesByTimestamp", SOL_CONTRACT),
]
HYPERLIQUID_ORDER = {"a": 0, "b": True, "p": "210", "s": "1", "r": False, "t": {"limit": {"tif": "Ioc"}}}
SOL_COIN, OF_USER = {"coin": "SOL"}, {"user": KEY, "startTime": "0"}
LEVERAGE = {"type": "updateLeverage", "asset": 0, "isCross": False, "leverage": 5}
HYPERLIQUID: list[tuple[str, dict[str, Any]]] = [
    ("ExchangeData/GetExchangeInfo", {"type": "meta"}),
    ("ExchangeData/GetExchangeInfoAndTickers", {"type": "metaAndAssetCtxs"}),
    ("ExchangeData/GetFundingRateHistory", {"type": "fundingHistory"} | SOL_COIN | OF_USER),
    ("Account/GetAccountInfo", {"type": "clearinghouseState"} | OF_USER),
    ("Account/GetFundingHistory", {"type": "userFunding"} | OF_USER),
    ("Trading/SetLeverage", LEVERAGE),
]
CASES: dict[str, Sequence[tuple[str, Mapping[str, Any]]]] = {
    "binance": BINANCE,
    "bybit": BYBIT,
    "okx": OKX,
    "bitget": BITGET,
    "gate": GATE,
    "hyperliquid": HYPERLIQUID,
}
NOT_SENT_FOR_MARKET_ORDERS = {"activatePrice", "priceRate"}
WRITTEN_IN_ANOTHER_WAY = {".result.orderId"}
"""Bybit's example is of a spot order, whose ids are numbers. A `clientOid` is what the test chose."""
NOT_SENT_ANY_MORE = {"mmrSysUpdateTime", "ADLRankIndicator", "breakEvenPrice"}
CALLED_OTHERWISE = {"lever"}
"""Two of Gate's examples call a position's `leverage` so; the third does not, nor does what ccxt saw."""


def example(protocol: str, name: str) -> tuple[str, str, bool, Any]:
    """Method, path, whether it is signed, and the body of one recorded response."""
    lines = (RESPONSES / protocol / f"{name}.txt").read_text().split("\n", 3)
    return lines[0], lines[1], lines[2].strip() == "true", json.loads(lines[3])


def venue_with_a_position(protocol: str) -> tuple[Venue, Dialect]:
    clock = HandClock()
    venue, dialect = open_test_venue(protocol, clock)
    if protocol == "hyperliquid":  # its example is of an isolated position, after a settlement
        venue.set_margin_mode("SOL", MarginMode.ISOLATED)
    venue.place(OrderRequest("SOL", Side.BUY, Decimal(1), "held", False, received_monotonic_ns=0))
    venue.faults.arm(FaultSpec.model_validate({"kind": "stuck"}), venue.moment())
    venue.place(OrderRequest("SOL", Side.BUY, Decimal(1), "working", False, received_monotonic_ns=0))
    if protocol == "hyperliquid":
        clock.moment += timedelta(hours=5)
    return venue, dialect


def okx_call(method: str, path: str, params: dict[str, str]) -> Call:
    """The same at OKX, whose signature is base64 and covers the path."""
    query, body = (urlencode(params), "") if method == "GET" else ("", json.dumps(params))
    stamp = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    payload = f"{stamp}{method}{path}{'?' + query if query else ''}{body}"
    digest = hmac.new(SECRET.encode(), payload.encode(), hashlib.sha256).digest()
    headers = {
        "ok-access-key": KEY,
        "ok-access-passphrase": PASSPHRASE,
        "ok-access-timestamp": stamp,
        "ok-access-sign": base64.b64encode(digest).decode(),
    }
    return Call(method, path, query, headers, body.encode(), 0)


def bitget_call(method: str, path: str, params: dict[str, str]) -> Call:
    """The same at Bitget, whose timestamp counts milliseconds."""
    query, body = (urlencode(params), "") if method == "GET" else ("", json.dumps(params))
    stamp = str(wall_clock_ms())
    payload = f"{stamp}{method}{path}{'?' + query if query else ''}{body}"
    digest = hmac.new(SECRET.encode(), payload.encode(), hashlib.sha256).digest()
    headers = {
        "access-key": KEY,
        "access-passphrase": PASSPHRASE,
        "access-timestamp": stamp,
        "access-sign": base64.b64encode(digest).decode(),
    }
    return Call(method, path, query, headers, body.encode(), 0)


def gate_call(method: str, path: str, params: dict[str, str]) -> Call:
    """The same at Gate, of an order that is there; what changes something else than orders is asked in the query.

    The example of all contracts is of one that is traded in parts, of the one contract of one that is not.
    """
    path = path.replace("/orders/123", "/orders/t-held" if method == "GET" else "/orders/t-working")
    path = path.replace("/ETH_USDT", "/SOL_USDT")
    in_query = method != "POST" or not path.endswith("/orders")
    query, body = (urlencode(params), "") if in_query else ("", json.dumps(params))
    stamp = str(wall_clock_ms() // 1000)
    payload = "\n".join([method, path, query, hashlib.sha512(body.encode()).hexdigest(), stamp])
    signature = hmac.new(SECRET.encode(), payload.encode(), hashlib.sha512).hexdigest()
    headers = {"key": KEY, "timestamp": stamp, "sign": signature}
    if path.endswith("/contracts"):
        headers["x-gate-size-decimal"] = "1"
    return Call(method, path, query, headers, body.encode(), 0)


def hyperliquid_call(path: str, params: dict[str, Any]) -> Call:
    """The same at Hyperliquid, signed by ccxt where it is an action."""
    body: dict[str, Any] = params
    if path == "/exchange":
        client = ccxt.hyperliquid({"walletAddress": KEY, "privateKey": SECRET})
        nonce = client.milliseconds()
        body = {"action": params, "nonce": nonce, "signature": client.sign_l1_action(params, nonce)}
    return Call("POST", path, "", {}, json.dumps(body).encode(), 0)


def call(protocol: str, method: str, path: str, signed: bool, params: dict[str, str]) -> Call:
    """The request as the venue's documentation says it is signed."""
    if protocol == "okx":
        return okx_call(method, path, params)
    if protocol == "gate":
        return gate_call(method, path, params)
    if protocol == "bitget":
        return bitget_call(method, path, params)
    if protocol == "hyperliquid":
        return hyperliquid_call(path, params)
    if protocol == "binance":
        text = urlencode(params | ({"timestamp": str(wall_clock_ms())} if signed else {}))
        text += f"&signature={_sign(text)}" if signed else ""
        query, body = (text, "") if method == "GET" else ("", text)
        return Call(method, path, query, {"x-mbx-apikey": KEY}, body.encode(), 0)
    query, body = (urlencode(params), "") if method == "GET" else ("", json.dumps(params))
    stamp = str(wall_clock_ms())
    headers = {
        "x-bapi-api-key": KEY,
        "x-bapi-timestamp": stamp,
        "x-bapi-recv-window": "5000",
        "x-bapi-sign": _sign(f"{stamp}{KEY}5000{query}{body}"),
    }
    return Call(method, path, query, headers, body.encode(), 0)


def _sign(payload: str) -> str:
    return hmac.new(SECRET.encode(), payload.encode(), hashlib.sha256).hexdigest()


def differences(example: Any, answer: Any, where: str = "") -> Iterator[str]:
    """Fields of the example that the answer lacks, or has with another JSON type or form of number."""
    if isinstance(example, dict) and isinstance(answer, dict):
        for name in example:
            if name in NOT_SENT_FOR_MARKET_ORDERS | NOT_SENT_ANY_MORE | CALLED_OTHERWISE:
                continue
            if name not in answer:
                yield f"{where}.{name} is missing"
            else:
                yield from differences(example[name], answer[name], f"{where}.{name}")
    elif isinstance(example, list) and isinstance(answer, list):
        if example and answer:
            yield from differences(example[0], answer[0], f"{where}[0]")
    elif _kind(example) != _kind(answer) and None not in (example, answer):
        yield f"{where} is {_kind(answer)}, not {_kind(example)}"
    elif where in WRITTEN_IN_ANOTHER_WAY or where.endswith(".clientOid"):
        return
    elif isinstance(example, str) and example and answer and _is_number(example) != _is_number(answer):
        yield f"{where} is {answer!r}, and {example!r} at the venue"


def _kind(value: Any) -> str:
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def _is_number(value: str) -> bool:
    return parse_decimal(value) is not None and "e" not in value.lower()


@pytest.mark.parametrize(
    ("protocol", "name", "params"),
    [(protocol, *case) for protocol, cases in CASES.items() for case in cases],
)
def test_answer_has_the_fields_and_types_of_the_venues_own(protocol: str, name: str, params: dict[str, str]) -> None:
    method, path, signed, recorded = example(protocol, name)
    # The position mode of an account that holds something cannot be changed.
    opened = open_test_venue if "dual_mode" in params else venue_with_a_position
    _, dialect = opened(protocol)
    answer = dialect.answer(call(protocol, method, path, signed, params))
    content = json.loads(answer.content)
    assert answer.status == 200, content
    if protocol == "bybit":
        assert content["retCode"] == 0, content
    if protocol == "okx":
        assert content["code"] == "0", content
        assert content["data"], "nothing to compare"
    if protocol == "bitget":
        assert content["code"] == "00000", content
        assert content["data"], "nothing to compare"
    if protocol == "hyperliquid":
        assert content, "nothing to compare"
    assert list(differences(recorded, content)) == []


OBSERVED = [
    ("binance", "reduce-only rejected", {"side": "BUY", "reduceOnly": "true"}),
    ("binance", "margin insufficient", {"quantity": "1000"}),
    ("binance", "min notional", {"quantity": "0.1"}),
    ("bybit", "reduce-only with no position", {"symbol": "ETHUSDT", "reduceOnly": "true"}),
    ("bybit", "insufficient balance", {"qty": "1000"}),
    ("gate", "reduce exceeded", {"contract": "ETH_USDT", "size": "0.1", "reduce_only": "true"}),
    ("bitget", "insufficient", {"size": "1000"}),
    ("bitget", "min amount", {"size": "0.1"}),
    ("hyperliquid", "insufficient margin", {"s": "1000"}),
    ("hyperliquid", "min order", {"s": "0.1", "p": "20"}),
    ("okx", "insufficient margin (swap)", {"sz": "100"}),
    ("okx", "no position to close (reduce-only)", {"instId": "ETH-USDT-SWAP", "sz": "1", "reduceOnly": "true"}),
]
ORDERS: dict[str, tuple[str, Mapping[str, Any]]] = {
    "binance": ("/fapi/v1/order", BINANCE_ORDER),
    "bybit": ("/v5/order/create", BYBIT_ORDER),
    "okx": ("/api/v5/trade/order", OKX_ORDER),
    "hyperliquid": ("/exchange", HYPERLIQUID_ORDER),
    "bitget": ("/api/v2/mix/order/place-order", BITGET_ORDER),
    "gate": ("/api/v4/futures/usdt/orders", GATE_ORDER),
}


@pytest.mark.parametrize(("protocol", "case", "changes"), OBSERVED)
def test_refusal_is_worded_as_it_was_seen_at_the_venue(protocol: str, case: str, changes: dict[str, str]) -> None:
    rows = json.loads((RESPONSES / "error_bodies_observed.json").read_text())
    seen = next(row for row in rows if (row["venue"], row["case"]) == (protocol, case))
    venue, dialect = venue_with_a_position(protocol)
    if case in ("min notional", "min amount", "min order"):
        venue.override_mid("SOL", Decimal(20))
    path, order = ORDERS[protocol]
    sent: dict[str, Any] = dict(order) | changes
    if protocol == "hyperliquid":
        sent = {"type": "order", "orders": [sent], "grouping": "na"}
    answer = dialect.answer(call(protocol, "POST", path, True, sent))
    ours = json.loads(answer.content.replace(b"asset=0", b"asset=4"))
    if "sCode" in seen:
        row = ours["data"][0]
        assert (ours["code"], row["sCode"]) == ("1", seen["sCode"])
        assert row["sMsg"].strip() == seen.get("sMsg", row["sMsg"].strip())
        return
    theirs = json.loads(seen["body"])
    for moment in ("time", "requestTime"):
        ours.pop(moment, None)
        theirs.pop(moment, None)
    assert (answer.status, ours) == (seen.get("http", answer.status), theirs)
