"""The life of a signal, which from `opening` on is a trade. The database refuses every other move.

new ──► skipped ──► expired
 │         │
 └────┬────┘
      ▼
   opening ──► open ──► closing ──► closed
      └──► failed
"""

from enum import StrEnum


class TradeStatus(StrEnum):
    """Where a signal or trade is."""

    NEW = "new"
    SKIPPED = "skipped"
    EXPIRED = "expired"
    OPENING = "opening"
    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"
    FAILED = "failed"


TRANSITIONS: dict[TradeStatus, frozenset[TradeStatus]] = {
    TradeStatus.NEW: frozenset({TradeStatus.SKIPPED, TradeStatus.OPENING}),
    TradeStatus.SKIPPED: frozenset({TradeStatus.SKIPPED, TradeStatus.OPENING, TradeStatus.EXPIRED}),
    TradeStatus.OPENING: frozenset({TradeStatus.OPEN, TradeStatus.FAILED}),
    TradeStatus.OPEN: frozenset({TradeStatus.CLOSING}),
    TradeStatus.CLOSING: frozenset({TradeStatus.CLOSED}),
    TradeStatus.EXPIRED: frozenset(),
    TradeStatus.CLOSED: frozenset(),
    TradeStatus.FAILED: frozenset(),
}
ACTIVE = frozenset({TradeStatus.OPENING, TradeStatus.OPEN, TradeStatus.CLOSING})


def sources_of(target: TradeStatus) -> list[str]:
    """The states from which `target` may be reached, for the database's guard."""
    return [source.value for source, targets in TRANSITIONS.items() if target in targets]
