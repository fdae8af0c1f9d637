"""Every service is restarted, one after the other, while a trade is rescued: nothing is lost and nothing doubled."""

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


async def rescued_through_restarts(running: RunningStack) -> list[str]:
    """What went wrong of a rescue during which each service is away once, right when there is something to do.

    SIGTERM, and the next process after it: the gap that a deployment without replicas has.
    """
    restart = running.stack.parts.restart
    await begin(running, SOL)
    await show_gap(running, ENTRY_GAPS[0])
    await restart("signal-ingest")
    signal_id = await open_trade(running)
    await show_gap(running, ENTRY_GAPS[1])
    await restart("position-monitor")
    await entered(running, signal_id, 2)
    await show_gap(running, ENTRY_GAPS[2])
    await restart("executor")
    await entered(running, signal_id, 3)
    await show_gap(running, NO_GAP)
    await restart("api-gateway")
    return await judge_rescue(running, await finalised(running, signal_id), handovers=1)


@pytest.mark.timeout(300)
async def test_a_rescue_survives_the_restart_of_every_service(
    open_stack: Callable[[str], AbstractAsyncContextManager[RunningStack]],
) -> None:
    async with open_stack(SCENARIO) as running:
        assert await running.stack.guard(rescued_through_restarts(running)) == []
