"""Two of each service that may have replicas: nothing is done twice, and what one leaves the other goes on with."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest

from support.rescue import (
    ENTRY_GAPS,
    NO_GAP,
    SCENARIO,
    SOL,
    begin,
    entered,
    finalised,
    judge_rescue,
    open_trade,
    show_gap,
)
from support.running_stack import RunningStack

REPLICATED = ("signal_ingest", "executor", "position_monitor")


async def rescued_by_two_then_one(running: RunningStack) -> list[str]:
    """What went wrong of a rescue whose first replicas are killed once the second entry is made."""
    stack = running.stack
    for service in REPLICATED:
        await stack.start_replica(service)
    await begin(running, SOL)
    await show_gap(running, ENTRY_GAPS[0])
    signal_id = await open_trade(running)
    await show_gap(running, ENTRY_GAPS[1])
    await entered(running, signal_id, 2)
    for service in REPLICATED:
        await stack.parts.kill(service.replace("_", "-"))
    await show_gap(running, ENTRY_GAPS[2])
    await entered(running, signal_id, 3)
    await show_gap(running, NO_GAP)
    return await judge_rescue(running, await finalised(running, signal_id), handovers=1)


@pytest.mark.timeout(300)
async def test_two_replicas_do_everything_once_and_one_goes_on_alone(
    open_stack: Callable[[str], AbstractAsyncContextManager[RunningStack]],
) -> None:
    async with open_stack(SCENARIO) as running:
        assert await running.stack.guard(rescued_by_two_then_one(running)) == []
