"""Closing a whole trade: reduce-only market orders on both legs, again and again, until it is flat (SPEC 8).

What the ledger holds is closed until nothing tradable is left of it, and a trade is closed only when both venues
agree. A venue that shows less than the ledger is first given time to catch up; what stays missing is for
reconciliation to explain, by fills, before the trade can end.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import structlog

from common.domain.identifiers import Leg, Purpose
from common.domain.instruments import Instrument, floor_to_step
from common.domain.order_book import InsufficientDepth
from common.messages.contracts import CloseRequested
from common.runtime.clock import Clock
from common.runtime.settings import TradingSettings
from common.venues.errors import VenueError
from common.venues.urgency import urgent
from executor.application.entries import EntryOpener
from executor.application.orders import OrderRunner
from executor.application.ports import StaleTradeError, TradeBusyError, TradeLedger, TradingStates, Venues
from executor.application.reach import Reach
from executor.application.reconciling import Reconciler
from executor.application.traced import traced
from executor.domain.records import CLOSES_FOR, WHOLE_TRADE, NewOrder, Trade, TradeBook, new_order
from executor.domain.trade_machine import TradeStatus
from executor.domain.trading_state import Authority, may_send

log = structlog.get_logger(__name__)

FAILED_ROUNDS_AT_ONCE = 2
"""A failed leg is tried again at once; after that the cooldown of the settings holds."""
POSITION_READS_MAX = 10
POSITION_READ_SECONDS = 0.2
"""How long a venue may show an old position after a fill before it is believed."""
LEASE_WAIT_SECONDS = 20.0
LEASE_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class _Remainder:
    """One leg still to be closed: what the ledger holds, what its venue shows (None: unknown), both in base units."""

    leg: Leg
    instrument: Instrument
    ledger: Decimal
    venue: Decimal | None

    @property
    def is_flat(self) -> bool:
        """The venue agrees with the ledger, dust aside, and nothing is left that could be sent."""
        return self.agrees and self.to_send == 0

    @property
    def agrees(self) -> bool:
        """The venue shows what the ledger holds, dust aside."""
        return self.venue is not None and abs(self.venue - self.ledger) < self.instrument.quantity_min

    @property
    def to_send(self) -> Decimal:
        """The smaller of ledger and venue, within the venue's limits for one order; zero where nothing can be sent."""
        wanted = self.ledger if self.venue is None else min(self.ledger, self.venue)
        if self.instrument.quantity_max is not None:
            wanted = min(wanted, self.instrument.quantity_max)
        quantity = floor_to_step(wanted, self.instrument.quantity_step)
        return quantity if quantity >= self.instrument.quantity_min else Decimal(0)


def authority_of(requested_by: str) -> Authority:
    """The gateway signs an operator's wishes with `operator:<who>`."""
    return Authority.OPERATOR if requested_by.startswith("operator:") else Authority.STRATEGY


def _is_operators(trade: Trade) -> bool:
    """An operator began the close, or took one over that the strategy had begun."""
    return trade.close_reason == "operator" or CLOSES_FOR in trade.payload


class Closing:
    """Closes trades."""

    def __init__(
        self,
        venues: Venues,
        ledger: TradeLedger,
        runner: OrderRunner,
        opener: EntryOpener,
        reconciler: Reconciler,
        reach: Reach,
        states: TradingStates,
        settings: TradingSettings,
        clock: Clock,
    ) -> None:
        self._venues = venues
        self._ledger = ledger
        self._runner = runner
        self._opener = opener
        self._reconciler = reconciler
        self._reach = reach
        self._states = states
        self._cooldown = timedelta(seconds=settings.live_trading_close_retry_cooldown_sec)
        self._clock = clock
        self._worked_at: dict[int, datetime] = {}

    async def handle(self, request: CloseRequested) -> None:
        """Moves an open trade to closing and works it; on one that is closing already it only works.

        Raises:
            TradeBusyError: another worker holds the trade for too long, or it is another executor's.
            OrderNotSent: the trading state cannot be read.
        """
        authority = authority_of(request.requested_by)
        is_operator = authority is Authority.OPERATOR
        if not may_send(await self._states.current(), Purpose.CLOSE, authority):
            log.warning("close.halted", signal_id=request.signal_id, reason=request.reason)
            return
        self._reach.check(request.signal_id)
        await self._take_lease(request.signal_id)
        try:
            book = await self._ledger.book(request.signal_id)
            await self._reach.require(book.trade)
            if book.trade.status is TradeStatus.OPEN:
                book = await self._ledger.begin_close(await self._opener.settle(book), request)
            elif book.trade.status is TradeStatus.CLOSING and is_operator and not _is_operators(book.trade):
                book = await self._ledger.take_close_over(book, request)
            if book.trade.status is TradeStatus.CLOSING:
                await self._work(book, authority)
        except StaleTradeError:
            log.info("close.outdated", signal_id=request.signal_id)
        finally:
            await self._ledger.release_lease(request.signal_id)

    async def resume(self, book: TradeBook) -> TradeBook:
        """Goes on with a close that was left, if it is due and the trading state lets who began it close.

        A halt stops the strategy's closes. An operator's goes on: half of it done would leave a leg alone. What became
        of orders that were sent is asked in any state.
        """
        if book.unresolved_orders:
            book = await self._resolve(book)
        authority = Authority.OPERATOR if _is_operators(book.trade) else Authority.STRATEGY
        if book.unresolved_orders or not self._is_due(book):
            return book
        if may_send(await self._states.current(), Purpose.CLOSE, authority):
            book = await self._work(book, authority)
        return book

    async def _take_lease(self, signal_id: int) -> None:
        """Waits for whoever works on the trade: a close is not lost because an entry was being added."""
        deadline = self._clock.monotonic() + LEASE_WAIT_SECONDS
        while not await self._ledger.take_lease(signal_id):
            if self._clock.monotonic() > deadline:
                raise TradeBusyError(f"trade {signal_id} has been worked on for {LEASE_WAIT_SECONDS} s")
            await asyncio.sleep(LEASE_POLL_SECONDS)

    def _is_due(self, book: TradeBook) -> bool:
        """Not while the cooldown lasts, of this process or of a leg that failed as often as is tried at once.

        A process that ended in the middle of a round has not failed: the leg that it did not get to goes out now.
        """
        begins_at = self._clock.now() - self._cooldown
        worked_at = self._worked_at.get(book.trade.id)
        if worked_at is not None and worked_at > begins_at:
            return False
        nothing_filled = [
            order.leg
            for order in book.orders
            if order.purpose is Purpose.CLOSE and order.intended_at > begins_at and order.filled_quantity == 0
        ]
        return all(nothing_filled.count(leg) < FAILED_ROUNDS_AT_ONCE for leg in Leg)

    @urgent
    @traced("close")
    async def _resolve(self, book: TradeBook) -> TradeBook:
        return await self._runner.resolve(book)

    @urgent
    @traced("close")
    async def _work(self, book: TradeBook, authority: Authority) -> TradeBook:
        """Rounds of orders for as long as they get on; two that do not end it for now.

        An outcome that stays unknown ends it too, without the cooldown: the next sweep asks on.
        """
        failed_rounds = 0
        while failed_rounds < FAILED_ROUNDS_AT_ONCE:
            book = await self._runner.resolve(book)
            if book.unresolved_orders:
                log.warning("close.outcome_unknown", signal_id=book.trade.id)
                return book
            remainders = await self._remainders(book)
            if all(item.is_flat for item in remainders):
                await self._finish(book, remainders)
                return book
            before = sum(item.ledger for item in remainders)
            book = await self._round(book, remainders, authority)
            after = sum((book.position(leg).quantity for leg in Leg), Decimal(0))
            failed_rounds += 1 if after >= before else 0
        self._worked_at[book.trade.id] = self._clock.now()
        log.warning("close.not_flat", signal_id=book.trade.id)
        return book

    async def _round(self, book: TradeBook, remainders: list[_Remainder], authority: Authority) -> TradeBook:
        """Sends what can be sent; where there is nothing to send, what differs is explained."""
        orders = [await self._order(book, item) for item in remainders if item.to_send > 0]
        if not orders:
            return await self._reconciler.reconcile(book)
        book = await self._ledger.add_orders(book, orders)
        await self._runner.send(book.orders_named(o.client_order_id for o in orders), authority)
        return await self._runner.resolve(await self._ledger.book(book.trade.id))

    async def _remainders(self, book: TradeBook) -> list[_Remainder]:
        """Both legs; a venue that shows less than the ledger is read again until it agrees or its time is over."""
        for _ in range(POSITION_READS_MAX):
            remainders = list(await asyncio.gather(*(self._remainder(book, leg) for leg in Leg)))
            if all(item.venue is None or item.agrees for item in remainders):
                break
            await asyncio.sleep(POSITION_READ_SECONDS)
        return remainders

    async def _remainder(self, book: TradeBook, leg: Leg) -> _Remainder:
        venue, symbol = book.trade.venue(leg), book.trade.symbol
        instrument = await self._venues[venue].instrument(symbol)
        try:
            signed = await self._venues[venue].held(symbol)
        except VenueError as error:
            log.warning("close.position_unknown", signal_id=book.trade.id, venue=venue, error=str(error))
            return _Remainder(leg, instrument, book.position(leg).quantity, None)
        held = (signed if leg is Leg.LONG else -signed) - self._reconciler.foreign(book.trade.id, leg)
        held = max(Decimal(0), held)
        return _Remainder(leg, instrument, book.position(leg).quantity, held)

    async def _order(self, book: TradeBook, item: _Remainder) -> NewOrder:
        attempt = book.next_attempt(WHOLE_TRADE, item.leg, Purpose.CLOSE)
        price = await self._reference_price(book, item)
        return new_order(book.trade, WHOLE_TRADE, item.leg, Purpose.CLOSE, attempt, item.to_send, price)

    async def _reference_price(self, book: TradeBook, item: _Remainder) -> Decimal:
        """The swept exit price; closing does not wait for a book, so without one it is the entry price."""
        entry_price = book.position(item.leg).average_price
        assert entry_price is not None
        try:
            market_book = await self._venues[book.trade.venue(item.leg)].market.book(book.trade.symbol)
            side = market_book.bids if item.leg is Leg.LONG else market_book.asks
            return side.sweep_quantity(item.to_send).price
        except (VenueError, InsufficientDepth):
            return entry_price

    async def _finish(self, book: TradeBook, remainders: list[_Remainder]) -> None:
        evidence = {
            item.leg.value: {"dust": item.ledger, "venue": item.venue, "quantity_min": item.instrument.quantity_min}
            for item in remainders
        }
        self._worked_at.pop(book.trade.id, None)
        await self._ledger.finish_close(book, evidence)
