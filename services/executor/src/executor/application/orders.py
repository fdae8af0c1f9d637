"""Sending orders and finding out what became of them.

An order is sent once, by the process that committed its intent, and only while that intent is young. Whatever the
answer, or the lack of one, the question "what became of it" is put to the venue by client order id until it is
answered. Recovery enters here with orders that an earlier process left behind.
"""

import asyncio
from collections.abc import Sequence
from decimal import Decimal

import structlog

from common.runtime.clock import Clock
from common.venues.errors import OrderNotSent, OrderOutcomeUnknown, OrderRejected, VenueError
from common.venues.ports import OrderIntent, OrderReport, OrderState
from executor.application.ports import Outcome, TradeLedger, Venues
from executor.domain.order_machine import OrderStatus
from executor.domain.records import Order, TradeBook
from executor.domain.trading_state import Authority

log = structlog.get_logger(__name__)

SEND_WITHIN_SECONDS = 3.0
"""An intent older than this is not sent any more: somebody else may already have resolved it."""

UNKNOWN_TO_VENUE_AFTER_SECONDS = 6.0
"""An order that the venue has not known for so long, longer than it accepts a signed request, never arrives."""

CANCEL_WORKING_AFTER_SECONDS = 3.0
ASK_SECONDS_FIRST, ASK_SECONDS_MAX = 0.05, 2.0

_STATUS = {
    OrderState.WORKING: OrderStatus.WORKING,
    OrderState.FILLED: OrderStatus.FILLED,
    OrderState.CANCELLED: OrderStatus.CANCELLED,
    OrderState.REJECTED: OrderStatus.REJECTED,
}


def outcome_of(report: OrderReport, quantity: Decimal) -> Outcome:
    """A venue's report in the words of the order machine: a final order that filled in part is `partly_filled`."""
    status = _STATUS[report.state]
    if report.state is not OrderState.WORKING and report.filled_quantity > 0:
        status = OrderStatus.FILLED if report.filled_quantity >= quantity else OrderStatus.PARTLY_FILLED
    return Outcome(status, report.filled_quantity, report.average_price, report.venue_order_id)


class OrderRunner:
    """Sends intents and resolves orders."""

    def __init__(self, venues: Venues, ledger: TradeLedger, clock: Clock) -> None:
        self._venues = venues
        self._ledger = ledger
        self._clock = clock

    async def send(
        self, orders: Sequence[Order], committed_at_seconds: float, authority: Authority = Authority.STRATEGY
    ) -> None:
        """Sends all at the same time and stores each outcome as it comes.

        `committed_at_seconds` is the monotonic moment at which the intents were committed.
        """
        await asyncio.gather(*(self._send_one(order, committed_at_seconds, authority) for order in orders))

    async def _send_one(self, order: Order, committed_at_seconds: float, authority: Authority) -> None:
        outcome = await self._attempt(order, committed_at_seconds, authority)
        if outcome.error is not None:
            log.warning(
                "order.outcome", client_order_id=order.client_order_id, status=outcome.status, error=outcome.error
            )
        await self._ledger.record_outcome(order, outcome)

    async def _attempt(self, order: Order, committed_at_seconds: float, authority: Authority) -> Outcome:
        age = self._clock.monotonic() - committed_at_seconds
        if age > SEND_WITHIN_SECONDS:
            return Outcome(OrderStatus.NOT_SENT, error=f"the intent was {age:.1f} s old when its turn came")
        intent = OrderIntent(
            venue=order.venue,
            symbol=order.symbol,
            side=order.side,
            quantity=order.quantity,
            client_order_id=order.client_order_id,
            reduce_only=order.reduce_only,
            reference_price=order.reference_price,
        )
        try:
            report = await self._venues[order.venue].desk.send(intent, order.purpose, authority)
        except OrderRejected as error:
            return Outcome(OrderStatus.REJECTED, error=str(error))
        except OrderNotSent as error:
            return Outcome(OrderStatus.NOT_SENT, error=str(error))
        except OrderOutcomeUnknown as error:
            return Outcome(OrderStatus.UNKNOWN, error=str(error))
        return outcome_of(report, order.quantity)

    async def resolve(self, book: TradeBook) -> TradeBook:
        """Asks until every order of the trade is final, and returns the trade as it then stands."""
        while book.unresolved_orders:
            await asyncio.gather(*(self._resolve_one(order) for order in book.unresolved_orders))
            book = await self._ledger.book(book.trade.id)
        return book

    async def _resolve_one(self, order: Order) -> None:
        account = self._venues[order.venue].account
        started = self._clock.monotonic()
        wait, cancelled = ASK_SECONDS_FIRST, False
        while True:
            asked_for = self._clock.monotonic() - started
            try:
                report = await account.order(order.symbol, order.client_order_id)
                if report is None and asked_for > UNKNOWN_TO_VENUE_AFTER_SECONDS:
                    outcome = Outcome(OrderStatus.NOT_SENT, error="the venue does not know the order")
                    await self._ledger.record_outcome(order, outcome)
                    return
                if report is not None and report.state is not OrderState.WORKING:
                    await self._ledger.record_outcome(order, outcome_of(report, order.quantity))
                    return
                if report is not None and asked_for > CANCEL_WORKING_AFTER_SECONDS and not cancelled:
                    await self._venues[order.venue].desk.cancel(order.symbol, order.client_order_id)
                    cancelled = True
            except VenueError as error:
                log.warning("order.ask_failed", client_order_id=order.client_order_id, error=str(error))
            await asyncio.sleep(wait)
            wait = min(wait * 2, ASK_SECONDS_MAX)
