"""Copying fills, fees, funding and positions from the venues' own ledgers, by their ids (SPEC 8).

Nothing is invented: what a venue has not said yet stays unknown and is asked for again. A trade is finalised once,
when every filled quantity is booked with its fee and funding was read after the close. Some venues show a payment
later than that: a few more looks find it, and the trade's account is corrected.

Venues are asked for what has changed and no more: fills where a fill is not booked yet, funding on a schedule, and
positions once a venue, however many trades are open.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import structlog

from common.domain.identifiers import Leg
from common.runtime.clock import Clock
from common.runtime.tracing import about_trade
from common.venues.errors import VenueError
from executor.application.pauses import Pauses
from executor.application.ports import Bookkeeping, Venues
from executor.application.reach import Reach
from executor.domain.records import Trade, TradeBook
from executor.domain.settlement_sum import was_held

log = structlog.get_logger(__name__)

SINCE_MARGIN = timedelta(minutes=5)
"""Venue ledgers are read from a little before the first order, for clocks that differ."""

SETTLED_AFTER = timedelta(minutes=1)
"""How long after the close a funding settlement normally may still appear in a venue's ledger."""

LATE_LOOKS = (timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=4))
"""When after its close the funding of a trade that is final is read again: for a venue whose ledger is minutes behind,
and for one that had an incident.
"""

MISSED_LOOKS_FOR = timedelta(hours=8)
"""How long after the final account a look is made up for by a process that was not there to make it."""

FUNDING_EVERY = timedelta(minutes=5)
FUNDING_EVERY_REAL_SECONDS = 2.0
"""A trade's funding is read when both have passed since the last time."""


@dataclass(frozen=True, slots=True)
class _Read:
    """When a trade's funding was last read: in strategy time, and really."""

    at: datetime
    monotonic_seconds: float


class Bookkeeper:
    """Keeps the ledger equal to the venues'."""

    def __init__(self, venues: Venues, ledger: Bookkeeping, reach: Reach, clock: Clock) -> None:
        self._venues = venues
        self._reach = reach
        self._ledger = ledger
        self._clock = clock
        self._funding_read: dict[int, _Read] = {}
        self._fills_read = Pauses(clock)
        self._late_looks = Pauses(clock)

    async def sweep(self) -> None:
        """One round. A venue that does not answer only delays its own figures."""
        active = [trade for trade in await self._ledger.active_trades() if await self._reach.covers(trade)]
        await self._save_positions(active)
        unbooked = {number for number in await self._ledger.unbooked_trades() if self._fills_read.are_over(number)}
        unfinalised = [trade for trade in await self._ledger.unfinalised_trades() if await self._reach.covers(trade)]
        closes = await self._ledger.recent_closes(self._clock.now() - MISSED_LOOKS_FOR)
        due = {trade.id for trade in [*active, *unfinalised] if self._is_due(trade)} | self._due_for_a_late_look(closes)
        for signal_id in sorted(unbooked | due):
            book = await self._ledger.book(signal_id)
            if not await self._reach.covers(book.trade):
                continue
            with about_trade(signal_id, book.trade.traceparent):
                try:
                    await self._book(book, with_fills=signal_id in unbooked, with_funding=signal_id in due)
                except VenueError as error:
                    log.warning("bookkeeping.failed", error=str(error))
        self._forget_all_but({*closes, *(trade.id for trade in [*active, *unfinalised])})

    async def _book(self, book: TradeBook, *, with_fills: bool, with_funding: bool) -> None:
        started, monotonic = self._clock.now(), self._clock.monotonic()
        for leg in Leg:
            if with_fills:
                await self._book_fills(book, leg)
            if with_funding:
                await self._book_funding(book.trade, leg)
        if with_funding:
            self._funding_read[book.trade.id] = _Read(started, monotonic)
            await self._finalise(book.trade, started)

    async def _finalise(self, trade: Trade, read_at: datetime) -> None:
        if trade.closed_at is not None and read_at >= trade.closed_at + SETTLED_AFTER:
            await self._ledger.finalise(trade)

    async def _book_fills(self, book: TradeBook, leg: Leg) -> None:
        orders = [order for order in book.orders if order.leg is leg]
        if not orders:
            return
        since = min(order.intended_at for order in orders) - SINCE_MARGIN
        account = self._venues[book.trade.venue(leg)].account
        await self._ledger.add_fills(book, await account.fills(book.trade.symbol, since))

    async def _book_funding(self, trade: Trade, leg: Leg) -> None:
        """Only settlements while the leg held something belong to the trade: what is on the same contract besides, and
        what comes after its close, is somebody else's, even where the trade left dust.
        """
        changes = await self._ledger.leg_changes(trade, leg)
        if not changes:
            return
        payments = await self._venues[trade.venue(leg)].account.funding_payments(trade.symbol, changes[0][0])
        within = [payment for payment in payments if was_held(changes, payment.settled_at)]
        if trade.closed_at is not None:
            within = [payment for payment in within if payment.settled_at <= trade.closed_at + SETTLED_AFTER]
        await self._ledger.add_funding(trade, leg, within)

    async def _save_positions(self, active: Iterable[Trade]) -> None:
        symbols: dict[str, set[str]] = {}
        for trade in active:
            for leg in Leg:
                symbols.setdefault(trade.venue(leg), set()).add(trade.symbol)
        for venue, wanted in symbols.items():
            asked_at = self._clock.now()
            try:
                positions = await self._venues[venue].account.positions()
            except VenueError as error:
                log.warning("bookkeeping.positions_unknown", venue=venue, error=str(error))
                continue
            held = {name: positions[name].quantity if name in positions else Decimal(0) for name in wanted}
            await self._ledger.save_positions(venue, held, asked_at)

    def _is_due(self, trade: Trade) -> bool:
        """While open, on the schedule; once closed, when the last settlement must be in the venue's ledger."""
        last, now = self._funding_read.get(trade.id), self._clock.now()
        if trade.closed_at is not None:
            wanted = trade.closed_at + SETTLED_AFTER
        else:
            wanted = last.at + FUNDING_EVERY if last else now
        if now < wanted:
            return False
        if last is None or (trade.closed_at is not None and last.at < wanted):
            return True
        return self._clock.monotonic() - last.monotonic_seconds >= FUNDING_EVERY_REAL_SECONDS

    def _due_for_a_late_look(self, closes: Mapping[int, datetime]) -> set[int]:
        """At most one of the trades that are final: a process that starts may find many, and none is urgent."""
        due = [signal_id for signal_id, closed_at in closes.items() if self._is_due_late(signal_id, closed_at)]
        self._late_looks.forget_all_but(due)
        for signal_id in due:
            if self._late_looks.are_over(signal_id):
                return {signal_id}
        return set()

    def _is_due_late(self, signal_id: int, closed_at: datetime) -> bool:
        last, now = self._funding_read.get(signal_id), self._clock.now()
        wanted = max((closed_at + after for after in LATE_LOOKS if closed_at + after <= now), default=None)
        return wanted is not None and (last is None or last.at < wanted)

    def _forget_all_but(self, wanted: set[int]) -> None:
        self._funding_read = {number: read for number, read in self._funding_read.items() if number in wanted}
        self._fills_read.forget_all_but(wanted)
