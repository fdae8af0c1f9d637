"""An order book and what it costs to walk it.

A book too thin for the whole amount is an error with the shortfall, never a partial average.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from itertools import accumulate


class InsufficientDepth(Exception):
    """The side holds less than was asked for."""

    def __init__(self, wanted: Decimal, shortfall: Decimal, unit: str) -> None:
        super().__init__(f"the book is {shortfall} {unit} short of {wanted} {unit}")
        self.wanted = wanted
        self.shortfall = shortfall
        self.unit = unit


@dataclass(frozen=True, slots=True)
class Sweep:
    """The outcome of walking one side: volume-weighted `price` in USDT, `quantity` in base units."""

    price: Decimal
    quantity: Decimal
    notional: Decimal
    levels: int
    worst_price: Decimal


@dataclass(frozen=True)
class BookSide:
    """Levels of one side, best first, as (price, base quantity).

    Running totals are made once a side, so that valuing many trades on one book costs a binary search each.
    """

    levels: tuple[tuple[Decimal, Decimal], ...]

    @cached_property
    def _quantities(self) -> Sequence[Decimal]:
        return list(accumulate(quantity for _, quantity in self.levels))

    @cached_property
    def _notionals(self) -> Sequence[Decimal]:
        return list(accumulate(price * quantity for price, quantity in self.levels))

    @property
    def best(self) -> Decimal | None:
        """The best price, or None of an empty side."""
        return self.levels[0][0] if self.levels else None

    def sweep_quantity(self, quantity: Decimal) -> Sweep:
        """Volume-weighted average price of trading `quantity` base units against this side.

        Raises:
            ValueError: the quantity is not positive.
            InsufficientDepth: the side is thinner than that.
        """
        if quantity <= 0:
            raise ValueError(f"a sweep needs a positive quantity, not {quantity}")
        last = bisect_left(self._quantities, quantity)
        if last == len(self.levels):
            held = self._quantities[-1] if self.levels else Decimal(0)
            raise InsufficientDepth(quantity, quantity - held, "base")
        before = self._quantities[last - 1] if last else Decimal(0)
        spent = self._notionals[last - 1] if last else Decimal(0)
        price = self.levels[last][0]
        notional = spent + (quantity - before) * price
        return Sweep(notional / quantity, quantity, notional, last + 1, price)

    def sweep_notional(self, notional: Decimal) -> Sweep:
        """Volume-weighted average price of trading `notional` USDT against this side.

        Raises:
            ValueError: the notional is not positive.
            InsufficientDepth: the side is thinner than that.
        """
        if notional <= 0:
            raise ValueError(f"a sweep needs a positive notional, not {notional}")
        last = bisect_left(self._notionals, notional)
        if last == len(self.levels):
            held = self._notionals[-1] if self.levels else Decimal(0)
            raise InsufficientDepth(notional, notional - held, "USDT")
        before = self._notionals[last - 1] if last else Decimal(0)
        bought = self._quantities[last - 1] if last else Decimal(0)
        price = self.levels[last][0]
        quantity = bought + (notional - before) / price
        return Sweep(notional / quantity, quantity, notional, last + 1, price)


@dataclass(frozen=True)
class OrderBook:
    """One venue's book of one symbol, in base units.

    `received_at_seconds` is on the real monotonic clock of the process that read it: its age says whether it may
    still be traded on.
    """

    venue: str
    symbol: str
    bids: BookSide
    asks: BookSide
    received_at_seconds: float
    sequence: int | None = field(default=None)

    @property
    def is_crossed(self) -> bool:
        """A bid at or above an ask: no book to trade on. An empty side is not crossed, but it has no depth."""
        bid, ask = self.bids.best, self.asks.best
        return bid is not None and ask is not None and bid >= ask

    def age_seconds(self, monotonic_seconds: float) -> float:
        """Real seconds since this book was received."""
        return monotonic_seconds - self.received_at_seconds

    def top(self, levels: int = 5) -> dict[str, list[list[str]]]:
        """The best levels of both sides as text, for evidence."""
        return {
            "bids": [[str(price), str(quantity)] for price, quantity in self.bids.levels[:levels]],
            "asks": [[str(price), str(quantity)] for price, quantity in self.asks.levels[:levels]],
        }


def book_side(levels: Iterable[Sequence[object]]) -> BookSide:
    """A side from raw (price, quantity) pairs of any numeric type or text; zero quantities are dropped."""
    pairs = ((Decimal(str(level[0])), Decimal(str(level[1]))) for level in levels)
    return BookSide(tuple((price, quantity) for price, quantity in pairs if quantity > 0))
