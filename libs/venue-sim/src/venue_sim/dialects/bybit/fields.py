"""Reading Bybit's parameters and writing its objects: orders, executions, pages."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from venue_sim.account import Fill, FundingPayment, Order, OrderStatus, Origin
from venue_sim.dialects.bybit.errors import BybitError, invalid
from venue_sim.dialects.wire import Params, base_asset, rounded, text, to_ms
from venue_sim.matching import Side

QUOTE = "USDT"
_EXECUTION_TYPES = {Origin.LIQUIDATION: "BustTrade", Origin.DELEVERAGING: "AdlTrade"}
_CREATE_TYPES = {
    Origin.LIQUIDATION: "CreateByTakeOver_PassThrough",
    Origin.DELEVERAGING: "CreateByAdl_PassThrough",
}
SIDES = {Side.BUY: "Buy", Side.SELL: "Sell"}


def venue_symbol(symbol: str) -> str:
    """`SOL` as Bybit lists it."""
    return symbol + QUOTE


def category(params: Params) -> str:
    """The mandatory category; this venue lists linear contracts only."""
    value = params.get("category", "")
    if value not in ("linear", "inverse", "spot", "option"):
        raise BybitError(10001, "params error: Category is invalid")
    return value


def linear_symbol(params: Params) -> str:
    """The scenario's symbol of the mandatory `symbol` of a linear contract."""
    if category(params) != "linear":
        raise BybitError(10001, "params error: Category is invalid")
    value = params.get("symbol", "")
    if not value:
        raise invalid("symbol")
    return base_asset(value)


def integer(params: Params, name: str) -> int | None:
    """An integer parameter, or None where it is absent."""
    value = params.get(name, "")
    if not value:
        return None
    if not value.isascii() or not value.removeprefix("-").isdigit() or len(value) > 18:
        raise invalid(name)
    return int(value)


def page(params: Params, rows: Sequence[tuple[int, dict[str, Any]]], *, default: int, most: int) -> dict[str, Any]:
    """One page of numbered rows, newest (highest number) first, and the cursor of the next one.

    The cursor is the number after which to go on; it is empty after the last page.
    """
    limit, cursor = integer(params, "limit"), integer(params, "cursor")
    if limit is not None and limit < 1:
        raise invalid("limit")
    size = min(limit or default, most)
    newest_first = sorted(rows, key=lambda row: row[0], reverse=True)
    if cursor is not None:
        newest_first = [row for row in newest_first if row[0] < cursor]
    shown = newest_first[:size]
    more = len(newest_first) > size
    return {
        "category": "linear",
        "list": [fields for _, fields in shown],
        "nextPageCursor": str(shown[-1][0]) if more else "",
    }


def order_fields(order: Order) -> dict[str, Any]:
    """An order as it stands."""
    status, reason = _status(order)
    remaining = order.remaining if order.status is OrderStatus.WORKING else Decimal(0)
    return {
        "orderId": order.order_id,
        "orderLinkId": order.client_id,
        "blockTradeId": "",
        "symbol": venue_symbol(order.symbol),
        "price": "0",
        "qty": text(order.quantity),
        "side": SIDES[order.side],
        "isLeverage": "",
        "positionIdx": 0,
        "orderStatus": status,
        "cancelType": "UNKNOWN",
        "rejectReason": reason,
        "avgPrice": rounded(order.average) if order.filled else "",
        "leavesQty": text(remaining),
        "leavesValue": "0",
        "cumExecQty": text(order.filled),
        "cumExecValue": text(order.quote),
        "cumExecFee": text(order.fee),
        "timeInForce": "IOC",
        "orderType": "Market",
        "stopOrderType": "",
        "orderIv": "",
        "triggerPrice": "",
        "takeProfit": "",
        "stopLoss": "",
        "tpTriggerBy": "",
        "slTriggerBy": "",
        "triggerDirection": 0,
        "triggerBy": "",
        "lastPriceOnCreated": "",
        "reduceOnly": order.reduce_only,
        "closeOnTrigger": False,
        "createType": _CREATE_TYPES.get(order.origin, "CreateByUser"),
        "smpType": "None",
        "smpGroup": 0,
        "smpOrderId": "",
        "tpslMode": "",
        "tpLimitPrice": "",
        "slLimitPrice": "",
        "placeType": "",
        "createdTime": str(to_ms(order.time)),
        "updatedTime": str(to_ms(order.updated_at or order.time)),
    }


def _status(order: Order) -> tuple[str, str]:
    """Bybit's status and reject reason."""
    match order.status:
        case OrderStatus.WORKING:
            return ("PartiallyFilled" if order.filled else "New"), "EC_NoError"
        case OrderStatus.FILLED:
            return "Filled", "EC_NoError"
        case OrderStatus.CANCELLED:
            return "Cancelled", "EC_PerCancelRequest"
        case OrderStatus.EXPIRED:
            return ("PartiallyFilledCanceled" if order.filled else "Cancelled"), "EC_NoImmediateQtyToFill"


def execution_type(order: Order) -> str:
    """What Bybit calls an execution of this order."""
    return _EXECUTION_TYPES.get(order.origin, "Trade")


def fill_fields(fill: Fill, order: Order, fee_rate: str) -> dict[str, Any]:
    """An execution of an order."""
    return {
        **_execution(execution_type(order), fill.fill_id, fill.order_id, fill.client_id, fill.symbol),
        "side": SIDES[fill.side],
        "orderType": "Market",
        "orderQty": text(order.quantity),
        "execPrice": text(fill.price),
        "execQty": text(fill.quantity),
        "execValue": text(fill.price * fill.quantity),
        "execFee": text(fill.fee),
        "feeRate": fee_rate,
        "markPrice": text(fill.price),
        "execTime": str(to_ms(fill.time)),
        "seq": fill.number,
    }


def payment_fields(payment: FundingPayment) -> dict[str, Any]:
    """An execution of the type Funding. Its fee, and the rate with it, is positive when the account paid."""
    is_long = payment.position > 0
    return {
        **_execution("Funding", payment.payment_id, payment.payment_id, "", payment.symbol),
        "side": SIDES[Side.BUY if is_long else Side.SELL],
        "orderType": "UNKNOWN",
        "orderQty": "0",
        "execPrice": text(payment.mark),
        "execQty": text(abs(payment.position)),
        "execValue": rounded(abs(payment.position) * payment.mark),
        "execFee": text(-payment.amount),
        "feeRate": text(payment.rate if is_long else -payment.rate),
        "markPrice": text(payment.mark),
        "execTime": str(to_ms(payment.time)),
        "seq": payment.number,
    }


def _execution(kind: str, execution_id: str, order_id: str, client_id: str, symbol: str) -> dict[str, Any]:
    return {
        "symbol": venue_symbol(symbol),
        "execType": kind,
        "execId": execution_id,
        "orderId": order_id,
        "orderLinkId": client_id,
        "stopOrderType": "",
        "leavesQty": "0",
        "closedSize": "",
        "isMaker": False,
        "feeCurrency": "",
        "underlyingPrice": "",
        "indexPrice": "",
        "tradeIv": "",
        "markIv": "",
        "blockTradeId": "",
        "orderPrice": "0",
    }
