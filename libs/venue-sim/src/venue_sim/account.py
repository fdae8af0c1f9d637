"""The venue's own ledger of one account: orders, fills, positions, funding payments, balance, all in Decimal.

Invariants: the balance is what the account started with, plus realised P&L, minus fees, plus funding payments;
a position is the sum of its fills; a client order id belongs to one order for ever. Positions are one-way
(net); the margin mode is remembered but every position is margined alike, from the whole balance.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Protocol

from venue_sim.market import Level
from venue_sim.matching import Side
from venue_sim.moment import Moment

CENT_MILLIONTH = Decimal("0.00000001")
"""Venues keep money to eight decimals."""


def money(amount: Decimal) -> Decimal:
    """`amount` in USDT as a venue books it."""
    return amount.quantize(CENT_MILLIONTH, ROUND_HALF_UP)


class OrderStatus(StrEnum):
    """How a market order stands. Without a fault it has ended when its answer leaves."""

    WORKING = "working"
    FILLED = "filled"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class Origin(StrEnum):
    """Who sent an order: the trader over the wire, the account's owner by hand, or the venue itself."""

    TRADER = "trader"
    OWNER = "owner"
    LIQUIDATION = "liquidation"
    DELEVERAGING = "deleveraging"


class MarginMode(StrEnum):
    """The account's setting per symbol (or for the account, as the venue has it)."""

    CROSS = "cross"
    ISOLATED = "isolated"


class Identifiers(Protocol):
    """How a venue writes its ids; a pure function of a number that only grows."""

    def order(self, number: int) -> str: ...

    def fill(self, number: int) -> str: ...

    def payment(self, number: int) -> str:
        """Empty where the venue gives none: a settlement is known by its time and its contract."""
        ...

    def foreign_client_id(self, origin: Origin, number: int) -> str:
        """The client order id of an order that the trader did not send; empty where the venue gives none."""
        ...


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution against one level. `fee` is what the account paid, `realised_pnl` is before fees; USDT."""

    number: int
    fill_id: str
    order_id: str
    client_id: str
    symbol: str
    side: Side
    price: Decimal
    quantity: Decimal
    fee: Decimal
    realised_pnl: Decimal
    time: datetime


@dataclass(slots=True)
class Order:
    """One accepted market order. `quantity` is what was asked for, `filled` what was executed, in base units.

    `limit_price` is the worst price that it may trade at, where the venue has no orders without one.
    """

    number: int
    order_id: str
    client_id: str
    symbol: str
    side: Side
    quantity: Decimal
    reduce_only: bool
    received_monotonic_ns: int
    time: datetime
    limit_price: Decimal | None = None
    origin: Origin = Origin.TRADER
    status: OrderStatus = OrderStatus.WORKING
    updated_at: datetime | None = None
    filled: Decimal = Decimal(0)
    quote: Decimal = Decimal(0)
    fee: Decimal = Decimal(0)
    fills: list[Fill] = field(default_factory=list)

    @property
    def average(self) -> Decimal:
        """Average price of what was filled; zero where nothing was."""
        return self.quote / self.filled if self.filled else Decimal(0)

    @property
    def remaining(self) -> Decimal:
        """What was asked for and not executed."""
        return self.quantity - self.filled


@dataclass(slots=True)
class Position:
    """Net holding of one symbol: positive is long. `cost` is what the open quantity was bought (sold) for."""

    symbol: str
    quantity: Decimal = Decimal(0)
    cost: Decimal = Decimal(0)
    realised_pnl: Decimal = Decimal(0)
    opened_at: datetime | None = None
    updated_at: datetime | None = None

    @property
    def entry_price(self) -> Decimal:
        """Average price of the open quantity; zero where flat."""
        return self.cost / abs(self.quantity) if self.quantity else Decimal(0)

    def unrealised_pnl(self, mark: Decimal) -> Decimal:
        """P&L of the open quantity at `mark`, before fees and funding, in USDT."""
        return self.quantity * mark - self._sign * self.cost

    @property
    def _sign(self) -> int:
        return 1 if self.quantity > 0 else -1 if self.quantity < 0 else 0

    def trade(self, side: Side, level: Level, now: datetime) -> Decimal:
        """Books one fill and answers the P&L it realised.

        Closing books eight decimals of P&L and takes the rest out of the cost, so that the P&L of a round trip
        is exactly what was received less what was paid.
        """
        closing = min(abs(self.quantity), level.quantity) if self._sign == -side.sign else Decimal(0)
        realised = self._close(closing, level.price) if closing else Decimal(0)
        opening = level.quantity - closing
        if opening and self.quantity == 0:
            self.opened_at = now
        self.quantity += side.sign * opening
        self.cost += opening * level.price
        self.realised_pnl += realised
        self.updated_at = now
        return realised

    def _close(self, quantity: Decimal, price: Decimal) -> Decimal:
        sign = self._sign
        whole = quantity == abs(self.quantity)
        cost = self.cost if whole else self.entry_price * quantity
        realised = sign * (quantity * price - cost)
        if not whole:
            realised = money(realised)
        self.cost -= quantity * price - sign * realised
        self.quantity -= sign * quantity
        return realised


@dataclass(frozen=True, slots=True)
class FundingPayment:
    """One settlement of one position. `amount` in USDT, positive is received; `position` is signed base units."""

    number: int
    payment_id: str
    symbol: str
    rate: Decimal
    position: Decimal
    mark: Decimal
    amount: Decimal
    time: datetime


class Account:
    """The ledger. It books what the venue has decided and refuses nothing itself."""

    def __init__(
        self, balance: Decimal, taker_fee: Decimal, identifiers: Identifiers, now: Callable[[], Moment]
    ) -> None:
        self.initial_balance = balance
        self.balance = balance
        self.taker_fee = taker_fee
        self.hedged = False
        self.leverage: dict[str, int] = {}
        self.margin_modes: dict[str, MarginMode] = {}
        self.positions: dict[str, Position] = {}
        self.orders: list[Order] = []
        self.fills: list[Fill] = []
        self.payments: list[FundingPayment] = []
        self.order_changed: list[Callable[[Order], None]] = []
        """Told of every order when it is accepted, at each of its fills, and when it ends."""
        self._by_client_id: dict[str, Order] = {}
        self._by_order_id: dict[str, Order] = {}
        self._identifiers = identifiers
        self._now = now
        self._booked_at: list[Moment] = []

    def position(self, symbol: str) -> Position:
        """The position of `symbol`, flat where nothing was traded."""
        return self.positions.setdefault(symbol, Position(symbol))

    def open_positions(self) -> Iterator[Position]:
        """Positions that are not flat."""
        return (position for position in self.positions.values() if position.quantity)

    def order_by_client_id(self, client_id: str) -> Order | None:
        """The one order that ever had this client id."""
        return self._by_client_id.get(client_id)

    def order_by_id(self, order_id: str) -> Order | None:
        """The order with the venue's id."""
        return self._by_order_id.get(order_id)

    def next_number(self) -> int:
        """The number of the next order, fill or payment, booked now: one sequence for all."""
        self._booked_at.append(self._now())
        return len(self._booked_at)

    def booked_at(self, number: int) -> Moment:
        """When the order, fill or payment with this number was booked."""
        return self._booked_at[number - 1]

    def foreign_client_id(self, origin: Origin, number: int) -> str:
        """The client order id that the venue gives to an order of this origin."""
        return self._identifiers.foreign_client_id(origin, number)

    def order_id(self, number: int) -> str:
        """The venue's way to write an order's number."""
        return self._identifiers.order(number)

    def accept(self, order: Order) -> None:
        """Books an accepted order; nothing of it is executed yet. Only the trader's client ids are unique."""
        self.orders.append(order)
        if order.origin is Origin.TRADER:
            self._by_client_id[order.client_id] = order
        self._by_order_id[order.order_id] = order
        self.tell(order)

    def tell(self, order: Order) -> None:
        """Whoever listens hears how the order stands."""
        for told in list(self.order_changed):
            told(order)

    def execute(self, order: Order, levels: list[Level], now: datetime) -> None:
        """Books what a working order executes now."""
        for level in levels:
            self._book_fill(order, level, now)

    def end(self, order: Order, now: datetime, unfilled: OrderStatus = OrderStatus.EXPIRED) -> None:
        """Ends an order with `unfilled` where something remains; one that is filled has ended with its last fill."""
        if order.status is not OrderStatus.FILLED:
            order.status = unfilled
            order.updated_at = now
            self.tell(order)

    def _book_fill(self, order: Order, level: Level, now: datetime) -> None:
        number = self.next_number()
        fee = money(level.price * level.quantity * self.taker_fee)
        realised = self.position(order.symbol).trade(order.side, level, now)
        fill = Fill(
            number=number,
            fill_id=self._identifiers.fill(number),
            order_id=order.order_id,
            client_id=order.client_id,
            symbol=order.symbol,
            side=order.side,
            price=level.price,
            quantity=level.quantity,
            fee=fee,
            realised_pnl=realised,
            time=now,
        )
        self.balance += realised - fee
        self.fills.append(fill)
        order.fills.append(fill)
        order.filled += level.quantity
        order.quote += level.price * level.quantity
        order.fee += fee
        order.updated_at = now
        if order.filled == order.quantity:
            order.status = OrderStatus.FILLED
        self.tell(order)

    def book_funding(self, symbol: str, rate: Decimal, mark: Decimal, time: datetime) -> None:
        """Books one settlement: a long pays `rate` of its notional at `mark`, a short receives it."""
        position = self.position(symbol)
        amount = money(-position.quantity * mark * rate)
        number = self.next_number()
        payment_id = self._identifiers.payment(number) or f"{int(time.timestamp() * 1000)}-{symbol}"
        self.payments.append(FundingPayment(number, payment_id, symbol, rate, position.quantity, mark, amount, time))
        self.balance += amount
