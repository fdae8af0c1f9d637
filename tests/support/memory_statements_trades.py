"""Trades at work: the statements of `executor.adapters.trade_ledger`."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from common.domain.trade_states import ACTIVE_STATES
from executor.adapters import trade_ledger as sql
from support.memory_postgres import Row, Statement, Transaction
from support.memory_rows import one, picked, stored_json
from support.memory_statements_signals import ENTRY_COLUMNS, ORDER_COLUMNS, TRADE_COLUMNS, guarded, trading_state

_NEW_ORDER = (
    "entry",
    "leg",
    "purpose",
    "attempt",
    "client_order_id",
    "venue",
    "symbol",
    "side",
    "reduce_only",
    "quantity",
    "reference_price",
)


def _trading_state_locked(transaction: Transaction) -> list[Row]:
    """Shared in PostgreSQL, exclusive here: entries wait for each other a little more than they would."""
    transaction.lock("row", "trading_state", 1)
    return trading_state(transaction)


def _trading_state_alone(transaction: Transaction, number: int) -> list[Row]:
    transaction.lock("advisory", number)
    return _trading_state_locked(transaction)


def _to_opening(
    transaction: Transaction,
    id_: int,
    version: int,
    sources: Sequence[str],
    long_venue: str,
    short_venue: str,
    pnl_hat: float,
    win_prob: float,
    take_profit_pnl: float,
    now: datetime,
    owner: str,
    lease_seconds: float,
    concurrent_max: int,
) -> list[Row]:
    active = {"active_trades": sum(row["status"] in ACTIVE_STATES for row in transaction.rows("live_trade_signal"))}
    row = guarded(transaction, id_, version, sources) if active["active_trades"] < concurrent_max else None
    if row is None:
        return [active | dict.fromkeys(TRADE_COLUMNS)]
    begun = transaction.update(
        "live_trade_signal",
        row,
        status="opening",
        reason=None,
        reason_evidence=None,
        next_attempt_at=None,
        attempts=row["attempts"] + 1,
        long_venue=long_venue,
        short_venue=short_venue,
        pnl_hat=pnl_hat,
        win_prob=win_prob,
        take_profit_pnl=take_profit_pnl,
        updated_at=now,
        lease_owner=owner,
        lease_until_seconds=transaction.server.now_seconds() + lease_seconds,
        version=version + 1,
    )
    return [active | picked(begun, TRADE_COLUMNS)]


def _touch(transaction: Transaction, id_: int, version: int, now: datetime, owner: str) -> list[Row]:
    row = transaction.locked("live_trade_signal", id_)
    if row is None or row["version"] != version or row["lease_owner"] not in (None, owner):
        return []
    touched = transaction.update("live_trade_signal", row, updated_at=now, version=version + 1)
    return one(touched, *TRADE_COLUMNS)


def _insert_entry(
    transaction: Transaction,
    signal_id: int,
    entry: int,
    event_id: int,
    planned_quantity: Decimal,
    pnl_hat: float,
    win_prob: float,
    snapshot: Any,
    now: datetime,
) -> list[Row]:
    row = transaction.insert(
        "live_trade_entry",
        signal_id=signal_id,
        entry=entry,
        status="opening",
        event_id=event_id,
        planned_quantity=planned_quantity,
        pnl_hat=pnl_hat,
        win_prob=win_prob,
        snapshot=stored_json(snapshot),
        requested_at=now,
    )
    return one(row, *ENTRY_COLUMNS)


def _insert_orders(transaction: Transaction, signal_id: int, now: datetime, *lists: Sequence[Any]) -> list[Row]:
    added = []
    for values in zip(*lists, strict=True):
        row = transaction.insert(
            "live_trade_order",
            version=1,
            signal_id=signal_id,
            intended_at=now,
            written_seconds=transaction.server.now_seconds(),
            status="intent",
            venue_order_id=None,
            filled_quantity=Decimal(0),
            average_price=None,
            error=None,
            resolved_at=None,
            booked_quantity=Decimal(0),
            **dict(zip(_NEW_ORDER, values, strict=True)),
        )
        added.append(picked(row, ORDER_COLUMNS))
    return added


def store_outcome(
    transaction: Transaction,
    id_: int,
    sources: Sequence[str],
    status: str,
    venue_order_id: str | None,
    filled_quantity: Decimal,
    average_price: Decimal | None,
    error: str | None,
    now: datetime,
    table: str = "live_trade_order",
) -> list[Row]:
    """What became of an order."""
    row = transaction.locked(table, id_)
    if row is None or row["status"] not in sources or row["filled_quantity"] > filled_quantity:
        return []
    changed = transaction.update(
        table,
        row,
        status=status,
        venue_order_id=row["venue_order_id"] if venue_order_id is None else venue_order_id,
        filled_quantity=filled_quantity,
        average_price=average_price,
        error=error,
        resolved_at=now,
        version=row["version"] + 1,
    )
    return one(changed, "id")


def _insert_external(
    transaction: Transaction,
    signal_id: int,
    leg: str,
    attempt: int,
    client_order_id: str,
    venue: str,
    symbol: str,
    side: str,
    quantity: Decimal,
    price: Decimal,
    venue_order_id: str,
    now: datetime,
) -> list[Row]:
    values = {
        "version": 1,
        "signal_id": signal_id,
        "entry": 0,
        "leg": leg,
        "purpose": "external",
        "attempt": attempt,
        "client_order_id": client_order_id,
        "venue": venue,
        "symbol": symbol,
        "side": side,
        "reduce_only": True,
        "quantity": quantity,
        "reference_price": price,
        "status": "filled",
        "venue_order_id": venue_order_id,
        "filled_quantity": quantity,
        "average_price": price,
        "error": None,
        "intended_at": now,
        "written_seconds": transaction.server.now_seconds(),
        "resolved_at": now,
        "booked_quantity": Decimal(0),
    }
    if transaction.conflicting("live_trade_order", values) is None:
        transaction.insert("live_trade_order", **values)
    return []


def _fill_entry(
    transaction: Transaction,
    id_: int,
    quantity: Decimal,
    notional_usdt: Decimal,
    metric: float,
    pct: float,
    now: datetime,
    snapshot: Any,
) -> list[Row]:
    row = transaction.locked("live_trade_entry", id_)
    if row is not None and row["status"] == "opening":
        transaction.update(
            "live_trade_entry",
            row,
            status="filled",
            quantity=quantity,
            notional_usdt=notional_usdt,
            entry_spread_metric=metric,
            entry_spread_pct=pct,
            filled_at=now,
            snapshot={**row["snapshot"], **stored_json(snapshot)},
        )
    return []


def _fail_entry(transaction: Transaction, id_: int, snapshot: Any) -> list[Row]:
    row = transaction.locked("live_trade_entry", id_)
    if row is not None and row["status"] == "opening":
        merged = {**row["snapshot"], **stored_json(snapshot)}
        transaction.update("live_trade_entry", row, status="failed", snapshot=merged)
    return []


def _moved(
    transaction: Transaction, id_: int, version: int, sources: Sequence[str], now: datetime, **values: Any
) -> list[Row]:
    row = guarded(transaction, id_, version, sources)
    if row is None:
        return []
    moved = transaction.update("live_trade_signal", row, updated_at=now, version=version + 1, **values)
    return one(moved, "version")


def _payload(transaction: Transaction, id_: int, added: Any) -> dict[str, Any]:
    row = transaction.row("live_trade_signal", id_)
    return {**(row["payload"] if row else {}), **stored_json(added)}


def _opened(
    transaction: Transaction,
    id_: int,
    version: int,
    sources: Sequence[str],
    now: datetime,
    force_close_at: datetime,
    payload: Any,
) -> list[Row]:
    row = transaction.locked("live_trade_signal", id_)
    values = {
        "status": "open",
        "opened_at": (row["opened_at"] if row else None) or now,
        "force_close_at": (row["force_close_at"] if row else None) or force_close_at,
        "payload": _payload(transaction, id_, payload),
    }
    return _moved(transaction, id_, version, sources, now, **values)


def _trade_failed(
    transaction: Transaction, id_: int, version: int, sources: Sequence[str], evidence: Any, now: datetime
) -> list[Row]:
    values = {
        "status": "failed",
        "reason": "entry_failed",
        "reason_evidence": stored_json(evidence),
        "closed_at": now,
    }
    return _moved(transaction, id_, version, sources, now, **values)


def _closing(
    transaction: Transaction,
    id_: int,
    version: int,
    sources: Sequence[str],
    reason: str,
    evidence: Any,
    now: datetime,
) -> list[Row]:
    values = {
        "status": "closing",
        "close_reason": reason,
        "close_evidence": stored_json(evidence),
        "close_requested_at": now,
    }
    return _moved(transaction, id_, version, sources, now, **values)


def _close_taken_over(
    transaction: Transaction, id_: int, version: int, sources: Sequence[str], payload: Any, now: datetime
) -> list[Row]:
    return _moved(transaction, id_, version, sources, now, payload=_payload(transaction, id_, payload))


def _closed(
    transaction: Transaction, id_: int, version: int, sources: Sequence[str], now: datetime, payload: Any
) -> list[Row]:
    values = {"status": "closed", "closed_at": now, "payload": _payload(transaction, id_, payload)}
    return _moved(transaction, id_, version, sources, now, **values)


TRADE_STATEMENTS: dict[str, Statement] = {
    sql._TRADING_STATE: _trading_state_locked,
    sql._TRADING_STATE_ALONE: _trading_state_alone,
    sql._TO_OPENING: _to_opening,
    sql._TOUCH: _touch,
    sql._INSERT_ENTRY: _insert_entry,
    sql._INSERT_ORDERS: _insert_orders,
    sql._OUTCOME: store_outcome,
    sql._INSERT_EXTERNAL: _insert_external,
    sql._FILL_ENTRY: _fill_entry,
    sql._FAIL_ENTRY: _fail_entry,
    sql._OPENED: _opened,
    sql._FAILED: _trade_failed,
    sql._CLOSING: _closing,
    sql._CLOSE_TAKEN_OVER: _close_taken_over,
    sql._CLOSED: _closed,
}
