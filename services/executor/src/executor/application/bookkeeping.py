"""Copying fills, fees, funding and positions from the venues' own ledgers, by their ids (SPEC 8).

Nothing is invented: what a venue has not said yet stays unknown and is asked for again. A trade is finalised once,
when every filled quantity is booked with its fee and funding was read after the close.
"""

from datetime import timedelta
from decimal import Decimal

import structlog

from common.domain.identifiers import Leg
from common.runtime.clock import Clock
from common.venues.errors import VenueError
from executor.application.ports import Bookkeeping, Venues
from executor.domain.records import Trade, TradeBook
from executor.domain.trade_machine import TradeStatus

log = structlog.get_logger(__name__)

SINCE_MARGIN = timedelta(minutes=5)
"""Venue ledgers are read from a little before the first order, for clocks that differ."""

SETTLED_AFTER = timedelta(minutes=1)
"""How long after the close a funding settlement may still appear in a venue's ledger."""


class Bookkeeper:
    """Keeps the ledger equal to the venues'. One round looks at every trade that is not final."""

    def __init__(self, venues: Venues, ledger: Bookkeeping, clock: Clock) -> None:
        self._venues = venues
        self._ledger = ledger
        self._clock = clock

    async def sweep(self) -> None:
        """One round. A venue that does not answer only delays its own figures."""
        for signal_id in await self._ledger.trades_to_book():
            book = await self._ledger.book(signal_id)
            try:
                await self._book(book)
            except VenueError as error:
                log.warning("bookkeeping.failed", signal_id=signal_id, error=str(error))

    async def _book(self, book: TradeBook) -> None:
        trade = book.trade
        started = self._clock.now()
        for leg in Leg:
            await self._book_leg(book, leg)
        if trade.status is TradeStatus.CLOSED and trade.closed_at and started >= trade.closed_at + SETTLED_AFTER:
            await self._ledger.finalise(trade)

    async def _book_leg(self, book: TradeBook, leg: Leg) -> None:
        trade, venue = book.trade, book.trade.venue(leg)
        account = self._venues[venue].account
        orders = [order for order in book.orders if order.leg is leg]
        if any(order.booked_quantity < order.filled_quantity for order in orders):
            since = min(order.intended_at for order in orders) - SINCE_MARGIN
            await self._ledger.add_fills(book, await account.fills(trade.symbol, since))
        await self._book_funding(trade, leg)
        if trade.status is not TradeStatus.CLOSED:
            await self._save_position(trade, venue)

    async def _book_funding(self, trade: Trade, leg: Leg) -> None:
        """Only settlements inside the leg's own open window belong to the trade."""
        window = await self._ledger.leg_window(trade, leg)
        if window is None:
            return
        opened, closed = window
        payments = await self._venues[trade.venue(leg)].account.funding_payments(trade.symbol, opened)
        within = [
            item for item in payments if opened <= item.settled_at and (closed is None or item.settled_at <= closed)
        ]
        await self._ledger.add_funding(trade, leg, within)

    async def _save_position(self, trade: Trade, venue: str) -> None:
        asked_at = self._clock.now()
        positions = await self._venues[venue].account.positions([trade.symbol])
        held = positions[trade.symbol].quantity if trade.symbol in positions else Decimal(0)
        await self._ledger.save_position(venue, trade.symbol, held, asked_at)
