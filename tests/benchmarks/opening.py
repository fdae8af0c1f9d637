"""From an observation accepted to both legs at the venues, through all processes, without the confirm wait."""

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console

from benchmarks.figures import row
from benchmarks.market import SYMBOLS, write_scenario
from local_stack.ports import Ports
from local_stack.screen import Screen
from local_stack.stack import LocalStack, StackPlan

TRADED = SYMBOLS[:120]
PAUSE_SECONDS = 0.1
"""Between two observations: this measures a path, not a throughput."""
ORDERS_WITHIN_SECONDS = 60.0
CLOSES_AT_ONCE = 4


def observation(symbol: str) -> dict[str, object]:
    """A triggered observation with the caller's own prediction."""
    return {
        "symbol": symbol,
        "type": "B",
        "long": {"venue": "bybit", "price": "100", "funding_rate": 0.0001, "funding_interval_hours": 8},
        "short": {"venue": "binance", "price": "102", "funding_rate": 0.0001, "funding_interval_hours": 8},
        "pnl_hat": 0.012,
        "win_prob": 0.95,
    }


async def report() -> list[str]:
    """Latency to the later leg and skew between the legs, both by the venues' own monotonic stamps."""
    with tempfile.TemporaryDirectory() as folder:
        scenario = write_scenario(Path(folder) / "bench.toml")
        plan = StackPlan(
            scenario_path=scenario,
            services=("signal_ingest", "executor", "api_gateway"),
            ports=Ports.ephemeral(),
            var=Path(folder) / "var",
        )
        async with LocalStack(plan, Screen(Console(quiet=True))) as stack, httpx.AsyncClient(timeout=60) as client:
            stack.start_clock()
            return await stack.guard(_measure(stack, client))


async def _measure(stack: LocalStack, client: httpx.AsyncClient) -> list[str]:
    first = await _round(stack, client)
    await _close_all(stack, client)
    again = await _round(stack, client)
    return [
        row("observation posted -> accepted (committed)", again["accepted"], "ms", "-"),
        row("observation posted -> both legs at the venues", again["legs"], "ms", "p50 <= 8, p99 <= 25"),
        row("  the same, first trade of a symbol ever", first["legs"], "ms", "-"),
        row("leg skew at the venues", again["skew"], "ms", "p50 <= 1"),
        "",
    ]


async def _round(stack: LocalStack, client: httpx.AsyncClient) -> dict[str, list[float]]:
    """One observation for each symbol, and what became of it."""
    posted: dict[str, int] = {}
    accepted = []
    for symbol in TRADED:
        posted[symbol] = time.monotonic_ns()
        answer = await client.post(f"{stack.service_url('signal_ingest')}/signals", json=observation(symbol))
        answer.raise_for_status()
        accepted.append((time.monotonic_ns() - posted[symbol]) / 1e6)
        await asyncio.sleep(PAUSE_SECONDS)
    arrivals = await _arrivals(stack, client, posted)
    return {
        "accepted": accepted,
        "legs": [(max(times) - posted[symbol]) / 1e6 for symbol, times in arrivals.items()],
        "skew": [abs(times[0] - times[1]) / 1e6 for times in arrivals.values()],
    }


async def _arrivals(stack: LocalStack, client: httpx.AsyncClient, posted: dict[str, int]) -> dict[str, list[int]]:
    """When the venues received each symbol's opening orders of this round, once all are there."""
    deadline = time.monotonic() + ORDERS_WITHIN_SECONDS
    while time.monotonic() < deadline:
        arrivals: dict[str, list[int]] = {}
        for venue in stack.venues:
            ledger = (await client.get(f"{venue.url}/control/ledger")).json()
            for order in ledger["orders"]:
                if not order["reduce_only"] and order["received_monotonic_ns"] > posted[order["symbol"]]:
                    arrivals.setdefault(order["symbol"], []).append(order["received_monotonic_ns"])
        others = {symbol: n for symbol in TRADED if (n := len(arrivals.get(symbol, ()))) != len(stack.venues)}
        if not others:
            return arrivals
        await asyncio.sleep(0.5)
    raise AssertionError(f"not one order a leg, but so many for both legs: {others}")


async def _close_all(stack: LocalStack, client: httpx.AsyncClient) -> None:
    slots = asyncio.Semaphore(CLOSES_AT_ONCE)
    gateway = f"{stack.service_url('api_gateway')}/api/live_trading"
    opened: list[dict[str, Any]] = []
    while len(opened) < len(TRADED):
        opened = (await client.get(f"{gateway}/signals", params={"status": "open", "limit": 200})).json()["items"]
        await asyncio.sleep(0.2)

    async def close(signal_id: int) -> None:
        order = {"signal_id": signal_id, "who": "benchmark", "why": "the next round", "wait_seconds": 30}
        async with slots:
            answer = await client.post(f"{gateway}/force_close", json=order)
        if answer.status_code != 200:
            raise AssertionError(answer.text)

    await asyncio.gather(*(close(signal["id"]) for signal in opened))
