"""Samples and the watched trades: the statements of `position_monitor.adapters`."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from position_monitor.adapters import postgres_decisions as decision_sql
from position_monitor.adapters import postgres_ledger as sql
from support.memory_postgres import Row, Statement, Transaction
from support.memory_rows import picked
from support.memory_statements_signals import newest_events, trading_state

_TRADE = (
    "id",
    "symbol",
    "status",
    "long_venue",
    "short_venue",
    "opened_at",
    "force_close_at",
    "take_profit_pnl",
    "close_requested_at",
    "close_reason",
    "traceparent",
)
_ENTRY = (
    "signal_id",
    "entry",
    "status",
    "notional_usdt",
    "entry_spread_metric",
    "entry_spread_pct",
    "filled_at",
)


def _sample(transaction: Transaction, signal_id: int, sampled_at: Any, verdict: str, *_: Any) -> list[Row]:
    transaction.insert("live_trade_spread_sample", signal_id=signal_id, sampled_at=sampled_at, verdict=verdict)
    return []


def _trades(transaction: Transaction) -> list[Row]:
    found = transaction.rows("live_trade_signal")
    return [picked(row, _TRADE) for row in found if row["status"] in ("open", "closing")]


def _entries(transaction: Transaction, ids: Sequence[int]) -> list[Row]:
    found = [
        {**picked(row, _ENTRY), "residual": _residual(row["snapshot"])}
        for row in transaction.rows("live_trade_entry")
        if row["signal_id"] in ids
    ]
    return sorted(found, key=lambda row: row["entry"])


def _residual(snapshot: dict[str, Any]) -> Any:
    left = snapshot.get("residual")
    return snapshot.get("failure", {}).get("residual") if left is None else left


def _orders(transaction: Transaction, ids: Sequence[int]) -> list[Row]:
    return [_order(transaction, row) for row in transaction.rows("live_trade_order") if row["signal_id"] in ids]


def _order(transaction: Transaction, row: Row) -> Row:
    fills = list(transaction.having("live_trade_fill", signal_id=row["signal_id"], order_id=row["id"]))
    fees = [fill["fee_usdt"] for fill in fills if fill["fee_usdt"] is not None]
    price = row["reference_price"] if row["average_price"] is None else row["average_price"]
    return {
        **picked(row, ("signal_id", "leg", "purpose", "filled_quantity")),
        "price": price,
        "unresolved": row["status"] in ("intent", "working", "unknown"),
        "last_at": row["intended_at"] if row["resolved_at"] is None else row["resolved_at"],
        "ledger_quantity": sum((fill["quantity"] for fill in fills), Decimal(0)) if fills else None,
        "fee_usdt": sum(fees, Decimal(0)) if fees else None,
        "fees_known": len(fees) == len(fills) if fills else None,
    }


def _funding(transaction: Transaction, ids: Sequence[int]) -> list[Row]:
    found = [row for row in transaction.rows("live_trade_funding") if row["signal_id"] in ids]
    names = ("signal_id", "leg", "amount_usdt", "settled_at")
    return sorted((picked(row, names) for row in found), key=lambda row: row["settled_at"])


def _signals(transaction: Transaction, ids: Sequence[int]) -> list[Row]:
    found = (transaction.row("live_trade_signal", id_) for id_ in ids)
    return [row for row in found if row is not None]


def _holdings(transaction: Transaction, ids: Sequence[int]) -> list[Row]:
    return [
        {"signal_id": signal["id"], **picked(held, ("venue", "quantity", "read_at"))}
        for signal in _signals(transaction, ids)
        for held in transaction.having("live_trade_venue_position", symbol=signal["symbol"])
        if held["venue"] in (signal["long_venue"], signal["short_venue"])
    ]


def _events(transaction: Transaction, ids: Sequence[int]) -> list[Row]:
    found = []
    for signal in _signals(transaction, ids):
        pair = (signal["symbol"], signal["long_venue"], signal["short_venue"])
        for event in newest_events(transaction, *pair)[:1]:
            figures = picked(event, ("id", "last_observed_at", "pnl_hat", "win_prob"))
            found.append({"signal_id": signal["id"], **figures})
    return found


def _asked(transaction: Transaction, ids: Sequence[int], after: Sequence[int], service: str) -> list[Row]:
    wanted = dict(zip(ids, after, strict=True))
    return [
        {**picked(row, ("id", "signal_id", "decided_at")), "topic": row["evidence"].get("topic")}
        for row in transaction.having("audit", service=service)
        if row["signal_id"] in wanted
        and row["id"] > wanted[row["signal_id"]]
        and row["decision"] in ("close_requested", "scale_in_requested")
    ]


MONITOR_STATEMENTS: dict[str, Statement] = {
    decision_sql._SAMPLE: _sample,
    sql._TRADES: _trades,
    sql._ENTRIES: _entries,
    sql._ORDERS: _orders,
    sql._FUNDING: _funding,
    sql._HOLDINGS: _holdings,
    sql._EVENTS: _events,
    sql._ASKED: _asked,
    sql._TRADING_STATE: trading_state,
}
