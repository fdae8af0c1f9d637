"""The life of one order. This table is the theory; the database refuses every other move.

    intent ──► working ──► filled | partly_filled | cancelled
       │  ╲       ▲ │
       │   ► unknown ──► every final state
       └──► filled | partly_filled | cancelled | rejected | not_sent

An intent is committed before anything is sent, so a process that dies leaves an intent that may or may not have
reached the venue: it is resolved exactly like an unknown outcome, by asking. Final states stay final with one
exception, which venues force on us: an order that was thought to have ended may turn out to have filled after all.
"""

from enum import StrEnum


class OrderStatus(StrEnum):
    """Where an order is, as far as we know."""

    INTENT = "intent"
    WORKING = "working"
    UNKNOWN = "unknown"
    FILLED = "filled"
    PARTLY_FILLED = "partly_filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    NOT_SENT = "not_sent"


_FINAL = {
    OrderStatus.FILLED,
    OrderStatus.PARTLY_FILLED,
    OrderStatus.CANCELLED,
    OrderStatus.REJECTED,
    OrderStatus.NOT_SENT,
}

_LATE_FILL = frozenset({OrderStatus.FILLED, OrderStatus.PARTLY_FILLED})

TRANSITIONS: dict[OrderStatus, frozenset[OrderStatus]] = {
    OrderStatus.INTENT: frozenset({OrderStatus.WORKING, OrderStatus.UNKNOWN, *_FINAL}),
    OrderStatus.UNKNOWN: frozenset({OrderStatus.WORKING, *_FINAL}),
    OrderStatus.WORKING: frozenset({OrderStatus.WORKING, *_FINAL}),
    OrderStatus.PARTLY_FILLED: _LATE_FILL,
    OrderStatus.CANCELLED: _LATE_FILL,
    OrderStatus.REJECTED: _LATE_FILL,
    OrderStatus.NOT_SENT: _LATE_FILL,
    OrderStatus.FILLED: frozenset(),
}


def is_final(status: OrderStatus) -> bool:
    """Whether nothing more is expected to fill."""
    return status in _FINAL


def sources_of(target: OrderStatus) -> list[str]:
    """The states from which `target` may be reached, for the database's guard."""
    return [source.value for source, targets in TRANSITIONS.items() if target in targets]
