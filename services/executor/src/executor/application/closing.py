"""Closing a whole trade: reduce-only market orders on both legs, again and again, until it is flat (SPEC 8)."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

import structlog

from common.domain.identifiers import Leg, Purpose
from common.domain.instruments import floor_to_step
from common.domain.order_book import InsufficientDepth
from common.messages.contracts import CloseRequested
from common.runtime.clock import Clock
from common.runtime.settings import TradingSettings
from common.venues.errors import VenueError
from executor.application.entries import EntryOpener
from executor.application.orders import OrderRunner
from executor.application.ports import StaleTradeError, TradeBusyError, TradeLedger, TradingStates, Venues
from executor.domain.records import WHOLE_TRADE, NewOrder, TradeBook, new_order
from executor.domain.trade_machine import TradeStatus
from executor.domain.trading_state import Authority, may_send

log = structlog.get_logger(__name__)

ROUNDS_AT_ONCE = 2
"""A failed leg is tried again at once; after that the cooldown of the settings holds."""
FLAT_READS_MAX = 20
FLAT_READ_SECONDS = 0.1
LEASE_WAIT_SECONDS = 20.0
LEASE_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class _Remainder:
    """One leg still to be closed: what the ledger holds, what its venue says, and what can be traded of it."""

    leg: Leg
    ledger: Decimal
    venue: Decimal | None
    tradable: Decimal


def authority_of(requested_by: str) -> Authority:
    """The gateway signs an operator's wishes with `operator:<who>`."""
    return Authority.OPERATOR if requested_by.startswith("operator:") else Authority.STRATEGY


class Closing:
    """Closes trades."""

    def __init__(
        self,
        venues: Venues,
        ledger: TradeLedger,
        runner: OrderRunner,
        opener: EntryOpener,
        states: TradingStates,
        settings: TradingSettings,
        clock: Clock,
    ) -> None:
        self._venues = venues
        self._ledger = ledger
        self._runner = runner
        self._opener = opener
        self._states = states
        self._cooldown = timedelta(seconds=settings.live_trading_close_retry_cooldown_sec)
        self._clock = clock

    async def handle(self, request: CloseRequested) -> None:
        """Moves an open trade to closing and works it; on one that is closing already it only works."""
        await self._take_lease(request.signal_id)
        try:
            book = await self._ledger.book(request.signal_id)
            if book.trade.status is TradeStatus.OPEN:
                book = await self._ledger.begin_close(await self._at_rest(book), request)
            if book.trade.status is TradeStatus.CLOSING:
                await self.work(book, authority_of(request.requested_by))
        except StaleTradeError:
            log.info("close.outdated", signal_id=request.signal_id)
        finally:
            await self._ledger.release_lease(request.signal_id)

    async def _take_lease(self, signal_id: int) -> None:
        """Waits for whoever works on the trade: a close is not lost because an entry was being added."""
        deadline = self._clock.monotonic() + LEASE_WAIT_SECONDS
        while not await self._ledger.take_lease(signal_id):
            if self._clock.monotonic() > deadline:
                raise TradeBusyError(f"trade {signal_id} has been worked on for {LEASE_WAIT_SECONDS} s")
            await asyncio.sleep(LEASE_POLL_SECONDS)

    async def _at_rest(self, book: TradeBook) -> TradeBook:
        """An entry still in flight is settled first: what it holds must be closed too."""
        return await self._opener.settle(book)

    def is_due(self, book: TradeBook) -> bool:
        """Whether the cooldown since the last closing order is over."""
        times = [order.intended_at for order in book.orders if order.purpose is Purpose.CLOSE]
        return bool(book.unresolved_orders) or not times or self._clock.now() - max(times) >= self._cooldown

    async def work(self, book: TradeBook, authority: Authority) -> None:
        """Closes what remains, two rounds at the most; while halted only for an operator."""
        if not may_send(await self._states.current(), Purpose.CLOSE, authority):
            log.warning("close.halted", signal_id=book.trade.id)
            return
        for _ in range(ROUNDS_AT_ONCE):
            book = await self._runner.resolve(book)
            remainders = await self._remainders(book)
            orders = [await self._order(book, item) for item in remainders if item.tradable > 0]
            if not orders:
                break
            book = await self._ledger.add_orders(book, orders)
            intents = book.orders_named(order.client_order_id for order in orders)
            await self._runner.send(intents, self._clock.monotonic(), authority)
            book = await self._runner.resolve(await self._ledger.book(book.trade.id))
        await self._finish_if_flat(book)

    async def _remainders(self, book: TradeBook) -> list[_Remainder]:
        return list(await asyncio.gather(*(self._remainder(book, leg) for leg in Leg)))

    async def _remainder(self, book: TradeBook, leg: Leg) -> _Remainder:
        venue, symbol = book.trade.venue(leg), book.trade.symbol
        ledger = book.position(leg).quantity
        instrument = (await self._venues[venue].market.instruments())[symbol]
        try:
            positions = await self._venues[venue].account.positions([symbol])
        except VenueError as error:
            log.warning("close.position_unknown", signal_id=book.trade.id, venue=venue, error=str(error))
            held = None
        else:
            signed = positions[symbol].quantity if symbol in positions else Decimal(0)
            held = max(Decimal(0), signed if leg is Leg.LONG else -signed)
        wanted = ledger if held is None else min(ledger, held)
        tradable = floor_to_step(wanted, instrument.quantity_step)
        return _Remainder(leg, ledger, held, tradable if tradable >= instrument.quantity_min else Decimal(0))

    async def _order(self, book: TradeBook, item: _Remainder) -> NewOrder:
        attempt = book.next_attempt(WHOLE_TRADE, item.leg, Purpose.CLOSE)
        price = await self._reference_price(book, item)
        return new_order(book.trade, WHOLE_TRADE, item.leg, Purpose.CLOSE, attempt, item.tradable, price)

    async def _reference_price(self, book: TradeBook, item: _Remainder) -> Decimal:
        """The swept exit price; closing does not wait for a book, so without one it is the entry price."""
        entry_price = book.position(item.leg).average_price
        assert entry_price is not None
        try:
            market_book = await self._venues[book.trade.venue(item.leg)].market.book(book.trade.symbol)
            side = market_book.bids if item.leg is Leg.LONG else market_book.asks
            return side.sweep_quantity(item.tradable).price
        except (VenueError, InsufficientDepth):
            return entry_price

    async def _finish_if_flat(self, book: TradeBook) -> None:
        """Closed when nothing tradable is left in the ledger and both venues report flat.

        Right after a fill a venue may still show the old position, so a position that is not flat is read again
        for a moment before the trade is left to the next round.
        """
        for _ in range(FLAT_READS_MAX):
            remainders = await self._remainders(book)
            if all(item.venue is not None and item.tradable == 0 for item in remainders) and self._is_even(remainders):
                evidence = {
                    item.leg.value: {"ledger": item.ledger, "venue": item.venue, "dust": item.ledger}
                    for item in remainders
                }
                await self._ledger.finish_close(book, evidence)
                return
            if any(item.tradable > 0 for item in remainders):
                log.warning("close.not_flat", signal_id=book.trade.id)
                return
            await asyncio.sleep(FLAT_READ_SECONDS)
        log.warning("close.flatness_unknown", signal_id=book.trade.id)

    @staticmethod
    def _is_even(remainders: list[_Remainder]) -> bool:
        """What the ledger still holds is dust on the venue too."""
        return all(item.venue is not None and item.venue <= item.ledger for item in remainders)
