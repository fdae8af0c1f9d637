"""Adding an entry to an open trade whose gap widened (SPEC 7).

position-monitor asks; here everything is looked at again with fresh books, under the trade's lease, and the number
of entries that the request was made for must still stand: one trigger never adds two entries.
"""

import asyncio
from decimal import Decimal

import structlog

from common.domain.identifiers import Leg
from common.domain.order_book import InsufficientDepth
from common.domain.scale_in import FreshEvent, ScaleInState, scale_in_refusal
from common.domain.spread import exit_spread_pct
from common.messages.contracts import ScaleInRequested, WatchlistEvent
from common.runtime.clock import Clock
from common.runtime.settings import TradingSettings
from common.venues.errors import VenueError
from executor.application.entries import EntryOpener
from executor.application.opening import gate_rules
from executor.application.planning import EntryPlanner, Proposal
from executor.application.ports import EntryRefused, SignalLedger, StaleTradeError, TradeLedger, Venues
from executor.application.reach import Reach
from executor.application.traced import traced
from executor.domain.gate import refuse_by_state
from executor.domain.records import TradeBook
from executor.domain.refusal import Refusal
from executor.domain.trade_machine import TradeStatus

log = structlog.get_logger(__name__)

ENTRY_ATTEMPTS_MAX = 50
"""Entries tried on one trade, failed ones included: a venue that keeps refusing is left alone in the end."""


class ScaleIn:
    """Answers requests for scale-ins."""

    def __init__(
        self,
        signals: SignalLedger,
        trades: TradeLedger,
        planner: EntryPlanner,
        opener: EntryOpener,
        venues: Venues,
        reach: Reach,
        settings: TradingSettings,
        clock: Clock,
    ) -> None:
        self._signals = signals
        self._trades = trades
        self._planner = planner
        self._opener = opener
        self._venues = venues
        self._reach = reach
        self._settings = settings
        self._gate = gate_rules(settings)
        self._rules = settings.scale_in_rules
        self._clock = clock

    async def handle(self, request: ScaleInRequested) -> None:
        """Opens the next entry, or records why not.

        Raises:
            TradeBusyError: the trade is another executor's.
        """
        self._reach.check(request.signal_id)
        if not await self._trades.take_lease(request.signal_id):
            log.info("scale_in.busy", signal_id=request.signal_id)
            return
        try:
            book = await self._trades.book(request.signal_id)
            await self._reach.require(book.trade)
            refusal = await self._answer(book, request)
            if refusal is not None:
                await self._signals.refused_scale_in(book.trade, refusal)
        except StaleTradeError:
            log.info("scale_in.outdated", signal_id=request.signal_id)
        finally:
            await self._trades.release_lease(request.signal_id)

    @traced("scale in")
    async def _answer(self, book: TradeBook, request: ScaleInRequested) -> Refusal | None:
        trade, entries = book.trade, book.filled_entries
        if trade.status is not TradeStatus.OPEN or len(entries) != request.entries or not entries:
            found = {"status": trade.status, "entries": len(entries), "asked_for": request.entries}
            return Refusal("outdated_request", False, found)
        if book.unresolved_orders or any(entry.status == "opening" for entry in book.entries):
            return Refusal("entry_in_flight", True, {"orders": [o.client_order_id for o in book.unresolved_orders]})
        if book.next_entry > ENTRY_ATTEMPTS_MAX:
            return Refusal("entry_attempts_exhausted", False, {"maximum": ENTRY_ATTEMPTS_MAX})
        standing = await self._signals.standing(trade.symbol)
        halted = refuse_by_state(self._gate, standing.trading_state)
        if halted is not None:
            return halted
        event = await self._signals.fresh_event(trade)
        exit_pct = await self._exit_spread_pct(book)
        if isinstance(exit_pct, Refusal):
            return exit_pct
        refused = scale_in_refusal(self._state(book, event, exit_pct), self._rules, self._clock.now())
        if refused is not None:
            return Refusal(refused.reason, True, refused.evidence)
        assert event is not None, "scale_in_refusal lets no entry pass without fresh evidence"
        return await self._open(book, event, request)

    def _state(self, book: TradeBook, event: WatchlistEvent | None, exit_pct: float) -> ScaleInState:
        entries = book.filled_entries
        first_pct = entries[0].entry_spread_pct
        assert first_pct is not None
        return ScaleInState(
            entries=len(entries),
            first_entry_spread_pct=first_pct,
            exit_spread_pct_now=exit_pct,
            last_scale_in_at=entries[-1].filled_at if len(entries) > 1 else None,
            per_leg_notional_usdt=sum((entry.notional_usdt or Decimal(0) for entry in entries), Decimal(0)),
            next_entry_notional_usdt=self._settings.live_trading_per_leg_usdt,
            event=_fresh(event) if event else None,
        )

    async def _exit_spread_pct(self, book: TradeBook) -> float | Refusal:
        trade = book.trade
        try:
            long_book, short_book = await asyncio.gather(
                self._venues[trade.long_venue].market.book(trade.symbol),
                self._venues[trade.short_venue].market.book(trade.symbol),
            )
            long_sell = long_book.bids.sweep_quantity(book.position(Leg.LONG).quantity)
            short_buy = short_book.asks.sweep_quantity(book.position(Leg.SHORT).quantity)
        except VenueError as error:
            return Refusal(error.reason, True, {"venue": error.venue, "message": error.message})
        except InsufficientDepth as error:
            return Refusal("insufficient_depth", True, {"wanted": error.wanted, "shortfall": error.shortfall})
        return exit_spread_pct(long_sell.price, short_buy.price)

    async def _open(self, book: TradeBook, event: WatchlistEvent, request: ScaleInRequested) -> Refusal | None:
        trade = book.trade
        assert event.prediction is not None
        evidence = event.model_dump(mode="json", include={"event_id", "version", "last_observed_at", "prediction"})
        proposal = Proposal(
            trade=trade,
            entry=book.next_entry,
            event_id=event.event_id,
            pnl_hat=event.prediction.pnl_hat,
            win_prob=event.prediction.win_prob,
            fixed_direction=True,
            expected={
                trade.long_venue: book.position(Leg.LONG).quantity,
                trade.short_venue: -book.position(Leg.SHORT).quantity,
            },
            evidence={**evidence, "asked": request.evidence},
        )
        plan = await self._planner.plan(proposal)
        if isinstance(plan, Refusal):
            return plan
        try:
            await self._opener.open(book, plan)
        except EntryRefused as refused:
            return refused.refusal
        return None


def _fresh(event: WatchlistEvent) -> FreshEvent:
    prediction = event.prediction
    return FreshEvent(
        event_id=event.event_id,
        last_observed_at=event.last_observed_at,
        pnl_hat=prediction.pnl_hat if prediction else None,
        win_prob=prediction.win_prob if prediction else None,
    )
