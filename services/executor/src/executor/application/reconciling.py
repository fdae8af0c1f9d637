"""Ledger against venues: on start, on a period, and whenever a close finds a difference.

A difference is believed when it is seen twice with nothing of ours in between; fills then explain it. What a venue
did without us is booked by its fills' ids, and the sibling leg is asked to be closed. What nobody of ours made is
reported and left alone.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

import structlog

from common.domain.identifiers import Leg
from common.messages.contracts import CloseRequested
from common.runtime.clock import Clock
from common.runtime.tracing import about_trade
from common.venues.errors import VenueError
from executor.application.ports import (
    Alarms,
    Bookkeeping,
    Outcome,
    StaleTradeError,
    TradeBusyError,
    TradeLedger,
    Venues,
)
from executor.application.reach import Reach
from executor.domain.order_machine import OrderStatus
from executor.domain.reconciliation import DriftKind, Explanation, LegDrift, SeenFill, begins_at, explain, leg_drift
from executor.domain.records import TradeBook
from executor.domain.trade_machine import TradeStatus

log = structlog.get_logger(__name__)

SINCE_MARGIN = timedelta(minutes=5)
LOOK_AGAIN_SECONDS = 1.0
"""Between two looks at a leg that its venue will not reduce."""

Close = Callable[[CloseRequested], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Sight:
    """One look at a drift: what the ledger was, and what the venue showed."""

    version: int
    drift: LegDrift


class Reconciler:
    """Compares, explains and books. `foreign` is what a trade's venue holds that is not Tandem's, as last found."""

    def __init__(
        self,
        venues: Venues,
        ledger: TradeLedger,
        bookkeeping: Bookkeeping,
        reach: Reach,
        alarms: Alarms,
        clock: Clock,
    ) -> None:
        self._venues = venues
        self._ledger = ledger
        self._bookkeeping = bookkeeping
        self._reach = reach
        self._alarms = alarms
        self._clock = clock
        self._seen: dict[tuple[int, Leg], _Sight] = {}
        self._foreign: dict[tuple[int, Leg], Decimal] = {}
        self._strangers: dict[tuple[str, str], Decimal] = {}
        self.has_looked = asyncio.Event()
        """Set once ledger and venues were compared for the first time; until then nothing opens."""

    def foreign(self, signal_id: int, leg: Leg) -> Decimal:
        """How much of what the leg's venue holds in its direction is known not to be Tandem's, in base units."""
        return self._foreign.get((signal_id, leg), Decimal(0))

    async def sweep(self, close: Close) -> None:
        """Looks at every open trade that nobody works on, and asks `close` for what lost a leg."""
        active = await self._bookkeeping.active_trades()
        self._forget_all_but({trade.id for trade in active})
        for trade in active:
            if not await self._reach.covers(trade) or trade.status is not TradeStatus.OPEN:
                continue
            if not await self._ledger.take_lease(trade.id):
                continue
            with about_trade(trade.id, trade.traceparent):
                try:
                    book = await self.reconcile(await self._ledger.book(trade.id))
                except (VenueError, StaleTradeError) as error:
                    log.warning("reconciliation.failed", error=repr(error))
                    continue
                finally:
                    await self._ledger.release_lease(trade.id)
                await self._derisk(book, close)
        await self._report_strangers({trade.symbol for trade in active})
        self.has_looked.set()

    def _forget_all_but(self, wanted: set[int]) -> None:
        self._foreign = {key: quantity for key, quantity in self._foreign.items() if key[0] in wanted}
        self._seen = {key: sight for key, sight in self._seen.items() if key[0] in wanted}

    async def _report_strangers(self, traded: set[str]) -> None:
        """A position on a symbol that Tandem does not trade now, seen twice: told, and left alone."""
        found: dict[tuple[str, str], Decimal] = {}
        for name, venue in self._venues.items():
            try:
                positions = await venue.account.positions()
            except VenueError as error:
                log.warning("reconciliation.failed", venue=name, error=str(error))
                continue
            found |= {(name, symbol): item.quantity for symbol, item in positions.items() if symbol not in traded}
        for (venue_name, symbol), quantity in found.items():
            if self._strangers.get((venue_name, symbol)) == quantity:
                detail = {"venue": venue_name, "symbol": symbol, "quantity": str(quantity)}
                message = f"{venue_name} holds {quantity} {symbol}, and no trade of Tandem's is open on it"
                await self._alarms.sound(f"position_without_trade:{venue_name}:{symbol}", message, detail)
        self._strangers = found

    async def reconcile(self, book: TradeBook) -> TradeBook:
        """Looks at both legs of a trade at rest and books what explains a difference.

        An entry that a close came upon in flight is settled no more: its orders have ended, and the close takes all.

        Raises:
            VenueError: a venue does not answer.
            StaleTradeError: the trade changed meanwhile.
        """
        is_opening = any(entry.status == "opening" for entry in book.entries)
        if book.unresolved_orders or (is_opening and book.trade.status is not TradeStatus.CLOSING):
            return book
        for leg in Leg:
            drift = await self._drift(book, leg)
            if drift is not None and self._is_believed(book, drift):
                book = await self._answer(book, drift)
        return book

    async def explain_stray(self, book: TradeBook, leg: Leg) -> TradeBook:
        """Looks why a leg of an entry in flight cannot be taken back: somebody may have closed it already.

        The venue's refusal is no proof. Only a position that is smaller than the ledger's, twice, and the fills that
        made it so are booked; a venue that does not answer explains nothing.

        Raises:
            StaleTradeError: the trade changed meanwhile.
        """
        try:
            drift = await self._drift(book, leg)
            if drift is None or not drift.missing:
                return book
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
            if await self._drift(book, leg) != drift:
                return book
            return await self._answer(book, drift)
        except VenueError as error:
            log.warning("reconciliation.failed", signal_id=book.trade.id, error=str(error))
            return book

    async def _drift(self, book: TradeBook, leg: Leg) -> LegDrift | None:
        trade, venue = book.trade, self._venues[book.trade.venue(leg)]
        signed = await venue.held(trade.symbol)
        found = leg_drift(book, leg, signed, self.foreign(trade.id, leg), await self._tolerance(book, leg))
        if found is None:
            self._seen.pop((trade.id, leg), None)
        return found

    async def _tolerance(self, book: TradeBook, leg: Leg) -> Decimal:
        instrument = await self._venues[book.trade.venue(leg)].instrument(book.trade.symbol)
        return instrument.quantity_step / 2

    def _is_believed(self, book: TradeBook, drift: LegDrift) -> bool:
        sight = _Sight(book.trade.version, drift)
        before = self._seen.get((book.trade.id, drift.leg))
        self._seen[book.trade.id, drift.leg] = sight
        return before == sight

    async def _answer(self, book: TradeBook, drift: LegDrift) -> TradeBook:
        trade, leg = book.trade, drift.leg
        fills = await self._fills(book, leg)
        order_ids = sorted({fill.venue_order_id for fill in fills})
        taken = await self._bookkeeping.taken_elsewhere(trade.id, trade.venue(leg), order_ids)
        explanation = explain(book, drift, fills, taken, await self._tolerance(book, leg))
        self._seen.pop((trade.id, leg), None)
        if explanation.kind is not DriftKind.EXTERNAL_OPEN or drift.surplus:
            await self._report(book, drift, explanation)
        match explanation.kind:
            case DriftKind.MISSED_FILL:
                return await self._book_ours(book, leg, fills, explanation)
            case DriftKind.EXTERNAL_CLOSE:
                self._foreign.pop((trade.id, leg), None)
                return await self._ledger.add_external(book, leg, explanation.others, explanation.kind)
            case DriftKind.EXTERNAL_OPEN:
                self._foreign[trade.id, leg] = drift.surplus
        return book

    async def _fills(self, book: TradeBook, leg: Leg) -> Sequence[SeenFill]:
        since = begins_at(book, leg) - SINCE_MARGIN
        fills = await self._venues[book.trade.venue(leg)].account.fills(book.trade.symbol, since)
        return [
            SeenFill(fill.fill_id, fill.venue_order_id, fill.side, fill.quantity, fill.price, fill.traded_at)
            for fill in fills
        ]

    async def _book_ours(
        self, book: TradeBook, leg: Leg, fills: Sequence[SeenFill], explanation: Explanation
    ) -> TradeBook:
        for order in book.orders:
            if order.leg is not leg or order.venue_order_id not in explanation.ours:
                continue
            filled = explanation.ours[order.venue_order_id or ""]
            notional = sum(
                (f.price * f.quantity for f in fills if f.venue_order_id == order.venue_order_id), Decimal(0)
            )
            status = OrderStatus.FILLED if filled >= order.quantity else OrderStatus.PARTLY_FILLED
            outcome = Outcome(status, filled, notional / filled, order.venue_order_id, "found by reconciliation")
            await self._ledger.record_outcome(order, outcome)
        return await self._ledger.book(book.trade.id)

    async def _report(self, book: TradeBook, drift: LegDrift, explanation: Explanation) -> None:
        venue = book.trade.venue(drift.leg)
        detail = {
            "kind": explanation.kind,
            "leg": drift.leg,
            "venue": venue,
            "symbol": book.trade.symbol,
            "ledger": str(drift.ledger),
            "venue_holds": str(drift.venue),
            "fills": {part.fill.fill_id: str(part.quantity) for part in explanation.others},
            "orders": {order: str(filled) for order, filled in explanation.ours.items()},
        }
        message = f"{venue} holds {drift.venue} {book.trade.symbol} where the ledger has {drift.ledger}"
        await self._alarms.sound(f"drift_{explanation.kind}", message, detail, book.trade.id)

    async def _derisk(self, book: TradeBook, close: Close) -> None:
        """A leg that lost quantity without us leaves the other one standing: the whole trade is closed.

        While a difference is still being looked at nothing is concluded. What cannot be closed now is found again by
        the next sweep.
        """
        if any((book.trade.id, leg) in self._seen for leg in Leg):
            return
        quantities = [book.position(leg).quantity for leg in Leg]
        residual = [residual_of(book, leg) for leg in Leg]
        if quantities[0] - residual[0] == quantities[1] - residual[1]:
            return
        evidence = {"long_quantity": str(quantities[0]), "short_quantity": str(quantities[1])}
        wish = CloseRequested(signal_id=book.trade.id, reason="unhedged", requested_by="executor", evidence=evidence)
        try:
            await close(wish)
        except (TradeBusyError, VenueError) as error:
            log.warning("reconciliation.close_later", signal_id=book.trade.id, error=repr(error))


def residual_of(book: TradeBook, leg: Leg) -> Decimal:
    """What the entries left unmatched on a leg because it was below the venue's minimum, the failed ones too."""
    kept = (
        entry.snapshot.get("residual") or entry.snapshot.get("failure", {}).get("residual") for entry in book.entries
    )
    return sum((Decimal(str(residual.get(leg.value, 0))) for residual in kept if residual), Decimal(0))
