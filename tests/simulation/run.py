"""Running one seed from its plan to its verdict."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import structlog

from simulation.invariants import Invariants
from simulation.plan import Plan, plan
from simulation.world import Watch, World
from support.virtual_time import VirtualLoop, run_virtually

LOOK_SECONDS = 1.0
REST_SECONDS_MAX = 240.0
"""Real seconds in which everything must come to rest once nothing goes wrong any more."""

AT_REST_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run showed."""

    seed: int
    profile: str
    market_hours: float
    violation: str | None
    digest: str
    counts: Counter[str]
    checks: Counter[str]


def run(seed: int, show: Callable[[str], None] | None = None) -> Outcome:
    """One seed. With `show` each step is told as it happens."""
    with _silence():
        loop = VirtualLoop()
        loop.set_exception_handler(lambda _loop, _context: None)
        return run_virtually(loop, _run(plan(seed), loop, show))


async def _run(chosen: Plan, loop: VirtualLoop, show: Callable[[str], None] | None) -> Outcome:
    world = World(chosen, loop, show)
    invariants = Invariants(world)
    world.watch(Watch(invariants.committed, invariants.arrived, invariants.unexpected))
    for process in world.processes.values():
        world.start(process)
    world.schedule()
    await _until(world, invariants, chosen.seconds)
    world.calm()
    await _rest(world, invariants)
    world.ask_state("reducing")
    world.ask_close()
    await _rest(world, invariants)
    world.ask_all_flat()
    await _rest(world, invariants)
    if invariants.violation is None:
        invariants.all_flat()
    await world.end()
    return _outcome(world, invariants)


async def _until(world: World, invariants: Invariants, seconds: float) -> None:
    while world.loop.time() < seconds and invariants.violation is None:
        await asyncio.sleep(LOOK_SECONDS)
        invariants.look()


async def _rest(world: World, invariants: Invariants) -> None:
    """Until nothing has been going on for a while, or it is clear that it will never end."""
    deadline, still = world.loop.time() + REST_SECONDS_MAX, 0.0
    unrest: list[str] = []
    while still < AT_REST_SECONDS and world.loop.time() < deadline and invariants.violation is None:
        await asyncio.sleep(LOOK_SECONDS)
        invariants.look()
        unrest = invariants.unrest()
        still = 0.0 if unrest else still + LOOK_SECONDS
    if invariants.violation is None:
        invariants.at_rest(not unrest, unrest)


def _outcome(world: World, invariants: Invariants) -> Outcome:
    counts = world.counts
    for row in world.rows("live_trade_signal"):
        counts[f"signals {row['status']}"] += 1
        if row["opened_at"] is not None:
            counts["trades"] += 1
            counts[f"closed for {row['close_reason']}"] += 1
    counts["entries"] = len(world.rows("live_trade_entry", status="filled"))
    counts["unwinds"] = len(world.rows("live_trade_order", purpose="unwind"))
    counts["orders"] = len(world.rows("live_trade_order"))
    counts["flatten orders"] = len(world.rows("operator_flatten_order"))
    for wish in world.rows("operator_flatten"):
        counts[f"flattened {wish['state']}"] += 1
    for server in world.venues.values():
        for kind, times in server.faults_met().items():
            counts[f"met {kind}"] += times
    for name, line in world.lines.items():
        for kind, times in line.met.items():
            counts[f"line {'venue' if name in world.venues else name} {kind}"] += times
    violation = invariants.violation
    return Outcome(
        seed=world.plan.seed,
        profile=world.plan.profile,
        market_hours=world.loop.time() * world.plan.speed / 3600,
        violation=str(violation) if violation else None,
        digest=world.digest.hexdigest(),
        counts=counts,
        checks=invariants.checks,
    )


@contextmanager
def _silence() -> Iterator[None]:
    """No log lines, for as long as it lasts."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**before)
