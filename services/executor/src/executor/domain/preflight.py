"""Both legs are checked before either is sent (SPEC 4, step 8). A failure names the leg and the limit."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from common.domain.identifiers import Leg
from common.domain.instruments import Instrument, lot_violation
from executor.domain.refusal import Refusal

MARGIN_CUSHION = Decimal("1.02")
"""Initial margin asked for over the bare minimum, for taker fees and the price between check and fill."""


@dataclass(frozen=True, slots=True)
class LegReadiness:
    """What a venue said about one leg just before an entry. `held` is its signed position of the symbol."""

    leg: Leg
    instrument: Instrument
    free_usdt: Decimal
    is_one_way: bool
    held: Decimal
    expected: Decimal
    """The signed position that the ledger expects there: zero before the first entry."""


def refuse_leg(leg: LegReadiness, quantity: Decimal, price: Decimal, leverage: int) -> Refusal | None:
    """The first limit that this leg would break, or None."""

    def refusal(limit: str, *, retryable: bool = False, **figures: Any) -> Refusal:
        named = {"leg": leg.leg.value, "venue": leg.instrument.venue, "limit": limit}
        return Refusal("preflight_failed", retryable, {**named, **figures})

    if leg.instrument.halted is not None:
        return refusal("halted", retryable=leg.instrument.halted_for_now, detail=leg.instrument.halted)
    violation = lot_violation(leg.instrument, quantity, price)
    if violation is not None:
        return refusal("lot", detail=violation)
    if leg.instrument.leverage_max is not None and leverage > leg.instrument.leverage_max:
        return refusal("leverage", leverage=leverage, maximum=leg.instrument.leverage_max)
    if not leg.is_one_way:
        return refusal("position_mode", found="hedge", allowed="one_way")
    needed = quantity * price / leverage * MARGIN_CUSHION
    if leg.free_usdt < needed:
        return refusal("margin", free_usdt=leg.free_usdt, needed_usdt=needed)
    if abs(leg.held - leg.expected) >= leg.instrument.quantity_min:  # less than that is dust
        return refusal("position", retryable=True, held=leg.held, expected=leg.expected)
    return None
