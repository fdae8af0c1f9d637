"""What a contract's rules allow an order to be. Pure: what is not allowed is a `Refusal`."""

from decimal import Decimal

from venue_sim.matching import Side
from venue_sim.refusals import Reason, Refusal
from venue_sim.scenario import Instrument


def check_quantity(instrument: Instrument, quantity: Decimal) -> None:
    """Positive, on the lot step, and within the contract's limits."""
    if quantity <= 0:
        raise Refusal(Reason.QUANTITY_NOT_POSITIVE)
    if quantity % instrument.quantity_step:
        raise Refusal(Reason.QUANTITY_STEP, str(instrument.quantity_step))
    if quantity < instrument.quantity_min:
        raise Refusal(Reason.QUANTITY_BELOW_MIN, str(instrument.quantity_min))
    if quantity > instrument.quantity_max:
        raise Refusal(Reason.QUANTITY_ABOVE_MAX, str(instrument.quantity_max))


def check_notional(instrument: Instrument, quantity: Decimal, mid: Decimal) -> None:
    """Worth enough at the mid."""
    if quantity * mid < instrument.notional_min:
        raise Refusal(Reason.NOTIONAL_BELOW_MIN, str(instrument.notional_min))


def reducing_quantity(side: Side, quantity: Decimal, held: Decimal) -> Decimal:
    """What a reduce-only order may execute: no more than the position, and only against it."""
    if held == 0:
        raise Refusal(Reason.REDUCE_ONLY_WITHOUT_POSITION)
    if held * side.sign > 0:
        raise Refusal(Reason.REDUCE_ONLY_SAME_SIDE)
    return min(quantity, abs(held))
