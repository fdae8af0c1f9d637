"""The overview: what is true now, from a few indexed reads, and the history as it was last counted.

Counting a long history takes time in proportion to it, so no request ever waits for it: it is counted in the
background, and the longer a count takes, the longer the next one waits.
"""

from typing import Any

from api_gateway.application.ports import HistoryCounter, OverviewReader, Wanted
from api_gateway.application.summaries import summarise
from api_gateway.application.views import ActiveTotals, HistoryCount, Overview, Page, SignalSummary, Totals
from common.runtime.clock import Clock

REST_SECONDS_MIN = 1.0
REST_PER_COUNT = 50
"""Seconds of rest for each second of counting: at most 2 % of one core go into it."""


class HistoryTotals:
    """The last count of the history."""

    def __init__(self, counter: HistoryCounter, clock: Clock) -> None:
        self._counter = counter
        self._clock = clock
        self._due_at_seconds = clock.monotonic()
        self.counted: HistoryCount | None = None

    async def refresh_when_due(self) -> None:
        """Counts again if the last count has rested long enough."""
        started = self._clock.monotonic()
        if started < self._due_at_seconds:
            return
        self.counted = await self._counter.count_history()
        finished = self._clock.monotonic()
        self._due_at_seconds = finished + max(REST_SECONDS_MIN, REST_PER_COUNT * (finished - started))


class OverviewDesk:
    """Answers the overview and the list of signals."""

    def __init__(
        self,
        reader: OverviewReader,
        history: HistoryTotals,
        clock: Clock,
        config_in_effect: dict[str, dict[str, Any]],
        *,
        is_enabled: bool,
    ) -> None:
        self._reader = reader
        self._history = history
        self._clock = clock
        self._config_in_effect = config_in_effect
        self._is_enabled = is_enabled

    async def overview(self, limit: int) -> Overview:
        """The newest `limit` signals and errors, with the state, the settings and the totals around them."""
        read = await self._reader.overview(limit)
        return Overview(
            timestamp=self._clock.now(),
            live_trading_enabled=self._is_enabled,
            live_trading_config=self._config_in_effect,
            trading_state=read.trading_state,
            totals=totals(read.active, self._history.counted),
            signals=summarise(read.signals),
            errors=list(read.errors),
        )

    async def signals(self, wanted: Wanted) -> Page[SignalSummary]:
        """One page of signals, newest first."""
        read = await self._reader.signals(wanted.one_more())
        items = summarise(read)
        return Page(items=items[: wanted.limit], next=items[wanted.limit - 1].id if len(items) > wanted.limit else None)


def totals(active: ActiveTotals, history: HistoryCount | None) -> Totals:
    """Counts of active trades are exact; the rest is what the last count of the history said."""
    return Totals(
        by_status=(history.by_status if history else {}) | active.by_status,
        open_notional_usdt=active.open_notional_usdt,
        finalised_trades=history.finalised_trades if history else None,
        finalised_net_pnl_usdt=history.finalised_net_pnl_usdt if history else None,
        counted_at=history.counted_at if history else None,
    )
