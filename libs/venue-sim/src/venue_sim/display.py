"""What the venue shows, which under a fault is not what there is: wrong books, and a ledger that lags.

Orders trade on the market's book and the account books them at once; only the view of both is wrong here. The
control interface always shows the truth.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Protocol, TypeVar

from venue_sim.account import Fill, FundingPayment, Order, Position
from venue_sim.execution import Floor
from venue_sim.faults import BOOKS, ArmedFault, EndpointClass, FaultKind, Target
from venue_sim.market import Book, Level

_LAG = frozenset({FaultKind.LAG})


class _Numbered(Protocol):
    @property
    def number(self) -> int: ...


Row = TypeVar("Row", bound=_Numbered)


class Display:
    """Books, positions, orders, fills and payments as requests see them."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._frozen: dict[tuple[int, str], Book] = {}

    def book(self, book: Book) -> Book:
        """The market's book, or what a fault makes of it."""
        now = self._floor.moment()
        fault = self._floor.faults.take(Target(EndpointClass.BOOK, book.symbol), BOOKS, now)
        return book if fault is None else self._faulty(fault, book)

    def streamed_book(self, book: Book) -> Book:
        """The same for streams. They are looked at all the time: a fault of requests is not counted by it."""
        now, faults = self._floor.moment(), self._floor.faults
        fault = faults.take(Target(EndpointClass.STREAM, book.symbol), BOOKS, now)
        fault = fault or faults.find(Target(EndpointClass.BOOK, book.symbol), BOOKS, now)
        return book if fault is None else self._faulty(fault, book)

    def position(self, symbol: str) -> Position:
        """The position of `symbol`, as of its fills that are shown."""
        account = self._floor.account
        if self._floor.faults.is_quiet(self._floor.moment()):
            return account.position(symbol)
        fills = [fill for fill in account.fills if fill.symbol == symbol]
        shown = self._visible(EndpointClass.POSITIONS, symbol, fills)
        if len(shown) == len(fills):
            return account.position(symbol)
        earlier = Position(symbol)
        for fill in shown:
            earlier.trade(fill.side, Level(fill.price, fill.quantity), fill.time)
        return earlier

    def order(self, order: Order) -> bool:
        """Whether an order can be found."""
        return bool(self._visible(EndpointClass.ORDER_QUERY, order.symbol, [order]))

    def orders(self, symbol: str | None, orders: Iterable[Order]) -> list[Order]:
        """Those of the orders that can be found."""
        return self._visible(EndpointClass.ORDER_QUERY, symbol, orders)

    def fills(self, symbol: str | None) -> list[Fill]:
        """Every fill that is in the history."""
        return self._visible(EndpointClass.FILLS, symbol, self._floor.account.fills)

    def payments(self, symbol: str | None) -> list[FundingPayment]:
        """Every funding payment that is in the history."""
        return self._visible(EndpointClass.FUNDING, symbol, self._floor.account.payments)

    def _visible(self, endpoint: EndpointClass, symbol: str | None, rows: Iterable[Row]) -> list[Row]:
        now, account = self._floor.moment(), self._floor.account
        every = list(rows)
        fault = self._floor.faults.find(Target(endpoint, symbol), _LAG, now)
        if fault is None:
            return every
        shown = [row for row in every if not fault.hides(account.booked_at(row.number), now)]
        if len(shown) < len(every):
            self._floor.faults.fire(fault, now)
        return shown

    def _faulty(self, fault: ArmedFault, book: Book) -> Book:
        if fault.spec.kind is FaultKind.STALE_BOOK:
            return self._frozen.setdefault((fault.number, book.symbol), book)
        if fault.spec.kind is FaultKind.CROSSED_BOOK:
            return _crossed(book, self._floor.instrument(book.symbol).price_tick)
        bids = () if fault.spec.side in ("bids", "both") else book.bids
        asks = () if fault.spec.side in ("asks", "both") else book.asks
        return Book(book.symbol, book.update_id, book.time, bids, asks)


def _crossed(book: Book, tick: Decimal) -> Book:
    """The same book with its bids moved up until the best one is a tick above the best ask."""
    if not book.bids or not book.asks:
        return book
    shift = book.asks[0].price - book.bids[0].price + tick
    bids = tuple(Level(level.price + shift, level.quantity) for level in book.bids)
    return Book(book.symbol, book.update_id, book.time, bids, book.asks)
