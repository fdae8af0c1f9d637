"""Whether both legs are really there. A difference counts only once it has lasted.

The ledger is compared with itself (long against short) and with what the venues said after the last order was
resolved; while an order is in flight nothing can be concluded. What a venue says lasts from one reading to another:
a reading that nobody repeats proves nothing, however old it grows. What an entry left over because its venue would
not trade so little is on the record, and no difference.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from common.domain.identifiers import Leg
from position_monitor.domain.trade import Trade


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """What differs. `read_at` is when the venues' positions were read; None where the ledger alone shows it."""

    kind: str
    read_at: datetime | None
    figures: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A discrepancy since it was first seen, by whom it was judged and in which reading of the venue's position."""

    since: datetime
    first_read_at: datetime | None
    latest: Discrepancy

    def lasted(self, now: datetime) -> timedelta:
        """How long it is known to last: between two readings of a venue, or until now where the ledger shows it."""
        if self.first_read_at is None or self.latest.read_at is None:
            return now - self.since
        return self.latest.read_at - self.first_read_at


def discrepancy(trade: Trade, lots: Mapping[Leg, Decimal]) -> Discrepancy | None:
    """The first difference beyond one lot. `lots` are steps in base units; a leg without one is not judged."""
    if trade.order_in_flight:
        return None
    return _in_the_ledger(trade, lots) or _at_the_venues(trade, lots)


def suspicion(before: Suspicion | None, found: Discrepancy | None, now: datetime) -> Suspicion | None:
    """Carries a suspicion on, starts one, or drops it when nothing differs any more."""
    if found is None:
        return None
    if before is None or before.latest.kind != found.kind:
        return Suspicion(now, found.read_at, found)
    return Suspicion(before.since, before.first_read_at, found)


def _in_the_ledger(trade: Trade, lots: Mapping[Leg, Decimal]) -> Discrepancy | None:
    long, short = trade.leg(Leg.LONG).quantity, trade.leg(Leg.SHORT).quantity
    figures = {"long_quantity": str(long), "short_quantity": str(short)}
    if (long > 0) != (short > 0):
        return Discrepancy("leg_missing", None, figures)
    left_over = trade.residual(Leg.LONG) - trade.residual(Leg.SHORT)
    if len(lots) < len(Leg) or abs(long - short - left_over) <= max(lots.values()):
        return None
    return Discrepancy("legs_unequal", None, {**figures, "left_over": str(left_over), "lot": str(max(lots.values()))})


def _at_the_venues(trade: Trade, lots: Mapping[Leg, Decimal]) -> Discrepancy | None:
    for leg, holding in trade.holdings.items():
        if leg not in lots or (trade.last_order_at is not None and holding.read_at <= trade.last_order_at):
            continue
        ledger = trade.leg(leg).quantity if leg is Leg.LONG else -trade.leg(leg).quantity
        if abs(holding.quantity - ledger) > lots[leg]:
            figures = {
                "leg": str(leg),
                "venue": trade.venues[leg],
                "venue_quantity": str(holding.quantity),
                "ledger_quantity": str(ledger),
                "lot": str(lots[leg]),
                "read_at": holding.read_at.isoformat(),
            }
            return Discrepancy(f"venue_differs_{leg}", holding.read_at, figures)
    return None
