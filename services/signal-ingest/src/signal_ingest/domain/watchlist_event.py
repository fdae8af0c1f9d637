"""The watchlist event: its states, the legal moves between them, and how it takes in an observation.

    forming -> open -> closed        forming -> closed (dropped: it was never open, and nobody hears of it)

All legal moves are in `TRANSITIONS`; any other raises and leaves the event as it was. Events are values: a step
returns a new one whose version is one higher. So taking in observations one by one, in batches, or with a restart
in between gives the same event.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from signal_ingest.domain.observation import Observation, PairKey


class EventStatus(StrEnum):
    """`FORMING` waits for enough consecutive observations, `OPEN` can be traded, `CLOSED` is history."""

    FORMING = "forming"
    OPEN = "open"
    CLOSED = "closed"


class Step(StrEnum):
    """What happens to an event."""

    ABSORBED = "absorbed"  # a further triggered observation
    CONFIRMED = "confirmed"  # as many consecutive ones as the rules ask for
    INTERRUPTED = "interrupted"  # an observation of the pair that did not trigger
    WENT_QUIET = "went_quiet"  # none for longer than the cooldown


TRANSITIONS: Mapping[tuple[EventStatus, Step], EventStatus] = {
    (EventStatus.FORMING, Step.ABSORBED): EventStatus.FORMING,
    (EventStatus.FORMING, Step.CONFIRMED): EventStatus.OPEN,
    (EventStatus.FORMING, Step.INTERRUPTED): EventStatus.CLOSED,
    (EventStatus.FORMING, Step.WENT_QUIET): EventStatus.CLOSED,
    (EventStatus.OPEN, Step.ABSORBED): EventStatus.OPEN,
    (EventStatus.OPEN, Step.WENT_QUIET): EventStatus.CLOSED,
}


class IllegalStep(Exception):
    """The event cannot do that from where it is."""


def next_status(status: EventStatus, step: Step) -> EventStatus:
    """The state after `step`.

    Raises:
        IllegalStep: the table has no such move.
    """
    try:
        return TRANSITIONS[status, step]
    except KeyError:
        raise IllegalStep(f"an event that is {status} cannot be {step}") from None


class EventPrediction(NamedTuple):
    """`pnl_hat` as a fraction of one leg's notional, `win_prob` in 0..1, and which model said so."""

    pnl_hat: float
    win_prob: float
    horizon_min: float
    source: str


@dataclass(frozen=True, slots=True)
class FactorSummary:
    """One factor over all observations of an event; `first` and `last` by the time of observation."""

    count: int
    first: float
    last: float
    min: float
    max: float
    mean: float

    def including(self, value: float, *, is_first: bool, is_last: bool) -> "FactorSummary":
        """The summary with one more value."""
        count = self.count + 1
        return FactorSummary(
            count,
            value if is_first else self.first,
            value if is_last else self.last,
            value if value < self.min else self.min,
            value if value > self.max else self.max,
            self.mean + (value - self.mean) / count,
        )

    def as_figures(self) -> dict[str, float]:
        """As JSON values."""
        return {
            "count": self.count,
            "first": self.first,
            "last": self.last,
            "min": self.min,
            "max": self.max,
            "mean": self.mean,
        }


Factors = dict[str, FactorSummary]


@dataclass(frozen=True, slots=True)
class WatchlistEvent:
    """One event at one version. `id` is None until the database has given it one.

    `prediction` is that of the newest triggered observation, and so is `last_observation`.
    """

    id: int | None
    version: int
    key: PairKey
    status: EventStatus
    merged: bool
    observations: int
    first_observed_at: datetime
    last_observed_at: datetime
    opened_at: datetime | None
    closed_at: datetime | None
    factors: Factors
    last_observation: dict[str, Any]
    prediction: EventPrediction | None


def begin(observation: Observation, prediction: EventPrediction | None, *, merged: bool) -> WatchlistEvent:
    """A forming event with its first observation."""
    at = observation.observed_at
    return WatchlistEvent(
        id=None,
        version=1,
        key=observation.key,
        status=EventStatus.FORMING,
        merged=merged,
        observations=1,
        first_observed_at=at,
        last_observed_at=at,
        opened_at=None,
        closed_at=None,
        factors={name: FactorSummary(1, value, value, value, value, value) for name, value in _figures(observation)},
        last_observation=observation.evidence,
        prediction=prediction,
    )


def absorb(event: WatchlistEvent, observation: Observation, prediction: EventPrediction | None) -> WatchlistEvent:
    """The event with one more triggered observation; one that is older than the newest changes no `last`."""
    at = observation.observed_at
    is_first, is_last = at < event.first_observed_at, at >= event.last_observed_at
    factors = dict(event.factors)
    for name, value in _figures(observation):
        known = factors.get(name)
        factors[name] = (
            known.including(value, is_first=is_first, is_last=is_last)
            if known
            else FactorSummary(1, value, value, value, value, value)
        )
    # Spelled out: `replace` takes three times as long, and this runs for every observation.
    return WatchlistEvent(
        id=event.id,
        version=event.version + 1,
        key=event.key,
        status=next_status(event.status, Step.ABSORBED),
        merged=event.merged,
        observations=event.observations + 1,
        first_observed_at=at if is_first else event.first_observed_at,
        last_observed_at=at if is_last else event.last_observed_at,
        opened_at=event.opened_at,
        closed_at=event.closed_at,
        factors=factors,
        last_observation=observation.evidence if is_last else event.last_observation,
        prediction=prediction if is_last else event.prediction,
    )


def confirm(event: WatchlistEvent) -> WatchlistEvent:
    """A forming event that has seen enough opens, at the time of its newest observation. Part of the same change."""
    return replace(event, status=next_status(event.status, Step.CONFIRMED), opened_at=event.last_observed_at)


def close(event: WatchlistEvent, step: Step, at: datetime) -> WatchlistEvent:
    """Ends an event by going quiet or by being interrupted."""
    return replace(event, version=event.version + 1, status=next_status(event.status, step), closed_at=at)


def _figures(observation: Observation) -> list[tuple[str, float]]:
    figures = [(name, value) for name, value in observation.factors.items() if name != "spread"]
    return [("spread", observation.spread), *figures]
