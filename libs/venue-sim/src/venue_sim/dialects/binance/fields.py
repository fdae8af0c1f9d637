"""Reading Binance's parameters and writing its objects: orders, fills."""

from decimal import Decimal
from typing import Any

from venue_sim.account import Fill, Order, OrderStatus, Origin
from venue_sim.dialects.binance.errors import BinanceError, missing
from venue_sim.dialects.wire import Params, base_asset, parse_decimal, rounded, text, to_ms

QUOTE = "USDT"
_STATUSES = {
    OrderStatus.WORKING: "NEW",
    OrderStatus.FILLED: "FILLED",
    OrderStatus.EXPIRED: "EXPIRED",
    OrderStatus.CANCELLED: "CANCELED",
}


def venue_symbol(symbol: str) -> str:
    """`SOL` as Binance lists it."""
    return symbol + QUOTE


def required_symbol(params: Params) -> str:
    """The scenario's symbol of the mandatory `symbol`; whether it is listed, the venue says."""
    value = params.get("symbol", "")
    if not value:
        raise missing("symbol")
    return base_asset(value)


def integer(params: Params, name: str, default: int | None = None) -> int | None:
    """An integer parameter, or `default` where it is absent."""
    value = params.get(name, "")
    if not value:
        return default
    if not value.isascii() or not value.removeprefix("-").isdigit() or len(value) > 18:
        raise BinanceError(-1100, f"Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'.")
    return int(value)


def boolean(params: Params, name: str) -> bool | None:
    """A `true` / `false` parameter, or None where it is absent."""
    value = params.get(name, "").lower()
    if not value:
        return None
    if value not in ("true", "false"):
        raise missing(name)
    return value == "true"


def quantity(params: Params) -> Decimal:
    """The mandatory `quantity`."""
    value = params.get("quantity", "")
    if not value:
        raise missing("quantity")
    figure = parse_decimal(value)
    if figure is None:
        raise BinanceError(
            -1100,
            "Illegal characters found in parameter 'quantity'; legal range is '^([0-9]{1,20})(\\.[0-9]{1,20})?$'.",
        )
    return figure


def order_fields(order: Order) -> dict[str, Any]:
    """An order as it stands, as order queries and RESULT answers show it."""
    return {
        **_common_order_fields(order),
        "status": "PARTIALLY_FILLED"
        if order.status is OrderStatus.WORKING and order.filled
        else _STATUSES[order.status],
        "avgPrice": rounded(order.average) if order.filled else "0.00",
        "executedQty": text(order.filled),
        "cumQuote": text(order.quote),
    }


def accepted_order_fields(order: Order) -> dict[str, Any]:
    """An order as an ACK answer shows it: accepted, nothing said about fills."""
    return {**_common_order_fields(order), "status": "NEW", "avgPrice": "0.00", "executedQty": "0", "cumQuote": "0"}


def _common_order_fields(order: Order) -> dict[str, Any]:
    order_type = "LIMIT" if order.origin in (Origin.LIQUIDATION, Origin.DELEVERAGING) else "MARKET"
    return {
        "orderId": int(order.order_id),
        "symbol": venue_symbol(order.symbol),
        "clientOrderId": order.client_id,
        "price": "0",
        "origQty": text(order.quantity),
        "timeInForce": "IOC" if order.origin is Origin.LIQUIDATION else "GTC",
        "type": order_type,
        "origType": order_type,
        "reduceOnly": order.reduce_only,
        "closePosition": False,
        "side": order.side.value.upper(),
        "positionSide": "BOTH",
        "stopPrice": "0",
        "workingType": "CONTRACT_PRICE",
        "priceProtect": False,
        "priceMatch": "NONE",
        "selfTradePreventionMode": "NONE",
        "goodTillDate": 0,
        "updateTime": to_ms(order.updated_at or order.time),
    }


def fill_fields(fill: Fill) -> dict[str, Any]:
    """One of the account's trades."""
    return {
        "symbol": venue_symbol(fill.symbol),
        "id": int(fill.fill_id),
        "orderId": int(fill.order_id),
        "side": fill.side.value.upper(),
        "price": text(fill.price),
        "qty": text(fill.quantity),
        "realizedPnl": rounded(fill.realised_pnl),
        "quoteQty": text(fill.price * fill.quantity),
        "commission": text(fill.fee),
        "commissionAsset": QUOTE,
        "time": to_ms(fill.time),
        "positionSide": "BOTH",
        "maker": False,
        "buyer": fill.side.sign > 0,
    }
