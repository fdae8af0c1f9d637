"""The built-in scanner: every round reads the best prices of all venues and records what each pair shows.

One request a venue and round. A venue that fails is left out of the round; the others go on. Of several replicas one
scans, for what is seen twice would count twice; the others know listings and funding, ready to go on.
"""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime

from common.runtime.clock import Clock
from signal_ingest.application.ingest import Ingest
from signal_ingest.application.listings import Listings
from signal_ingest.application.measures import SCAN_SECONDS
from signal_ingest.application.ports import Leadership
from signal_ingest.application.venue_feed import VenueFeed
from signal_ingest.domain.pair_scan import VenueQuote, pair_observations

LEARN_SECONDS = 1.0
FUNDING_POLL_SECONDS = 0.5
BATCH_OBSERVATIONS = 1000


class Scanner:
    """Three rounds that run side by side: what is listed, what funding costs, what the prices are."""

    def __init__(
        self,
        feeds: Sequence[VenueFeed],
        ingest: Ingest,
        listings: Listings,
        clock: Clock,
        leadership: Leadership,
        only_symbols: Collection[str] = (),
    ) -> None:
        self._feeds = feeds
        self._ingest = ingest
        self._listings = listings
        self._clock = clock
        self._leadership = leadership
        self._led = False
        self._only_symbols = frozenset(only_symbols)
        self._symbols: frozenset[str] = frozenset()
        self._scanned_at: datetime | None = None

    async def learn_listings(self) -> None:
        """Reads what the venues list now; the venues' adapters ask anew as often as that may change."""
        for feed, known in zip(
            self._feeds, await asyncio.gather(*(feed.learn_symbols() for feed in self._feeds)), strict=True
        ):
            if known:
                self._listings.learn(feed.venue, feed.symbols)
        listed = Counter(symbol for feed in self._feeds for symbol in feed.symbols)
        shared = frozenset(symbol for symbol, venues in listed.items() if venues > 1)
        self._symbols = shared & self._only_symbols if self._only_symbols else shared

    async def refresh_funding(self) -> None:
        """Reads the funding terms that are due."""
        await asyncio.gather(*(feed.refresh_funding(self._symbols) for feed in self._feeds))

    async def scan(self) -> int:
        """Looks at every pair once and records it; returns how many. A market time that stands still shows nothing."""
        if not self._leads() or not self._symbols or self._clock.now() == self._scanned_at:
            return 0
        started = time.perf_counter()
        tops = await asyncio.gather(*(feed.tops(self._symbols) for feed in self._feeds))
        now = self._scanned_at = self._clock.now()
        quotes: dict[str, list[VenueQuote]] = defaultdict(list)
        for feed, by_symbol in zip(self._feeds, tops, strict=True):
            for symbol, top in by_symbol.items():
                quotes[symbol].append(VenueQuote(feed.venue, top.bid, top.ask, feed.funding_of(symbol, now)))
        observations = pair_observations(quotes, now)
        for first in range(0, len(observations), BATCH_OBSERVATIONS):
            await self._ingest.record(observations[first : first + BATCH_OBSERVATIONS])
        SCAN_SECONDS.observe(time.perf_counter() - started)
        return len(observations)

    def _leads(self) -> bool:
        """Whether to scan. Who begins to has not seen what others scanned before."""
        leads = self._leadership.is_ours
        if leads and not self._led:
            self._ingest.forget_histories()
        self._led = leads
        return leads
