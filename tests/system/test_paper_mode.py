"""A whole trade on paper: the venues' public markets, no key and no order to them, an account of our own."""

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import asyncpg
import httpx
import pytest

from local_stack.demo import find_scenario
from local_stack.ports import Ports
from local_stack.posting import post_observations
from local_stack.services import SERVICES
from local_stack.stack import LocalStack, StackPlan
from local_stack.trades import Trade
from support.embedded_stack import quiet_screen
from support.running_stack import RunningStack, eventually

_FILLS = "SELECT venue, id::text, price, quantity, fee_usdt FROM paper.fill"
_BALANCES = "SELECT sum(balance_usdt) FROM paper.account"


@pytest.fixture
async def on_paper(tmp_path: Path) -> AsyncIterator[RunningStack]:
    text = find_scenario("stop-loss").read_text()
    live = 'LIVE_TRADING_MODE = "live"\nLIVE_TRADING_CONFIRM_LIVE = "yes"\n'
    assert live in text
    path = tmp_path / "stop-loss-on-paper.toml"
    path.write_text(text.replace(live, 'LIVE_TRADING_MODE = "paper"\n'))
    plan = StackPlan(scenario_path=path, services=SERVICES, ports=Ports.ephemeral(), var=tmp_path)
    async with LocalStack(plan, quiet_screen()) as stack, httpx.AsyncClient(trust_env=False, timeout=60) as http:
        yield RunningStack(stack, http)


async def played(running: RunningStack) -> Trade:
    stack = running.stack
    assert stack.scenario is not None
    stack.start_clock()
    posted = stack.scenario.observations
    await post_observations(posted, stack.market_clock(), running.http, stack.service_url("signal_ingest"), print)

    async def finalised() -> Trade | None:
        if not await running.first("/api/live_trading/signals?status=closed"):
            return None
        trade = await running.trade(1)
        return trade if trade.signal.finalised_at else None

    return await eventually("the trade is closed and finalised", finalised)


async def test_a_trade_on_paper_is_accounted_for_and_reaches_no_venue(on_paper: RunningStack) -> None:
    trade = await on_paper.stack.guard(played(on_paper))
    assert trade.signal.close_reason == "stop_loss_total_pnl"
    assert (await on_paper.read("/api/live_trading/signals?status=closed"))["items"][0]["mode"] == "paper"
    assert [order.purpose for order in trade.orders] == ["open", "open", "close", "close"]
    connection = await asyncpg.connect(on_paper.stack.owner_dsn)
    try:
        kept = {(row["venue"], row["id"]): tuple(row)[2:] for row in await connection.fetch(_FILLS)}
        balance = await connection.fetchval(_BALANCES)
    finally:
        await connection.close()
    assert kept == {(fill.venue, fill.fill_id): (fill.price, fill.quantity, fill.fee_usdt) for fill in trade.fills}
    assert trade.signal.net_pnl_usdt is not None
    assert balance == Decimal(20_000) + trade.signal.net_pnl_usdt
    assert [ledger.fills for ledger in await on_paper.ledgers()] == [(), ()]
