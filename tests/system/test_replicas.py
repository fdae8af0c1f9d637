"""Two of each service that may have replicas: nothing is done twice, and what one leaves the other goes on with."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from support.rescue import begin, entered, finalised, judge_rescue, open_trade, short_rescue
from support.running_stack import RunningStack

REPLICATED = ("signal_ingest", "executor", "position_monitor")


async def rescued_by_two_then_one(running: RunningStack) -> list[str]:
    """What went wrong of a rescue whose first replicas are killed once the second entry is made."""
    stack = running.stack
    for service in REPLICATED:
        await stack.start_replica(service)
    await begin(running)
    signal_id = await open_trade(running)
    await entered(running, signal_id, 2)
    for service in REPLICATED:
        await stack.parts.kill(service.replace("_", "-"))
    return await judge_rescue(running, await finalised(running, signal_id), handovers=1)


@pytest.mark.timeout(180)
async def test_two_replicas_do_everything_once_and_one_goes_on_alone(
    open_stack: Callable[[str], AbstractAsyncContextManager[RunningStack]], tmp_path: Path
) -> None:
    async with open_stack(str(short_rescue(tmp_path))) as running:
        assert await running.stack.guard(rescued_by_two_then_one(running)) == []
