"""Merging a batch of judged observations into the live events of their pairs: a pure function.

Observations are taken in the order in which they came. A forming event is reset by any observation of its pair
that does not trigger, and, for type B, by any one that saw the gap the other way round.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from signal_ingest.domain.observation import Observation, PairKey
from signal_ingest.domain.trigger import JudgedObservation
from signal_ingest.domain.watchlist_event import (
    EventPrediction,
    EventStatus,
    Step,
    WatchlistEvent,
    absorb,
    begin,
    close,
    confirm,
)


@dataclass(frozen=True, slots=True)
class MergeRules:
    """`consecutive` triggered observations open an event; it closes after `cooldown` without one."""

    enabled: bool
    consecutive: int
    cooldown: timedelta


@dataclass(slots=True)
class EventChange:
    """What a batch did to one event; `before` is None of an event that it began."""

    before: WatchlistEvent | None
    after: WatchlistEvent

    @property
    def opened(self) -> bool:
        """Whether the event became open here, whatever happened to it afterwards."""
        return self.after.opened_at is not None and (self.before is None or self.before.opened_at is None)


@dataclass(slots=True)
class MergeResult:
    """The events that changed, and for each observation the index of the change that it went into."""

    changes: list[EventChange] = field(default_factory=list)
    change_of: list[int | None] = field(default_factory=list)


def is_quiet(event: WatchlistEvent, now: datetime, cooldown: timedelta) -> bool:
    """No triggered observation for longer than the cooldown."""
    return now - event.last_observed_at > cooldown


def keys_touched(batch: Iterable[JudgedObservation]) -> list[PairKey]:
    """The pairs whose live events a batch may change, in one fixed order for all processes."""
    keys = set()
    for judged in batch:
        key = judged.observation.key
        keys.add(key)
        if key.type == "B":
            keys.add(key.mirrored())
    return sorted(keys)


def merge(
    live: Iterable[WatchlistEvent],
    batch: Sequence[JudgedObservation],
    predictions: Mapping[int, EventPrediction],
    rules: MergeRules,
) -> MergeResult:
    """Takes a batch in. `predictions` by the observation's index, needed for the newest one of each pair only."""
    merging = _Merging(rules, {event.key: event for event in live})
    for index, judged in enumerate(batch):
        merging.take(judged, predictions.get(index))
    return merging.result


class _Merging:
    def __init__(self, rules: MergeRules, live: dict[PairKey, WatchlistEvent]) -> None:
        self._rules = rules
        self._live = live
        self._change_of_key: dict[PairKey, int] = {}
        self.result = MergeResult()

    def take(self, judged: JudgedObservation, prediction: EventPrediction | None) -> None:
        observation = judged.observation
        into: int | None = None
        if judged.is_current:
            key = observation.key
            if key.type == "B":
                self._interrupt(key.mirrored(), observation.observed_at)
            if not judged.triggered:
                self._interrupt(key, observation.observed_at)
            elif self._rules.enabled:
                into = self._absorb(key, observation, prediction)
            else:
                into = self._record(None, confirm(begin(observation, prediction, merged=False)))
        self.result.change_of.append(into)

    def _interrupt(self, key: PairKey, at: datetime) -> None:
        event = self._live.get(key)
        if event is not None and event.status is EventStatus.FORMING:
            self._end(event, Step.INTERRUPTED, at)

    def _absorb(self, key: PairKey, observation: Observation, prediction: EventPrediction | None) -> int:
        event = self._live.get(key)
        if event is not None and is_quiet(event, observation.observed_at, self._rules.cooldown):
            self._end(event, Step.WENT_QUIET, observation.observed_at)
            event = None
        after = absorb(event, observation, prediction) if event else begin(observation, prediction, merged=True)
        if after.status is EventStatus.FORMING and after.observations >= self._rules.consecutive:
            after = confirm(after)
        self._live[key] = after
        return self._record(event, after)

    def _end(self, event: WatchlistEvent, step: Step, at: datetime) -> None:
        self._record(event, close(event, step, at))
        del self._live[event.key]
        del self._change_of_key[event.key]

    def _record(self, before: WatchlistEvent | None, after: WatchlistEvent) -> int:
        known = self._change_of_key.get(after.key) if before is not None else None
        if known is not None:
            self.result.changes[known].after = after
            return known
        self.result.changes.append(EventChange(before, after))
        index = len(self.result.changes) - 1
        if after.merged:
            self._change_of_key[after.key] = index
        return index
