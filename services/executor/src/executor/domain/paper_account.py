"""The arithmetic of a paper account: what an order takes from a book, and what it does to a position. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from common.domain.funding import FundingTerms
from common.domain.identifiers import Side
from common.domain.order_book import BookSide, InsufficientDepth

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Taken:
    """One level's share of an order: base `quantity` at `price` USDT."""

    price: Decimal
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class PaperPosition:
    """Signed net position in base units, long above zero, and the average price it was opened at in USDT."""

    quantity: Decimal = ZERO
    entry_price: Decimal = ZERO

    @property
    def notional_usdt(self) -> Decimal:
        """What it was opened for."""
        return abs(self.quantity) * self.entry_price

    def profit_usdt(self, price: Decimal) -> Decimal:
        """What it has made if it is worth `price`."""
        return (price - self.entry_price) * self.quantity

    def reducible(self, side: Side, quantity: Decimal) -> Decimal:
        """How much of an order a reduce-only one may take: never more than what is held the other way."""
        held = -self.quantity if side is Side.BUY else self.quantity
        return max(ZERO, min(quantity, held))

    def after(self, side: Side, taken: Taken) -> tuple["PaperPosition", Decimal]:
        """The position after an execution, and the USDT that it realised."""
        signed = taken.quantity if side is Side.BUY else -taken.quantity
        quantity = self.quantity + signed
        if self.quantity * signed >= 0:
            cost = self.notional_usdt + taken.quantity * taken.price
            return PaperPosition(quantity, cost / abs(quantity)), ZERO
        closed = min(abs(signed), abs(self.quantity))
        realised = (taken.price - self.entry_price) * (closed if self.quantity > 0 else -closed)
        if quantity == 0:
            return PaperPosition(), realised
        turned = self.quantity * quantity < 0
        return PaperPosition(quantity, taken.price if turned else self.entry_price), realised


def take(side: BookSide, quantity: Decimal) -> Sequence[Taken]:
    """What a market order of `quantity` base units takes from a side, level by level; less where it is thinner."""
    try:
        levels = side.sweep_quantity(quantity).taken()
    except InsufficientDepth:
        levels = side.levels
    return [Taken(price, amount) for price, amount in levels]


def margin_usdt(position: PaperPosition, side: Side, taken: Sequence[Taken], leverage: int) -> Decimal:
    """The margin that is held for a position after these executions."""
    for one in taken:
        position, _ = position.after(side, one)
    return position.notional_usdt / leverage


def settlements(terms: FundingTerms, now: datetime) -> list[datetime]:
    """The settlements of these terms that are past, oldest first."""
    found: list[datetime] = []
    moment = terms.next_at
    while moment is not None and moment <= now:
        found.append(moment)
        moment += timedelta(hours=terms.interval_hours)
    return found


def funding_usdt(quantity: Decimal, price: Decimal, rate: float) -> Decimal:
    """What a settlement pays on a signed position; longs pay a positive rate. Positive: received."""
    return -quantity * price * Decimal(str(rate))
