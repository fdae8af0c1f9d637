"""An executor killed while its trade is open comes back, closes the trade, and its books are the venues' own."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from local_stack.posting import post_observations
from local_stack.reconciliation import differences
from local_stack.trades import Trade
from support.running_stack import RunningStack, eventually

SIGNAL = 1


async def closed_after_a_kill(running: RunningStack) -> Trade:
    stack = running.stack
    assert stack.scenario is not None
    stack.start_clock()
    posted = stack.scenario.observations
    await post_observations(posted, stack.market_clock(), running.http, stack.service_url("signal_ingest"), print)
    await eventually("the trade is open", lambda: running.first("/api/live_trading/signals?status=open"))

    await stack.parts.kill("executor")
    # The market goes on: the close is asked for while nobody is there to do it.
    asked = f"/api/audit?decision=close_requested&signal_id={SIGNAL}"
    await eventually("the close is asked for", lambda: running.first(asked))
    await stack.parts.restart("executor")

    async def finalised() -> Trade | None:
        trade = await running.trade(SIGNAL)
        return trade if trade.signal.finalised_at else None

    return await eventually("the trade is closed and finalised", finalised)


async def test_a_trade_open_at_the_kill_is_closed_after_the_restart(
    open_stack: Callable[[str], AbstractAsyncContextManager[RunningStack]],
) -> None:
    async with open_stack("stop-loss") as running:
        trade = await running.stack.guard(closed_after_a_kill(running))
        assert trade.signal.close_reason == "stop_loss_total_pnl"
        assert [order.purpose for order in trade.orders] == ["open", "open", "close", "close"]
        assert differences([trade], await running.ledgers()) == []
