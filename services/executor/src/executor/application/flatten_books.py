"""What became of the orders that flattened a position of no trade: outcomes that nobody waited for, fills and fees.

They belong to no trade's account and are kept with the wish. What such an order took of a trade after all is found by
reconciliation and booked there as somebody else's, like any other fill.
"""

from datetime import timedelta

import structlog

from common.runtime.clock import Clock
from common.venues.errors import VenueError
from executor.application.orders import OrderSender
from executor.application.pauses import Pauses
from executor.application.ports import FlattenLedger, Venues
from executor.domain.records import Order

log = structlog.get_logger(__name__)

SINCE_MARGIN = timedelta(minutes=5)
"""A venue's ledger is read from a little before the order, for clocks that differ."""


class FlattenBooks:
    """Keeps the orders of flattens as their venues have them."""

    def __init__(self, venues: Venues, ledger: FlattenLedger, sender: OrderSender, clock: Clock) -> None:
        self._venues = venues
        self._ledger = ledger
        self._sender = sender
        self._pauses = Pauses(clock)

    async def sweep(self) -> None:
        """One round. A venue that does not answer only delays its own orders."""
        orders = await self._ledger.unfinished_orders()
        for order in orders:
            if self._pauses.are_over(order.id):
                await self._look_at(order)
        self._pauses.forget_all_but({order.id for order in orders})

    async def _look_at(self, order: Order) -> None:
        if order.venue not in self._venues:
            log.warning("flatten_books.unknown_venue", order=order.client_order_id, venue=order.venue)
            return
        if not order.is_final:
            await self._sender.ask([order])
            return
        try:
            fills = await self._venues[order.venue].account.fills(order.symbol, order.intended_at - SINCE_MARGIN)
        except VenueError as error:
            log.warning("flatten_books.failed", order=order.client_order_id, error=str(error))
            return
        await self._ledger.add_fills(order, [fill for fill in fills if fill.venue_order_id == order.venue_order_id])
