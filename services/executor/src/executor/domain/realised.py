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
    """What was taken back of each leg against the leg's average entry price, less all fees, in USDT."""
    legs: dict[tuple[int, Leg], list[OrderSoFar]] = defaultdict(list)
    for order in orders:
        legs[order.signal_id, order.leg].append(order)
    return sum((_of_leg_usdt(leg, own) for (_, leg), own in legs.items()), Decimal(0))


def _of_leg_usdt(leg: Leg, orders: Sequence[OrderSoFar]) -> Decimal:
    fees = sum((_fees_usdt(order) for order in orders), Decimal(0))
    fills = [LegFill(order.leg, order.purpose, order.quantity, order.price) for order in orders]
    average = leg_position(fills, leg).average_price
    if average is None:
        return -fees
    taken_back = [order for order in orders if order.purpose is not Purpose.OPEN]
    gained = sum((order.quantity * (order.price - average) for order in taken_back), Decimal(0))
    return (gained if leg is Leg.LONG else -gained) - fees


def _fees_usdt(order: OrderSoFar) -> Decimal:
    return order.fees_usdt + (order.quantity - order.quantity_with_fee) * order.price * FEE_RATE_UNTOLD
