"""How an event is told to the others: its message, its subject, its id."""

from typing import Any

from common.messages.contracts import Prediction
from common.messages.contracts import WatchlistEvent as EventMessage
from common.messages.subjects import EVENT_CHANGED, EVENT_CLOSED, EVENT_OPENED
from signal_ingest.domain.merging import EventChange
from signal_ingest.domain.watchlist_event import EventStatus, WatchlistEvent


def event_message(event: WatchlistEvent) -> EventMessage:
    """The event as it stands, as others read it.

    Raises:
        ValueError: it has no id yet.
    """
    if event.id is None:
        raise ValueError("an event is announced once it is stored")
    predicted = event.prediction
    return EventMessage(
        event_id=event.id,
        version=event.version,
        type=event.key.type,
        symbol=event.key.symbol,
        long_venue=event.key.long_venue,
        short_venue=event.key.short_venue,
        status=event.status.value,
        observations=event.observations,
        first_observed_at=event.first_observed_at,
        last_observed_at=event.last_observed_at,
        factors={name: summary.as_figures() for name, summary in event.factors.items()},
        prediction=Prediction(**predicted._asdict()) if predicted else None,
    )


def subject_of(change: EventChange) -> str | None:
    """The subject a change is told on; None of an event that was never open. Having opened outweighs the rest."""
    if change.after.opened_at is None:
        return None
    if change.opened:
        return EVENT_OPENED
    return EVENT_CLOSED if change.after.status is EventStatus.CLOSED else EVENT_CHANGED


def message_id(event: WatchlistEvent, mark: str = "") -> str:
    """The natural key of one version of an event on the bus."""
    return f"event-{event.id}-{event.version}{mark}"


def event_decisions(change: EventChange) -> list[tuple[str, dict[str, Any]]]:
    """What the audit keeps of a change: that the event opened or was closed, by name, with the figures."""
    event = change.after
    names = ["event_opened"] if change.opened else []
    if event.status is EventStatus.CLOSED:
        names.append("event_closed" if event.opened_at is not None else "event_dropped")
    if not names:
        return []
    spread = event.factors["spread"]
    evidence = {
        "type": event.key.type,
        "long_venue": event.key.long_venue,
        "short_venue": event.key.short_venue,
        "version": event.version,
        "observations": event.observations,
        "first_observed_at": event.first_observed_at.isoformat(),
        "last_observed_at": event.last_observed_at.isoformat(),
        "spread": spread.as_figures(),
        "prediction": event.prediction._asdict() if event.prediction else None,
        "last_observation": event.last_observation,
    }
    return [(name, evidence) for name in names]
