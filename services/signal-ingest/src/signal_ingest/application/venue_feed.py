"""One venue as the scanner sees it: what it lists, its funding terms, its best prices, and how it fails.

Every read is bounded in time, and a failed one is counted and answered with None: the scanner goes on without it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import TypeVar

import structlog

from common.domain.funding import FundingTerms
from common.runtime.clock import Clock
from common.venues.errors import VenueBanned, VenueError
from common.venues.ports import MarketData, TopOfBook
from signal_ingest.application.measures import VENUE_FAILURES

log = structlog.get_logger(__name__)

TOPS_TIMEOUT_SECONDS = 5.0
SLOW_READ_TIMEOUT_SECONDS = 60.0
REST_AFTER_FAILURE_SECONDS = 2.0
BAN_SECONDS_UNSAID = 60.0
"""How long a venue is left alone that bans without saying until when."""
FUNDING_REFRESHES_KEPT = 3
"""Funding terms that were not renewed for so many refreshes count as unknown."""

Answer = TypeVar("Answer")


class VenueFeed:
    """The last known state of one venue."""

    def __init__(self, market: MarketData, clock: Clock, funding_refresh: timedelta) -> None:
        self.venue = market.venue
        self.symbols: frozenset[str] = frozenset()
        self._market = market
        self._clock = clock
        self._funding_refresh = funding_refresh
        self._funding: Mapping[str, FundingTerms] = {}
        self._funding_read_at: datetime | None = None
        self._rests_until: dict[str, float] = {}
        self._banned_until = 0.0

    async def learn_symbols(self) -> bool:
        """Reads what may be opened at the venue now; True when that is known, be it from an earlier time."""
        answer = await self._ask("instruments", self._market.instruments, SLOW_READ_TIMEOUT_SECONDS)
        if answer:
            self.symbols = frozenset(symbol for symbol, rules in answer.items() if rules.halted is None)
        return bool(self.symbols)

    async def refresh_funding(self, symbols: Collection[str]) -> None:
        """Reads the funding terms of the symbols when they are due."""
        now = self._clock.now()
        due = self._funding_read_at is None or now - self._funding_read_at >= self._funding_refresh
        wanted = sorted(self.symbols.intersection(symbols))
        if due and wanted:
            answer = await self._ask("funding", lambda: self._market.funding(wanted), SLOW_READ_TIMEOUT_SECONDS)
            if answer is not None:
                self._funding, self._funding_read_at = answer, now

    async def tops(self, symbols: Collection[str]) -> Mapping[str, TopOfBook]:
        """Best prices of those symbols that the venue lists; empty when it fails."""
        wanted = sorted(self.symbols.intersection(symbols))
        if not wanted:
            return {}
        return await self._ask("tops", lambda: self._market.tops(wanted), TOPS_TIMEOUT_SECONDS) or {}

    def funding_of(self, symbol: str, now: datetime) -> FundingTerms | None:
        """The funding terms, or None while they are unknown or were not renewed for too long."""
        if (
            self._funding_read_at is None
            or now - self._funding_read_at > FUNDING_REFRESHES_KEPT * self._funding_refresh
        ):
            return None
        return self._funding.get(symbol)

    async def _ask(self, what: str, read: Callable[[], Awaitable[Answer]], timeout_seconds: float) -> Answer | None:
        if self._clock.monotonic() < max(self._banned_until, self._rests_until.get(what, 0.0)):
            return None
        try:
            async with asyncio.timeout(timeout_seconds):
                return await read()
        except (VenueError, TimeoutError) as error:
            reason = error.reason if isinstance(error, VenueError) else "timeout"
            VENUE_FAILURES.labels(self.venue, reason).inc()
            log.warning("venue.read_failed", venue=self.venue, what=what, error=repr(error))
            self._rests_until[what] = self._clock.monotonic() + REST_AFTER_FAILURE_SECONDS
            if isinstance(error, VenueBanned):
                self._banned_until = self._clock.monotonic() + self._ban_seconds(error)
            return None

    def _ban_seconds(self, ban: VenueBanned) -> float:
        if ban.until_seconds is None:
            return BAN_SECONDS_UNSAID
        return ban.until_seconds - self._clock.unix_seconds()
