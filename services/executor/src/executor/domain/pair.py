"""Two legs meet: one table says what the outcomes of an entry's two opening orders mean together.

Never a stray leg: whatever is filled on one side only is taken back with reduce-only orders. An entry is never
completed by sending the missing leg later, because by then its price is another one.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum, auto

from common.domain.identifiers import Leg
from common.domain.spread import entry_spread_metric, entry_spread_pct
from executor.domain.order_machine import OrderStatus, is_final


class Outcome(Enum):
    """One leg's opening order, as far as it is known."""

    UNRESOLVED = auto()
    NOTHING = auto()
    SOME = auto()


class PairAction(Enum):
    """What happens next with an entry."""

    ASK = auto()
    """An outcome is unknown: ask the venue until it is known."""
    FLAT = auto()
    """Nothing was filled: the entry failed without exposure."""
    UNWIND = auto()
    """One leg only: take it back; the entry failed."""
    MATCH = auto()
    """Both legs filled: keep what matches, take back what does not."""


JOINT: dict[tuple[Outcome, Outcome], PairAction] = {
    (Outcome.UNRESOLVED, Outcome.UNRESOLVED): PairAction.ASK,
    (Outcome.UNRESOLVED, Outcome.NOTHING): PairAction.ASK,
    (Outcome.UNRESOLVED, Outcome.SOME): PairAction.ASK,
    (Outcome.NOTHING, Outcome.UNRESOLVED): PairAction.ASK,
    (Outcome.SOME, Outcome.UNRESOLVED): PairAction.ASK,
    (Outcome.NOTHING, Outcome.NOTHING): PairAction.FLAT,
    (Outcome.NOTHING, Outcome.SOME): PairAction.UNWIND,
    (Outcome.SOME, Outcome.NOTHING): PairAction.UNWIND,
    (Outcome.SOME, Outcome.SOME): PairAction.MATCH,
}


def outcome(status: OrderStatus, filled_quantity: Decimal) -> Outcome:
    """What one order's state means for its pair."""
    if not is_final(status):
        return Outcome.UNRESOLVED
    return Outcome.SOME if filled_quantity > 0 else Outcome.NOTHING


@dataclass(frozen=True, slots=True)
class EntryFill:
    """The matched part of an entry. `notional_usdt` is the short leg's; `metric` is what the fills locked in.

    `pct` is what scale-in triggers are multiples of: the swept spread that decided the entry, or the filled one where
    that is wider. An entry that filled badly must not make an unchanged gap look widened.
    """

    quantity: Decimal
    notional_usdt: Decimal
    metric: float
    pct: float


def entry_fill(quantity: Decimal, long_price: Decimal, short_price: Decimal, swept_pct: float) -> EntryFill:
    """What an entry holds whose legs were filled at these average prices (USDT), `quantity` base units of each.

    `swept_pct` is the entry spread, as a fraction, that was swept when the entry was decided.
    """
    return EntryFill(
        quantity=quantity,
        notional_usdt=quantity * short_price,
        metric=entry_spread_metric(long_price, short_price),
        pct=max(swept_pct, entry_spread_pct(long_price, short_price)),
    )


def excess(long_quantity: Decimal, short_quantity: Decimal) -> tuple[Leg, Decimal] | None:
    """The leg that holds more than the other, and by how much; None when they match."""
    difference = long_quantity - short_quantity
    if difference == 0:
        return None
    return (Leg.LONG, difference) if difference > 0 else (Leg.SHORT, -difference)
