"""A perpetual's trading rules on one venue, and the one base quantity that both legs can trade.

Everything is in base units: a venue that counts contracts is converted where it is read.
"""

from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from fractions import Fraction
from math import lcm


@dataclass(frozen=True, slots=True)
class Instrument:
    """Trading rules of one linear perpetual. Quantities in base units, notionals and prices in USDT.

    `halted` says why nothing may be opened in it; what is held may still be closed. `halted_for_now`: the venue may
    trade it again at any time.
    """

    venue: str
    symbol: str
    quantity_step: Decimal
    quantity_min: Decimal
    notional_min: Decimal
    price_tick: Decimal
    contract_size: Decimal = Decimal(1)
    quantity_max: Decimal | None = None
    leverage_max: Decimal | None = None
    halted: str | None = None
    halted_for_now: bool = False


def floor_to_step(quantity: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of `step` that is not above `quantity`."""
    return (quantity / step).to_integral_value(ROUND_FLOOR) * step


def common_step(first: Decimal, second: Decimal) -> Decimal:
    """The smallest step that is a multiple of both: the coarser one where it is a multiple of the finer."""
    one, two = Fraction(first), Fraction(second)
    denominator = lcm(one.denominator, two.denominator)
    numerator = lcm(int(one * denominator), int(two * denominator))
    return Decimal(numerator) / Decimal(denominator)


def pair_quantity(per_leg_usdt: Decimal, short_price: Decimal, long: Instrument, short: Instrument) -> Decimal:
    """Base quantity for both legs (SPEC 4, Size): notional / short sweep price, floored to the common lot step.

    May be zero, where the notional does not buy one lot: the preflight says so.
    """
    step = common_step(long.quantity_step, short.quantity_step)
    return floor_to_step(per_leg_usdt / short_price, step)


def lot_violation(instrument: Instrument, quantity: Decimal, price: Decimal) -> str | None:
    """Why the venue would refuse a market order of `quantity` at about `price`, or None."""
    if quantity <= 0 or quantity < instrument.quantity_min:
        return f"quantity {quantity} is below the minimum {instrument.quantity_min}"
    if floor_to_step(quantity, instrument.quantity_step) != quantity:
        return f"quantity {quantity} is no multiple of the lot step {instrument.quantity_step}"
    if instrument.quantity_max is not None and quantity > instrument.quantity_max:
        return f"quantity {quantity} is above the maximum {instrument.quantity_max}"
    if quantity * price < instrument.notional_min:
        return f"notional {quantity * price:.4f} USDT is below the minimum {instrument.notional_min}"
    return None
