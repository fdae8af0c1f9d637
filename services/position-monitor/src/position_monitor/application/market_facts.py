"""What contracts say of themselves: funding terms, which change often, and lot steps, which hardly ever do.

A contract's interval is read, never assumed; when it changes, that is noticed and audited. Terms that could not be
read anew for long are unknown again.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import structlog

from common.domain.funding import FundingTerms
from common.domain.identifiers import Leg
from common.runtime.clock import Clock
from common.venues.errors import VenueError
from common.venues.ports import MarketData
from position_monitor.application.ports import BookKey, Decisions, Leadership, StoreAway, Venues
from position_monitor.domain.trade import Trade

log = structlog.get_logger(__name__)

REFRESH_EVERY = timedelta(seconds=60)
REFRESH_EVERY_REAL_SECONDS = 5.0
ATTEMPT_EVERY_REAL_SECONDS = 0.5
LOOK_EVERY_REAL_SECONDS = 0.25
FORGOTTEN_AFTER = timedelta(minutes=10)
FORGOTTEN_AFTER_REAL_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class _Moment:
    """One moment on both clocks."""

    market: datetime
    real_seconds: float


class MarketFacts:
    """Funding terms and lot steps of the contracts that open trades are in."""

    def __init__(self, venues: Venues, decisions: Decisions, leadership: Leadership, clock: Clock) -> None:
        self._venues = venues
        self._decisions = decisions
        self._leadership = leadership
        self._clock = clock
        self._wanted: dict[str, dict[str, int]] = {}
        self._terms: dict[BookKey, tuple[FundingTerms, _Moment]] = {}
        self._lots: dict[BookKey, Decimal] = {}
        self._attempted: dict[str, tuple[frozenset[str], _Moment]] = {}
        self._subscribers: list[Callable[[int], None]] = []

    def subscribe(self, changed: Callable[[int], None]) -> None:
        """Has `changed` called with a trade's signal id when the funding terms of one of its legs became others."""
        self._subscribers.append(changed)

    def want(self, trades: Collection[Trade]) -> None:
        """Says which contracts matter from now on."""
        wanted: dict[str, dict[str, int]] = defaultdict(dict)
        for trade in trades:
            for venue in trade.venues.values():
                wanted[venue][trade.symbol] = trade.signal_id
        self._wanted = dict(wanted)

    def terms(self, trade: Trade) -> dict[Leg, FundingTerms]:
        """The legs' current terms; a leg is left out while they are unknown."""
        found = {leg: self._terms.get((venue, trade.symbol)) for leg, venue in trade.venues.items()}
        return {leg: known[0] for leg, known in found.items() if known is not None and not self._is_forgotten(known[1])}

    def lots(self, trade: Trade) -> dict[Leg, Decimal]:
        """The legs' lot steps in base units; a leg is left out while its contract is unknown."""
        found = {leg: self._lots.get((venue, trade.symbol)) for leg, venue in trade.venues.items()}
        return {leg: lot for leg, lot in found.items() if lot is not None}

    async def run(self) -> None:
        """Keeps the facts current, for ever; a venue that does not answer holds up no other."""
        busy: dict[str, asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as group:
            while True:
                for venue in self._wanted:
                    if self.is_due(venue) and (venue not in busy or busy[venue].done()):
                        busy[venue] = group.create_task(self.refresh(venue))
                await asyncio.sleep(LOOK_EVERY_REAL_SECONDS)

    def is_due(self, venue: str) -> bool:
        """Whether the venue is to be asked: its facts are old, or a contract is new. Attempts keep a distance."""
        attempted = self._attempted.get(venue)
        if attempted is None:
            return True
        symbols, at = attempted
        now = self._moment()
        real_seconds = now.real_seconds - at.real_seconds
        if real_seconds < ATTEMPT_EVERY_REAL_SECONDS:
            return False
        is_old = real_seconds >= REFRESH_EVERY_REAL_SECONDS or now.market - at.market >= REFRESH_EVERY
        return is_old or not symbols.issuperset(self._wanted[venue])

    async def refresh(self, venue: str) -> None:
        """Reads one venue's facts now. A failure keeps what was known."""
        symbols = self._wanted.get(venue, {})
        market = self._venues.market(venue)
        self._attempted[venue] = (frozenset(symbols), self._moment())
        if market is None or not symbols:
            return
        try:
            await self._read_lots(market, venue, symbols)
            for symbol, terms in (await market.funding(sorted(symbols))).items():
                if symbol in symbols:
                    await self._learn(venue, terms, symbols[symbol])
        except (VenueError, StoreAway) as error:
            log.warning("market_facts.failed", venue=venue, error=repr(error))

    async def _read_lots(self, market: MarketData, venue: str, symbols: Mapping[str, int]) -> None:
        """From what the adapter keeps of the venue: it asks anew when that may have changed."""
        instruments = await market.instruments()
        for symbol in symbols:
            if symbol in instruments:
                self._lots[venue, symbol] = instruments[symbol].quantity_step

    async def _learn(self, venue: str, terms: FundingTerms, signal_id: int) -> None:
        key = (venue, terms.symbol)
        before = self._terms.get(key)
        is_ours = self._leadership.is_ours
        if is_ours and before is not None and before[0].interval_hours != terms.interval_hours:
            evidence = {
                "venue": venue,
                "interval_hours_before": before[0].interval_hours,
                "interval_hours": terms.interval_hours,
                "rate_before": before[0].rate,
                "rate": terms.rate,
                "next_at": terms.next_at.isoformat() if terms.next_at else None,
            }
            await self._decisions.noticed("funding_interval_changed", evidence, terms.symbol, signal_id)
        self._terms[key] = (terms, self._moment())
        if before is None or before[0] != terms:
            for changed in self._subscribers:
                changed(signal_id)

    def _is_forgotten(self, read_at: _Moment) -> bool:
        now = self._moment()
        is_long_ago = now.real_seconds - read_at.real_seconds > FORGOTTEN_AFTER_REAL_SECONDS
        return is_long_ago and now.market - read_at.market > FORGOTTEN_AFTER

    def _moment(self) -> _Moment:
        return _Moment(self._clock.now(), self._clock.monotonic())
