"""Sending orders and finding out what became of them.

An order is sent once, by the process that committed its intent, and only while that intent is young. Whatever the
answer, or the lack of one, the question "what became of it" is put to the venue by client order id until it is
answered. Where the venue streams word of an order's end, that question is put at once; what counts is the answer.
Recovery enters here with orders that an earlier process left behind.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from decimal import Decimal

import structlog

from common.runtime.clock import Clock
from common.venues.errors import OrderNotSent, OrderOutcomeUnknown, OrderRejected, VenueError
from common.venues.ports import ORDER_VALID_SECONDS, OrderIntent, OrderReport, OrderState
from executor.application.ports import OrderOutcomes, Outcome, TradeLedger, Venues
from executor.application.standings import AccountStandings
from executor.domain.order_machine import OrderStatus
from executor.domain.records import Order, TradeBook
from executor.domain.trading_state import Authority

log = structlog.get_logger(__name__)

SEND_WITHIN_SECONDS = 1.0
"""An intent older than this is not sent any more: somebody else may already have resolved it. It counts from the
writing of the intent, as its age does for everybody else; what was waited for before (a connection, a lock) does not.
"""

DOUBT_SECONDS = 1.0
"""How far a venue's clock may be behind ours (a rail watches it), and the time that it takes to show what it took."""

GIVE_UP_AFTER_SECONDS = SEND_WITHIN_SECONDS + ORDER_VALID_SECONDS + DOUBT_SECONDS
"""An order of this age that its venue does not know never takes effect, whoever sent it, or did not."""

RESOLVE_WITHIN_SECONDS = 15.0
"""Then the trade is left to the next sweep: a venue that is away must not hold up what concerns others."""

CANCEL_WORKING_AFTER_SECONDS = 3.0
ASK_SECONDS_FIRST, ASK_SECONDS_MAX = 0.05, 0.5

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


class OrderSender:
    """Sends intents and asks what became of them; `outcomes` stores what is found."""

    def __init__(self, venues: Venues, outcomes: OrderOutcomes, standings: AccountStandings, clock: Clock) -> None:
        self._venues = venues
        self._outcomes = outcomes
        self._standings = standings
        self._clock = clock

    async def send(self, orders: Sequence[Order], authority: Authority = Authority.STRATEGY) -> None:
        """Sends all at the same time and stores each outcome as it comes; only for who wrote their intents."""
        await asyncio.gather(*(self._send_one(order, authority) for order in orders))

    async def _send_one(self, order: Order, authority: Authority) -> None:
        assert order.written_at_seconds is not None, "an intent is sent by the process that wrote it"
        self._standings.forget(order.venue)
        outcome = await self._attempt(order, order.written_at_seconds + SEND_WITHIN_SECONDS, authority)
        self._standings.forget(order.venue)
        if outcome.error is not None:
            log.warning("order.failed", order=order.client_order_id, status=outcome.status, error=outcome.error)
        await self._outcomes.record_outcome(order, outcome)

    async def _attempt(self, order: Order, not_after_seconds: float, authority: Authority) -> Outcome:
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
            report = await self._venues[order.venue].desk.send(intent, order.purpose, authority, not_after_seconds)
        except OrderRejected as error:
            return Outcome(OrderStatus.REJECTED, error=str(error))
        except OrderNotSent as error:
            return Outcome(OrderStatus.NOT_SENT, error=str(error))
        except OrderOutcomeUnknown as error:
            return Outcome(OrderStatus.UNKNOWN, error=str(error))
        return outcome_of(report, order.quantity)

    async def ask(self, orders: Sequence[Order]) -> None:
        """Asks once for each of the orders and stores what is known of it by now."""
        await asyncio.gather(*(self._ask(order) for order in orders))

    async def _ask(self, order: Order) -> None:
        """Asks once. An order that the venue does not know is given up only when it can no longer arrive."""
        try:
            report = await self._venues[order.venue].account.order(order.symbol, order.client_order_id)
            if (
                report is not None
                and report.state is OrderState.WORKING
                and order.age_seconds > CANCEL_WORKING_AFTER_SECONDS
            ):
                await self._venues[order.venue].desk.cancel(order.symbol, order.client_order_id)
                report = await self._venues[order.venue].account.order(order.symbol, order.client_order_id)
        except VenueError as error:
            log.warning("order.ask_failed", order=order.client_order_id, error=str(error))
            return
        if report is not None:
            await self._settle(order, outcome_of(report, order.quantity))
        elif order.age_seconds > GIVE_UP_AFTER_SECONDS:
            await self._settle(order, Outcome(OrderStatus.NOT_SENT, error="the venue does not know the order"))

    async def _settle(self, order: Order, outcome: Outcome) -> None:
        if (outcome.status, outcome.filled_quantity) == (order.status, order.filled_quantity):
            return
        if not await self._outcomes.record_outcome(order, outcome):
            log.error("order.impossible_move", order=order.client_order_id, found=outcome.status, was=order.status)


class OrderRunner(OrderSender):
    """Sends and resolves the orders of trades."""

    def __init__(self, venues: Venues, ledger: TradeLedger, standings: AccountStandings, clock: Clock) -> None:
        super().__init__(venues, ledger, standings, clock)
        self._ledger = ledger

    async def resolve(self, book: TradeBook) -> TradeBook:
        """Asks until every order of the trade is final or the time is over, and returns the trade as it then stands."""
        deadline = self._clock.monotonic() + RESOLVE_WITHIN_SECONDS
        wait = ASK_SECONDS_FIRST
        with self._ends_of(book.unresolved_orders) as heard:
            while book.unresolved_orders and self._clock.monotonic() < deadline:
                heard.clear()
                await self.ask(book.unresolved_orders)
                book = await self._ledger.book(book.trade.id)
                if book.unresolved_orders:
                    is_told = await _comes_within(heard, wait)
                    # A venue that has told of the end may take a moment to answer so.
                    wait = ASK_SECONDS_FIRST if is_told else min(wait * 2, ASK_SECONDS_MAX)
        return book

    @contextmanager
    def _ends_of(self, orders: Sequence[Order]) -> Iterator[asyncio.Event]:
        """Set when a venue tells that one of the orders has ended; never, where the venues do not tell."""
        heard = asyncio.Event()
        with ExitStack() as followed:
            for order in orders:
                stream = self._venues[order.venue].orders
                if stream is not None:
                    followed.callback(stream.follow(order.client_order_id, heard.set))
            yield heard


async def _comes_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False
