"""Reading Hyperliquid's parameters and writing its objects. Figures are text, ids and times are numbers."""

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from venue_sim.account import Order, OrderStatus
from venue_sim.dialects.hyperliquid.errors import NothingError, UnreadableError
from venue_sim.dialects.rest import is_integer
from venue_sim.dialects.wire import Params, decimals_of, text, to_ms
from venue_sim.matching import Side
from venue_sim.scenario import Instrument
from venue_sim.venue import Venue

QUOTE = "USDC"
NO_HASH = "0x" + "0" * 64
CLIENT_ID = re.compile(r"0x[0-9a-f]{32}")
_SIDES = {Side.BUY: "B", Side.SELL: "A"}
_SIGNIFICANT_DIGITS = 5
_PRICE_DECIMALS = 6


def figure(amount: Decimal) -> str:
    """A figure in plain digits, exactly, with a decimal point and no more zeros than it needs."""
    plain = text(amount.normalize()) if amount else "0"
    return plain if "." in plain else f"{plain}.0"


def side_letter(side: Side) -> str:
    """B bids, A asks."""
    return _SIDES[side]


def size_decimals(instrument: Instrument) -> int:
    """How many decimals a quantity has."""
    return decimals_of(instrument.quantity_step)


def price_is_allowed(price: Decimal, instrument: Instrument) -> bool:
    """Five significant digits at most, and no more than six decimals less those of the quantity; or an integer."""
    digits = len(price.normalize().as_tuple().digits)
    whole = price == price.to_integral_value()
    return whole or (
        digits <= _SIGNIFICANT_DIGITS and decimals_of(price) <= _PRICE_DECIMALS - size_decimals(instrument)
    )


def required(params: Params, name: str) -> str:
    """A mandatory parameter."""
    value = params.get(name, "")
    if not value:
        raise UnreadableError
    return value


def required_coin(params: Params, venue: Venue) -> str:
    """The symbol of the mandatory `coin`, which must be listed."""
    coin = required(params, "coin")
    if coin not in venue.instruments:
        raise NothingError
    return coin


def integer(params: Params, name: str) -> int | None:
    """An integer parameter, or None where it is absent."""
    value = params.get(name, "")
    if value and not is_integer(value):
        raise UnreadableError
    return int(value) if value else None


def symbol_at(venue: Venue, asset: str) -> str:
    """The symbol of an asset's number; whether it is listed, the venue says."""
    listed = list(venue.instruments)
    return listed[int(asset)] if is_integer(asset) and int(asset) < len(listed) else f"?{asset}"


def page(params: Params, rows: Sequence[dict[str, Any]], limit: int) -> list[dict[str, Any]]:
    """Rows of the time asked for, oldest first; how many at once is the venue's to say."""
    start, end = integer(params, "startTime"), integer(params, "endTime")
    if start is None:
        raise UnreadableError
    shown = [row for row in rows if row["time"] >= start and (end is None or row["time"] <= end)]
    return shown[:limit]


def order_fields(order: Order) -> dict[str, Any]:
    """An order as it stands, in the envelope of `orderStatus`. How much of it filled is said, at what price is not."""
    return {
        "order": {
            "coin": order.symbol,
            "side": side_letter(order.side),
            "limitPx": figure(order.limit_price or Decimal(0)),
            "sz": figure(order.remaining),
            "oid": int(order.order_id),
            "timestamp": to_ms(order.time),
            "triggerCondition": "N/A",
            "isTrigger": False,
            "triggerPx": "0.0",
            "children": [],
            "isPositionTpsl": False,
            "reduceOnly": order.reduce_only,
            "orderType": "Limit",
            "origSz": figure(order.quantity),
            "tif": "Ioc",
            "cloid": order.client_id or None,
        },
        "status": _status(order),
        "statusTimestamp": to_ms(order.updated_at or order.time),
    }


def _status(order: Order) -> str:
    match order.status:
        case OrderStatus.WORKING:
            return "open"
        case OrderStatus.FILLED:
            return "filled"
        case OrderStatus.EXPIRED if not order.filled:
            return "iocCancelRejected"
        case _:
            return "canceled"
