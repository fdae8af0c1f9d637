"""What an operator is shown of all that a service measures."""

from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from api_gateway.application.measurements import (
    ConsumerFigures,
    Measured,
    MeasuresAway,
    VenueFigures,
    figures_of,
    gather_figures,
)

NOON = datetime(2025, 10, 10, 12, tzinfo=UTC)


def measures_of_an_executor() -> list[Measured]:
    """As a real registry writes them."""
    registry = CollectorRegistry()
    Gauge("tandem_outbox_oldest_seconds", "-", registry=registry).set(1.5)
    Gauge("tandem_consumer_waiting_messages", "-", ["consumer"], registry=registry).labels("executor-events").set(3)
    Gauge("tandem_consumer_unanswered_messages", "-", ["consumer"], registry=registry).labels("executor-events").set(1)
    bans = Counter("tandem_venue_bans_total", "-", ["venue"], registry=registry)
    bans.labels("bybit").inc(2)
    bans.labels("binance")
    until = Gauge("tandem_venue_banned_until_timestamp_seconds", "-", ["venue"], registry=registry)
    until.labels("bybit").set(NOON.timestamp())
    until.labels("binance")
    Gauge("tandem_venue_clock_offset_seconds", "-", ["venue"], registry=registry).labels("binance").set(-0.012)
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return [Measured(one.name, one.labels, one.value) for family in families for one in family.samples]


def test_a_service_is_shown_with_its_outbox_its_consumers_and_its_venues() -> None:
    figures = figures_of(measures_of_an_executor())
    assert figures.outbox_oldest_seconds == 1.5
    assert figures.consumers == [ConsumerFigures(consumer="executor-events", waiting=3, unanswered=1)]
    assert figures.venues == [
        VenueFigures(venue="binance", bans=0, banned_until=None, clock_offset_seconds=-0.012),
        VenueFigures(venue="bybit", bans=2, banned_until=NOON, clock_offset_seconds=None),
    ]


async def test_a_service_that_is_away_is_named_and_hides_no_other() -> None:
    class Probe:
        async def measures(self, url: str | None) -> list[Measured]:
            if url is None:
                return [Measured("tandem_outbox_oldest_seconds", {}, 0)]
            raise MeasuresAway("no answer within 1.5 s")

    system = await gather_figures(Probe(), {"api_gateway": None, "executor": "http://127.0.0.1:1"})
    assert system.services["executor"].problem == "no answer within 1.5 s"
    assert system.services["executor"].outbox_oldest_seconds is None
    assert system.services["api_gateway"].outbox_oldest_seconds == 0
