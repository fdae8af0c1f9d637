"""Outbox, audit and errors: the statements of `common.messaging.outbox` and `common.persistence.journal`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from common.messaging import outbox
from common.persistence import journal
from support.memory_postgres import Row, Statement, Transaction
from support.memory_rows import picked, stored_json

_MESSAGE = ("id", "message_id", "subject", "body", "traceparent")


def _add_messages(
    transaction: Transaction,
    service: str,
    message_ids: Sequence[str],
    subjects: Sequence[str],
    bodies: Sequence[bytes],
    traceparents: Sequence[str | None],
    now: datetime,
) -> list[Row]:
    added = []
    for message_id, subject, body, traceparent in zip(message_ids, subjects, bodies, traceparents, strict=True):
        values = {
            "service": service,
            "message_id": message_id,
            "subject": subject,
            "body": body,
            "traceparent": traceparent,
        }
        if transaction.conflicting("outbox", values) is None:
            row = transaction.insert("outbox", **values, created_at=now, published_at=None)
            added.append(picked(row, _MESSAGE))
    return added


def _waiting(transaction: Transaction, service: str) -> list[Row]:
    return [row for row in transaction.rows("outbox") if row["published_at"] is None and row["service"] == service]


def _unpublished(transaction: Transaction, service: str, after: int, limit: int) -> list[Row]:
    found = [row for row in _waiting(transaction, service) if row["id"] > after]
    return [picked(row, _MESSAGE) for row in found[:limit]]


def _published(transaction: Transaction, ids: Sequence[int], now: datetime) -> list[Row]:
    for id_ in sorted(ids):
        row = transaction.locked("outbox", id_)
        if row is not None:
            transaction.update("outbox", row, published_at=now)
    return []


def _forget(transaction: Transaction, service: str, before: datetime, limit: int) -> list[Row]:
    """Nothing: a run is shorter than anything is kept."""
    old = [row for row in transaction.having("outbox", service=service) if row["created_at"] < before]
    assert not old, "the memory database deletes nothing"
    return []


def _decided(
    transaction: Transaction,
    service: str,
    now: datetime,
    decision: str,
    symbol: str | None,
    event_id: int | None,
    signal_id: int | None,
    evidence: Any,
) -> list[Row]:
    transaction.insert(
        "audit",
        service=service,
        decided_at=now,
        decision=decision,
        symbol=symbol,
        event_id=event_id,
        signal_id=signal_id,
        evidence=stored_json(evidence),
    )
    return []


def _decided_many(transaction: Transaction, service: str, now: datetime, *lists: Sequence[Any]) -> list[Row]:
    for decision, symbol, event_id, signal_id, evidence in zip(*lists, strict=True):
        _decided(transaction, service, now, decision, symbol, event_id, signal_id, evidence)
    return []


def _failed(
    transaction: Transaction,
    service: str,
    now: datetime,
    kind: str,
    signal_id: int | None,
    message: str,
    detail: Any,
) -> list[Row]:
    transaction.insert(
        "live_trade_error",
        service=service,
        occurred_at=now,
        kind=kind,
        signal_id=signal_id,
        message=message,
        detail=stored_json(detail),
    )
    return []


AUDIT_STATEMENTS: dict[str, Statement] = {
    outbox._INSERT: _add_messages,
    outbox._UNPUBLISHED: _unpublished,
    outbox._PUBLISHED: _published,
    outbox._FORGET: _forget,
    journal._AUDIT: _decided,
    journal._AUDIT_MANY: _decided_many,
    journal._ERROR: _failed,
}
