"""Deciding an entry, the first or a scale-in: sweep, confirm, preflight (SPEC 4, steps 5 to 8)."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from common.domain.identifiers import Leg
from common.domain.spread import take_profit_pnl
from common.runtime.clock import Clock
from common.runtime.settings import TradingSettings
from common.runtime.tracing import step
from common.venues.errors import VenueError
from executor.application.ports import EntryPlan, Venues
from executor.application.standings import AccountStandings, Standing
from executor.domain.entry_sweep import EntryRules, EntrySweep, Venue, refuse_old_sweep, refuse_sample, sample_entry
from executor.domain.preflight import LegReadiness, refuse_leg
from executor.domain.records import Trade
from executor.domain.refusal import Refusal

BEGIN_WITHIN_SECONDS = 1.0
"""A plan whose intents could not be written within this time, as the database was busy or away, is made anew."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """Who wants an entry, and on what prediction. `expected` are the signed positions that the ledger holds."""

    trade: Trade
    entry: int
    event_id: int
    pnl_hat: float
    win_prob: float
    fixed_direction: bool
    expected: dict[str, Decimal]
    evidence: dict[str, Any]
    is_dry: bool = False
    """Nothing may change at the venues, not even an account's leverage."""


class EntryPlanner:
    """Plans entries. The waits between samples are real time: they are about books, not about the strategy."""

    def __init__(self, venues: Venues, standings: AccountStandings, settings: TradingSettings, clock: Clock) -> None:
        self._venues = venues
        self._standings = standings
        self._settings = settings
        self._clock = clock
        self._rules = EntryRules(
            per_leg_usdt=settings.live_trading_per_leg_usdt,
            take_profit_ratio=settings.live_trading_tp_ratio,
            book_age_max_seconds=settings.live_trading_max_book_age_sec,
        )

    @step("plan")
    async def plan(self, proposal: Proposal) -> EntryPlan | Refusal:
        """Steps 5 to 8: everything that must hold before an intent is committed."""
        standings = [asyncio.ensure_future(standing) for standing in self._stand(proposal)]
        try:
            confirmed = await self._confirm(proposal)
            if isinstance(confirmed, Refusal):
                return confirmed
            sweep, samples = confirmed
            await asyncio.gather(*standings)
            await asyncio.gather(*self._stand(proposal))  # both at once, where the confirmation outlived the readings
            looked = await self._preflight(proposal, sweep)
            old = refuse_old_sweep(sweep, self._clock.monotonic(), self._rules)
        except VenueError as error:
            return Refusal(error.reason, True, {"venue": error.venue, "message": error.message, "code": error.code})
        finally:
            for standing in standings:
                standing.cancel()
        if isinstance(looked, Refusal):
            return replace(looked, evidence={**looked.evidence, "swept": [sweep.as_evidence()]})
        return old or self._entry_plan(proposal, sweep, samples, looked)

    def _stand(self, proposal: Proposal) -> list[Coroutine[Any, Any, Standing]]:
        trade, touch = proposal.trade, not proposal.is_dry
        names = (trade.long_venue, trade.short_venue)
        return [self._standings.of(name, trade.symbol, touch=touch) for name in names]

    async def _confirm(self, proposal: Proposal) -> tuple[EntrySweep, list[dict[str, Any]]] | Refusal:
        first: EntrySweep | None = None
        last: EntrySweep | None = None
        evidence = []
        for number in range(1, self._settings.live_trading_ob_confirm_samples + 1):
            if first is not None:
                await asyncio.sleep(self._settings.live_trading_ob_confirm_sleep_sec)
            sample = await self._sample(proposal)
            if first is not None and (refusal := refuse_sample(first, sample, number)) is not None:
                return refusal
            if isinstance(sample, Refusal):
                return sample
            first, last = first or sample, sample
            evidence.append({"sample": number, "at": self._clock.now().isoformat(), **sample.as_evidence()})
        assert last is not None
        return last, evidence

    async def _sample(self, proposal: Proposal) -> EntrySweep | Refusal:
        trade = proposal.trade
        long, short = await asyncio.gather(
            self._read(trade.long_venue, trade.symbol), self._read(trade.short_venue, trade.symbol)
        )
        for side in (long, short):
            if isinstance(side, Refusal):
                return side
        assert isinstance(long, Venue)
        assert isinstance(short, Venue)
        now, fixed = self._clock.monotonic(), proposal.fixed_direction
        return sample_entry(long, short, proposal.pnl_hat, now, self._rules, fixed_direction=fixed)

    async def _read(self, venue: str, symbol: str) -> Venue | Refusal:
        market = self._venues[venue].market
        instrument = (await market.instruments()).get(symbol)
        if instrument is None:
            evidence = {"leg": venue, "limit": "instrument", "detail": f"{symbol} is not listed on {venue}"}
            return Refusal("preflight_failed", False, evidence)
        return Venue(await market.book(symbol), instrument)

    @step("preflight")
    async def _preflight(self, proposal: Proposal, sweep: EntrySweep) -> Refusal | dict[Leg, datetime]:
        """Refuses, or says since when the positions at each leg's venue are as the ledger has them."""
        looked: dict[Leg, datetime] = {}
        legs = (
            (Leg.LONG, sweep.long_venue, sweep.long_buy.worst_price),
            (Leg.SHORT, sweep.short_venue, sweep.short_sell.price),
        )
        for leg, venue, price in legs:
            checked = await self._check(proposal, leg, venue, price, sweep.quantity)
            if isinstance(checked, Refusal) and checked.evidence.get("limit") == "position":
                self._standings.forget(venue)  # the reading may be from before the last fill
                checked = await self._check(proposal, leg, venue, price, sweep.quantity)
            if isinstance(checked, Refusal):
                return checked
            looked[leg] = checked
        return looked

    async def _check(
        self, proposal: Proposal, leg: Leg, venue: str, price: Decimal, quantity: Decimal
    ) -> Refusal | datetime:
        instrument = await self._venues[venue].instrument(proposal.trade.symbol)
        standing = await self._standings.of(venue, proposal.trade.symbol, touch=not proposal.is_dry)
        expected = proposal.expected.get(venue, Decimal(0))
        readiness = LegReadiness(leg, instrument, standing.free_usdt, standing.is_one_way, standing.held, expected)
        return refuse_leg(readiness, quantity, price, self._settings.live_trading_leverage) or standing.asked_at

    def _entry_plan(
        self, proposal: Proposal, sweep: EntrySweep, samples: list[dict[str, Any]], looked: dict[Leg, datetime]
    ) -> EntryPlan:
        return EntryPlan(
            entry=proposal.entry,
            event_id=proposal.event_id,
            long_venue=sweep.long_venue,
            short_venue=sweep.short_venue,
            quantity=sweep.quantity,
            long_price=sweep.long_buy.price,
            short_price=sweep.short_sell.price,
            pnl_hat=proposal.pnl_hat,
            win_prob=proposal.win_prob,
            take_profit_pnl=take_profit_pnl(self._settings.live_trading_tp_ratio, proposal.pnl_hat),
            snapshot={
                "execution": sweep.as_execution(),
                "confirmation": samples,
                "evidence": proposal.evidence,
                "positions_asked_at": {leg.value: asked_at.isoformat() for leg, asked_at in looked.items()},
            },
            begin_by_seconds=self._clock.monotonic() + BEGIN_WITHIN_SECONDS,
        )
