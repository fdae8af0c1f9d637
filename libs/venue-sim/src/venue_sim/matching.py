"""Walking the displayed book with an aggressive order. Pure: one price and quantity per level touched."""

from decimal import Decimal
from enum import StrEnum

from venue_sim.market import Book, Level


class Side(StrEnum):
    """Which way an order trades."""

    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sell."""
        return 1 if self is Side.BUY else -1


def walk(book: Book, side: Side, quantity: Decimal, limit_price: Decimal | None = None) -> list[Level]:
    """What a market order of `quantity` (base units) takes, level by level, none beyond `limit_price`.

    A book that is thinner than the order gives what it has; the caller decides what becomes of the rest.
    """
    taken: list[Level] = []
    remaining = quantity
    for level in book.asks if side is Side.BUY else book.bids:
        if remaining <= 0 or (limit_price is not None and level.price * side.sign > limit_price * side.sign):
            break
        part = min(remaining, level.quantity)
        taken.append(Level(level.price, part))
        remaining -= part
    return taken


def average_price(levels: list[Level], otherwise: Decimal) -> Decimal:
    """What the levels cost a unit; `otherwise` where there are none."""
    taken = sum((level.quantity for level in levels), Decimal(0))
    value = sum((level.price * level.quantity for level in levels), Decimal(0))
    return value / taken if taken else otherwise
