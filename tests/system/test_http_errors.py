"""What callers get wrong is answered in a sentence by the running stack, and nothing else is lost by it."""

import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx

from local_stack.services import SERVICES
from support.examples import wrong_examples
from support.running_stack import RunningStack, eventually


def observation(**changed: Any) -> str:
    figures: dict[str, Any] = {
        "symbol": "SOL",
        "type": "A",
        "long": {"venue": "bybit", "price": "187.5"},
        "short": {"venue": "binance", "price": "190.5"},
        "factors": {"posted_by_test": 1},
    }
    return json.dumps(figures | changed)


def problem(answer: httpx.Response, status: int) -> str:
    """The text of a problem document with that status."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
    return answer.text


async def kept_among_wrong_requests(running: RunningStack) -> int:
    """How many of the posted observations are stored."""
    running.stack.start_clock()
    await eventually("the scanner looks", lambda: running.first("/api/live_trading/observations?symbol=SOL"))

    unknown = problem(await running.post("/signals", observation(symbol="SOLL")), 422)
    assert '"symbol"' in unknown
    assert "SOLL" in unknown
    assert "close to it: SOL" in unknown
    assert "not JSON" in problem(await running.post("/signals", "symbol=SOL"), 400)
    negative = problem(await running.post("/signals", observation(long={"venue": "bybit", "price": -1})), 422)
    assert "long.price" in negative

    batch = "\n".join([observation(), observation(short={"venue": "binance", "price": 0}), "", observation()])
    answer = (await running.post("/signals/batch", batch)).raise_for_status().json()
    assert answer["accepted"] == 2
    assert [(line["line"], line["errors"][0]["field"]) for line in answer["refused"]] == [(2, "short.price")]

    overview = await running.read("/api/live_trading/overview?limit=5")
    assert {"timestamp", "live_trading_enabled", "live_trading_config", "signals", "errors"} <= overview.keys()
    assert "limit" in problem(await running.ask("api_gateway", "/api/live_trading/overview?limit=0"), 422)
    assert "4711" in problem(await running.ask("api_gateway", "/api/live_trading/signals/4711"), 404)
    kept = (await running.read("/api/live_trading/observations?symbol=SOL&limit=200"))["items"]
    return sum("posted_by_test" in row["observation"]["factors"] for row in kept)


async def wrongly_documented(running: RunningStack) -> list[str]:
    """What the OpenAPI documents of the services lack or have wrong in their examples."""
    return [
        f"{service}: {wrong}"
        for service in SERVICES
        for wrong in wrong_examples((await running.ask(service, "/openapi.json")).json())
    ]


async def test_wrong_requests_are_named_and_the_right_ones_kept_and_the_answers_are_documented(
    open_stack: Callable[[str], AbstractAsyncContextManager[RunningStack]],
) -> None:
    async with open_stack("oct-10-2025-sol") as running:
        assert await running.stack.guard(wrongly_documented(running)) == []
        assert await running.stack.guard(kept_among_wrong_requests(running)) == 2
