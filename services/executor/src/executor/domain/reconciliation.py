"""Ledger against venue: what differs, what it means, and which fills explain it.

Invariants: a position that no trade explains is reported and never touched; a fill is booked by its own id and no
fill is ever invented; what was reduced without us never leaves the other leg standing alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from common.domain.identifiers import Leg, Side
from executor.domain.records import TradeBook


class DriftKind(StrEnum):
    """Why ledger and venue differ."""

    MISSED_FILL = "missed_fill"
    EXTERNAL_CLOSE = "external_close"
    LIQUIDATION = "liquidation"
    EXTERNAL_OPEN = "external_open"
    UNEXPLAINED = "unexplained"


class FillCause(StrEnum):
    """Who made a fill that none of our orders made."""

    SOMEBODY = "somebody"
    LIQUIDATION = "liquidation"


@dataclass(frozen=True, slots=True)
class LegDrift:
    """One leg whose venue holds another quantity than the ledger. Both are in base units of the leg's own direction."""

    leg: Leg
    ledger: Decimal
    venue: Decimal

    @property
    def missing(self) -> Decimal:
        """How much less the venue holds; below zero when it holds more."""
        return self.ledger - self.venue


@dataclass(frozen=True, slots=True)
class SeenFill:
    """One execution from a venue's ledger as far as it matters here."""

    fill_id: str
    venue_order_id: str
    side: Side
    quantity: Decimal
    price: Decimal


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a drift is, and the fills that belong into the ledger: of our orders by venue order id, and of others."""

    kind: DriftKind
    ours: Mapping[str, Decimal]
    others: Sequence[SeenFill]


def leg_drift(book: TradeBook, leg: Leg, signed_position: Decimal, tolerance: Decimal) -> LegDrift | None:
    """The drift of one leg, or None within `tolerance` (half a lot step, in base units)."""
    ledger = book.position(leg).quantity
    venue = signed_position if leg is Leg.LONG else -signed_position
    return LegDrift(leg, ledger, venue) if abs(ledger - venue) > tolerance else None


def explain(book: TradeBook, drift: LegDrift, fills: Sequence[SeenFill], booked: Iterable[str]) -> Explanation:
    """Looks for the fills behind a drift.

    First our own orders that filled more than we knew. Then, where the venue holds less, executions of other orders
    that reduced the leg: those not in `booked` (fill ids already in the ledger), newest first, up to what is missing.
    """
    ours = _missed(book, drift.leg, fills)
    if ours:
        return Explanation(DriftKind.MISSED_FILL, ours, ())
    if drift.missing < 0:
        return Explanation(DriftKind.EXTERNAL_OPEN, {}, ())
    others = _reducing(book, drift, fills, set(booked))
    return Explanation(DriftKind.EXTERNAL_CLOSE if others else DriftKind.UNEXPLAINED, {}, others)


def _missed(book: TradeBook, leg: Leg, fills: Sequence[SeenFill]) -> dict[str, Decimal]:
    seen: dict[str, Decimal] = {}
    for fill in fills:
        seen[fill.venue_order_id] = seen.get(fill.venue_order_id, Decimal(0)) + fill.quantity
    return {
        order.venue_order_id: seen[order.venue_order_id]
        for order in book.orders
        if order.leg is leg and order.venue_order_id in seen and seen[order.venue_order_id] > order.filled_quantity
    }


def _reducing(book: TradeBook, drift: LegDrift, fills: Sequence[SeenFill], booked: set[str]) -> list[SeenFill]:
    ours = {order.venue_order_id for order in book.orders}
    side = Side.SELL if drift.leg is Leg.LONG else Side.BUY
    found: list[SeenFill] = []
    left = drift.missing
    for fill in reversed(fills):
        if fill.venue_order_id in ours or fill.fill_id in booked or fill.side is not side:
            continue
        if fill.quantity > left:
            continue
        found.append(fill)
        left -= fill.quantity
        if left <= 0:
            break
    return found[::-1]
