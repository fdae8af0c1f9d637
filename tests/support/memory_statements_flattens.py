"""Flattened positions: the statements of `executor.adapters.flattens`."""

from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any

from common.domain.trade_states import ACTIVE_STATES
from executor.adapters import flattens as sql
from support.memory_postgres import Row, Statement, Transaction
from support.memory_rows import one, picked, stored_json
from support.memory_statements_trades import store_outcome

_NEW = ("request_id", "leg", "attempt", "client_order_id", "venue", "symbol", "side", "quantity", "reference_price")
_READ = ("id", "version", *_NEW[1:], "status", "venue_order_id", "filled_quantity", "average_price", "intended_at")
_FILL = ("order_id", "venue", "symbol", "fill_id", "side", "price", "quantity", "fee_usdt", "traded_at")


def _begin(
    transaction: Transaction,
    request_id: str,
    order_key: str,
    venue: str,
    symbol: str,
    requested_by: str,
    evidence: Any,
    now: datetime,
) -> list[Row]:
    values = {
        "request_id": request_id,
        "order_key": order_key,
        "venue": venue,
        "symbol": symbol,
        "requested_by": requested_by,
        "state": "working",
        "evidence": stored_json(evidence),
        "updated_at": now,
    }
    row = transaction.conflicting("operator_flatten", values) or transaction.insert("operator_flatten", **values)
    return one(row, "order_key", "state")


def _active_trade(transaction: Transaction, symbol: str, venue: str) -> list[Row]:
    return [
        picked(row, ("id", "status"))
        for row in transaction.having("live_trade_signal", symbol=symbol)
        if row["status"] in ACTIVE_STATES and venue in (row["long_venue"], row["short_venue"])
    ]


def _booked(transaction: Transaction, order: Row, *, with_fees: bool) -> Decimal:
    fills = transaction.having("operator_flatten_fill", order_id=order["id"])
    return sum((fill["quantity"] for fill in fills if fill["fee_usdt"] is not None or not with_fees), Decimal(0))


def _shown(transaction: Transaction, order: Row) -> Row:
    return {
        **picked(order, _READ),
        "age_seconds": transaction.server.now_seconds() - order["written_seconds"],
        "booked_quantity": _booked(transaction, order, with_fees=False),
    }


def _orders(transaction: Transaction, request_id: str) -> list[Row]:
    return [_shown(transaction, row) for row in transaction.having("operator_flatten_order", request_id=request_id)]


def _unfinished(transaction: Transaction) -> list[Row]:
    return [
        _shown(transaction, row)
        for row in transaction.rows("operator_flatten_order")
        if row["status"] in ("intent", "working", "unknown")
        or row["filled_quantity"] > _booked(transaction, row, with_fees=True)
    ]


def _add(transaction: Transaction, *arguments: Any) -> list[Row]:
    *values, now = arguments
    row = {
        "version": 1,
        "status": "intent",
        "venue_order_id": None,
        "filled_quantity": Decimal(0),
        "average_price": None,
        "error": None,
        "intended_at": now,
        "written_seconds": transaction.server.now_seconds(),
        "resolved_at": None,
        **dict(zip(_NEW, values, strict=True)),
    }
    if transaction.conflicting("operator_flatten_order", row) is not None:
        return []
    return [_shown(transaction, transaction.insert("operator_flatten_order", **row))]


def _add_fill(transaction: Transaction, *arguments: Any) -> list[Row]:
    values = dict(zip(_FILL, arguments, strict=True))
    known = transaction.conflicting("operator_flatten_fill", values)
    if known is None:
        transaction.insert("operator_flatten_fill", **values)
    elif known["fee_usdt"] is None and values["fee_usdt"] is not None:
        transaction.lock("row", "operator_flatten_fill", known["id"])
        transaction.update("operator_flatten_fill", known, fee_usdt=values["fee_usdt"])
    return []


def _tell(transaction: Transaction, request_id: str, state: str, evidence: Any, now: datetime) -> list[Row]:
    for found in list(transaction.having("operator_flatten", request_id=request_id)):
        row = transaction.locked("operator_flatten", found["id"])
        if row is not None and row["state"] == "working":
            changed = {"state": state, "evidence": stored_json(evidence), "updated_at": now}
            return one(transaction.update("operator_flatten", row, **changed), "state")
    return []


FLATTEN_STATEMENTS: dict[str, Statement] = {
    sql._BEGIN: _begin,
    sql._ACTIVE_TRADE: _active_trade,
    sql._ORDERS: _orders,
    sql._UNFINISHED: _unfinished,
    sql._ADD: _add,
    sql._ADD_FILL: _add_fill,
    sql._OUTCOME: partial(store_outcome, table="operator_flatten_order"),
    sql._TELL: _tell,
}
