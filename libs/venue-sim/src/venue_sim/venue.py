"""One simulated venue: a market that moves with the clock and one account that trades on it.

Everything the venue does happens at `now()`, which is market time. Funding is booked for every settlement
crossed since the last look, before anything else of the account is read or changed, so an order never changes
the position of an earlier settlement; then come orders that waited and the scenario's interventions. A refused
request changes nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from venue_sim.acceptance import check_notional, check_quantity, reducing_quantity
from venue_sim.account import Account, Identifiers, MarginMode, Order, OrderStatus
from venue_sim.display import Display
from venue_sim.execution import Execution
from venue_sim.faults import Faults
from venue_sim.funding import Funding, FundingSchedule
from venue_sim.interventions import Intervention, InterventionKind
from venue_sim.market import Book, Level, levels_around, mid_at
from venue_sim.matching import Side, average_price, walk
from venue_sim.moment import Moment
from venue_sim.refusals import Reason, Refusal
from venue_sim.scenario import FundingPoint, Instrument, VenueScenario


class MarketClock(Protocol):
    """Where market time and real seconds come from."""

    def now(self) -> datetime: ...

    def monotonic(self) -> float: ...


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """A market order as it arrived. `quantity` in base units; `position_side_given` is a hedge-mode order.

    Nothing is traded beyond `limit_price`.
    """

    symbol: str
    side: Side
    quantity: Decimal
    client_id: str
    reduce_only: bool
    received_monotonic_ns: int
    position_side_given: bool = False
    limit_price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class VenueRules:
    """What differs between venues apart from the wire.

    A reduce-only order above the position executes the position on every venue; where it is not shrunk to the
    position, it ends expired with a remainder.
    """

    default_leverage: int
    shrinks_reduce_only: bool


@dataclass(slots=True)
class _Override:
    """What the control interface has put in place of the scenario for one symbol."""

    mid: Decimal | None = None
    sides: tuple[tuple[Level, ...], tuple[Level, ...]] | None = None
    funding: tuple[Decimal, int | None] | None = None


class Venue:
    """A venue with its instruments, its account and the overrides of the control interface."""

    def __init__(
        self,
        name: str,
        scenario: VenueScenario,
        clock: MarketClock,
        identifiers: Identifiers,
        rules: VenueRules,
    ) -> None:
        self.name = name
        self.protocol = scenario.protocol
        self.instruments: dict[str, Instrument] = dict(scenario.instruments)
        self.faults = Faults(scenario.faults)
        self._rules = rules
        self._clock = clock
        self._manual_now: datetime | None = None
        self.account = Account(scenario.balance_usdt, scenario.taker_fee, identifiers, self.moment)
        self.shown = Display(self)
        self._execution = Execution(self)
        self._interventions = sorted(scenario.interventions, key=lambda intervention: intervention.at)
        self._overrides = {symbol: _Override() for symbol in self.instruments}
        self._books: dict[str, Book] = {}
        self.book_shown: list[Callable[[Book], None]] = []
        """Told of every book that a request is shown."""
        self._settled_until = self.now()

    # Time

    def now(self) -> datetime:
        """Market time to the millisecond: the clock's, or the moment at which the control interface holds it."""
        now = self._manual_now or self._clock.now()
        return now.replace(microsecond=now.microsecond // 1000 * 1000)

    def moment(self) -> Moment:
        """The present on both clocks."""
        return Moment(self.now(), self._clock.monotonic())

    @property
    def time_is_manual(self) -> bool:
        """Whether the control interface holds the time."""
        return self._manual_now is not None

    def hold_time(self, now: datetime | None) -> None:
        """Holds market time at `now`; None gives it back to the clock."""
        self.settle()
        self._manual_now = now

    # Market

    def instrument(self, symbol: str) -> Instrument:
        """The trading rules of `symbol`; refused where it is not listed."""
        instrument = self.instruments.get(symbol)
        if instrument is None:
            raise Refusal(Reason.UNKNOWN_SYMBOL, symbol)
        return instrument

    def mid(self, symbol: str, now: datetime | None = None) -> Decimal:
        """The mid price at `now` (default: the present), on no particular tick."""
        override = self._overrides[symbol].mid
        return override if override is not None else mid_at(self.instruments[symbol].path, now or self.now())

    def mark(self, symbol: str, now: datetime | None = None) -> Decimal:
        """The price that values positions and funding: the mid, to eight decimals."""
        return self.mid(symbol, now).quantize(Decimal("0.00000001"))

    def book(self, symbol: str) -> Book:
        """The displayed book: the market's, unless a fault makes the venue show another."""
        book = self.shown.book(self.market_book(symbol))
        for tell in self.book_shown:
            tell(book)
        return book

    def streamed_book(self, symbol: str) -> Book:
        """The book as streams show it: as requests are shown it, unless a fault of the streams makes it another."""
        return self.shown.streamed_book(self.market_book(symbol))

    def market_book(self, symbol: str) -> Book:
        """The book that orders meet: new each market second, and at once when the control interface changes it."""
        second = self.now().replace(microsecond=0)
        shown = self._books.get(symbol)
        if shown is None or shown.time != second:
            sides = self._overrides[symbol].sides or levels_around(self.instruments[symbol], self.mid(symbol, second))
            shown = Book(symbol, shown.update_id + 1 if shown else 1, second, *sides)
            self._books[symbol] = shown
        return shown

    def funding(self, symbol: str) -> Funding:
        """Rate, interval and next settlement as shown now."""
        return self._schedule(symbol).at(self.now())

    def settled_rates(self, symbol: str, after: datetime, until: datetime) -> list[tuple[datetime, Decimal]]:
        """Every (time, rate) that settled after `after`, up to and including `until`."""
        return list(self._schedule(self._listed(symbol)).settlements(after, until))

    def override_mid(self, symbol: str, mid: Decimal | None) -> None:
        """Moves the market to `mid` and holds it there; None returns to the path."""
        self.instrument(symbol)
        self.settle()
        self._overrides[symbol].mid = mid
        self._republish(symbol)

    def override_book(self, symbol: str, sides: tuple[tuple[Level, ...], tuple[Level, ...]] | None) -> None:
        """Shows exactly these (bids, asks); None returns to the book around the mid."""
        self.instrument(symbol)
        self._overrides[symbol].sides = sides
        self._republish(symbol)

    def override_funding(self, symbol: str, rate: Decimal | None, interval_hours: int | None) -> None:
        """Every settlement from now on has this rate (and interval); a None rate returns to the scenario."""
        self.instrument(symbol)
        self.settle()
        self._overrides[symbol].funding = None if rate is None else (rate, interval_hours)

    def overridden(self, symbol: str) -> list[str]:
        """What of `symbol` the control interface has replaced."""
        override = self._overrides[symbol]
        parts = {"mid": override.mid, "book": override.sides, "funding": override.funding}
        return [name for name, value in parts.items() if value is not None]

    def _listed(self, symbol: str) -> str:
        self.instrument(symbol)
        return symbol

    def _republish(self, symbol: str) -> None:
        shown = self.market_book(symbol)
        sides = self._overrides[symbol].sides or levels_around(self.instruments[symbol], self.mid(symbol, shown.time))
        self._books[symbol] = Book(symbol, shown.update_id + 1, shown.time, *sides)

    def _schedule(self, symbol: str) -> FundingSchedule:
        instrument = self.instruments[symbol]
        override = self._overrides[symbol].funding
        if override is None:
            return FundingSchedule(instrument.funding_interval_hours, instrument.funding)
        rate, interval_hours = override
        scheduled = FundingSchedule(instrument.funding_interval_hours, instrument.funding).at(self.now())
        anchor = FundingPoint(time=self._settled_until, rate=rate)
        return FundingSchedule(interval_hours or scheduled.interval_hours, (anchor,))

    # Account

    def settle(self) -> None:
        """Brings the account up to the present: funding, orders that waited for now, interventions of the scenario."""
        self._book_funding()
        self._execution.advance()
        while self._interventions and self._interventions[0].at <= self.now():
            self._intervene(self._interventions.pop(0))

    def _book_funding(self) -> None:
        now = self.now()
        if now.replace(microsecond=0) <= self._settled_until:  # funding settles on whole seconds
            return
        due = [
            (moment, position.symbol, rate)
            for position in self.account.open_positions()
            for moment, rate in self._schedule(position.symbol).settlements(self._settled_until, now)
        ]
        for moment, symbol, rate in sorted(due):
            self.account.book_funding(symbol, rate, self.mark(symbol, moment), moment)
        self._settled_until = now

    def leverage(self, symbol: str) -> int:
        """Leverage set for `symbol`."""
        return self.account.leverage.get(symbol, self._rules.default_leverage)

    def unrealised_pnl(self) -> Decimal:
        """Of all positions, at their marks, in USDT."""
        return sum(
            (position.unrealised_pnl(self.mark(position.symbol)) for position in self.account.open_positions()),
            Decimal(0),
        )

    def initial_margin(self, symbol: str) -> Decimal:
        """Margin that the position of `symbol` binds: notional at the mark over leverage, in USDT."""
        return abs(self.account.position(symbol).quantity) * self.mark(symbol) / self.leverage(symbol)

    def margin_used(self) -> Decimal:
        """Initial margin of all positions, in USDT."""
        return sum((self.initial_margin(p.symbol) for p in self.account.open_positions()), Decimal(0))

    def available(self) -> Decimal:
        """What new positions can be opened with: balance and unrealised P&L, less the margin in use."""
        return self.account.balance + self.unrealised_pnl() - self.margin_used()

    def place(self, request: OrderRequest) -> Order:
        """Executes a market order against the market's book, at once unless a fault says otherwise.

        Raises:
            Refusal: nothing was booked, and the client order id stays free.
        """
        self.settle()
        instrument = self.instrument(request.symbol)
        self._check_mode_and_id(request)
        check_quantity(instrument, request.quantity)
        executable = request.quantity
        if request.reduce_only:
            held = self.account.position(request.symbol).quantity
            executable = reducing_quantity(request.side, request.quantity, held)
        else:
            check_notional(instrument, request.quantity, self.mid(request.symbol))
            self._check_margin(request)
        number = self.account.next_number()
        order = Order(
            number=number,
            order_id=self.account.order_id(number),
            client_id=request.client_id or f"auto-{number}",
            symbol=request.symbol,
            side=request.side,
            quantity=executable if self._rules.shrinks_reduce_only else request.quantity,
            reduce_only=request.reduce_only,
            received_monotonic_ns=request.received_monotonic_ns,
            time=self.now(),
            limit_price=request.limit_price,
        )
        self._execution.start(order, executable)
        return order

    def find_order(self, symbol: str, order_id: str, client_id: str) -> Order:
        """The order of `symbol` with that id or that client id."""
        self.settle()
        self.instrument(symbol)
        account = self.account
        order = account.order_by_id(order_id) if order_id else account.order_by_client_id(client_id)
        if order is None or order.symbol != symbol or not self.shown.order(order):
            raise Refusal(Reason.ORDER_NOT_FOUND, order_id or client_id)
        return order

    def working_orders(self, symbol: str | None = None) -> list[Order]:
        """Orders that are open, of one symbol or of all."""
        return [order for order in self._execution.working() if symbol in (None, order.symbol)]

    def ended_orders(self) -> list[Order]:
        """Orders that have ended, of all symbols."""
        return [order for order in self.account.orders if order.status is not OrderStatus.WORKING]

    def cancel(self, symbol: str, order_id: str, client_id: str) -> Order:
        """Ends a working order; only a fault leaves one working, every other has ended already."""
        order = self.find_order(symbol, order_id, client_id)
        self._execution.cancel(order)
        return order

    def intervene(self, intervention: Intervention) -> None:
        """Something happens that the trader did not send.

        Raises:
            Refusal: the symbol is not listed, or there is no position to close; nothing has changed.
        """
        self.settle()
        self._intervene(intervention)

    def _intervene(self, intervention: Intervention) -> None:
        instrument = self.instrument(intervention.symbol)
        if intervention.kind is InterventionKind.CHANGE_RULES:
            self.instruments[intervention.symbol] = instrument.model_copy(update=intervention.changed_rules())
        else:
            self._execution.intervene(intervention)

    def set_leverage(self, symbol: str, leverage: int) -> None:
        """Leverage of one symbol, 1 to the contract's maximum."""
        instrument = self.instrument(symbol)
        if not 1 <= leverage <= instrument.max_leverage:
            raise Refusal(Reason.LEVERAGE_OUT_OF_RANGE, str(instrument.max_leverage))
        self.account.leverage[symbol] = leverage

    def set_margin_mode(self, symbol: str, mode: MarginMode) -> None:
        """Margin mode of one symbol; refused while a position is open, and where nothing changes."""
        self.instrument(symbol)
        if self.account.margin_modes.get(symbol, MarginMode.CROSS) is mode:
            raise Refusal(Reason.MARGIN_MODE_UNCHANGED)
        if self.account.position(symbol).quantity:
            raise Refusal(Reason.MARGIN_MODE_WITH_POSITION)
        self.account.margin_modes[symbol] = mode

    def set_hedged(self, hedged: bool) -> None:
        """Position mode of the account; in hedge mode this venue refuses every order."""
        if self.account.hedged is hedged:
            raise Refusal(Reason.POSITION_MODE_UNCHANGED)
        if any(self.account.open_positions()):
            raise Refusal(Reason.POSITION_MODE_WITH_POSITION)
        self.account.hedged = hedged

    def _check_mode_and_id(self, request: OrderRequest) -> None:
        if self.account.hedged or request.position_side_given:
            raise Refusal(Reason.POSITION_MODE_MISMATCH)
        if request.client_id and self.account.order_by_client_id(request.client_id):
            raise Refusal(Reason.DUPLICATE_CLIENT_ID, request.client_id)

    def _check_margin(self, request: OrderRequest) -> None:
        """The part of the order that adds exposure must be covered: its margin, and the fee of the whole."""
        held = self.account.position(request.symbol).quantity
        added = abs(held + request.side.sign * request.quantity) - abs(held)
        if added <= 0:
            return
        levels = walk(self.market_book(request.symbol), request.side, request.quantity)
        price = average_price(levels, otherwise=self.mark(request.symbol))
        needed = added * price / self.leverage(request.symbol) + request.quantity * price * self.account.taker_fee
        if needed > self.available():
            raise Refusal(Reason.MARGIN_INSUFFICIENT, str(needed))
