"""Health says what is: who needs a part that is away is not ready, names it, and is ready again when it is back."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial

from local_stack.services import SERVICES
from support.running_stack import RunningStack, eventually

NEEDED = ("postgres", "nats")


async def readiness(running: RunningStack) -> dict[str, tuple[int, str]]:
    """Status and text of each service's /health/ready."""
    answers = await asyncio.gather(*(running.ask(service, "/health/ready") for service in SERVICES))
    return {service: (one.status_code, one.text) for service, one in zip(SERVICES, answers, strict=True)}


async def all_name(running: RunningStack, part: str) -> bool:
    found = await readiness(running)
    return all(status == 503 and part in text for status, text in found.values())


async def all_are_ready(running: RunningStack) -> bool:
    return all(status == 200 for status, _ in (await readiness(running)).values())


async def kept_through_kills(running: RunningStack) -> int:
    """How many observations are kept while one part after the other is killed and brought back.

    The guard around this sees whatever else ends.
    """
    observation = (
        '{"symbol": "DEMO", "type": "A", "long": {"venue": "bybit", "price": 100},'
        ' "short": {"venue": "binance", "price": 100}}'
    )
    assert (await running.post("/signals", observation)).status_code == 201
    for part in NEEDED:
        await running.stack.parts.kill(part)
        await eventually(f"every service names {part}", partial(all_name, running, part))
        alive = await asyncio.gather(*(running.ask(service, "/health/live") for service in SERVICES))
        assert {one.status_code for one in alive} == {200}
        whole = await running.ask("api_gateway", "/api/health")
        assert whole.status_code == 503
        assert part in whole.text
        await running.stack.parts.restart(part)
        await eventually(f"every service is ready again after {part}", partial(all_are_ready, running))
    assert (await running.post("/signals", observation)).status_code == 201
    return len((await running.read("/api/live_trading/observations?symbol=DEMO"))["items"])


async def test_readiness_names_what_was_killed_and_turns_back(
    open_stack: Callable[[str], AbstractAsyncContextManager[RunningStack]],
) -> None:
    async with open_stack("max-hold") as running:
        assert await running.stack.guard(kept_through_kills(running)) == 2
