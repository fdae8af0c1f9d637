"""What must come true by itself: quiet events close, no open event stays without a signal, old looks are forgotten.

Level-triggered: each round looks at what the database says now, so a crash or a lost message costs one round.
"""

from datetime import timedelta

import structlog

from common.runtime.clock import Clock
from signal_ingest.application.measures import LIVE_EVENTS, UNSIGNALLED
from signal_ingest.application.ports import WatchlistStore
from signal_ingest.application.repetition import Said, repetition_mark
from signal_ingest.domain.merging import MergeRules
from signal_ingest.domain.prediction.history import WINDOW
from signal_ingest.domain.watchlist_event import Step, WatchlistEvent, close

log = structlog.get_logger(__name__)

CLOSE_SECONDS = 0.5
UNSIGNALLED_SECONDS = 2.0
MEASURE_SECONDS = 2.0
FORGET_SECONDS = 60.0
FORGET_BATCH = 1000
OBSERVATIONS_KEPT = WINDOW + timedelta(days=1)
"""How long observations that triggered nothing are kept: predictions look back over the window."""


class Upkeep:
    """The rounds over the watchlist; each method is one round."""

    def __init__(self, store: WatchlistStore, clock: Clock, rules: MergeRules) -> None:
        self._store = store
        self._clock = clock
        self._rules = rules
        self._unsignalled: dict[int | None, Said | None] = {}

    async def close_quiet_events(self) -> int:
        """Closes every event that went quiet; returns how many."""
        now = self._clock.now()

        def went_quiet(event: WatchlistEvent) -> WatchlistEvent:
            return close(event, Step.WENT_QUIET, now)

        closed = 0
        while changes := await self._store.close_quiet(now - self._rules.cooldown, went_quiet):
            closed += len(changes)
        return closed

    async def announce_unsignalled(self) -> int:
        """Publishes again the open events without a signal in this round and in the one before; repeats it later."""
        now, monotonic_seconds = self._clock.now(), self._clock.monotonic()
        unsignalled = await self._store.open_without_signal()
        known = self._unsignalled
        said = {event.id: known.get(event.id) for event in unsignalled}
        overdue = [
            event
            for event in unsignalled
            if event.id in known and ((last := known[event.id]) is None or last.is_overdue(now, monotonic_seconds))
        ]
        if overdue:
            await self._store.announce_again(overdue, repetition_mark(now))
            said |= dict.fromkeys((event.id for event in overdue), Said(now, monotonic_seconds))
            UNSIGNALLED.inc(len(overdue))
            log.info("events.announced_again", events=len(overdue), oldest=overdue[0].id)
        self._unsignalled = said
        return len(overdue)

    async def forget_observations(self) -> int:
        """Deletes untriggered observations that no prediction looks at any more, in small batches; returns how many."""
        before, forgotten = self._clock.now() - OBSERVATIONS_KEPT, 0
        while True:
            batch = await self._store.forget_untriggered(before, FORGET_BATCH)
            forgotten += batch
            if batch < FORGET_BATCH:
                return forgotten

    async def measure(self) -> None:
        """Reads the gauges."""
        for status, count in (await self._store.count_live()).items():
            LIVE_EVENTS.labels(status).set(count)
