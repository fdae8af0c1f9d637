"""Streams that are killed, updates that are missing and bans while a trade is open: it is judged, and closed once."""

import json
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from local_stack.reconciliation import VenueLedger, differences
from local_stack.stack import LocalStack
from local_stack.trades import Trade, trade_of
from support.service_group import ServiceGroup, service_group

SERVICES = ("signal_ingest", "executor", "position_monitor", "api_gateway")
SPEED = 30.0
SETTINGS = {"LIVE_TRADING_SCALE_IN_ENABLED": "0", "LIVE_TRADING_CLOSE_RETRY_COOLDOWN_SEC": "15"}
PATIENCE_SECONDS = 60.0
UPDATES_UNSEEN = 4
"""So many updates of a venue are kept from its readers, two each, once the price has moved."""


@pytest.fixture(params=[("bitget", "gate"), ("okx", "hyperliquid")], ids="-".join)
async def group(
    request: pytest.FixtureRequest, postgres_server: LocalStack, nats_server: LocalStack, tmp_path: Path
) -> AsyncIterator[ServiceGroup]:
    async with service_group(
        postgres_server,
        nats_server,
        tmp_path,
        SERVICES,
        speed=SPEED,
        settings=SETTINGS,
        venue_names=request.param,
    ) as started:
        yield started


async def test_a_trade_outlives_what_befalls_its_streams_and_ends_flat_through_a_ban(group: ServiceGroup) -> None:
    trade = await group.open_trade(group.symbol())
    symbol = trade["symbol"]
    await streams_are_read(group)

    for venue in group.venues:
        await fault(group, venue, kind="drop", endpoint="stream", for_seconds=1)
    await lost(group, "venue_unreachable", *group.venues)
    await group.gap(symbol, "100.1", "102")
    await streams_are_read(group)

    await prices_move_unseen(group, symbol)
    # Hyperliquid's next push has all that the missing ones had.
    await lost(group, "sequence", *(venue for venue in group.venues if venue != "hyperliquid"))
    await streams_are_read(group)
    assert (await group.signal(symbol, "open"))["id"] == trade["id"]

    cheap, dear = group.venues
    for venue in (cheap, dear):
        await fault(group, venue, kind="ban", status=429, for_seconds=5)
    await fault(group, dear, kind="drop", endpoint="stream", for_seconds=5)
    await group.gap(symbol, "101", "101")
    await fire(group, "ban", [0, 0])
    closed = await group.signal(symbol, "closed")
    assert closed["close_reason"] == "take_profit"
    assert await books_differ(group, trade["id"]) == []


async def fault(group: ServiceGroup, venue: str, **spec: Any) -> None:
    await group.control(venue, "faults", **spec)


def fired(group: ServiceGroup, kind: str) -> list[int]:
    """How often faults of that kind have happened at each venue since all were cleared."""
    armed = [running.venue.faults.ever_armed(running.venue.moment()) for running in group.venues.values()]
    return [sum(one.fired for one in faults if one.spec.kind == kind) for faults in armed]


async def fire(group: ServiceGroup, kind: str, more_than: list[int]) -> None:
    """Waits until faults of that kind have happened more often than that at each venue."""

    async def look() -> bool | None:
        return all(now > then for now, then in zip(fired(group, kind), more_than, strict=True)) or None

    await group.until(look, lambda: f"no {kind} at both venues", PATIENCE_SECONDS)


async def lost(group: ServiceGroup, why: str, *venues: str) -> None:
    """Waits until the executor or position-monitor has lost a book of each of these venues for that reason."""

    async def look() -> bool | None:
        return all([await losses(group, why, venue) for venue in venues]) or None

    await group.until(look, lambda: f"no stream lost for {why}", PATIENCE_SECONDS)


async def prices_move_unseen(group: ServiceGroup, symbol: str) -> None:
    """Keeps the updates of both venues from their readers while prices move, so that their books are wrong."""
    for venue in group.venues:
        await fault(group, venue, kind="gap", symbol=symbol, for_seconds=PATIENCE_SECONDS)
    await group.gap(symbol, "100", "102.1")
    await fire(group, "gap", [count + UPDATES_UNSEEN for count in fired(group, "gap")])
    for running in group.venues.values():
        assert (await group.http.delete(f"{running.url}/control/faults")).is_success
    await group.gap(symbol, "100.2", "102.2")


async def streams_are_read(group: ServiceGroup) -> None:
    """Waits until position-monitor reads books of both venues from their streams, from now on."""
    before = {venue: await read_from_streams(group, venue) for venue in group.venues}

    async def look() -> bool | None:
        return all([await read_from_streams(group, venue) > before[venue] for venue in group.venues]) or None

    await group.until(look, lambda: "nothing is read from the streams", PATIENCE_SECONDS)


async def losses(group: ServiceGroup, why: str, venue: str) -> float:
    services = ("executor", "position_monitor")
    name, label = "tandem_book_streams_lost_total", f'why="{why}"'
    return sum([await measured(group, service, name, venue, label) for service in services])


async def read_from_streams(group: ServiceGroup, venue: str) -> float:
    return await measured(group, "position_monitor", "tandem_books_read_total", venue, 'source="stream"')


async def measured(group: ServiceGroup, service: str, name: str, venue: str, label: str) -> float:
    """What a service has counted of a venue so far."""
    metrics = (await group.http.get(f"{group.service_urls[service]}/metrics")).text
    lines = [line for line in metrics.splitlines() if line.startswith(f"{name}{{")]
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if f'venue="{venue}"' in line and label in line)


async def books_differ(group: ServiceGroup, signal_id: int) -> list[str]:
    """Where the final account of the trade differs from the venues' own ledgers."""

    async def look() -> Trade | None:
        answer = await group.http.get(f"{group.service_urls['api_gateway']}/api/live_trading/signals/{signal_id}")
        trade = trade_of(json.loads(answer.raise_for_status().text, parse_float=Decimal))
        return trade if trade.signal.finalised_at else None

    trade = await group.until(look, lambda: f"trade {signal_id} is not final", PATIENCE_SECONDS)
    texts = [(await group.http.get(f"{running.url}/control/ledger")).text for running in group.venues.values()]
    ledgers = [VenueLedger.model_validate(json.loads(text, parse_float=Decimal)) for text in texts]
    return differences([trade], ledgers)
