"""The rescue by scale-in on each of the fifteen pairs of six venues, all at the same time on one stack."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest
import pytest_asyncio

from local_stack.ports import Ports
from local_stack.reconciliation import VenueLedger, differences
from local_stack.services import SERVICES
from local_stack.stack import LocalStack, StackPlan
from local_stack.trades import Trade
from support.embedded_stack import quiet_screen
from support.every_pair import MARKETS, SETTLES_AT, write_scenario
from support.rescue import ENTRY_GAPS, NO_GAP, Market, begin, entered, finalised, open_trade, show_gap, unlike_a_rescue
from support.running_stack import RunningStack, eventually

SPEED = 30.0
PAST_MINUTES = 120
OPENING_AT_A_TIME = 3
"""An order is sent within a second of its intent or never: a busy machine does not send thirty of them that fast."""


@dataclass(frozen=True)
class Played:
    """The stack after all rescues, Tandem's account of each pair's, and the venues' own ledgers of all."""

    running: RunningStack
    trades: dict[Market, Trade]
    ledgers: list[VenueLedger]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def played(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Played]:
    folder = tmp_path_factory.mktemp("every-pair")
    plan = StackPlan(
        scenario_path=write_scenario(folder / "scenario.json", SPEED),
        services=SERVICES,
        ports=Ports.ephemeral(),
        var=folder,
    )
    async with LocalStack(plan, quiet_screen()) as stack, httpx.AsyncClient(trust_env=False, timeout=10) as http:
        running = RunningStack(stack, http)
        trades = await stack.guard(rescued(running))
        yield Played(running, trades, await running.ledgers())


async def rescued(running: RunningStack) -> dict[Market, Trade]:
    """Every pair is opened and added to twice; after funding has settled on all, every gap closes."""
    await begin(running, *MARKETS, past_minutes=PAST_MINUTES)
    seats = asyncio.Semaphore(OPENING_AT_A_TIME)
    signal_ids = await asyncio.gather(*(opened_and_added_to(running, market, seats) for market in MARKETS))
    clock = running.stack.market_clock()

    async def settled() -> bool:
        return clock.now() > SETTLES_AT

    await eventually("funding has settled", settled)
    for market in MARKETS:
        await show_gap(running, NO_GAP, market)
    trades = await asyncio.gather(*(finalised(running, signal_id) for signal_id in signal_ids))
    return dict(zip(MARKETS, trades, strict=True))


async def opened_and_added_to(running: RunningStack, market: Market, seats: asyncio.Semaphore) -> int:
    """The id of the pair's signal, once the trade has all entries."""
    async with seats:
        await show_gap(running, ENTRY_GAPS[0], market)
        signal_id = await open_trade(running, market.symbol)
    for number, gap in enumerate(ENTRY_GAPS[1:], start=2):
        async with seats:
            await show_gap(running, gap, market)
            await entered(running, signal_id, number)
    return signal_id


@pytest.mark.timeout(180)
@pytest.mark.parametrize("market", MARKETS, ids=str)
async def test_a_pair_is_rescued_once_and_pays_what_its_venues_say(market: Market, played: Played) -> None:
    trade = played.trades[market]
    assert unlike_a_rescue(trade) == []
    assert (trade.signal.long_venue, trade.signal.short_venue) == (market.cheap, market.dear)
    assert trade.signal.opened_at is not None
    if trade.signal.opened_at < SETTLES_AT:
        assert {payment.venue for payment in trade.funding} == {market.cheap, market.dear}


@pytest.mark.timeout(180)
async def test_the_books_are_the_venues_own_to_the_last_digit(played: Played) -> None:
    assert differences(list(played.trades.values()), played.ledgers) == []
    assert len(played.ledgers) == 6
    assert {len(ledger.fills) for ledger in played.ledgers if len(ledger.fills) < 20} == set()
