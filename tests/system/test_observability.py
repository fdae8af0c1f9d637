"""What an operator sees of the running services: the trace of one trade, log lines, metrics, bans."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from local_stack.services import SERVICES
from local_stack.stack import LocalStack
from support.otlp_collector import Collector, Seen, otlp_collector
from support.service_group import ServiceGroup, service_group

UP = ("tandem_dependency_up", "tandem_order_stream_up")
SETTINGS = {"LIVE_TRADING_SCALE_IN_ENABLED": "0", "OTEL_BSP_SCHEDULE_DELAY": "100"}


@dataclass(frozen=True)
class Story:
    """A trade that is over, with its trace."""

    signal_id: int
    trace_id: str
    spans: list[Seen]


@dataclass
class Watched:
    """Running services, the collector of their traces, and the folder with their logs."""

    group: ServiceGroup
    collector: Collector
    logs: Path

    async def closed_trade(self) -> Story:
        """Opens a trade, has the gap close, and waits for its final account and for the whole trace."""
        symbol = self.group.symbol()
        trade = await self.group.open_trade(symbol)
        await self.group.gap(symbol, "101", "101")
        await self.group.signal(symbol, "closed")

        async def summed_up() -> list[Seen] | None:
            spans = self.collector.trace(trace_of(trade))
            ids = {span.span_id for span in spans}
            is_whole = all(span.parent_id in ids for span in spans if span.parent_id)
            return spans if is_whole and any(span.name == "finalise" for span in spans) else None

        spans = await self.group.until(summed_up, lambda: f"trade {trade['id']} is not finalised in its trace")
        return Story(trade["id"], trace_of(trade), spans)

    async def samples(self, service: str) -> dict[str, float]:
        """What a service's /metrics shows, by series."""
        answer = await self.group.http.get(f"{self.group.service_urls[service]}/metrics")
        rows = (line.rsplit(" ", 1) for line in answer.text.splitlines() if line.startswith("tandem_"))
        return {name: float(value) for name, value in rows}

    def lines(self) -> Iterator[dict[str, Any]]:
        """Every line that the services wrote."""
        for service in SERVICES:
            for text in (self.logs / f"{service.replace('_', '-')}.log").read_text().splitlines():
                yield json.loads(text)


def trace_of(trade: dict[str, Any]) -> str:
    """The trace that a signal's row keeps."""
    return str(trade["traceparent"]).split("-")[1]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def watched(
    postgres_server: LocalStack, nats_server: LocalStack, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Watched]:
    logs = tmp_path_factory.mktemp("observability")
    with otlp_collector() as collector:
        settings = SETTINGS | {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint}
        running = service_group(postgres_server, nats_server, logs, SERVICES, speed=30, settings=settings)
        async with running as group:
            yield Watched(group, collector, logs)


def path_to(spans: list[Seen], span: Seen) -> list[str]:
    """The names from the root of the trace down to a span."""
    by_id = {one.span_id: one for one in spans}
    names = [span.name]
    while span.parent_id:
        span = by_id[span.parent_id]
        names.insert(0, span.name)
    return names


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def story(watched: Watched) -> Story:
    """A trade from its observation to its final account, and one signal that was skipped."""
    symbol = watched.group.symbol()
    await watched.group.gap(symbol, "100", "100.2")
    await watched.group.post(symbol, "100", "102")
    await watched.group.signal(symbol, "skipped")
    return await watched.closed_trade()


async def test_one_trace_leads_from_the_observation_to_both_fills_and_to_the_close(story: Story) -> None:
    spans = story.spans
    roots = [span.name for span in spans if not span.parent_id]
    assert roots == ["POST /signals"]
    sent = [path_to(spans, span) for span in spans if span.name == "send leg"]
    opened, closed = sent[:2], sent[2:]
    assert opened == [["POST /signals", "ingest", "process watchlist.event.opened", "open", "send leg"]] * 2
    request = ["decide close", "process trade.close.requested", "close", "send leg"]
    assert [path[-4:] for path in closed] == [request] * 2
    assert {"plan", "read book", "preflight", "commit intents", "settle", "fill entry", "finalise"} <= {
        span.name for span in spans
    }
    assert {span.service for span in spans} == {"signal-ingest", "executor", "position-monitor"}
    legs = {(span.attributes["venue"], span.attributes["side"]) for span in spans if span.name == "send leg"}
    assert legs == {(venue, side) for venue in ("binance", "bybit") for side in ("buy", "sell")}


async def test_an_operators_close_is_linked_to_the_trades_trace(watched: Watched) -> None:
    trade = await watched.group.open_trade(watched.group.symbol())
    order = {"signal_id": trade["id"], "who": "ada", "why": "test", "wait_seconds": 30}
    url = watched.group.service_urls["api_gateway"]
    answer = await watched.group.http.post(
        f"{url}/api/live_trading/force_close", json=order, headers={"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"}
    )
    assert answer.status_code == 200

    async def linked() -> bool | None:
        spans = watched.collector.trace(trace_of(trade))
        return True if any(span.name == "close" and span.links == ("ab" * 16,) for span in spans) else None

    await watched.group.until(linked, lambda: "no close in the trade's trace links to the operator's request")


async def test_every_log_line_about_the_trade_carries_its_trace(watched: Watched, story: Story) -> None:
    lines = [line for line in watched.lines() if line.get("signal_id") == story.signal_id]
    assert "monitor.asked" in {line["event"] for line in lines}
    assert {line["trace_id"] for line in lines} == {story.trace_id}
    assert {line["span_id"] for line in lines} <= {span.span_id for span in story.spans}


async def test_metrics_say_what_happened(watched: Watched, story: Story) -> None:
    shown = {service: await watched.samples(service) for service in SERVICES}
    executor = shown["executor"]
    for venue in ("binance", "bybit"):
        for purpose in ("open", "close"):
            assert executor[f'tandem_orders_total{{outcome="filled",purpose="{purpose}",venue="{venue}"}}'] >= 1
        assert executor[f'tandem_venue_banned_until_timestamp_seconds{{venue="{venue}"}}'] == 0
        assert abs(executor[f'tandem_venue_clock_offset_seconds{{venue="{venue}"}}']) < 2
    assert executor['tandem_signals_skipped_total{reason="entry_spread_too_small"}'] >= 1
    assert executor['tandem_closes_total{reason="take_profit"}'] == 1
    assert executor['tandem_opening_seconds_count{request="watchlist.event.opened",until="sent"}'] >= 1
    assert executor['tandem_opening_seconds_count{request="watchlist.event.opened",until="hedged"}'] >= 1
    assert executor["tandem_leg_skew_seconds_count"] >= 2
    assert executor["tandem_one_legged_seconds"] == 0
    assert executor['tandem_trading_state{state="active"}'] == 1
    assert shown["position_monitor"]["tandem_exit_decision_seconds_count"] >= 1
    for venue in ("binance", "bybit"):
        assert shown["position_monitor"][f'tandem_books_read_total{{source="stream",venue="{venue}"}}'] >= 1
    assert shown["signal_ingest"]["tandem_observation_accept_seconds_count"] >= 2


async def test_metrics_say_that_nothing_is_away_and_nothing_waits(watched: Watched, story: Story) -> None:
    found: dict[str, list[str]] = {}

    async def all_is_well() -> bool:
        for service in SERVICES:
            samples = await watched.samples(service)
            away = [name for name, value in samples.items() if name.startswith(UP) and not value]
            found[service] = away + (["a message waits"] if samples["tandem_outbox_oldest_seconds"] else [])
        streams = [f'tandem_order_stream_up{{venue="{venue}"}}' for venue in ("binance", "bybit")]
        missing = [name for name in streams if name not in await watched.samples("executor")]
        found["executor"] += missing
        return not any(found.values())

    await watched.group.until(all_is_well, lambda: f"not well: {found}")


async def test_labels_are_of_closed_lists(watched: Watched, story: Story) -> None:
    """No id, no symbol: what trades does not decide how many series there are."""
    for service in SERVICES:
        text = "\n".join(await watched.samples(service))
        assert "T0" not in text
        assert not re.search(r"\d{2,}", re.sub(r'(le|status)="[^"]*"', "", text)), service


async def test_a_ban_is_known_to_every_service_that_asks_and_shown(watched: Watched, story: Story) -> None:
    trade = await watched.group.open_trade(watched.group.symbol())
    # Twice as long as the slowest of the rounds in which a venue is asked.
    await watched.group.control("bybit", "faults", kind="ban", endpoint="any", for_seconds=10, status=429)
    services = ("executor", "position_monitor")

    async def shown() -> bool:
        health = (await watched.group.get("api_gateway", "/api/health"))["services"]
        measured = [await watched.samples(service) for service in services]
        return all(health[service]["venues"].get("bybit", {}).get("banned_until") for service in services) and all(
            samples['tandem_venue_banned_until_timestamp_seconds{venue="bybit"}'] > 0 for samples in measured
        )

    await watched.group.until(shown, lambda: "the ban is not shown of both")
    await watched.group.gap(str(trade["symbol"]), "101", "101")
    await watched.group.signal(str(trade["symbol"]), "closed")
