"""Paper accounts in PostgreSQL, and databases that are of one mode for ever."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal

import pytest

from common.domain.identifiers import Side
from common.persistence.database import Pool, connect_pool
from common.runtime.settings import SettingsError
from common.venues.errors import OrderNotSent, OrderOutcomeUnknown, OrderRejected, VenueUnreachable
from common.venues.ports import OrderIntent, OrderReport
from executor.adapters.installation import claim_database
from executor.adapters.paper.ledger import PaperLedger
from executor.adapters.paper.venue import PaperVenue, connect_paper_venue
from support.embedded_stack import Database
from support.executor_desk import DeskClock
from support.fake_venue import FakeVenue
from support.simulated_venues import NOON

SETTLED_AT = NOON + timedelta(hours=4)


class MarketClock(DeskClock):
    """The market time of the fake venue, the machine's real time."""

    def __init__(self, market: FakeVenue) -> None:
        super().__init__()
        self._market = market

    def now(self):  # type: ignore[no-untyped-def]
        return self._market.clock.moment


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[Pool]:
    made = await connect_pool(database.dsn_of("executor"), "executor")
    yield made
    await made.close()


@pytest.fixture
def market() -> FakeVenue:
    return FakeVenue()


@pytest.fixture
async def paper(pool: Pool, market: FakeVenue) -> PaperVenue:
    return await opened(pool, market)


async def opened(pool: Pool, market: FakeVenue) -> PaperVenue:
    ledger = PaperLedger(pool, market.venue, Decimal(10_000))
    return await connect_paper_venue(market, ledger, MarketClock(market))


async def trade(
    paper: PaperVenue, side: Side, quantity: str, name: str, *, signed_at_seconds: float | None = None
) -> OrderReport:
    return await paper.send(
        OrderIntent(
            venue="binance",
            symbol="SOL",
            side=side,
            quantity=Decimal(quantity),
            client_order_id=name,
            reduce_only=False,
            reference_price=Decimal(200),
            signed_at_seconds=signed_at_seconds,
        )
    )


async def test_the_balance_is_what_was_opened_with_and_every_figure_since(paper: PaperVenue, market: FakeVenue) -> None:
    await trade(paper, Side.SELL, "10", "open")
    market.clock.moment = SETTLED_AT + timedelta(minutes=1)
    (payment,) = await paper.funding_payments("SOL", NOON)
    await trade(paper, Side.BUY, "10", "close")
    fills = await paper.fills("SOL", NOON)
    cash = sum(f.price * f.quantity * (1 if f.side is Side.SELL else -1) for f in fills)
    fees = sum(f.fee_usdt for f in fills if f.fee_usdt is not None)
    balance = await paper.balance()
    assert fees == sum(f.price * f.quantity for f in fills) * Decimal("0.0005")
    assert balance.total_usdt == balance.free_usdt == 10_000 + cash - fees + payment.amount_usdt


async def test_the_account_outlives_the_process(pool: Pool, paper: PaperVenue, market: FakeVenue) -> None:
    await trade(paper, Side.BUY, "3", "open")
    again = await opened(pool, market)
    assert (await again.positions())["SOL"].quantity == 3
    assert (await again.balance()).total_usdt == (await paper.balance()).total_usdt
    with pytest.raises(OrderOutcomeUnknown):
        await trade(again, Side.BUY, "3", "open")


async def test_settlements_that_passed_while_nobody_looked_are_charged_once_each_on_what_was_held_then(
    pool: Pool, paper: PaperVenue, market: FakeVenue
) -> None:
    await trade(paper, Side.SELL, "10", "open")
    market.clock.moment = SETTLED_AT + timedelta(hours=17)
    again = await opened(pool, market)
    both = (paper, again)
    await asyncio.gather(*(one.positions() for one in both))
    payments = await again.funding_payments("SOL", NOON)
    assert [payment.settled_at for payment in payments] == [SETTLED_AT + timedelta(hours=8 * n) for n in range(3)]
    fees = sum(f.fee_usdt for f in await paper.fills("SOL", NOON) if f.fee_usdt is not None)
    assert (await paper.balance()).total_usdt == 10_000 - fees + sum(p.amount_usdt for p in payments)


async def test_nothing_is_charged_on_what_was_opened_after_the_settlement(paper: PaperVenue, market: FakeVenue) -> None:
    await trade(paper, Side.SELL, "10", "before")
    await trade(paper, Side.BUY, "10", "flat")
    market.clock.moment = SETTLED_AT + timedelta(seconds=1)
    await trade(paper, Side.SELL, "10", "after")
    await paper.positions()
    assert await paper.funding_payments("SOL", NOON) == []


async def test_an_order_that_was_allowed_too_long_ago_is_refused(paper: PaperVenue) -> None:
    now = DeskClock().unix_seconds()
    with pytest.raises(OrderRejected, match="too old"):
        await trade(paper, Side.BUY, "1", "late", signed_at_seconds=now - 10)
    assert await paper.order("SOL", "late") is None
    await trade(paper, Side.BUY, "1", "in-time", signed_at_seconds=now)


async def test_a_market_that_is_away_means_that_nothing_was_sent(paper: PaperVenue, market: FakeVenue) -> None:
    market.unreachable = True
    with pytest.raises(OrderNotSent):
        await trade(paper, Side.BUY, "1", "away")
    market.unreachable = False
    assert await paper.order("SOL", "away") is None


async def test_what_is_held_has_no_value_while_its_price_is_not_known(paper: PaperVenue, market: FakeVenue) -> None:
    await trade(paper, Side.BUY, "1", "open")
    market.unreachable = True
    with pytest.raises(VenueUnreachable):
        await paper.balance()


async def test_a_database_is_of_one_mode_for_ever(pool: Pool) -> None:
    await claim_database(pool, "paper", DeskClock())
    await claim_database(pool, "paper", DeskClock())
    with pytest.raises(SettingsError, match=r"LIVE_TRADING_MODE='live'.*holds paper.*allowed is 'paper'"):
        await claim_database(pool, "live", DeskClock())


async def test_the_first_of_two_executors_decides(pool: Pool) -> None:
    ends = await asyncio.gather(
        *(claim_database(pool, mode, DeskClock()) for mode in ("paper", "live")), return_exceptions=True
    )
    assert sum(isinstance(end, SettingsError) for end in ends) == 1
