"""Observations accepted, merged and stored in batches of a thousand."""

import json
import tempfile
import time
from pathlib import Path

import httpx
from rich.console import Console

from benchmarks.market import SYMBOLS, write_scenario
from benchmarks.opening import observation
from local_stack.ports import Ports
from local_stack.screen import Screen
from local_stack.stack import LocalStack, StackPlan

BATCH = 1000
BATCHES = 30


async def report() -> list[str]:
    """Observations a second, one client, one batch after the other."""
    with tempfile.TemporaryDirectory() as folder:
        scenario = write_scenario(Path(folder) / "bench.toml")
        plan = StackPlan(
            scenario_path=scenario, services=("signal_ingest",), ports=Ports.ephemeral(), var=Path(folder) / "var"
        )
        async with LocalStack(plan, Screen(Console(quiet=True))) as stack, httpx.AsyncClient(timeout=60) as client:
            stack.start_clock()
            return await stack.guard(_measure(stack, client))


async def _measure(stack: LocalStack, client: httpx.AsyncClient) -> list[str]:
    lines = [json.dumps(observation(SYMBOLS[number % len(SYMBOLS)])) for number in range(BATCH)]
    body = "\n".join(lines).encode()
    headers = {"content-type": "application/x-ndjson"}
    url = f"{stack.service_url('signal_ingest')}/signals/batch"
    await client.post(url, content=body, headers=headers)
    seconds = []
    for _ in range(BATCHES):
        started = time.perf_counter()
        answer = await client.post(url, content=body, headers=headers)
        answer.raise_for_status()
        seconds.append(time.perf_counter() - started)
        if answer.json()["accepted"] != BATCH:
            raise AssertionError(answer.text[:500])
    rate = BATCH * len(seconds) / sum(seconds)
    return [f"observations ingested, merged and stored: {rate:,.0f} /s in batches of {BATCH}   target >= 10,000 /s"]
