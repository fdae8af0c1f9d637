"""Every service is restarted, one after the other, while a trade is rescued: nothing is lost and nothing doubled."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from local_stack.services import SERVICES
from support.rescue import begin, finalised, judge_rescue, open_trade, short_rescue
from support.running_stack import RunningStack


async def rescued_through_restarts(running: RunningStack) -> list[str]:
    """What went wrong of a rescue during which each service is away once, for as long as it takes to start."""
    stack = running.stack
    await begin(running)
    signal_id = await open_trade(running)
    for service in SERVICES:
        # SIGTERM, and the next process after it: the gap that a deployment without replicas has.
        await stack.parts.restart(service.replace("_", "-"))
    return await judge_rescue(running, await finalised(running, signal_id), handovers=1)


@pytest.mark.timeout(180)
async def test_a_rescue_survives_the_restart_of_every_service(
    open_stack: Callable[[str], AbstractAsyncContextManager[RunningStack]], tmp_path: Path
) -> None:
    async with open_stack(str(short_rescue(tmp_path))) as running:
        assert await running.stack.guard(rescued_through_restarts(running)) == []
