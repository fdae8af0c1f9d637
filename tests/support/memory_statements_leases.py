"""Who works on which trade, and what is left to do: more statements of `executor.adapters.trade_ledger`."""

from collections.abc import Sequence

from executor.adapters import trade_ledger as sql
from support.memory_postgres import Row, Statement, Transaction
from support.memory_rows import one

_UNRESOLVED = ("intent", "working", "unknown")


def _operator_closes(transaction: Transaction) -> list[Row]:
    found = []
    for trade in transaction.having("live_trade_signal", status="open"):
        asked = transaction.having("audit", signal_id=trade["id"], decision="close_requested", service="api_gateway")
        for row in list(asked)[:1]:
            who = f"operator:{row['evidence']['who']}"
            found.append({"id": row["id"], "signal_id": trade["id"], "requested_by": who})
    return found


def _take_lease(transaction: Transaction, id_: int, owner: str, seconds: float) -> list[Row]:
    row = transaction.locked("live_trade_signal", id_)
    if row is None:
        return []
    now_seconds = transaction.server.now_seconds()
    if row["lease_owner"] not in (None, owner) and not row["lease_until_seconds"] < now_seconds:
        return []
    return one(
        transaction.update("live_trade_signal", row, lease_owner=owner, lease_until_seconds=now_seconds + seconds),
        "id",
    )


def _renew_leases(transaction: Transaction, ids: Sequence[int], owner: str, seconds: float) -> list[Row]:
    until = transaction.server.now_seconds() + seconds
    for id_ in ids:
        row = transaction.locked("live_trade_signal", id_)
        if row is not None and row["lease_owner"] == owner:
            transaction.update("live_trade_signal", row, lease_until_seconds=until)
    return []


def _release_lease(transaction: Transaction, id_: int, owner: str) -> list[Row]:
    row = transaction.locked("live_trade_signal", id_)
    if row is not None and row["lease_owner"] == owner:
        transaction.update("live_trade_signal", row, lease_owner=None, lease_until_seconds=None)
    return []


def _unfinished(transaction: Transaction) -> list[Row]:
    signals = {row["id"]: row["status"] for row in transaction.rows("live_trade_signal")}
    found = {id_ for id_, status in signals.items() if status in ("opening", "closing")}
    found |= {row["signal_id"] for row in transaction.rows("live_trade_order") if row["status"] in _UNRESOLVED}
    entries = transaction.having("live_trade_entry", status="opening")
    found |= {row["signal_id"] for row in entries if signals[row["signal_id"]] == "open"}
    return [{"id": id_} for id_ in sorted(found)]


LEASE_STATEMENTS: dict[str, Statement] = {
    sql._OPERATOR_CLOSES: _operator_closes,
    sql._TAKE_LEASE: _take_lease,
    sql._RENEW_LEASES: _renew_leases,
    sql._RELEASE_LEASE: _release_lease,
    sql._UNFINISHED: _unfinished,
}
