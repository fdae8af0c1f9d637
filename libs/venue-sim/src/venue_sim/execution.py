"""How accepted orders execute: at once, in part, later, or not before somebody cancels them.

Without a fault an order walks the book at once and ends. An order that waits fills at the first look at the venue
after its time, against the book of that look; a reduce-only one then still takes no more than the position. What
the trader did not send (interventions) executes whole, whatever the book holds.
"""

from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from typing import Protocol

from venue_sim.acceptance import reducing_quantity
from venue_sim.account import Account, Order, OrderStatus, Origin
from venue_sim.faults import EXECUTION, ArmedFault, EndpointClass, FaultKind, Faults, FaultSpec, Target
from venue_sim.interventions import Intervention, InterventionKind
from venue_sim.market import Book, Level
from venue_sim.matching import Side, walk
from venue_sim.moment import Moment
from venue_sim.refusals import Reason, Refusal
from venue_sim.scenario import Instrument

_ORIGINS = {
    InterventionKind.EXTERNAL_CLOSE: Origin.OWNER,
    InterventionKind.LIQUIDATE: Origin.LIQUIDATION,
    InterventionKind.DELEVERAGE: Origin.DELEVERAGING,
}


class Floor(Protocol):
    """What executing needs of the venue."""

    account: Account
    faults: Faults

    def moment(self) -> Moment: ...

    def instrument(self, symbol: str) -> Instrument: ...

    def market_book(self, symbol: str) -> Book: ...


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A working order, since when, and the fault that keeps it waiting."""

    order: Order
    since: Moment
    spec: FaultSpec

    def is_due(self, now: Moment) -> bool:
        if self.spec.kind is not FaultKind.DELAYED_FILL:
            return False
        return now.seconds_since(self.since, self.spec.clock) >= self.spec.seconds


class Execution:
    """The orders of one venue between acceptance and end."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._waiting: dict[str, _Waiting] = {}

    def start(self, order: Order, executable: Decimal) -> None:
        """Books an order and executes of it what happens at once; `executable` is what its position allows."""
        now = self._floor.moment()
        self._floor.account.accept(order)
        target = Target(EndpointClass.ORDER_CREATE, order.symbol, reduce_only=order.reduce_only)
        fault = self._floor.faults.take(target, EXECUTION, now)
        self._fill(order, executable if fault is None else self._at_once(fault, order.symbol, executable), now)
        if fault is not None and fault.spec.kind in (FaultKind.DELAYED_FILL, FaultKind.STUCK):
            self._waiting[order.order_id] = _Waiting(order, now, fault.spec)
        else:
            self._floor.account.end(order, now.market)

    def advance(self) -> None:
        """Fills the orders whose time has come."""
        now = self._floor.moment()
        for waiting in [waiting for waiting in self._waiting.values() if waiting.is_due(now)]:
            self._finish(waiting.order, now)

    def cancel(self, order: Order) -> None:
        """Ends a working order; refused for one that has ended, or that turns out to have filled meanwhile."""
        now = self._floor.moment()
        waiting = self._waiting.get(order.order_id)
        if waiting is not None and waiting.spec.cancel_fills:
            self._finish(order, now)
        elif waiting is not None:
            del self._waiting[order.order_id]
            self._floor.account.end(order, now.market, OrderStatus.CANCELLED)
            return
        raise Refusal(Reason.ORDER_NOT_OPEN, order.order_id)

    def working(self) -> list[Order]:
        """Orders that are open."""
        return [waiting.order for waiting in self._waiting.values()]

    def intervene(self, intervention: Intervention) -> None:
        """Opens or closes what the trader did not order; refused where there is no position to close."""
        symbol, quantity = intervention.symbol, intervention.quantity
        if intervention.kind is InterventionKind.EXTERNAL_OPEN and quantity is not None:
            self._execute_foreign(symbol, Side(intervention.side), quantity, Origin.OWNER)
            return
        held = self._floor.account.position(symbol).quantity
        side = Side.SELL if held > 0 else Side.BUY
        closing = reducing_quantity(side, quantity or abs(held), held)
        self._execute_foreign(symbol, side, closing, _ORIGINS[intervention.kind])

    def _execute_foreign(self, symbol: str, side: Side, quantity: Decimal, origin: Origin) -> None:
        """Beyond the book it executes at the last price of the book."""
        now, account = self._floor.moment(), self._floor.account
        levels = walk(self._floor.market_book(symbol), side, quantity)
        if not levels:
            raise Refusal(Reason.NOTHING_TO_TRADE, symbol)
        missing = quantity - sum((level.quantity for level in levels), Decimal(0))
        levels[-1] = Level(levels[-1].price, levels[-1].quantity + missing)
        number = account.next_number()
        order = Order(
            number=number,
            order_id=account.order_id(number),
            client_id=account.foreign_client_id(origin, number),
            symbol=symbol,
            side=side,
            quantity=quantity,
            reduce_only=False,
            received_monotonic_ns=int(now.real_seconds * 1_000_000_000),
            time=now.market,
            origin=origin,
        )
        account.accept(order)
        account.execute(order, levels, now.market)
        account.end(order, now.market)

    def _at_once(self, fault: ArmedFault, symbol: str, executable: Decimal) -> Decimal:
        """The part of `executable` that fills before anything else happens."""
        instrument = self._floor.instrument(symbol)
        if fault.spec.kind is FaultKind.DUST:
            return max(executable - _dust(instrument), Decimal(0))
        lots = (executable * fault.spec.share / instrument.quantity_step).to_integral_value(ROUND_FLOOR)
        return lots * instrument.quantity_step

    def _finish(self, order: Order, now: Moment) -> None:
        del self._waiting[order.order_id]
        quantity = order.remaining
        if order.reduce_only:
            held = self._floor.account.position(order.symbol).quantity
            quantity = min(quantity, max(-held * order.side.sign, Decimal(0)))
        self._fill(order, quantity, now)
        self._floor.account.end(order, now.market)

    def _fill(self, order: Order, quantity: Decimal, now: Moment) -> None:
        levels = walk(self._floor.market_book(order.symbol), order.side, quantity, order.limit_price)
        self._floor.account.execute(order, levels, now.market)


def _dust(instrument: Instrument) -> Decimal:
    """A quantity that can be held and not ordered: below the minimum, or half a lot where one lot is enough."""
    if instrument.quantity_min > instrument.quantity_step:
        return instrument.quantity_min - instrument.quantity_step
    return instrument.quantity_step / 2
