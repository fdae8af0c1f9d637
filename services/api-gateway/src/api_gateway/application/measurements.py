"""The figures behind the health of all services: what waits for the bus, and how the venues answer each of them."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from pydantic import BaseModel, ConfigDict


@dataclass(frozen=True, slots=True)
class Measured:
    """One value of one metric."""

    name: str
    labels: Mapping[str, str]
    value: float


class MeasuresAway(Exception):
    """A service does not say what it measures; the text says why."""


class MeasureProbe(Protocol):
    """Asks services for what they measure."""

    async def measures(self, url: str | None) -> list[Measured]:
        """All metrics of the service at `url`, None being this one. Raises MeasuresAway."""
        ...


class _View(BaseModel):
    model_config = ConfigDict(frozen=True)


class ConsumerFigures(_View):
    """Messages of one durable consumer: not delivered yet, and delivered but not answered."""

    consumer: str
    waiting: int
    unanswered: int


class VenueFigures(_View):
    """One venue as one service met it: `banned_until` is when the last ban ends or ended, null before the first one;
    the offset is the venue's clock less this machine's, null until it was asked.
    """

    venue: str
    bans: int
    banned_until: datetime | None
    clock_offset_seconds: float | None


class ServiceFigures(_View):
    """One service; `problem` says why nothing is known of it."""

    outbox_oldest_seconds: float | None
    consumers: list[ConsumerFigures]
    venues: list[VenueFigures]
    problem: str | None


class SystemFigures(_View):
    """The figures by service."""

    services: dict[str, ServiceFigures]


async def gather_figures(probe: MeasureProbe, service_urls: Mapping[str, str | None]) -> SystemFigures:
    """Asks all services at once."""
    figures = await asyncio.gather(*(_figures(probe, url) for url in service_urls.values()))
    return SystemFigures(services=dict(zip(service_urls, figures, strict=True)))


async def _figures(probe: MeasureProbe, url: str | None) -> ServiceFigures:
    try:
        return figures_of(await probe.measures(url))
    except MeasuresAway as away:
        return ServiceFigures(outbox_oldest_seconds=None, consumers=[], venues=[], problem=str(away))


def figures_of(measures: Iterable[Measured]) -> ServiceFigures:
    """What an operator looks at, out of all that a service measures."""
    found = {(one.name, *one.labels.values()): one.value for one in measures}

    def named(metric: str) -> list[str]:
        return sorted(key[1] for key in found if key[0] == metric and len(key) == 2)

    return ServiceFigures(
        outbox_oldest_seconds=found.get(("tandem_outbox_oldest_seconds",)),
        consumers=[
            ConsumerFigures(
                consumer=consumer,
                waiting=int(found["tandem_consumer_waiting_messages", consumer]),
                unanswered=int(found.get(("tandem_consumer_unanswered_messages", consumer), 0)),
            )
            for consumer in named("tandem_consumer_waiting_messages")
        ],
        venues=[
            VenueFigures(
                venue=venue,
                bans=int(found["tandem_venue_bans_total", venue]),
                banned_until=_moment(found.get(("tandem_venue_banned_until_timestamp_seconds", venue), 0)),
                clock_offset_seconds=found.get(("tandem_venue_clock_offset_seconds", venue)),
            )
            for venue in named("tandem_venue_bans_total")
        ],
        problem=None,
    )


def _moment(timestamp_seconds: float) -> datetime | None:
    return datetime.fromtimestamp(timestamp_seconds, UTC) if timestamp_seconds > 0 else None
