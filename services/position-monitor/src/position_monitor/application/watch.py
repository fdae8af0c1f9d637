"""The watch over one trade: values it whenever its books change, judges it, and has the verdict recorded.

A trade's ledger comes from outside (`update`); what only a watcher can know is kept here: since when the hedge looks
broken, what was asked within this process, and which sample was stored last.
"""

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import structlog

from common.domain.identifiers import Leg
from common.runtime.clock import Clock
from common.runtime.tracing import about_trade, note, trade_span
from position_monitor.application.market_facts import MarketFacts
from position_monitor.application.ports import (
    BookKey,
    BookReading,
    BookSource,
    Decisions,
    Leadership,
    Measurements,
    Sample,
    StoreAway,
)
from position_monitor.domain.exits import (
    HEDGE_GRACE_SECONDS,
    TAKE_PROFIT_REJECTED,
    Action,
    ExitRules,
    Position,
    Verdict,
    decide,
)
from position_monitor.domain.explanation import explain
from position_monitor.domain.hedge import Suspicion, discrepancy, suspicion
from position_monitor.domain.market import BOOK_MISSING, Market, Quote, look
from position_monitor.domain.requests import Request, is_due, request_of
from position_monitor.domain.settlements import funding_received_usdt
from position_monitor.domain.trade import Asked, Trade, VenueHolding

log = structlog.get_logger(__name__)

ASK_AGAIN_REAL_SECONDS = 1.5
"""The executor works in real time: however fast the market's clock runs, it is given this long to answer."""
HOLDING_AGE_MAX = timedelta(seconds=2 * HEDGE_GRACE_SECONDS)
HOLDING_AGE_REAL_SECONDS_MAX = 10.0
"""A reading of a venue's position counts no longer once both are over: on a fast clock every reading is old."""


@dataclass(frozen=True, slots=True)
class WatchRules:
    """How a watch works. Sleeps and ages are real seconds, the others are strategy time."""

    exits: ExitRules
    confirm_samples: int
    confirm_sleep_seconds: float
    book_age_seconds_max: float
    sample_every: timedelta
    close_again_after: timedelta


@dataclass(frozen=True, slots=True)
class Tools:
    """What all watches share."""

    books: BookSource
    facts: MarketFacts
    decisions: Decisions
    measurements: Measurements
    leadership: Leadership
    clock: Clock


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict with everything that it was reached on."""

    trade: Trade
    market: Market
    verdict: Verdict
    evidence: dict[str, Any]
    at: datetime


class TradeWatch:
    """Judges one trade until it is told that the trade is over."""

    def __init__(self, trade: Trade, may_open: bool, rules: WatchRules, tools: Tools) -> None:
        self._trade = trade
        self._may_open = may_open
        self._rules = rules
        self._tools = tools
        self._suspicion: Suspicion | None = None
        self._asked_real_seconds: dict[str, float] = {}
        self._stored: tuple[tuple[str, str], datetime] | None = None
        self._rejected_at: datetime | None = None
        self._holdings_seen: dict[Leg, tuple[datetime, float]] = {}
        self._wake = asyncio.Event()
        self._changed_seconds: float | None = None
        self.latest: Judgement | None = None

    @property
    def books(self) -> list[BookKey]:
        """The books that the trade is judged on."""
        return [(venue, self._trade.symbol) for venue in self._trade.venues.values()]

    def update(self, trade: Trade, may_open: bool) -> None:
        """Takes over what the ledger says now; a change is judged at once."""
        trade = replace(trade, asked=_newer(self._trade.asked, trade.asked))
        if trade != self._trade or may_open != self._may_open:
            self._trade, self._may_open = trade, may_open
            self._wake.set()

    def wake(self) -> None:
        """Judges soon: a book changed, or it is time for another valuation."""
        self._wake.set()

    async def run(self) -> None:
        """Judges at every occasion, for ever; a store that is away is asked again at the next one."""
        with about_trade(self._trade.signal_id, self._trade.traceparent), ExitStack() as subscriptions:
            for venue in self._trade.venues.values():
                subscriptions.callback(self._tools.books.subscribe((venue, self._trade.symbol), self._book_changed))
            self._wake.set()
            while True:
                await self._wake.wait()
                self._wake.clear()
                try:
                    await self.consider()
                except StoreAway as error:
                    log.warning("watch.not_recorded", error=str(error))

    def _book_changed(self) -> None:
        if self._changed_seconds is None:
            self._changed_seconds = self._tools.clock.monotonic()
        self.wake()

    def _measure_reaction(self) -> None:
        if self._changed_seconds is not None:
            self._tools.measurements.reacted(self._tools.clock.monotonic() - self._changed_seconds)
            self._changed_seconds = None

    async def consider(self) -> None:
        """Judges the trade once on the latest books, confirms a take-profit, and records the outcome.

        A replica that does not lead judges along, so that it could go on at once, and leaves the rest to the one that
        does.
        """
        judgement = self._judge(self._tools.books.latest)
        self._measure_reaction()
        if not self._tools.leadership.is_ours:
            self.latest = judgement
            return
        may_ask = self._may_ask(judgement)
        if judgement.verdict.takes_profit and may_ask:
            judgement = await self._confirm()
            may_ask = self._may_ask(judgement)
        self.latest = judgement
        await self._record(judgement, may_ask)

    def _judge(self, reading_of: Callable[[tuple[str, str]], BookReading]) -> Judgement:
        tools = self._tools
        started, now = tools.clock.monotonic(), tools.clock.now()
        trade = replace(self._trade, holdings=self._known_holdings(now, started))
        quotes = {leg: self._quote(venue, reading_of((venue, trade.symbol))) for leg, venue in trade.venues.items()}
        terms = tools.facts.terms(trade)
        funding_usdt = funding_received_usdt(trade, terms, now)
        market = look(trade, quotes, terms, funding_usdt, self._rules.book_age_seconds_max)
        self._suspicion = suspicion(self._suspicion, discrepancy(trade, tools.facts.lots(trade)), now)
        position = Position(trade, self._suspicion, self._may_open)
        verdict = decide(position, market, self._rules.exits, now)
        evidence = {
            "reason": verdict.reason,
            "rule": verdict.figures,
            **explain(position, market, self._rules.exits, now),
        }
        tools.measurements.judged(verdict.action, tools.clock.monotonic() - started)
        return Judgement(trade, market, verdict, evidence, now)

    def _known_holdings(self, now: datetime, real_seconds: float) -> dict[Leg, VenueHolding]:
        """What the venues hold, as far as it was read not long ago: long for the market, and really."""
        known = {}
        for leg, holding in self._trade.holdings.items():
            seen = self._holdings_seen.get(leg)
            if seen is None or seen[0] != holding.read_at:
                seen = self._holdings_seen[leg] = (holding.read_at, real_seconds)
            is_long_ago = now - holding.read_at > HOLDING_AGE_MAX
            if not is_long_ago or real_seconds - seen[1] <= HOLDING_AGE_REAL_SECONDS_MAX:
                known[leg] = holding
        return known

    def _quote(self, venue: str, reading: BookReading) -> Quote:
        if reading.book is None:
            return Quote(None, failure=reading.failure)
        age_seconds = reading.book.age_seconds(self._tools.clock.monotonic())
        self._tools.measurements.book_used(venue, age_seconds)
        return Quote(reading.book, age_seconds, reading.failure)

    async def _confirm(self) -> Judgement:
        """Takes fresh books, some real time apart; every one must say take-profit. A rule that outranks it wins."""
        samples: list[dict[str, Any]] = []
        while True:
            judgement = self._judge(await self._fresh_books())
            samples.append(_confirmation_sample(judgement))
            judgement.evidence["confirmation"] = {"wanted": self._rules.confirm_samples, "samples": samples}
            if not judgement.verdict.takes_profit:
                return _rejected(judgement)
            if len(samples) == self._rules.confirm_samples:
                return judgement
            await asyncio.sleep(self._rules.confirm_sleep_seconds)

    async def _fresh_books(self) -> Callable[[tuple[str, str]], BookReading]:
        keys = [(venue, self._trade.symbol) for venue in self._trade.venues.values()]
        readings = await asyncio.gather(*(self._tools.books.read(key) for key in keys))
        return dict(zip(keys, readings, strict=True)).__getitem__

    async def _record(self, judgement: Judgement, may_ask: bool) -> None:
        request = request_of(judgement.trade, judgement.verdict) if may_ask else None
        if request is None:
            await self._store(judgement, None)
            return
        with trade_span(f"decide {judgement.verdict.action}", request.signal_id, judgement.trade.traceparent):
            note(reason=request.reason)
            await self._store(judgement, request)

    async def _store(self, judgement: Judgement, request: Request | None) -> None:
        verdict, now = judgement.verdict, judgement.at
        is_rejected = verdict.reason == TAKE_PROFIT_REJECTED
        decision = _decision_name(judgement) if request or is_rejected else None
        meaning = (str(verdict.action), verdict.reason)
        if request is None and not self._is_time_for_a_sample(meaning, now):
            return
        evidence = {**judgement.evidence, "request": request.message_id if request else None}
        valuation = judgement.market.valuation
        sample = Sample(
            judgement.trade.signal_id,
            judgement.trade.symbol,
            now,
            verdict,
            valuation,
            judgement.market.funding_per_hour,
            evidence,
        )
        await self._tools.decisions.record(sample, request, decision)
        self._stored = (meaning, now)
        self._rejected_at = now if is_rejected else self._rejected_at
        if request is not None:
            self._asked_real_seconds[request.topic] = self._tools.clock.monotonic()
            asked = {**self._trade.asked, request.topic: Asked(request.number, now)}
            self._trade = replace(self._trade, asked=asked)
            log.info("monitor.asked", message_id=request.message_id, reason=request.reason)

    def _may_ask(self, judgement: Judgement) -> bool:
        request = request_of(judgement.trade, judgement.verdict)
        if request is None:
            return False
        if not is_due(judgement.trade, judgement.verdict, self._rules.close_again_after, judgement.at):
            return False
        asked_at = self._asked_real_seconds.get(request.topic)
        return asked_at is None or self._tools.clock.monotonic() - asked_at >= ASK_AGAIN_REAL_SECONDS

    def _is_time_for_a_sample(self, meaning: tuple[str, str], now: datetime) -> bool:
        if meaning == (Action.NO_BOOK, BOOK_MISSING):
            return False  # the first answer is still on its way: nothing is known that could be kept
        if meaning[1] == TAKE_PROFIT_REJECTED:
            # Books that hover around the target reject it at every change: one of them a while tells as much.
            return self._rejected_at is None or now - self._rejected_at >= self._rules.sample_every
        if self._stored is None or self._stored[0] != meaning:
            return True
        return now - self._stored[1] >= self._rules.sample_every


def _newer(ours: Any, theirs: Any) -> dict[str, Asked]:
    merged: dict[str, Asked] = {**theirs}
    for topic, asked in ours.items():
        if topic not in merged or merged[topic].times < asked.times:
            merged[topic] = asked
    return merged


def _confirmation_sample(judgement: Judgement) -> dict[str, Any]:
    valuation, target = judgement.market.valuation, judgement.trade.take_profit_pnl
    return {
        "at": judgement.at.isoformat(),
        "satisfied": judgement.verdict.takes_profit,
        "verdict": str(judgement.verdict.action),
        "reason": judgement.verdict.reason,
        "long_sell": str(valuation.long_sell) if valuation else None,
        "short_buy": str(valuation.short_buy) if valuation else None,
        "pnl_spread": valuation.pnl_spread if valuation else None,
        "take_profit_pnl": target,
    }


def _rejected(judgement: Judgement) -> Judgement:
    """A take-profit that fresh books did not bear out; a close for another reason stays what it is."""
    if judgement.verdict.action in (Action.CLOSE, Action.CLOSE_AGAIN):
        return judgement
    figures = {"broken_by": judgement.verdict.reason, **judgement.verdict.figures}
    verdict = Verdict(Action.HOLD, TAKE_PROFIT_REJECTED, figures)
    evidence = {**judgement.evidence, "reason": verdict.reason, "rule": verdict.figures}
    return replace(judgement, verdict=verdict, evidence=evidence)


def _decision_name(judgement: Judgement) -> str:
    match judgement.verdict.action:
        case Action.SCALE_IN:
            return "scale_in_requested"
        case Action.HOLD:
            return TAKE_PROFIT_REJECTED
    return "close_requested"
