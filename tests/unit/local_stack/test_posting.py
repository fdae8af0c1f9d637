"""Observations of a scenario are posted in the order of their times, and a refused one ends the run with its reason."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from common.runtime.clock import ReplayClock
from local_stack.ending import NoAnswer
from local_stack.posting import post_observations
from venue_sim.scenario import Posted

EPOCH = datetime(2025, 1, 1, 12, tzinfo=UTC)
SPEED = 60_000
ACCEPTED = {"triggered": True, "event_id": 3, "refusal": None}


def posted(minutes: int, **body: Any) -> Posted:
    return Posted(at=EPOCH + timedelta(minutes=minutes), body=body)


async def post(
    directory: Path, observations: list[Posted], answer: Callable[[httpx.Request], httpx.Response]
) -> list[str]:
    started = directory / "started"
    started.write_text(repr(datetime.now(UTC).timestamp()))
    told: list[str] = []
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        clock = ReplayClock(EPOCH, SPEED, started)
        await post_observations(observations, clock, http, "http://ingest", told.append)
    return told


async def test_each_is_posted_when_its_time_has_come(tmp_path: Path) -> None:
    arrived: list[tuple[str, datetime]] = []
    clock = ReplayClock(EPOCH, SPEED, tmp_path / "started")

    def accept(request: httpx.Request) -> httpx.Response:
        arrived.append((json.loads(request.content)["symbol"], clock.now()))
        return httpx.Response(201, json=ACCEPTED)

    told = await post(tmp_path, [posted(20, symbol="LATE"), posted(5, symbol="EARLY")], accept)
    assert told == ["EARLY observation posted: event 3", "LATE observation posted: event 3"]
    assert [symbol for symbol, _ in arrived] == ["EARLY", "LATE"]
    assert arrived[0][1] >= EPOCH + timedelta(minutes=5)
    assert arrived[1][1] >= EPOCH + timedelta(minutes=20)


async def test_figures_and_times_are_sent_as_json(tmp_path: Path) -> None:
    bodies: list[dict[str, Any]] = []

    def accept(request: httpx.Request) -> httpx.Response:
        bodies.append(json.loads(request.content))
        return httpx.Response(201, json=ACCEPTED | {"triggered": False, "refusal": "spread_too_small"})

    told = await post(tmp_path, [posted(0, symbol="DEMO", pnl_hat=Decimal("0.01"), observed_at=EPOCH)], accept)
    assert bodies == [{"symbol": "DEMO", "pnl_hat": 0.01, "observed_at": "2025-01-01T12:00:00+00:00"}]
    assert told == ["DEMO observation posted: refused, spread_too_small"]


async def test_one_that_is_refused_says_why(tmp_path: Path) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        return httpx.Response(422, text="long.price: allowed is a price above 0")

    with pytest.raises(NoAnswer, match=r"long\.price"):
        await post(tmp_path, [posted(0, symbol="DEMO")], refuse)
