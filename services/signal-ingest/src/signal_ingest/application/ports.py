"""What the application asks of the outside: the watchlist's storage, the pairs' past, and the signals to retry."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from signal_ingest.domain.merging import EventChange, MergeResult
from signal_ingest.domain.observation import PairKey
from signal_ingest.domain.prediction.history import PairHistory, PairName
from signal_ingest.domain.trigger import JudgedObservation
from signal_ingest.domain.watchlist_event import WatchlistEvent

MergeStep = Callable[[Sequence[WatchlistEvent]], MergeResult]
"""A pure function from the live events of some pairs to what changes; it may be asked more than once."""

Closing = Callable[[WatchlistEvent], WatchlistEvent]


@dataclass(frozen=True, slots=True)
class Placement:
    """The event that an observation went into, as the batch left it."""

    event_id: int
    status: str
    version: int


@dataclass(frozen=True, slots=True)
class SkippedSignal:
    """A skipped signal whose next attempt is due, with its event as it stands now."""

    signal_id: int
    attempts: int
    reason: str | None
    next_attempt_at: datetime
    event: WatchlistEvent


class WatchlistStore(Protocol):
    """The events and the observations. State and message commit together."""

    async def record(
        self, batch: Sequence[JudgedObservation], keys: Sequence[PairKey], merge: MergeStep
    ) -> list[Placement | None]:
        """Locks the live events of `keys`, merges, stores everything and announces it, in one transaction."""
        ...

    async def close_quiet(self, before: datetime, close: Closing) -> list[EventChange]:
        """Closes the live events whose last observation is older than `before`, and announces it."""
        ...

    async def open_without_signal(self) -> list[WatchlistEvent]:
        """Open events that have no signal yet, oldest first."""
        ...

    async def announce_again(self, events: Sequence[WatchlistEvent], mark: str) -> None:
        """Publishes events once more, under an id with `mark`; the same mark does it once."""
        ...

    async def forget_untriggered(self, before: datetime, limit: int) -> int:
        """Deletes up to `limit` observations that are older than `before` and triggered nothing; returns how many."""
        ...

    async def count_live(self) -> dict[str, int]:
        """How many events are forming and open."""
        ...


class SkippedSignals(Protocol):
    """The executor's skipped signals, read only, and the messages about them."""

    async def due(self, now: datetime) -> list[SkippedSignal]:
        """Skipped signals whose time has come, most overdue first."""
        ...

    async def publish(self, verdicts: Sequence["RetryVerdict"]) -> None:
        """Publishes verdicts; a message id that was used before adds nothing."""
        ...


@dataclass(frozen=True, slots=True)
class RetryVerdict:
    """A due signal with what is to be said about it: None evidence brings it back, otherwise it ends with it."""

    signal: SkippedSignal
    message_id: str
    ended: Mapping[str, object] | None


class ObservationPast(Protocol):
    """The observations that the database keeps."""

    async def load(self, names: Collection[PairName], since: datetime) -> list[PairHistory]:
        """The history of each named pair from `since`, with or without observations."""
        ...


class Leadership(Protocol):
    """Which of several replicas scans."""

    @property
    def is_ours(self) -> bool:
        """Whether this one does, as far as it knows."""
        ...
