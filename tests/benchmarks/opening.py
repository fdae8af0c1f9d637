"""From an observation accepted to both legs at the venues, through all processes, without the confirm wait."""

import asyncio
import tempfile
import time
from pathlib import Path

import httpx
from rich.console import Console

from benchmarks.figures import row
from benchmarks.market import SYMBOLS, write_scenario
from local_stack.ports import Ports
from local_stack.screen import Screen
from local_stack.stack import LocalStack, StackPlan

WARM_UP = 20
ORDERS_WITHIN_SECONDS = 60.0


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
        async with LocalStack(plan, Screen(Console(quiet=True))) as stack, httpx.AsyncClient() as client:
            stack.start_clock()
            return await stack.guard(_measure(stack, client))


async def _measure(stack: LocalStack, client: httpx.AsyncClient) -> list[str]:
    posted: dict[str, int] = {}
    answered: list[float] = []
    for symbol in SYMBOLS:
        posted[symbol] = time.monotonic_ns()
        answer = await client.post(f"{stack.service_url('signal_ingest')}/signals", json=observation(symbol))
        answer.raise_for_status()
        answered.append((time.monotonic_ns() - posted[symbol]) / 1e6)
        await asyncio.sleep(0.15)  # one at a time: this measures a path, not a throughput
    arrivals = await _arrivals(stack, client)
    measured = [symbol for symbol in SYMBOLS[WARM_UP:] if len(arrivals.get(symbol, [])) == 2]
    latency = [(max(arrivals[symbol]) - posted[symbol]) / 1e6 for symbol in measured]
    skew = [abs(arrivals[symbol][0] - arrivals[symbol][1]) / 1e6 for symbol in measured]
    return [
        row("observation posted -> accepted (committed)", answered[WARM_UP:], "ms", "-"),
        row("observation posted -> both legs at the venues", latency, "ms", "p50 <= 8, p99 <= 25"),
        row("leg skew at the venues", skew, "ms", "p50 <= 1"),
        f"  {len(measured)} of {len(SYMBOLS) - WARM_UP} observations opened a trade\n",
    ]


async def _arrivals(stack: LocalStack, client: httpx.AsyncClient) -> dict[str, list[int]]:
    """When each symbol's first order of each venue was received, once all are there."""
    deadline = time.monotonic() + ORDERS_WITHIN_SECONDS
    while True:
        arrivals: dict[str, list[int]] = {}
        for venue in stack.venues:
            ledger = (await client.get(f"{venue.url}/control/ledger")).json()
            for order in ledger["orders"]:
                if not order["reduce_only"]:
                    arrivals.setdefault(order["symbol"], []).append(order["received_monotonic_ns"])
        complete = sum(len(times) == 2 for times in arrivals.values())
        if complete == len(SYMBOLS) or time.monotonic() > deadline:
            return arrivals
        await asyncio.sleep(0.5)
