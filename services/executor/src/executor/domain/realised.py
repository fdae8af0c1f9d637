"""What trades have realised before their final account, from what the ledger knows by now."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from common.domain.identifiers import Leg, Purpose
from common.domain.position import LegFill, leg_position

FEE_RATE_UNTOLD = Decimal("0.001")
"""What is assumed of a fee that its venue has not told yet, as a share of the notional: more than any venue here takes
of a market order. Unknown is never zero, and a rail had better be early than late.
"""


@dataclass(frozen=True, slots=True)
class OrderSoFar:
    """What filled of one order: base quantity, price in USDT (the swept one until the venue's is known), and of the
    fills that are booked with their fees the quantity and those fees.
    """

    signal_id: int
    leg: Leg
    purpose: Purpose
    quantity: Decimal
    price: Decimal
    quantity_with_fee: Decimal
    fees_usdt: Decimal


def realised_usdt(orders: Iterable[OrderSoFar]) -> Decimal:
    """What was taken back of each leg against the leg's average entry price, less all fees, in USDT.

    A leg that stands alone because only the other one was taken back counts as taken back at the other's price: in the
    middle of a close one leg may have lost ten times what both together have.
    """
    trades: dict[int, list[OrderSoFar]] = defaultdict(list)
    for order in orders:
        trades[order.signal_id].append(order)
    return sum((_of_trade_usdt(own) for own in trades.values()), Decimal(0))


def _of_trade_usdt(orders: Sequence[OrderSoFar]) -> Decimal:
    fills = [LegFill(order.leg, order.purpose, order.quantity, order.price) for order in orders]
    held = {leg: leg_position(fills, leg) for leg in Leg}
    taken_back = {leg: _taken_back(fills, leg) for leg in Leg}
    gained = -sum((_fees_usdt(order) for order in orders), Decimal(0))
    for leg, other in ((Leg.LONG, Leg.SHORT), (Leg.SHORT, Leg.LONG)):
        (quantity, value), (other_quantity, other_value) = taken_back[leg], taken_back[other]
        alone = min(held[leg].quantity - held[other].quantity, other_quantity)
        if alone > 0:
            quantity, value = quantity + alone, value + alone * other_value / other_quantity
        cost = quantity * (held[leg].average_price or Decimal(0))
        gained += value - cost if leg is Leg.LONG else cost - value
    return gained


def _taken_back(fills: Sequence[LegFill], leg: Leg) -> tuple[Decimal, Decimal]:
    """Quantity, and its value in USDT."""
    found = [fill for fill in fills if fill.leg is leg and fill.purpose is not Purpose.OPEN]
    return sum((fill.quantity for fill in found), Decimal(0)), sum((f.quantity * f.price for f in found), Decimal(0))


def _fees_usdt(order: OrderSoFar) -> Decimal:
    return order.fees_usdt + (order.quantity - order.quantity_with_fee) * order.price * FEE_RATE_UNTOLD
