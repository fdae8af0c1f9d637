"""Fills, funding, final accounts, positions: the statements of `executor.adapters.bookkeeping`."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from executor.adapters import bookkeeping as sql
from support.memory_postgres import Row, Statement, Transaction
from support.memory_rows import one, picked
from support.memory_statements_signals import TRADE_COLUMNS

_OVER = ("closed", "failed")


def _active(transaction: Transaction) -> list[Row]:
    found = transaction.rows("live_trade_signal")
    return [picked(row, TRADE_COLUMNS) for row in found if row["status"] in ("open", "closing")]


def _unbooked_trades(transaction: Transaction) -> list[Row]:
    found = {
        row["signal_id"]
        for row in transaction.rows("live_trade_order")
        if row["booked_quantity"] != row["filled_quantity"]
    }
    found |= {row["signal_id"] for row in transaction.having("live_trade_fill", fee_usdt=None)}
    return [{"signal_id": id_} for id_ in sorted(found)]


def _taken_elsewhere(transaction: Transaction, signal_id: int, venue: str, ids: Sequence[str]) -> list[Row]:
    found = {
        row["venue_order_id"]
        for row in transaction.having("live_trade_order", venue=venue)
        if row["venue_order_id"] in ids and row["signal_id"] != signal_id
    }
    return [{"venue_order_id": id_} for id_ in sorted(found)]


def _unfinalised(transaction: Transaction) -> list[Row]:
    found = transaction.having("live_trade_signal", finalised_at=None)
    return [picked(row, TRADE_COLUMNS) for row in found if row["status"] in _OVER]


def _recent_closes(transaction: Transaction, since: datetime) -> list[Row]:
    found = [row for row in transaction.rows("live_trade_signal") if row["finalised_at"] is not None]
    return [picked(row, ("id", "closed_at")) for row in found if row["finalised_at"] >= since]


def _hold(transaction: Transaction, signal_id: int) -> list[Row]:
    row = transaction.locked("live_trade_signal", signal_id)
    return [{"is_final": row["finalised_at"] is not None}] if row is not None else []


_FILL = ("signal_id", "order_id", "venue", "symbol", "fill_id", "side", "price", "quantity", "fee_usdt", "traded_at")


def _add_fill(transaction: Transaction, *arguments: Any) -> list[Row]:
    values = dict(zip(_FILL, arguments, strict=True))
    known = transaction.conflicting("live_trade_fill", values)
    if known is None:
        return one(transaction.insert("live_trade_fill", **values), "id")
    known = transaction.locked("live_trade_fill", known["id"]) or known
    if known["fee_usdt"] is None and values["fee_usdt"] is not None:
        return one(transaction.update("live_trade_fill", known, fee_usdt=values["fee_usdt"]), "id")
    return []


def _booked(transaction: Transaction, order_ids: Sequence[int]) -> list[Row]:
    for id_ in order_ids:
        fills = list(transaction.having("live_trade_fill", order_id=id_))
        order = transaction.locked("live_trade_order", id_)
        if not fills or order is None:
            continue
        quantity = sum((fill["quantity"] for fill in fills), Decimal(0))
        notional = sum((fill["price"] * fill["quantity"] for fill in fills), Decimal(0))
        average = notional / quantity if quantity == order["filled_quantity"] else order["average_price"]
        transaction.update("live_trade_order", order, booked_quantity=quantity, average_price=average)
    return []


_FUNDING = ("signal_id", "leg", "venue", "symbol", "payment_id", "amount_usdt", "settled_at")


def _add_funding(transaction: Transaction, *arguments: Any) -> list[Row]:
    values = dict(zip(_FUNDING, arguments, strict=True))
    if transaction.conflicting("live_trade_funding", values) is not None:
        return []
    return one(transaction.insert("live_trade_funding", **values), "id")


def _leg_changes(transaction: Transaction, signal_id: int, leg: str) -> list[Row]:
    orders = {row["id"]: row["purpose"] for row in transaction.having("live_trade_order", signal_id=signal_id, leg=leg)}
    fills = [row for row in transaction.having("live_trade_fill", signal_id=signal_id) if row["order_id"] in orders]
    fills.sort(key=lambda row: (row["traded_at"], row["id"]))
    signs = {id_: 1 if purpose == "open" else -1 for id_, purpose in orders.items()}
    return [{"traded_at": row["traded_at"], "change": signs[row["order_id"]] * row["quantity"]} for row in fills]


def _unbooked(transaction: Transaction, signal_id: int) -> list[Row]:
    orders = transaction.having("live_trade_order", signal_id=signal_id)
    return [{"count": sum(row["booked_quantity"] != row["filled_quantity"] for row in orders)}]


def _fills(transaction: Transaction, signal_id: int) -> list[Row]:
    found = transaction.having("live_trade_fill", signal_id=signal_id)
    return [picked(row, ("side", "price", "quantity", "fee_usdt")) for row in found]


def _payments(transaction: Transaction, signal_id: int) -> list[Row]:
    found = transaction.having("live_trade_funding", signal_id=signal_id)
    return [picked(row, ("leg", "amount_usdt", "settled_at")) for row in found]


def _finalise(
    transaction: Transaction,
    id_: int,
    version: int,
    spread: Decimal,
    fees: Decimal,
    funding: Decimal,
    net: Decimal,
    now: datetime,
) -> list[Row]:
    row = transaction.locked("live_trade_signal", id_)
    if row is None or row["version"] != version or row["status"] not in _OVER or row["finalised_at"] is not None:
        return []
    final = transaction.update(
        "live_trade_signal",
        row,
        spread_pnl_usdt=spread,
        fees_usdt=fees,
        funding_usdt=funding,
        net_pnl_usdt=net,
        finalised_at=now,
        updated_at=now,
        version=version + 1,
    )
    return one(final, "version")


def _correct(transaction: Transaction, id_: int, funding: Decimal, net: Decimal, now: datetime) -> list[Row]:
    before = transaction.locked("live_trade_signal", id_)
    if before is None or before["funding_usdt"] == funding:
        return []
    changed = transaction.update(
        "live_trade_signal",
        before,
        funding_usdt=funding,
        net_pnl_usdt=net,
        updated_at=now,
        version=before["version"] + 1,
    )
    return [{**picked(changed, ("version", "status")), "net_pnl_usdt_before": before["net_pnl_usdt"]}]


def _positions(
    transaction: Transaction, venue: str, symbols: Sequence[str], quantities: Sequence[Decimal], read_at: datetime
) -> list[Row]:
    for symbol, quantity in zip(symbols, quantities, strict=True):
        values = {"venue": venue, "symbol": symbol, "quantity": quantity, "read_at": read_at}
        known = transaction.conflicting("live_trade_venue_position", values)
        if known is None:
            transaction.insert("live_trade_venue_position", **values)
        elif known["read_at"] <= read_at:
            transaction.lock("row", "live_trade_venue_position", known["id"])
            transaction.update("live_trade_venue_position", known, quantity=quantity, read_at=read_at)
    return []


BOOK_STATEMENTS: dict[str, Statement] = {
    sql._ACTIVE: _active,
    sql._UNBOOKED_TRADES: _unbooked_trades,
    sql._TAKEN_ELSEWHERE: _taken_elsewhere,
    sql._UNFINALISED: _unfinalised,
    sql._RECENT_CLOSES: _recent_closes,
    sql._HOLD: _hold,
    sql._ADD_FILL: _add_fill,
    sql._BOOKED: _booked,
    sql._ADD_FUNDING: _add_funding,
    sql._LEG_CHANGES: _leg_changes,
    sql._UNBOOKED: _unbooked,
    sql._FILLS: _fills,
    sql._FUNDING: _payments,
    sql._FINALISE: _finalise,
    sql._CORRECT: _correct,
    sql._POSITION: _positions,
}
