"""From a watchlist event, or the retry of a skipped signal, to an open trade or a recorded reason (SPEC 4)."""

from datetime import timedelta

import structlog

from common.domain.retry_schedule import delay_seconds
from common.messages.contracts import RetryDue, RetryEnded, WatchlistEvent
from common.runtime.clock import Clock
from common.runtime.settings import TradingSettings
from common.venues.errors import VenueError
from executor.application.entries import EntryOpener
from executor.application.planning import EntryPlanner, Proposal
from executor.application.ports import EntryPlan, EntryRefused, SignalLedger, StaleTradeError, TradeLedger, Venues
from executor.application.traced import traced
from executor.domain.gate import Candidate, GateRules, refuse, refuse_by_funding
from executor.domain.records import Trade, TradeBook
from executor.domain.refusal import Refusal
from executor.domain.trade_machine import TradeStatus

log = structlog.get_logger(__name__)


def gate_rules(settings: TradingSettings) -> GateRules:
    """The gate's part of the settings."""
    return GateRules(
        enabled=settings.live_trading_enabled,
        allowed_venues=settings.live_trading_allowed_exchanges,
        pnl_threshold=settings.live_trading_pnl_threshold,
        win_prob_threshold=settings.live_trading_win_prob_threshold,
        concurrent_max=settings.live_trading_max_concurrent,
        abs_funding_max=settings.live_trading_max_abs_funding,
    )


EVENT_CLOSED = "event_closed"


class SignalOpener:
    """Gives every event a verdict. Handling the same event or retry twice changes nothing the second time."""

    def __init__(
        self,
        ledger: SignalLedger,
        trades: TradeLedger,
        planner: EntryPlanner,
        opener: EntryOpener,
        venues: Venues,
        settings: TradingSettings,
        clock: Clock,
    ) -> None:
        self._ledger = ledger
        self._trades = trades
        self._planner = planner
        self._opener = opener
        self._venues = venues
        self._rules = gate_rules(settings)
        self._lookback = timedelta(minutes=max(5.0, settings.live_trading_lookback_min))
        self._clock = clock

    async def handle_event(self, event: WatchlistEvent) -> None:
        """Records the event's signal and tries to open it, once."""
        trade, _ = await self._ledger.record_signal(event)
        if trade.status is TradeStatus.NEW:
            await self._attempt(trade, event)

    async def handle_retry(self, retry: RetryDue) -> None:
        """Tries a skipped signal again, if it still stands where the retry found it."""
        trade = await self._ledger.trade(retry.signal_id)
        if trade is None or trade.status is not TradeStatus.SKIPPED or trade.attempts != retry.attempt:
            log.info("retry.outdated", signal_id=retry.signal_id, attempt=retry.attempt)
            return
        await self._attempt(trade, retry.event)

    async def handle_retry_ended(self, ended: RetryEnded) -> None:
        """Expires a signal that is no longer eligible."""
        await self._ledger.expire(ended.signal_id, ended.attempt, ended.reason, ended.evidence)

    @traced("open")
    async def _attempt(self, trade: Trade, event: WatchlistEvent) -> None:
        if not self._trades.claim(trade.id):
            log.info("signal.in_hand", signal_id=trade.id)
            return
        try:
            event = await self._as_it_stands(event)
            refusal = await self._try_to_open(trade, event)
            if refusal is not None:
                await self._skip(trade, event, refusal)
        except StaleTradeError:
            log.info("signal.taken_elsewhere", signal_id=trade.id)
        finally:
            await self._trades.release_lease(trade.id)

    async def _skip(self, trade: Trade, event: WatchlistEvent, refusal: Refusal) -> None:
        if refusal.reason == EVENT_CLOSED and trade.status is TradeStatus.SKIPPED:
            # As signal-ingest would have it: whose look came last must not decide how a signal ends.
            await self._ledger.expire(trade.id, trade.attempts, refusal.reason, refusal.evidence)
            return
        next_attempt_at = None
        if refusal.retryable:
            next_attempt_at = self._clock.now() + timedelta(seconds=delay_seconds(trade.attempts + 1))
        await self._ledger.skip(trade, refusal, next_attempt_at, event)

    async def _try_to_open(self, trade: Trade, event: WatchlistEvent) -> Refusal | None:
        plan = await self.decide(trade, event)
        if isinstance(plan, Refusal):
            return plan
        try:
            await self._opener.open(TradeBook(trade), plan)
        except EntryRefused as refused:
            return refused.refusal
        return None

    async def decide(self, trade: Trade, event: WatchlistEvent, *, is_dry: bool = False) -> EntryPlan | Refusal:
        """Everything up to and including the preflight: what would be committed, or why nothing would.

        A dry decision also leaves the accounts' settings (leverage, mode) as they are.
        """
        refusal = self._refuse_late(event) or await self._gate(event)
        if refusal is not None:
            return refusal
        prediction = event.prediction
        assert prediction is not None, "the gate lets no event without a prediction pass"
        proposal = Proposal(
            trade=trade,
            entry=1,
            event_id=event.event_id,
            pnl_hat=prediction.pnl_hat,
            win_prob=prediction.win_prob,
            fixed_direction=False,
            expected={},
            evidence=event.model_dump(mode="json", include={"event_id", "version", "observations", "last_observed_at"}),
            is_dry=is_dry,
        )
        return await self._planner.plan(proposal)

    async def _as_it_stands(self, event: WatchlistEvent) -> WatchlistEvent:
        """News may have waited on the bus, as while the executor was down: of an old event the present state counts."""
        if event.status == "closed" or not self._is_old(event):
            return event
        return await self._ledger.event(event.event_id) or event

    def _is_old(self, event: WatchlistEvent) -> bool:
        return self._clock.now() - event.last_observed_at > self._lookback

    def _refuse_late(self, event: WatchlistEvent) -> Refusal | None:
        """An event that was closed long before it was first looked at is history, not a chance."""
        if event.status != "closed" or not self._is_old(event):
            return None
        lookback_minutes = self._lookback.total_seconds() / 60
        evidence = {"last_observed_at": event.last_observed_at, "lookback_min": lookback_minutes}
        return Refusal(EVENT_CLOSED, False, evidence)

    async def _gate(self, event: WatchlistEvent) -> Refusal | None:
        prediction = event.prediction
        candidate = Candidate(
            type=event.type,
            symbol=event.symbol,
            long_venue=event.long_venue,
            short_venue=event.short_venue,
            pnl_hat=prediction.pnl_hat if prediction else None,
            win_prob=prediction.win_prob if prediction else None,
        )
        standing = await self._ledger.standing(event.symbol)
        return refuse(candidate, self._rules, standing) or await self._funding_guard(candidate)

    async def _funding_guard(self, candidate: Candidate) -> Refusal | None:
        if not self._rules.abs_funding_max:
            return None
        names = [candidate.long_venue, candidate.short_venue]
        try:
            terms = [
                found[candidate.symbol]
                for name in names
                if candidate.symbol in (found := await self._venues[name].market.funding([candidate.symbol]))
            ]
        except VenueError as error:
            return Refusal("funding_unavailable", True, {"venue": error.venue, "message": error.message})
        return refuse_by_funding(self._rules, names, terms)
