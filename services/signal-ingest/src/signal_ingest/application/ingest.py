"""Takes observations in: judged, predicted, merged, stored and announced, in one transaction a batch.

Nothing of an event lives in this process: each batch reads the live events of its pairs and writes them back, so
several replicas may run, and a restart has nothing to rebuild.
"""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from common.runtime.clock import Clock
from common.runtime.tracing import step
from signal_ingest.application.measures import BATCH_SECONDS, OBSERVATIONS
from signal_ingest.application.ports import MergeStep, Placement, WatchlistStore
from signal_ingest.application.predictions import Predictor
from signal_ingest.domain.merging import MergeResult, MergeRules, keys_touched, merge
from signal_ingest.domain.observation import Observation
from signal_ingest.domain.trigger import JudgedObservation, TriggerRules, judge
from signal_ingest.domain.watchlist_event import EventPrediction, WatchlistEvent


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of one observation; `placement` is None where it went into no event."""

    judged: JudgedObservation
    placement: Placement | None


class Ingest:
    """The one way in for posted observations and for the scanner's."""

    def __init__(
        self,
        store: WatchlistStore,
        predictor: Predictor,
        clock: Clock,
        trigger_rules: TriggerRules,
        merge_rules: MergeRules,
    ) -> None:
        self._store = store
        self._predictor = predictor
        self._clock = clock
        self._trigger_rules = trigger_rules
        self._merge_rules = merge_rules

    @step("ingest")
    async def record(self, observations: Sequence[Observation]) -> list[Recorded]:
        """Stores all of them or, raising what the store raises, none."""
        started = time.perf_counter()
        now = self._clock.now()
        batch = [judge(observation, now, self._trigger_rules) for observation in observations]
        predictions = await self._predictor.predict(batch, now, merged=self._merge_rules.enabled)
        stored = False
        try:
            placements = await self._store.record(batch, keys_touched(batch), self._merge_step(batch, predictions))
            stored = True
        finally:
            if not stored:
                self._predictor.forget(batch)
        for outcome, count in Counter(judged.refusal or "triggered" for judged in batch).items():
            OBSERVATIONS.labels(outcome).inc(count)
        BATCH_SECONDS.observe(time.perf_counter() - started)
        return [Recorded(judged, placement) for judged, placement in zip(batch, placements, strict=True)]

    def forget_histories(self) -> None:
        """Has every pair's history read anew when it is next needed: another process recorded observations too."""
        self._predictor.forget_all()

    def _merge_step(self, batch: Sequence[JudgedObservation], predictions: dict[int, EventPrediction]) -> MergeStep:
        def step(live: Sequence[WatchlistEvent]) -> MergeResult:
            return merge(live, batch, predictions, self._merge_rules)

        return step
