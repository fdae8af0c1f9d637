"""Reading Bitget's parameters and writing its objects. It counts base units."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from venue_sim.account import Fill, Order, OrderStatus, Origin
from venue_sim.dialects.bitget.errors import BitgetError, empty, invalid
from venue_sim.dialects.rest import read_integer, read_required
from venue_sim.dialects.wire import Params, base_asset, rounded, text, to_ms
from venue_sim.matching import Side

QUOTE = "USDT"
PRODUCT = "USDT-FUTURES"
MODES = {False: "one_way_mode", True: "hedge_mode"}
PAGE_MAX = 100
_PRODUCTS = (PRODUCT, "COIN-FUTURES", "USDC-FUTURES", "SUSDT-FUTURES", "SCOIN-FUTURES", "SUSDC-FUTURES")
_STATES = {OrderStatus.FILLED: "filled", OrderStatus.EXPIRED: "canceled", OrderStatus.CANCELLED: "canceled"}
_CLOSED_BY_THE_VENUE = {Origin.LIQUIDATION: "burst_", Origin.DELEVERAGING: "reduce_"}
_ENTERED_BY = {Origin.TRADER: "API", Origin.OWNER: "WEB"}

required = partial(read_required, missing=empty)
integer = partial(read_integer, wrong=invalid)


def venue_symbol(symbol: str) -> str:
    """`SOL` as Bitget lists it."""
    return symbol + QUOTE


def is_our_product(params: Params) -> bool:
    """Whether the mandatory `productType` is the one that this venue lists."""
    product = required(params, "productType").upper()
    if product not in _PRODUCTS:
        raise invalid("productType")
    return product == PRODUCT


def check_account(params: Params) -> None:
    """This account holds USDT only."""
    if not is_our_product(params):
        raise invalid("productType")
    if params.get("marginCoin", QUOTE).upper() != QUOTE:
        raise invalid("marginCoin")


def required_symbol(params: Params) -> str:
    """The scenario's symbol of the mandatory `symbol` of a contract of the mandatory `productType`."""
    check_account(params)
    return base_asset(required(params, "symbol").upper())


def page(params: Params, rows: Sequence[dict[str, Any]], name: str, id_name: str, longest: timedelta) -> dict[str, Any]:
    """One page under `name`, newest first, older than `idLessThan`, and in `endId` where to go on.

    A start and an end further apart than `longest` are refused.
    """
    start, end, before = integer(params, "startTime"), integer(params, "endTime"), integer(params, "idLessThan")
    limit = integer(params, "limit")
    if limit == 0:
        raise invalid("limit")
    if start is not None and end is not None and end - start > longest // timedelta(milliseconds=1):
        raise BitgetError("40705", f"The start and end time cannot exceed {longest.days} days")
    shown = [
        row
        for row in rows
        if (start is None or int(row["cTime"]) >= start)
        and (end is None or int(row["cTime"]) <= end)
        and (before is None or int(row[id_name]) < before)
    ]
    shown.sort(key=lambda row: int(row[id_name]), reverse=True)
    shown = shown[: min(limit or PAGE_MAX, PAGE_MAX)]
    return {name: shown, "endId": shown[-1][id_name] if shown else None}


def order_fields(order: Order, leverage: int, margin_mode: str) -> dict[str, Any]:
    """An order as it stands, asked for by itself; lists call its `state` a `status`."""
    working = "partially_filled" if order.filled else "live"
    return {
        "symbol": venue_symbol(order.symbol),
        "size": text(order.quantity),
        "orderId": order.order_id,
        "clientOid": order.client_id,
        "baseVolume": text(order.filled),
        "priceAvg": rounded(order.average, 16) if order.filled else "",
        "fee": text(-order.fee),
        "price": "",
        "state": _STATES.get(order.status, working),
        "side": order.side.value,
        "force": "gtc",
        "totalProfits": text(sum((fill.realised_pnl for fill in order.fills), Decimal(0))),
        "posSide": "net",
        "marginCoin": QUOTE,
        "presetStopSurplusPrice": "",
        "presetStopSurplusType": "",
        "presetStopSurplusExecutePrice": "",
        "presetStopLossPrice": "",
        "presetStopLossType": "",
        "presetStopLossExecutePrice": "",
        "quoteVolume": text(order.quote),
        "orderType": "market",
        "leverage": str(leverage),
        "marginMode": margin_mode,
        "reduceOnly": "YES" if order.reduce_only else "NO",
        "enterPointSource": _ENTERED_BY.get(order.origin, "SYS"),
        "tradeSide": trade_side(order, order.side),
        "posMode": MODES[False],
        "orderSource": "market",
        "cancelReason": "",
        "cTime": str(to_ms(order.time)),
        "uTime": str(to_ms(order.updated_at or order.time)),
    }


def fill_fields(fill: Fill, order: Order) -> dict[str, Any]:
    """A fill; what was paid is below zero."""
    return {
        "tradeId": fill.fill_id,
        "symbol": venue_symbol(fill.symbol),
        "orderId": fill.order_id,
        "price": text(fill.price),
        "baseVolume": text(fill.quantity),
        "feeDetail": [
            {"deduction": "no", "feeCoin": QUOTE, "totalDeductionFee": "0", "totalFee": text(-fill.fee)},
        ],
        "side": fill.side.value,
        "quoteVolume": text(fill.price * fill.quantity),
        "profit": text(fill.realised_pnl),
        "enterPointSource": _ENTERED_BY.get(order.origin, "SYS").lower(),
        "tradeSide": trade_side(order, fill.side),
        "posMode": MODES[False],
        "tradeScope": "taker",
        "cTime": str(to_ms(fill.time)),
    }


def trade_side(order: Order, side: Side) -> str:
    """What a trade was, in one-way mode; `burst_` where it was a liquidation, `reduce_` a deleveraging."""
    return f"{_CLOSED_BY_THE_VENUE.get(order.origin, '')}{side.value}_single"
