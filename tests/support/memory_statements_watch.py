"""Events, observations, skipped signals: the statements of `signal_ingest.adapters`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from signal_ingest.adapters import event_rows, observation_past, skipped_signals
from signal_ingest.adapters import watchlist_store as sql
from support.memory_postgres import MustWait, Row, Statement, Transaction
from support.memory_rows import stored_json

_TAIL = (
    "opened_at",
    "closed_at",
    "factors",
    "last_observation",
    "pnl_hat",
    "win_prob",
    "horizon_min",
    "prediction_source",
)
_NEW = (
    "version",
    "type",
    "symbol",
    "long_venue",
    "short_venue",
    "status",
    "merged",
    "observations",
    "first_observed_at",
    "last_observed_at",
    *_TAIL,
)
_CHANGED = ("version", "status", "observations", "first_observed_at", "last_observed_at", *_TAIL)
_OBSERVATION = sql._OBSERVATION_COLUMNS


def _as_stored(values: Row) -> Row:
    return values | {name: stored_json(values[name]) for name in ("factors", "last_observation")}


def _insert_events(transaction: Transaction, *lists: Sequence[Any]) -> list[Row]:
    added = []
    for values in zip(*lists, strict=True):
        row = transaction.insert("watch_signal_event", **_as_stored(dict(zip(_NEW, values, strict=True))))
        added.append({"id": row["id"]})
    return added


def _update_events(transaction: Transaction, *lists: Sequence[Any]) -> list[Row]:
    updated = []
    for id_, old_version, old_status, *values in zip(*lists, strict=True):
        row = transaction.locked("watch_signal_event", id_)
        if row is not None and row["version"] == old_version and row["status"] == old_status:
            changed = _as_stored(dict(zip(_CHANGED, values, strict=True)))
            transaction.update("watch_signal_event", row, **changed)
            updated.append({"id": id_})
    return updated


def _live(transaction: Transaction, *lists: Sequence[str]) -> list[Row]:
    wanted = set(zip(*lists, strict=True))
    found = []
    for row in transaction.rows("watch_signal_event"):
        if (row["symbol"], row["type"], row["long_venue"], row["short_venue"]) in wanted and _is_live(row):
            locked = transaction.locked("watch_signal_event", row["id"])
            if locked is not None and _is_live(locked):
                found.append(locked)
    return found


def _is_live(row: Row) -> bool:
    return bool(row["merged"]) and row["status"] in ("forming", "open")


def _quiet(transaction: Transaction, before: datetime, limit: int) -> list[Row]:
    found: list[Row] = []
    for row in transaction.rows("watch_signal_event"):
        if row["status"] != "closed" and row["last_observed_at"] < before and len(found) < limit:
            try:
                transaction.lock("row", "watch_signal_event", row["id"])
            except MustWait:
                continue  # SKIP LOCKED
            found.append(row)
    return found


def _without_signal(transaction: Transaction, limit: int) -> list[Row]:
    signalled = {row["event_id"] for row in transaction.rows("live_trade_signal")}
    found = transaction.having("watch_signal_event", status="open")
    return [row for row in found if row["id"] not in signalled][:limit]


def _count_live(transaction: Transaction) -> list[Row]:
    states = [row["status"] for row in transaction.rows("watch_signal_event")]
    return [{"forming": states.count("forming"), "open": states.count("open")}]


def _insert_observation(transaction: Transaction, *values: Any) -> list[Row]:
    row = dict(zip(_OBSERVATION, values, strict=True))
    transaction.insert("watch_observation", **row | {"observation": stored_json(row["observation"])})
    return []


def _past(
    transaction: Transaction,
    symbols: Sequence[str],
    first_venues: Sequence[str],
    second_venues: Sequence[str],
    since: datetime,
    limit: int,
) -> list[Row]:
    found = []
    for symbol, first, second in zip(symbols, first_venues, second_venues, strict=True):
        of_pair = [
            {**row, "first_venue": first, "second_venue": second}
            for row in transaction.having("watch_observation", symbol=symbol, type="B")
            if {row["long_venue"], row["short_venue"]} == {first, second} and row["observed_at"] >= since
        ]
        found += sorted(of_pair, key=lambda row: (row["observed_at"], row["id"]))[-limit:]
    return sorted(found, key=lambda row: (row["observed_at"], row["id"]))


def _due(transaction: Transaction, now: datetime, limit: int) -> list[Row]:
    found = []
    for row in transaction.having("live_trade_signal", status="skipped"):
        event = transaction.row("watch_signal_event", row["event_id"])
        if row["next_attempt_at"] is not None and row["next_attempt_at"] <= now and event is not None:
            of_signal = {name: row[name] for name in ("attempts", "reason", "next_attempt_at")}
            found.append({"signal_id": row["id"], **of_signal, **event})
    return sorted(found, key=lambda row: (row["next_attempt_at"], row["signal_id"]))[:limit]


def _forget(transaction: Transaction, before: datetime, limit: int) -> list[Row]:
    """Nothing: a run is shorter than anything is kept."""
    old = [row for row in transaction.rows("watch_observation") if row["observed_at"] < before]
    assert not old, "the memory database deletes nothing"
    return []


WATCH_STATEMENTS: dict[str, Statement] = {
    event_rows._INSERT: _insert_events,
    event_rows._UPDATE: _update_events,
    sql._LIVE: _live,
    sql._QUIET: _quiet,
    sql._WITHOUT_SIGNAL: _without_signal,
    sql._COUNT_LIVE: _count_live,
    sql._FORGET: _forget,
    sql._INSERT_OBSERVATION: _insert_observation,
    observation_past._PAST: _past,
    skipped_signals._DUE: _due,
}
