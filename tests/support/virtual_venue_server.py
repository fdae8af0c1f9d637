"""A simulated venue as it is, behind its line: the engine of `venue_sim`, and how often each id took effect.

A venue may take the same client order id twice: real ones do once the first order is over, so nothing may rest on them
refusing it.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from common.runtime.clock import Clock
from common.venues.ports import OrderIntent, OrderReport, OrderState
from venue_sim.account import Order, OrderStatus
from venue_sim.matching import Side as VenueSide
from venue_sim.venue import OrderRequest, Venue

_STATES = {
    OrderStatus.WORKING: OrderState.WORKING,
    OrderStatus.FILLED: OrderState.FILLED,
    OrderStatus.EXPIRED: OrderState.CANCELLED,
    OrderStatus.CANCELLED: OrderState.CANCELLED,
}


@dataclass(eq=False)
class VenueServer:
    """The venue itself, and what is only known here: how often each client order id took effect."""

    venue: Venue
    clock: Clock
    takes_ids_again: bool = False
    effects: Counter[str] = field(default_factory=Counter)
    arrived: list[Callable[["VenueServer", Order, str], None]] = field(default_factory=list)
    """Told of every order that took effect, with the client order id that it came with."""

    clock_offset_seconds: float = 0.0
    """How far its clock is ahead of everybody else's."""

    _met: Counter[str] = field(default_factory=Counter)

    @property
    def name(self) -> str:
        return self.venue.name

    def end_faults(self) -> None:
        """Ends all faults; orders that wait because of one still do."""
        self._met = self.faults_met()
        self.venue.faults.clear()

    def faults_met(self) -> Counter[str]:
        """How often each kind of fault has happened."""
        met = Counter(self._met)
        for fault in self.venue.faults.ever_armed(self.venue.moment()):
            met[fault.spec.kind] += fault.fired
        return met

    def place(self, intent: OrderIntent) -> Order:
        """Executes an order; a client id that is known is refused, or taken again, as the venue is.

        Raises:
            Refusal.
        """
        client_id = intent.client_order_id
        if self.takes_ids_again and self.effects[client_id]:
            client_id = f"{client_id}-{self.effects[client_id]}"
        request = OrderRequest(
            symbol=intent.symbol,
            side=VenueSide(intent.side.value),
            quantity=intent.quantity,
            client_id=client_id,
            reduce_only=intent.reduce_only,
            received_monotonic_ns=int(self.clock.monotonic() * 1e9),
        )
        order = self.venue.place(request)
        self.effects[intent.client_order_id] += 1
        for told in self.arrived:
            told(self, order, intent.client_order_id)
        return order


def report(order: Order, client_order_id: str | None = None) -> OrderReport:
    """An order as the venue tells of it."""
    return OrderReport(
        client_order_id=client_order_id or order.client_id,
        venue_order_id=order.order_id,
        state=_STATES[order.status],
        filled_quantity=order.filled,
        average_price=order.average if order.filled else None,
    )
