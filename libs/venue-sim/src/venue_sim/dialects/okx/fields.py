"""Reading OKX's parameters and writing its objects. Its quantities are contracts, the venue's are base units."""

from collections.abc import Sequence
from decimal import Decimal
from functools import partial
from typing import Any

from venue_sim.account import Fill, Order, OrderStatus, Origin
from venue_sim.dialects.okx.errors import empty, invalid
from venue_sim.dialects.rest import read_integer, read_required
from venue_sim.dialects.wire import Params, rounded, text, to_ms
from venue_sim.scenario import Instrument

QUOTE = "USDT"
KIND = "SWAP"
PAGE_MAX = 100
_SUFFIX = f"-{QUOTE}-{KIND}"
_STATES = {OrderStatus.FILLED: "filled", OrderStatus.EXPIRED: "canceled", OrderStatus.CANCELLED: "canceled"}
_CATEGORIES = {Origin.LIQUIDATION: "full_liquidation", Origin.DELEVERAGING: "adl"}

required = partial(read_required, missing=empty)
integer = partial(read_integer, wrong=invalid)


def instrument_id(symbol: str) -> str:
    """`SOL` as OKX lists it."""
    return symbol + _SUFFIX


def symbol_of(instrument: str) -> str:
    """The scenario's symbol of an instrument id; whether it is listed, the venue says."""
    return instrument.removesuffix(_SUFFIX) if instrument.endswith(_SUFFIX) else f"?{instrument}"


def required_symbol(params: Params) -> str:
    """The scenario's symbol of the mandatory `instId`."""
    return symbol_of(required(params, "instId"))


def contracts(quantity: Decimal, instrument: Instrument) -> str:
    """Base units in contracts."""
    return text((quantity / instrument.contract_size).normalize())


def page(params: Params, rows: Sequence[dict[str, Any]], id_name: str, time_name: str) -> list[dict[str, Any]]:
    """One page, newest first: of the time asked for, older than `after`, newer than `before`; 100 rows at most."""
    begin, end = integer(params, "begin"), integer(params, "end")
    after, before = integer(params, "after"), integer(params, "before")
    limit = integer(params, "limit")
    if limit == 0:
        raise invalid("limit")
    shown = [
        row
        for row in rows
        if (begin is None or int(row[time_name]) >= begin)
        and (end is None or int(row[time_name]) <= end)
        and (after is None or int(row[id_name]) < after)
        and (before is None or int(row[id_name]) > before)
    ]
    shown.sort(key=lambda row: int(row[id_name]), reverse=True)
    return shown[: min(limit or PAGE_MAX, PAGE_MAX)]


def order_fields(order: Order, instrument: Instrument, leverage: int) -> dict[str, Any]:
    """An order as it stands."""
    last = order.fills[-1] if order.fills else None
    working = "partially_filled" if order.filled else "live"
    cancelled = order.status in (OrderStatus.EXPIRED, OrderStatus.CANCELLED)
    return {
        "accFillSz": contracts(order.filled, instrument),
        "algoClOrdId": "",
        "algoId": "",
        "attachAlgoClOrdId": "",
        "attachAlgoOrds": [],
        "avgPx": rounded(order.average, 16).rstrip("0").rstrip(".") if order.filled else "",
        "cTime": str(to_ms(order.time)),
        "cancelSource": ("14" if order.status is OrderStatus.EXPIRED else "1") if cancelled else "",
        "cancelSourceReason": "",
        "category": _CATEGORIES.get(order.origin, "normal"),
        "ccy": "",
        "clOrdId": order.client_id,
        "fee": text(-order.fee),
        "feeCcy": QUOTE,
        "fillPx": text(last.price) if last else "",
        "fillSz": contracts(last.quantity, instrument) if last else "0",
        "fillTime": str(to_ms(last.time)) if last else "",
        "instId": instrument_id(order.symbol),
        "instType": KIND,
        "isTpLimit": "false",
        "lever": str(leverage),
        "linkedAlgoOrd": {"algoId": ""},
        "ordId": order.order_id,
        "ordType": "market",
        "pnl": text(sum((fill.realised_pnl for fill in order.fills), Decimal(0))),
        "posSide": "net",
        "px": "",
        "pxType": "",
        "pxUsd": "",
        "pxVol": "",
        "quickMgnType": "",
        "rebate": "0",
        "rebateCcy": QUOTE,
        "reduceOnly": "true" if order.reduce_only else "false",
        "side": order.side.value,
        "slOrdPx": "",
        "slTriggerPx": "",
        "slTriggerPxType": "",
        "source": "",
        "state": _STATES.get(order.status, working),
        "stpId": "",
        "stpMode": "",
        "sz": contracts(order.quantity, instrument),
        "tag": "",
        "tdMode": "cross",
        "tgtCcy": "",
        "tpOrdPx": "",
        "tpTriggerPx": "",
        "tpTriggerPxType": "",
        "tradeId": trade_id(last, order) if last else "",
        "uTime": str(to_ms(order.updated_at or order.time)),
    }


def trade_id(fill: Fill, order: Order) -> str:
    """Numbers trades of an instrument; below zero where the venue closed the position."""
    return str(-fill.number if order.origin in _CATEGORIES else fill.number)


def fill_fields(fill: Fill, order: Order, instrument: Instrument, fee_rate: Decimal) -> dict[str, Any]:
    """A fill as the trade history shows it; what was paid is below zero."""
    return {
        "side": fill.side.value,
        "fillSz": contracts(fill.quantity, instrument),
        "fillPx": text(fill.price),
        "fillPxVol": "",
        "fillFwdPx": "",
        "fee": text(-fill.fee),
        "fillPnl": text(fill.realised_pnl),
        "ordId": fill.order_id,
        "feeRate": text(-fee_rate),
        "instType": KIND,
        "fillPxUsd": "",
        "instId": instrument_id(fill.symbol),
        "clOrdId": fill.client_id,
        "posSide": "net",
        "billId": fill.fill_id,
        "subType": sub_type(fill),
        "fillMarkVol": "",
        "tag": "",
        "fillTime": str(to_ms(fill.time)),
        "execType": "T",
        "fillIdxPx": text(fill.price),
        "tradeId": trade_id(fill, order),
        "fillMarkPx": text(fill.price),
        "feeCcy": QUOTE,
        "ts": str(to_ms(fill.time)),
    }


def sub_type(fill: Fill) -> str:
    """1 bought, 2 sold."""
    return "1" if fill.side.sign > 0 else "2"
