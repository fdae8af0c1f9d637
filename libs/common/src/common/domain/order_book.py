"""An order book and what it costs to walk it.

A book too thin for the whole amount is an error with the shortfall, never a partial average.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

_NOTHING = Decimal(0)


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
    side: "BookSide" = field(repr=False, compare=False)

    def taken(self) -> tuple[tuple[Decimal, Decimal], ...]:
        """What each level gave, best first, as (price, base quantity); the quantities add up to `quantity`."""
        whole = self.side.levels[: self.levels - 1]
        rest = self.quantity - sum((quantity for _, quantity in whole), _NOTHING)
        return (*whole, (self.worst_price, rest))


class BookSide:
    """Levels of one side, best first, as (price, base quantity).

    Running totals are made as far as a sweep goes and kept, so that one sweep costs a walk and valuing many trades on
    the same book costs a binary search each.
    """

    __slots__ = ("_notionals", "_quantities", "levels")

    def __init__(self, levels: tuple[tuple[Decimal, Decimal], ...]) -> None:
        self.levels = levels
        self._quantities: list[Decimal] = []
        self._notionals: list[Decimal] = []

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BookSide) and self.levels == other.levels

    def __hash__(self) -> int:
        return hash(self.levels)

    def __repr__(self) -> str:
        return f"BookSide({self.levels!r})"

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
        last = self._level_reaching(quantity, self._quantities)
        if last is None:
            raise InsufficientDepth(quantity, quantity - self._total(self._quantities), "base")
        before, spent = self._before(last)
        price = self.levels[last][0]
        notional = spent + (quantity - before) * price
        return Sweep(notional / quantity, quantity, notional, last + 1, price, self)

    def sweep_notional(self, notional: Decimal) -> Sweep:
        """Volume-weighted average price of trading `notional` USDT against this side.

        Raises:
            ValueError: the notional is not positive.
            InsufficientDepth: the side is thinner than that.
        """
        if notional <= 0:
            raise ValueError(f"a sweep needs a positive notional, not {notional}")
        last = self._level_reaching(notional, self._notionals)
        if last is None:
            raise InsufficientDepth(notional, notional - self._total(self._notionals), "USDT")
        bought, before = self._before(last)
        price = self.levels[last][0]
        quantity = bought + (notional - before) / price
        return Sweep(notional / quantity, quantity, notional, last + 1, price, self)

    def _level_reaching(self, amount: Decimal, totals: list[Decimal]) -> int | None:
        """The first level whose running total is not below `amount`; None when the whole side is."""
        if not totals or totals[-1] < amount:
            self._extend(amount, totals)
            if not totals or totals[-1] < amount:
                return None
        return bisect_left(totals, amount)

    def _extend(self, amount: Decimal, totals: list[Decimal]) -> None:
        quantities, notionals = self._quantities, self._notionals
        quantity, notional = self._total(quantities), self._total(notionals)
        for price, available in self.levels[len(quantities) :]:
            quantity += available
            notional += price * available
            quantities.append(quantity)
            notionals.append(notional)
            if totals[-1] >= amount:
                return

    def _before(self, level: int) -> tuple[Decimal, Decimal]:
        """Quantity and notional of all levels before `level`."""
        return (self._quantities[level - 1], self._notionals[level - 1]) if level else (_NOTHING, _NOTHING)

    @staticmethod
    def _total(totals: list[Decimal]) -> Decimal:
        return totals[-1] if totals else _NOTHING


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
