"""Signals and single trades: the statements of `executor.adapters.signal_ledger`, `rows` and `trading_states`."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from common.domain.trade_states import ACTIVE_STATES
from executor.adapters import rows as row_sql
from executor.adapters import signal_ledger as sql
from executor.adapters import trading_states as state_sql
from support.memory_postgres import Row, Statement, Transaction
from support.memory_rows import columns, one, picked, stored_json

TRADE_COLUMNS = columns(row_sql.TRADE_COLUMNS)
ENTRY_COLUMNS = columns(row_sql.ENTRY_COLUMNS)
ORDER_COLUMNS = columns(row_sql.ORDER_COLUMNS)
_EVENT_COLUMNS = columns(row_sql.EVENT_COLUMNS.replace("id AS event_id", "id"))


def _record(
    transaction: Transaction,
    event_id: int,
    order_key: str,
    mode: str,
    type_: str,
    symbol: str,
    long_venue: str,
    short_venue: str,
    pnl_hat: float | None,
    win_prob: float | None,
    prediction_source: str | None,
    traceparent: str | None,
    now: datetime,
) -> list[Row]:
    transaction.lock("key", "live_trade_signal_event_id_key", (event_id,))
    if any(transaction.having("live_trade_signal", event_id=event_id)):
        return []
    row = transaction.insert(
        "live_trade_signal",
        event_id=event_id,
        order_key=order_key,
        mode=mode,
        type=type_,
        symbol=symbol,
        long_venue=long_venue,
        short_venue=short_venue,
        status="new",
        pnl_hat=pnl_hat,
        win_prob=win_prob,
        prediction_source=prediction_source,
        traceparent=traceparent,
        created_at=now,
        updated_at=now,
    )
    return one(row, *TRADE_COLUMNS)


def _by_event(transaction: Transaction, event_id: int) -> list[Row]:
    return [picked(row, TRADE_COLUMNS) for row in transaction.having("live_trade_signal", event_id=event_id)]


def _standing(transaction: Transaction, symbol: str) -> list[Row]:
    active = [row for row in transaction.rows("live_trade_signal") if row["status"] in ACTIVE_STATES]
    state = transaction.row("trading_state", 1)
    return [
        {
            "trading_state": state["state"] if state else None,
            "active_trade_on_symbol": next((row["id"] for row in active if row["symbol"] == symbol), None),
            "active_trades": len(active),
        }
    ]


def guarded(transaction: Transaction, id_: int, version: int, sources: Sequence[str]) -> Row | None:
    """The signal, locked, if it still has that version and one of those states."""
    row = transaction.locked("live_trade_signal", id_)
    return row if row is not None and row["version"] == version and row["status"] in sources else None


def _skip(
    transaction: Transaction,
    id_: int,
    version: int,
    sources: Sequence[str],
    reason: str,
    evidence: Any,
    next_attempt_at: datetime | None,
    pnl_hat: float | None,
    win_prob: float | None,
    prediction_source: str | None,
    now: datetime,
) -> list[Row]:
    row = guarded(transaction, id_, version, sources)
    if row is None:
        return []
    skipped = transaction.update(
        "live_trade_signal",
        row,
        status="skipped",
        reason=reason,
        reason_evidence=stored_json(evidence),
        attempts=row["attempts"] + 1,
        next_attempt_at=next_attempt_at,
        pnl_hat=pnl_hat,
        win_prob=win_prob,
        prediction_source=prediction_source,
        updated_at=now,
        version=version + 1,
    )
    return one(skipped, "version")


def _expire(
    transaction: Transaction,
    id_: int,
    attempts: int,
    sources: Sequence[str],
    reason: str,
    evidence: Any,
    now: datetime,
) -> list[Row]:
    row = transaction.locked("live_trade_signal", id_)
    if row is None or row["attempts"] != attempts or row["status"] not in sources:
        return []
    expired = transaction.update(
        "live_trade_signal",
        row,
        status="expired",
        reason=reason,
        reason_evidence=stored_json(evidence),
        next_attempt_at=None,
        updated_at=now,
        version=row["version"] + 1,
    )
    return one(expired, "version", "symbol")


def _fresh_event(transaction: Transaction, symbol: str, long_venue: str, short_venue: str) -> list[Row]:
    events = newest_events(transaction, symbol, long_venue, short_venue)
    return [{"event_id": row["id"], **picked(row, _EVENT_COLUMNS[1:])} for row in events[:1]]


def _event(transaction: Transaction, event_id: int) -> list[Row]:
    found = transaction.having("watch_signal_event", id=event_id)
    return [{"event_id": row["id"], **picked(row, _EVENT_COLUMNS[1:])} for row in found]


def newest_events(transaction: Transaction, symbol: str, long_venue: str, short_venue: str) -> list[Row]:
    """Type B events of one pair that were ever open, newest activity first."""
    found = [
        row
        for row in transaction.having(
            "watch_signal_event", type="B", symbol=symbol, long_venue=long_venue, short_venue=short_venue
        )
        if row["status"] != "forming"
    ]
    return sorted(found, key=lambda row: row["last_observed_at"], reverse=True)


def _trade(transaction: Transaction, signal_id: int) -> list[Row]:
    return one(transaction.row("live_trade_signal", signal_id), *TRADE_COLUMNS)


def _entries(transaction: Transaction, signal_id: int) -> list[Row]:
    found = transaction.having("live_trade_entry", signal_id=signal_id)
    return sorted((picked(row, ENTRY_COLUMNS) for row in found), key=lambda row: row["entry"])


def _orders(transaction: Transaction, signal_id: int) -> list[Row]:
    now_seconds = transaction.server.now_seconds()
    return [
        {**picked(row, ORDER_COLUMNS), "age_seconds": now_seconds - row["written_seconds"]}
        for row in transaction.having("live_trade_order", signal_id=signal_id)
    ]


def trading_state(transaction: Transaction) -> list[Row]:
    """The one row of the trading state."""
    return one(transaction.row("trading_state", 1), "state")


def _change_state(
    transaction: Transaction, state: str, reason: str, changed_by: str, now: datetime, only_from: str | None
) -> list[Row]:
    row = transaction.locked("trading_state", 1)
    if row is None or row["state"] == state or only_from not in (None, row["state"]):
        return []
    changed = transaction.update(
        "trading_state", row, state=state, reason=reason, changed_by=changed_by, changed_at=now
    )
    return one(changed, "state")


def _day_net_pnl(transaction: Transaction, since: datetime) -> list[Row]:
    found = [
        row["net_pnl_usdt"]
        for row in transaction.rows("live_trade_signal")
        if row["finalised_at"] is not None and row["finalised_at"] >= since and row["net_pnl_usdt"] is not None
    ]
    return [{"sum": sum(found, Decimal(0))}]


def _not_final(transaction: Transaction, since: datetime) -> list[Row]:
    found = transaction.rows("live_trade_signal")
    over = [row for row in found if row["status"] in ("closed", "failed") and row["finalised_at"] is None]
    return [row for row in found if row["status"] in ACTIVE_STATES] + [row for row in over if row["closed_at"] >= since]


def _orders_so_far(transaction: Transaction, since: datetime) -> list[Row]:
    found = []
    for trade in _not_final(transaction, since):
        filled = [
            row for row in transaction.having("live_trade_order", signal_id=trade["id"]) if row["filled_quantity"]
        ]
        fills = list(transaction.having("live_trade_fill", signal_id=trade["id"]))
        for order in filled:
            told = [fill for fill in fills if fill["order_id"] == order["id"] and fill["fee_usdt"] is not None]
            average = order["average_price"]
            found.append(
                {
                    **picked(order, ("signal_id", "leg", "purpose")),
                    "is_active": trade["status"] in ACTIVE_STATES,
                    "is_of_day": order["intended_at"] >= since,
                    "quantity": order["filled_quantity"],
                    "price": order["reference_price"] if average is None else average,
                    "quantity_with_fee": sum((fill["quantity"] for fill in told), Decimal(0)),
                    "fees_usdt": sum((fill["fee_usdt"] for fill in told), Decimal(0)),
                }
            )
    return found


def _funding_so_far(transaction: Transaction, since: datetime) -> list[Row]:
    sums: dict[int, Decimal] = defaultdict(Decimal)
    for trade in _not_final(transaction, since):
        for paid in transaction.having("live_trade_funding", signal_id=trade["id"]):
            if paid["settled_at"] >= since or trade["status"] not in ACTIVE_STATES:
                sums[trade["id"]] += paid["amount_usdt"]
    return [{"signal_id": signal_id, "sum": amount} for signal_id, amount in sums.items()]


def _unwound_entries(transaction: Transaction, since: datetime) -> list[Row]:
    unwinds = transaction.having("live_trade_order", purpose="unwind")
    return [{"count": len({(row["signal_id"], row["entry"]) for row in unwinds if row["intended_at"] >= since})}]


SIGNAL_STATEMENTS: dict[str, Statement] = {
    sql._RECORD: _record,
    sql._BY_EVENT: _by_event,
    sql._STANDING: _standing,
    sql._SKIP: _skip,
    sql._EXPIRE: _expire,
    sql._FRESH_EVENT: _fresh_event,
    sql._EVENT: _event,
    row_sql._TRADE: _trade,
    row_sql._ENTRIES: _entries,
    row_sql._ORDERS: _orders,
    state_sql._CURRENT: trading_state,
    state_sql._CHANGE: _change_state,
    state_sql._DAY_NET_PNL: _day_net_pnl,
    state_sql._ORDERS_SO_FAR: _orders_so_far,
    state_sql._FUNDING_SO_FAR: _funding_so_far,
    state_sql._UNWOUND_ENTRIES: _unwound_entries,
}
