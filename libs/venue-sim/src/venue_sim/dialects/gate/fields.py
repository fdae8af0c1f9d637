"""Reading Gate's parameters and writing its objects. Its quantities are contracts, the venue's are base units."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any

from venue_sim.account import Fill, Order, OrderStatus, Origin
from venue_sim.dialects.gate.errors import empty, invalid
from venue_sim.dialects.rest import read_integer, read_required
from venue_sim.dialects.wire import Call, Params, rounded, text, to_ms
from venue_sim.scenario import Instrument

QUOTE = "USDT"
USER = 10_000
PAGE_DEFAULT, PAGE_MAX = 100, 1000
CLIENT_PREFIX = "t-"
_SUFFIX = f"_{QUOTE}"
_ORIGINS = {Origin.OWNER: "web", Origin.LIQUIDATION: "liquidation", Origin.DELEVERAGING: "auto_deleveraging"}

required = partial(read_required, missing=empty)
integer = partial(read_integer, wrong=invalid)


def contract_name(symbol: str) -> str:
    """`SOL` as Gate lists it."""
    return symbol + _SUFFIX


def symbol_of(contract: str) -> str:
    """The scenario's symbol of a contract; whether it is listed, the venue says."""
    return contract.removesuffix(_SUFFIX) if contract.endswith(_SUFFIX) else f"?{contract}"


def required_symbol(params: Params) -> str:
    """The scenario's symbol of the mandatory `contract`."""
    return symbol_of(required(params, "contract"))


def size(quantity: Decimal, instrument: Instrument, headers: Mapping[str, str]) -> int | str:
    """Base units in contracts: text where the request asks for it or the contract is traded in parts."""
    contracts = (quantity / instrument.contract_size).normalize()
    as_text = headers.get("x-gate-size-decimal") == "1" or is_traded_in_parts(instrument)
    return text(contracts) if as_text else int(contracts)


def is_traded_in_parts(instrument: Instrument) -> bool:
    """Whether less than a contract can be ordered: then the minimum is the lot, too."""
    return instrument.quantity_step != instrument.contract_size


def seconds(moment: datetime) -> float:
    """A moment as Gate writes it: seconds with their fraction."""
    return to_ms(moment) / 1000


def page(params: Params, rows: Sequence[dict[str, Any]], time_name: str) -> list[dict[str, Any]]:
    """One page of rows that are newest first: of the seconds asked for, from an offset on."""
    first, last = integer(params, "from"), integer(params, "to")
    limit, offset = integer(params, "limit"), integer(params, "offset") or 0
    if limit == 0:
        raise invalid("limit")
    shown = [
        row
        for row in rows
        if (first is None or row[time_name] >= first) and (last is None or int(row[time_name]) <= last)
    ]
    return shown[offset : offset + min(limit or PAGE_DEFAULT, PAGE_MAX)]


def text_of(order: Order) -> str:
    """The order's `text`: the client id where the trader sent it, otherwise who did."""
    return _ORIGINS.get(order.origin, f"{CLIENT_PREFIX}{order.client_id}")


def order_fields(order: Order, instrument: Instrument, call: Call) -> dict[str, Any]:
    """An order as it stands; its size is below zero where it sells."""
    sign = order.side.sign
    fields = {
        "id": int(order.order_id),
        "user": USER,
        "contract": contract_name(order.symbol),
        "create_time": seconds(order.time),
        "size": size(sign * order.quantity, instrument, call.headers),
        "iceberg": 0,
        "left": size(sign * order.remaining, instrument, call.headers),
        "price": "0",
        "fill_price": rounded(order.average, 16) if order.filled else "0",
        "mkfr": "0.0002",
        "tkfr": "0.0005",
        "tif": "ioc",
        "refu": 0,
        "is_reduce_only": order.reduce_only,
        "is_close": False,
        "is_liq": order.origin is Origin.LIQUIDATION,
        "text": text_of(order),
        "status": "open",
        "stp_id": 0,
        "stp_act": "-",
        "amend_text": "-",
    }
    if order.status is OrderStatus.WORKING:
        return fields
    ended = seconds(order.updated_at or order.time)
    return fields | {"status": "finished", "finish_time": ended, "finish_as": _finish(order)}


def _finish(order: Order) -> str:
    if order.status is OrderStatus.FILLED:
        return "filled"
    if order.status is OrderStatus.CANCELLED:
        return "cancelled"
    return "reduce_only" if order.reduce_only else "ioc"


def fill_fields(fill: Fill, order: Order, instrument: Instrument, call: Call) -> dict[str, Any]:
    """A fill; what was paid is above zero."""
    return {
        "id": int(fill.fill_id),
        "create_time": seconds(fill.time),
        "contract": contract_name(fill.symbol),
        "order_id": fill.order_id,
        "size": size(fill.side.sign * fill.quantity, instrument, call.headers),
        "price": text(fill.price),
        "text": text_of(order),
        "fee": text(fill.fee),
        "point_fee": "0",
        "role": "taker",
    }
