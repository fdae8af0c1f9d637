"""Opening one entry, the first or a scale-in: commit, send, settle (SPEC 4 and 5)."""

import asyncio
from dataclasses import dataclass
from decimal import Decimal

import structlog

from common.domain.identifiers import Leg, Purpose
from common.domain.instruments import floor_to_step
from common.domain.position import leg_position
from common.venues.urgency import urgent
from executor.application.orders import OrderRunner
from executor.application.ports import Alarms, EntryPlan, TradeLedger, Venues
from executor.application.reconciling import Reconciler
from executor.application.standings import AccountStandings
from executor.application.traced import traced
from executor.domain.pair import JOINT, PairAction, entry_fill, excess, outcome
from executor.domain.records import Entry, TradeBook, leg_fills, new_order

log = structlog.get_logger(__name__)

UNWIND_ATTEMPTS_IN_A_ROW = 5


@dataclass(frozen=True, slots=True)
class EntryLimits:
    """How many trades may be open, and what unwinding one entry may cost in USDT before somebody is told."""

    concurrent_max: int
    unwind_loss_budget_usdt: Decimal


class EntryOpener:
    """Opens planned entries, and brings entries in flight to rest from whatever point they were left at."""

    def __init__(
        self,
        venues: Venues,
        ledger: TradeLedger,
        runner: OrderRunner,
        standings: AccountStandings,
        reconciler: Reconciler,
        alarms: Alarms,
        limits: EntryLimits,
    ) -> None:
        self._venues = venues
        self._ledger = ledger
        self._runner = runner
        self._standings = standings
        self._reconciler = reconciler
        self._alarms = alarms
        self._concurrent_max = limits.concurrent_max
        self._unwind_loss_budget_usdt = limits.unwind_loss_budget_usdt

    async def open(self, book: TradeBook, plan: EntryPlan) -> TradeBook:
        """Commits the intents, sends both legs at once, and brings the entry to rest.

        Raises:
            EntryRefused: another trade or a limit was faster.
            StaleTradeError: the trade changed since it was read.
        """
        book = await self._ledger.begin_entry(book, plan, self._concurrent_max)
        entry = next(item for item in book.entries if item.entry == plan.entry)
        legs = [book.opening_order(entry, leg) for leg in Leg]
        await self._runner.send(legs)
        book = await self.settle(await self._ledger.book(book.trade.id))
        await asyncio.gather(*(self._standings.renew(order.venue) for order in legs))
        return book

    @urgent
    @traced("settle")
    async def settle(self, book: TradeBook) -> TradeBook:
        """Brings the entry in flight to rest, from whatever point it was left at.

        Where an outcome stays unknown for too long the trade is returned as it is: the next sweep goes on.
        """
        book = await self._runner.resolve(book)
        if book.unresolved_orders:
            return book
        opening = [entry for entry in book.entries if entry.status == "opening"]
        for entry in opening:
            book = await self._settle_entry(book, entry)
        return book

    async def _settle_entry(self, book: TradeBook, entry: Entry) -> TradeBook:
        for _ in range(UNWIND_ATTEMPTS_IN_A_ROW):
            long_order, short_order = (book.opening_order(entry, leg) for leg in Leg)
            action = JOINT[
                outcome(long_order.status, long_order.filled_quantity),
                outcome(short_order.status, short_order.filled_quantity),
            ]
            if action is PairAction.FLAT:
                evidence = {"long": long_order.status, "short": short_order.status}
                return await self._ledger.fail_entry(book, entry, evidence)
            stray = await self._tradable_excess(book, entry)
            if stray is None:
                return await self._finish(book, entry)
            leg, quantity = stray
            before = book.position(leg).quantity
            book = await self._unwind(book, entry, leg, quantity)
            if book.unresolved_orders:
                return book
            if book.position(leg).quantity > before - quantity:
                book = await self._reconciler.explain_stray(book, leg)
        log.error("entry.unwind_not_done", signal_id=book.trade.id, entry=entry.entry)
        detail = {"entry": entry.entry, "orders": [order.client_order_id for order in book.orders]}
        await self._alarms.sound("unwind_not_done", "a stray leg could not be taken back yet", detail, book.trade.id)
        return book

    async def _tradable_excess(self, book: TradeBook, entry: Entry) -> tuple[Leg, Decimal] | None:
        """The part of one leg that nothing matches, that is still held, and that its venue would trade."""
        stray = excess(*(entry_quantity(book, entry, leg) for leg in Leg))
        if stray is None:
            return None
        leg, quantity = stray[0], min(stray[1], book.position(stray[0]).quantity)
        instrument = await self._venues[book.trade.venue(leg)].instrument(book.trade.symbol)
        quantity = floor_to_step(quantity, instrument.quantity_step)
        return (leg, quantity) if quantity >= instrument.quantity_min else None

    @traced("unwind")
    async def _unwind(self, book: TradeBook, entry: Entry, leg: Leg, quantity: Decimal) -> TradeBook:
        price = book.opening_order(entry, leg).reference_price
        attempt = book.next_attempt(entry.entry, leg, Purpose.UNWIND)
        order = new_order(book.trade, entry.entry, leg, Purpose.UNWIND, attempt, quantity, price)
        log.warning("entry.unwinding", signal_id=book.trade.id, entry=entry.entry, leg=leg, quantity=str(quantity))
        book = await self._ledger.add_orders(book, [order])
        await self._runner.send(book.orders_named([order.client_order_id]))
        book = await self._runner.resolve(await self._ledger.book(book.trade.id))
        await self._account_for_loss(book, entry, leg)
        return book

    async def _account_for_loss(self, book: TradeBook, entry: Entry, leg: Leg) -> None:
        """Unwinding goes on whatever it costs; past its budget somebody is told."""
        lost = unwind_loss_usdt(book, entry, leg)
        if lost > self._unwind_loss_budget_usdt:
            detail = {"entry": entry.entry, "lost_usdt": str(lost), "budget_usdt": str(self._unwind_loss_budget_usdt)}
            await self._alarms.sound("unwind_loss", "unwinding cost more than its budget", detail, book.trade.id)

    async def _finish(self, book: TradeBook, entry: Entry) -> TradeBook:
        long_quantity, short_quantity = (entry_quantity(book, entry, leg) for leg in Leg)
        matched = min(long_quantity, short_quantity)
        residual = {
            leg.value: min(quantity - matched, book.position(leg).quantity)
            for leg, quantity in ((Leg.LONG, long_quantity), (Leg.SHORT, short_quantity))
        }
        if matched <= 0:
            return await self._ledger.fail_entry(book, entry, {"residual": residual})
        long_price, short_price = (book.opening_order(entry, leg).price for leg in Leg)
        swept_pct = entry.snapshot["execution"]["entry_spread_pct"]
        fill = entry_fill(matched, long_price, short_price, swept_pct)
        return await self._ledger.fill_entry(book, entry, fill, residual)


def entry_quantity(book: TradeBook, entry: Entry, leg: Leg) -> Decimal:
    """What one leg of an entry holds: its opening fill less what was unwound of it."""
    return leg_position(leg_fills(order for order in book.orders if order.entry == entry.entry), leg).quantity


def unwind_loss_usdt(book: TradeBook, entry: Entry, leg: Leg) -> Decimal:
    """What taking back a leg of an entry has cost against the price that it was opened at, fees left out."""
    opened = book.opening_order(entry, leg).price
    unwound = [o for o in book.orders if o.entry == entry.entry and o.leg is leg and o.purpose is Purpose.UNWIND]
    taken_back = sum(((o.price - opened) * o.filled_quantity for o in unwound), Decimal(0))
    return -taken_back if leg is Leg.LONG else taken_back
