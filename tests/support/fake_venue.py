"""A venue in memory behind the ports: market data, account and order desk, no network.

It trades in the simulated venue's own ledger, so books, fills, fees and funding are the same as over the wire.
Failures are put in line with `fail_next_send` and `unreachable`.
"""

import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from common.domain.funding import FundingTerms
from common.domain.identifiers import Side
from common.domain.instruments import Instrument
from common.domain.order_book import OrderBook, book_side
from common.venues.errors import (
    OrderNotSent,
    OrderOutcomeUnknown,
    OrderRejected,
    VenueError,
    VenueRefused,
    VenueUnreachable,
)
from common.venues.ports import (
    Balance,
    Fill,
    FundingPayment,
    OrderIntent,
    OrderReport,
    OrderState,
    PositionMode,
    TopOfBook,
    VenuePosition,
)
from support.simulated_venues import HandClock, open_test_venue
from venue_sim.account import Order, OrderStatus
from venue_sim.matching import Side as VenueSide
from venue_sim.refusals import Reason, Refusal
from venue_sim.venue import OrderRequest, Venue

_STATES = {
    OrderStatus.WORKING: OrderState.WORKING,
    OrderStatus.FILLED: OrderState.FILLED,
    OrderStatus.EXPIRED: OrderState.CANCELLED,
    OrderStatus.CANCELLED: OrderState.CANCELLED,
}


@dataclass
class FakeVenue:
    """Implements `MarketData`, `Account` and `OrderDesk`; `ledger` is the venue itself."""

    venue: str = "binance"
    clock: HandClock = field(default_factory=HandClock)
    unreachable: bool = False
    sent: list[OrderIntent] = field(default_factory=list)
    _failures: deque[tuple[VenueError, bool]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.ledger: Venue = open_test_venue(self.venue, self.clock)[0]

    def fail_next_send(self, error: VenueError, *, after_acceptance: bool = False) -> None:
        """The next send ends in `error`; with `after_acceptance` the order takes effect all the same."""
        self._failures.append((error, after_acceptance))

    async def instruments(self) -> Mapping[str, Instrument]:
        self._reach()
        return {
            symbol: Instrument(
                venue=self.venue,
                symbol=symbol,
                quantity_step=rules.quantity_step,
                quantity_min=rules.quantity_min,
                notional_min=rules.notional_min,
                price_tick=rules.price_tick,
                quantity_max=rules.quantity_max,
            )
            for symbol, rules in self.ledger.instruments.items()
        }

    async def book(self, symbol: str) -> OrderBook:
        self._reach()
        self._listed(symbol)
        book = self.ledger.book(symbol)
        sides = book_side(book.bids), book_side(book.asks)
        return OrderBook(self.venue, symbol, *sides, time.monotonic(), book.update_id)

    async def tops(self, symbols: Sequence[str]) -> Mapping[str, TopOfBook]:
        self._reach()
        books = {symbol: self.ledger.book(symbol) for symbol in symbols if symbol in self.ledger.instruments}
        return {
            symbol: TopOfBook(symbol, book.bids[0].price, book.asks[0].price)
            for symbol, book in books.items()
            if book.bids and book.asks
        }

    async def funding(self, symbols: Sequence[str]) -> Mapping[str, FundingTerms]:
        self._reach()
        shown = {symbol: self.ledger.funding(symbol) for symbol in symbols if symbol in self.ledger.instruments}
        return {
            symbol: FundingTerms(self.venue, symbol, float(f.rate), float(f.interval_hours), f.next_time)
            for symbol, f in shown.items()
        }

    async def server_time_offset_seconds(self) -> float:
        self._reach()
        return 0.0

    async def close(self) -> None:
        return

    async def balance(self) -> Balance:
        self._reach()
        self.ledger.settle()
        return Balance(self.ledger.account.balance, self.ledger.available())

    async def positions(self, symbols: Sequence[str] | None = None) -> Mapping[str, VenuePosition]:
        self._reach()
        return {
            position.symbol: VenuePosition(
                venue=self.venue,
                symbol=position.symbol,
                quantity=position.quantity,
                entry_price=position.entry_price,
                mark_price=self.ledger.mark(position.symbol),
                leverage=Decimal(self.ledger.leverage(position.symbol)),
            )
            for position in self.ledger.account.open_positions()
            if symbols is None or position.symbol in symbols
        }

    async def position_mode(self, symbol: str) -> PositionMode:
        self._reach()
        self._listed(symbol)
        return PositionMode.HEDGE if self.ledger.account.hedged else PositionMode.ONE_WAY

    async def leverage(self, symbol: str) -> Decimal | None:
        self._reach()
        self._listed(symbol)
        return Decimal(self.ledger.leverage(symbol))

    async def prepare(self, symbol: str, leverage: int) -> None:
        self._reach()
        try:
            self.ledger.set_leverage(symbol, leverage)
            if self.ledger.account.hedged:
                self.ledger.set_hedged(False)
        except Refusal as refusal:
            raise VenueRefused(self.venue, str(refusal)) from refusal

    async def order(self, symbol: str, client_order_id: str) -> OrderReport | None:
        self._reach()
        self._listed(symbol)
        self.ledger.settle()
        order = self.ledger.account.order_by_client_id(client_order_id)
        return _report(order) if order is not None and order.symbol == symbol else None

    async def fills(self, symbol: str, since: datetime) -> Sequence[Fill]:
        self._reach()
        return [
            Fill(
                venue=self.venue,
                symbol=symbol,
                fill_id=fill.fill_id,
                venue_order_id=fill.order_id,
                side=Side(fill.side.value),
                price=fill.price,
                quantity=fill.quantity,
                fee_usdt=fill.fee,
                traded_at=fill.time,
            )
            for fill in self.ledger.account.fills
            if fill.symbol == symbol and fill.time >= since
        ]

    async def funding_payments(self, symbol: str, since: datetime) -> Sequence[FundingPayment]:
        self._reach()
        self.ledger.settle()
        return [
            FundingPayment(self.venue, symbol, payment.payment_id, payment.amount, payment.time)
            for payment in self.ledger.account.payments
            if payment.symbol == symbol and payment.time >= since
        ]

    async def send(self, intent: OrderIntent) -> OrderReport:
        if self.unreachable:
            raise OrderNotSent(self.venue, "no connection")
        rules = self.ledger.instruments.get(intent.symbol)
        if rules is None or intent.quantity % rules.quantity_step:
            raise OrderNotSent(self.venue, f"{intent.quantity} {intent.symbol} cannot be ordered")
        self.sent.append(intent)
        error, after_acceptance = self._failures.popleft() if self._failures else (None, True)
        if error is not None and not after_acceptance:
            raise error
        order = self._place(intent)
        if error is not None:
            raise error
        return _report(order)

    async def cancel(self, symbol: str, client_order_id: str) -> None:
        self._reach()
        self._listed(symbol)
        try:
            self.ledger.cancel(symbol, "", client_order_id)
        except Refusal as refusal:
            if refusal.reason not in (Reason.ORDER_NOT_OPEN, Reason.ORDER_NOT_FOUND):
                raise VenueRefused(self.venue, str(refusal), refusal.reason) from refusal

    def _place(self, intent: OrderIntent) -> Order:
        request = OrderRequest(
            symbol=intent.symbol,
            side=VenueSide(intent.side.value),
            quantity=intent.quantity,
            client_id=intent.client_order_id,
            reduce_only=intent.reduce_only,
            received_monotonic_ns=time.monotonic_ns(),
        )
        try:
            return self.ledger.place(request)
        except Refusal as refusal:
            kind = OrderOutcomeUnknown if refusal.reason is Reason.DUPLICATE_CLIENT_ID else OrderRejected
            raise kind(self.venue, str(refusal), refusal.reason) from refusal

    def _reach(self) -> None:
        if self.unreachable:
            raise VenueUnreachable(self.venue, "no connection")

    def _listed(self, symbol: str) -> None:
        if symbol not in self.ledger.instruments:
            raise VenueRefused(self.venue, f"{symbol} is not listed")


def _report(order: Order) -> OrderReport:
    return OrderReport(
        client_order_id=order.client_id,
        venue_order_id=order.order_id,
        state=_STATES[order.status],
        filled_quantity=order.filled,
        average_price=order.average if order.filled else None,
    )
