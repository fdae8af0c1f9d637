"""Ledger against venue: what differs, what it means, and which fills explain it.

Invariants: a position that no trade explains is reported and never touched; a fill is booked by its own id and no
fill is ever invented; what was reduced without us never leaves the other leg standing alone.

A venue nets: somebody who trades by hand on a contract that Tandem holds changes the same position. Whatever the venue
holds above the ledger is theirs; what it holds less than the ledger they took from ours, and their newest fills against
our leg are booked for just that quantity. So one fill may be partly ours: it may also have closed what was theirs.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from common.domain.identifiers import Leg, Purpose, Side
from executor.domain.records import TradeBook


class DriftKind(StrEnum):
    """Why ledger and venue differ."""

    MISSED_FILL = "missed_fill"
    EXTERNAL_CLOSE = "external_close"
    EXTERNAL_OPEN = "external_open"
    UNEXPLAINED = "unexplained"


@dataclass(frozen=True, slots=True)
class LegDrift:
    """One leg whose venue holds another quantity than is known. All in base units of the leg's own direction.

    `venue` is what the venue holds in that direction (zero where it holds the other one), `foreign` what of it was
    known to be somebody else's.
    """

    leg: Leg
    ledger: Decimal
    venue: Decimal
    foreign: Decimal

    @property
    def missing(self) -> Decimal:
        """How much less than the ledger the venue holds."""
        return max(Decimal(0), self.ledger - self.venue)

    @property
    def surplus(self) -> Decimal:
        """How much more than the ledger the venue holds: it is not ours."""
        return max(Decimal(0), self.venue - self.ledger)


@dataclass(frozen=True, slots=True)
class SeenFill:
    """One execution from a venue's ledger as far as it matters here."""

    fill_id: str
    venue_order_id: str
    side: Side
    quantity: Decimal
    price: Decimal
    traded_at: datetime


@dataclass(frozen=True, slots=True)
class ExternalPart:
    """A fill of somebody else's order, and how much of it reduced the leg."""

    fill: SeenFill
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a drift is, and the fills that belong into the ledger: of our orders by venue order id, and of others."""

    kind: DriftKind
    ours: Mapping[str, Decimal]
    others: Sequence[ExternalPart]


def external_order_id(venue: str, symbol: str, fill_id: str) -> str:
    """The id under which an execution of somebody else's order stands in the ledger."""
    return f"external-{venue}-{symbol}-{fill_id}"


def begins_at(book: TradeBook, leg: Leg) -> datetime:
    """From when on a fill of somebody else may have taken from the leg.

    It is when its venue was asked for the position that the first entry was planned on: what was done by hand between
    that look and our order is netted with our order's fill.
    """
    asked_at = (entry.snapshot.get("positions_asked_at", {}).get(leg.value) for entry in book.entries)
    ordered_at = (order.intended_at for order in book.orders if order.leg is leg)
    return min([*ordered_at, *(datetime.fromisoformat(moment) for moment in asked_at if moment)])


def leg_drift(
    book: TradeBook, leg: Leg, signed_position: Decimal, foreign: Decimal, tolerance: Decimal
) -> LegDrift | None:
    """The drift of one leg, or None within `tolerance` (half a lot step, in base units).

    `foreign` is how much of the venue's position, in the leg's direction, is known not to be ours.
    """
    ledger = book.position(leg).quantity
    venue = max(Decimal(0), signed_position if leg is Leg.LONG else -signed_position)
    differs = abs(venue - foreign - ledger) > tolerance
    return LegDrift(leg, ledger, venue, foreign) if differs else None


def explain(
    book: TradeBook, drift: LegDrift, fills: Sequence[SeenFill], taken_orders: Collection[str], tolerance: Decimal
) -> Explanation:
    """Looks for the fills behind a drift, in the venue's own ledger (`fills`, oldest first).

    First our own orders that filled more than we knew. Then, where the venue holds less, executions of other orders
    against the leg that are not booked yet, newest first, for exactly what is missing. Nothing is explained while the
    venue's ledger lacks some of our own fills, or by a part of what is missing: the rest has not been told yet.
    `taken_orders` are venue order ids that other trades have booked.
    """
    orders = [order for order in book.orders if order.leg is drift.leg]
    seen = _quantities(fills)
    ours = {
        order.venue_order_id: seen[order.venue_order_id]
        for order in orders
        if order.purpose is not Purpose.EXTERNAL
        and order.venue_order_id in seen
        and seen[order.venue_order_id] > order.filled_quantity
    }
    if ours:
        return Explanation(DriftKind.MISSED_FILL, ours, ())
    if drift.missing == 0:
        return Explanation(DriftKind.EXTERNAL_OPEN, {}, ())
    if any(seen.get(order.venue_order_id or "", 0) < order.filled_quantity for order in orders):
        return Explanation(DriftKind.UNEXPLAINED, {}, ())
    own = {order.venue_order_id for order in orders if order.purpose is not Purpose.EXTERNAL} | set(taken_orders)
    others = _reducing(book, drift, [fill for fill in fills if fill.venue_order_id not in own])
    found = sum((part.quantity for part in others), Decimal(0))
    if abs(found - drift.missing) > tolerance:
        return Explanation(DriftKind.UNEXPLAINED, {}, ())
    return Explanation(DriftKind.EXTERNAL_CLOSE, {}, others)


def _quantities(fills: Sequence[SeenFill]) -> dict[str, Decimal]:
    seen: dict[str, Decimal] = {}
    for fill in fills:
        seen[fill.venue_order_id] = seen.get(fill.venue_order_id, Decimal(0)) + fill.quantity
    return seen


def _reducing(book: TradeBook, drift: LegDrift, fills: Sequence[SeenFill]) -> list[ExternalPart]:
    """The newest fills against the leg since it began, up to what is missing."""
    side = Side.SELL if drift.leg is Leg.LONG else Side.BUY
    began_at = begins_at(book, drift.leg)
    booked = {order.client_order_id for order in book.orders if order.purpose is Purpose.EXTERNAL}
    venue, symbol = book.trade.venue(drift.leg), book.trade.symbol
    found: list[ExternalPart] = []
    left = drift.missing
    for fill in reversed(fills):
        is_new = external_order_id(venue, symbol, fill.fill_id) not in booked
        if is_new and fill.side is side and fill.traded_at >= began_at and left > 0:
            found.append(ExternalPart(fill, min(left, fill.quantity)))
            left -= fill.quantity
    return found[::-1]
