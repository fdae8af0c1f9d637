"""What trades have realised before their final account, from what the ledger knows by now."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from common.domain.identifiers import Leg, Purpose
from common.domain.position import LegFill, leg_position

FEE_RATE_UNTOLD = Decimal("0.001")
"""What is assumed of a fee that its venue has not told yet, as a share of the notional: more than any venue here takes
of a market order. Unknown is never zero, and a rail had better be early than late.
"""

_TAKEN_BACK = frozenset(Purpose) - {Purpose.OPEN}
_CLOSED = frozenset({Purpose.CLOSE, Purpose.EXTERNAL})


@dataclass(frozen=True, slots=True)
class OrderSoFar:
    """What filled of one order: base quantity, price in USDT (the swept one until the venue's is known), and of the
    fills that are booked with their fees the quantity and those fees. Its trade is active until it is closed or failed.
    """

    signal_id: int
    is_active: bool
    is_of_day: bool
    leg: Leg
    purpose: Purpose
    quantity: Decimal
    price: Decimal
    quantity_with_fee: Decimal
    fees_usdt: Decimal

    @property
    def counts(self) -> bool:
        """What an active trade took back or paid before the day was a loss of another day."""
        return self.is_of_day or not self.is_active


def realised_usdt(orders: Iterable[OrderSoFar], funding_usdt: Mapping[int, Decimal]) -> Decimal:
    """What was taken back of each leg against the leg's average entry price, plus each trade's funding, less all fees.

    An active trade counts with a loss and never with a gain: what it gathers while it is open may be lost by its close,
    and hides no other trade's loss.
    """
    trades: dict[int, list[OrderSoFar]] = defaultdict(list)
    for order in orders:
        trades[order.signal_id].append(order)
    total = Decimal(0)
    for signal_id, own in trades.items():
        realised = _of_trade_usdt(own) + funding_usdt.get(signal_id, Decimal(0))
        total += min(realised, Decimal(0)) if own[0].is_active else realised
    return total


def _of_trade_usdt(orders: Sequence[OrderSoFar]) -> Decimal:
    """A leg that stands alone because only the other one was closed counts as closed at the other's price: in the
    middle of a close one leg may have lost ten times what both together have.
    """
    fills = [LegFill(order.leg, order.purpose, order.quantity, order.price) for order in orders]
    of_day = [fill for fill, order in zip(fills, orders, strict=True) if order.counts]
    held = {leg: leg_position(fills, leg) for leg in Leg}
    gained = -sum((_fees_usdt(order) for order in orders if order.counts), Decimal(0))
    for leg, other in ((Leg.LONG, Leg.SHORT), (Leg.SHORT, Leg.LONG)):
        quantity, value = _sum(of_day, leg, _TAKEN_BACK)
        other_quantity, other_value = _sum(of_day, other, _CLOSED)
        alone = min(held[leg].quantity - held[other].quantity, other_quantity)
        if alone > 0:
            quantity, value = quantity + alone, value + alone * other_value / other_quantity
        cost = quantity * (held[leg].average_price or Decimal(0))
        gained += value - cost if leg is Leg.LONG else cost - value
    return gained


def _sum(fills: Sequence[LegFill], leg: Leg, purposes: Collection[Purpose]) -> tuple[Decimal, Decimal]:
    """Quantity of a leg's orders of these purposes, and its value in USDT."""
    found = [fill for fill in fills if fill.leg is leg and fill.purpose in purposes]
    return sum((fill.quantity for fill in found), Decimal(0)), sum((f.quantity * f.price for f in found), Decimal(0))


def _fees_usdt(order: OrderSoFar) -> Decimal:
    return order.fees_usdt + (order.quantity - order.quantity_with_fee) * order.price * FEE_RATE_UNTOLD
