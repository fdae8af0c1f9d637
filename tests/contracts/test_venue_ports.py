"""The contract of a venue's ports: the same cases for ccxt over each protocol, with books over streams, for paper
trading, and for the fake."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Protocol

import pytest

from common.domain.identifiers import Side
from common.domain.order_book import OrderBook
from common.persistence.database import Pool, connect_pool
from common.runtime.clock import SystemClock
from common.venues.addresses import VenueAddress
from common.venues.ccxt.market_data import connect_market_data
from common.venues.ccxt.streamed_books import books_as_set
from common.venues.ccxt.trading import connect_trading_venue
from common.venues.errors import OrderNotSent, OrderOutcomeUnknown, OrderRejected, VenueError, VenueRefused
from common.venues.ports import Account, MarketData, OrderDesk, OrderIntent, OrderReport, OrderState, PositionMode
from executor.adapters.paper.ledger import UNPREPARED_LEVERAGE, PaperLedger
from executor.adapters.paper.venue import connect_paper_venue
from support.embedded_stack import Database
from support.fake_venue import FakeVenue
from support.simulated_venues import NOON, PROTOCOLS, TRADING_KEYS, HandClock, running_venue
from venue_sim.market import Level
from venue_sim.venue import Venue

SETTLEMENT = datetime(2025, 10, 10, 16, tzinfo=UTC)
REFERENCE_PRICES = {"SOL": Decimal(200), "ETH": Decimal(4000)}


class TestClock(SystemClock):
    """The venue's hand-set market time, real monotonic time."""

    __test__ = False

    def __init__(self, hand: HandClock) -> None:
        self._hand = hand

    def now(self) -> datetime:
        return self._hand.moment


class Kept(Protocol):
    """What an account's keeper has in its own books, to hold the port's answers against."""

    async def set_balance(self, usdt: Decimal) -> None: ...

    async def quantity(self, symbol: str) -> Decimal: ...

    async def order_count(self) -> int: ...

    async def fills(self) -> Sequence[tuple[str, Decimal, Decimal, Decimal, datetime]]:
        """Id, price, quantity, fee and time, oldest first."""
        ...

    async def payment_ids(self) -> Sequence[str]: ...

    async def usdt(self) -> tuple[Decimal, Decimal]:
        """Balance, and what is free of it."""
        ...


@dataclass
class KeptByVenue:
    """The simulated venue's ledger."""

    venue: Venue

    async def set_balance(self, usdt: Decimal) -> None:
        self.venue.account.balance = usdt

    async def quantity(self, symbol: str) -> Decimal:
        return self.venue.account.position(symbol).quantity

    async def order_count(self) -> int:
        return len(self.venue.account.orders)

    async def fills(self) -> Sequence[tuple[str, Decimal, Decimal, Decimal, datetime]]:
        return [(one.fill_id, one.price, one.quantity, one.fee, one.time) for one in self.venue.account.fills]

    async def payment_ids(self) -> Sequence[str]:
        return [payment.payment_id for payment in self.venue.account.payments]

    async def usdt(self) -> tuple[Decimal, Decimal]:
        return self.venue.account.balance, self.venue.available()


@dataclass
class KeptOnPaper:
    """The rows of the schema `paper`."""

    pool: Pool

    async def set_balance(self, usdt: Decimal) -> None:
        await self.pool.execute("UPDATE paper.account SET balance_usdt = $1", usdt)

    async def quantity(self, symbol: str) -> Decimal:
        signed = "sum(CASE side WHEN 'buy' THEN quantity ELSE -quantity END)"
        found = await self.pool.fetchval(f"SELECT {signed} FROM paper.fill WHERE symbol = $1", symbol)
        return Decimal(found or 0)

    async def order_count(self) -> int:
        return int(await self.pool.fetchval('SELECT count(*) FROM paper."order"'))

    async def fills(self) -> Sequence[tuple[str, Decimal, Decimal, Decimal, datetime]]:
        rows = await self.pool.fetch(
            "SELECT id::text, price, quantity, fee_usdt, traded_at FROM paper.fill ORDER BY fill.id"
        )
        return [tuple(row) for row in rows]

    async def payment_ids(self) -> Sequence[str]:
        return [row["id"] for row in await self.pool.fetch("SELECT id::text FROM paper.funding ORDER BY settled_at")]

    async def usdt(self) -> tuple[Decimal, Decimal]:
        """At a mid price of 200 and the leverage of an account that nobody prepared."""
        balance = await self.pool.fetchval("SELECT balance_usdt FROM paper.account")
        (row,) = await self.pool.fetch("SELECT quantity, entry_price FROM paper.position WHERE symbol = 'SOL'")
        quantity, price = row["quantity"], row["entry_price"]
        return balance, balance + (200 - price) * quantity - abs(quantity) * price / UNPREPARED_LEVERAGE


@dataclass
class Ports:
    """One implementation of the three ports, the market that it sees, and the books behind it."""

    market: MarketData
    account: Account
    desk: OrderDesk
    ledger: Venue
    clock: HandClock
    kept: Kept

    async def trade(
        self, side: Side, quantity: str, client_order_id: str, *, reduce_only: bool = False, symbol: str = "SOL"
    ) -> OrderReport:
        """Sends one market order."""
        return await self.desk.send(
            OrderIntent(
                venue=self.market.venue,
                symbol=symbol,
                side=side,
                quantity=Decimal(quantity),
                client_order_id=client_order_id,
                reduce_only=reduce_only,
                reference_price=REFERENCE_PRICES.get(symbol, Decimal(1)),
            )
        )


VENUES = ("fake", *PROTOCOLS)
ON_A_VENUE = pytest.mark.parametrize("implementation", VENUES, indirect=True)
"""For what a paper account does not have: hedge mode, a ledger that shows its leverage, limits that need a key."""


@pytest.fixture(params=[*VENUES, "streamed", "paper"])
def implementation(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def paper_database(request: pytest.FixtureRequest, implementation: str) -> Database | None:
    """A database where one is needed."""
    return request.getfixturevalue("database") if implementation == "paper" else None


@pytest.fixture
async def ports(implementation: str, paper_database: Database | None) -> AsyncIterator[Ports]:
    if implementation == "fake":
        fake = FakeVenue()
        yield Ports(fake, fake, fake, fake.ledger, fake.clock, KeptByVenue(fake.ledger))
        return
    if paper_database is not None:
        async with paper_ports(paper_database) as made:
            yield made
        return
    async with AsyncExitStack() as stack:
        protocol = "bybit" if implementation == "streamed" else implementation
        simulated = await stack.enter_async_context(running_venue(protocol))
        address = VenueAddress(protocol, protocol, simulated.url)
        clock = TestClock(simulated.clock)
        asking, account, desk = await connect_trading_venue(address, TRADING_KEYS, clock)
        stack.push_async_callback(account.close)
        market: MarketData = asking
        if implementation == "streamed":
            market = books_as_set(clock, 2, streamed=True)(asking, address)
            stack.push_async_callback(market.close)
        yield Ports(market, account, desk, simulated.venue, simulated.clock, KeptByVenue(simulated.venue))


@asynccontextmanager
async def paper_ports(database: Database) -> AsyncIterator[Ports]:
    """A paper account on a venue's public market, in PostgreSQL as the executor's own role."""
    async with AsyncExitStack() as stack:
        simulated = await stack.enter_async_context(running_venue("binance"))
        clock = TestClock(simulated.clock)
        pool = await connect_pool(database.dsn_of("executor"), "executor")
        stack.push_async_callback(pool.close)
        market = connect_market_data(VenueAddress("binance", "binance", simulated.url), clock)
        venue = await connect_paper_venue(market, PaperLedger(pool, "binance", Decimal(10_000)), clock)
        stack.push_async_callback(venue.close)
        yield Ports(market, venue, venue, simulated.venue, simulated.clock, KeptOnPaper(pool))


async def test_instruments_carry_the_rules_in_base_units(ports: Ports) -> None:
    sol = (await ports.market.instruments())["SOL"]
    assert (sol.quantity_step, sol.quantity_min, sol.price_tick) == (Decimal("0.1"), Decimal("0.1"), Decimal("0.01"))
    listed = ports.ledger.instruments["SOL"]
    says_no_maximum = ports.ledger.protocol == "hyperliquid"
    assert (sol.notional_min, sol.quantity_max) == (listed.notional_min, None if says_no_maximum else Decimal(100_000))
    assert sol.contract_size == listed.contract_size


async def test_book_is_exact_and_fresh(ports: Ports) -> None:
    book = await ports.market.book("SOL")
    assert book.bids.levels[0] == (Decimal("199.98"), Decimal("50"))
    assert book.asks.levels[0] == (Decimal("200.02"), Decimal("49.9"))
    assert 0 <= book.age_seconds(SystemClock().monotonic()) < 60


async def test_crossed_book_is_shown_as_it_is(ports: Ports) -> None:
    crossed = ((Level(Decimal(201), Decimal(1)),), (Level(Decimal(200), Decimal(1)),))
    ports.ledger.override_book("SOL", crossed)
    book: OrderBook = await ports.market.book("SOL")
    assert book.is_crossed


async def test_book_of_an_unknown_symbol_is_refused(ports: Ports) -> None:
    with pytest.raises(VenueRefused, match="NOPE"):
        await ports.market.book("NOPE")


async def test_tops_leave_out_what_is_unknown_or_one_sided(ports: Ports) -> None:
    ports.ledger.override_book("ETH", ((), (Level(Decimal(4000), Decimal(1)),)))
    tops = await ports.market.tops(["SOL", "ETH", "NOPE"])
    assert {symbol: (top.bid, top.ask) for symbol, top in tops.items()} == {
        "SOL": (Decimal("199.98"), Decimal("200.02"))
    }


async def test_funding_reads_the_interval_as_it_is_now(ports: Ports) -> None:
    assert (await ports.market.funding(["SOL"]))["SOL"].interval_hours == 8
    ports.ledger.override_funding("SOL", Decimal("-0.02"), 1)
    terms = (await ports.market.funding(["SOL", "ETH"]))["SOL"]
    assert (terms.rate, terms.interval_hours) == (-0.02, 1)
    assert terms.next_at == NOON + timedelta(hours=1)


async def test_server_time_is_close_to_ours(ports: Ports) -> None:
    assert abs(await ports.market.server_time_offset_seconds()) < 1


async def test_order_reports_what_was_filled_and_at_what_average(ports: Ports) -> None:
    report = await ports.trade(Side.BUY, "60", "c1")
    value = Decimal("200.02") * Decimal("49.9") + Decimal("200.04") * Decimal("10.1")
    assert (report.state, report.filled_quantity) == (OrderState.FILLED, Decimal(60))
    assert report.average_price is not None
    # Some venues say what the fills cost, others only their average, in as many digits as they like.
    assert abs(report.average_price - value / 60) < Decimal("1e-12")
    assert report.client_order_id == "c1"
    assert report == await ports.account.order("SOL", "c1")


async def test_order_beyond_the_book_is_final_with_what_it_got(ports: Ports) -> None:
    await ports.kept.set_balance(Decimal(1_000_000))
    report = await ports.trade(Side.SELL, "1000", "c1")
    assert report.state is OrderState.CANCELLED
    assert report.filled_quantity == sum(level.quantity for level in ports.ledger.book("SOL").bids)


async def test_order_that_nobody_sent_is_surely_unknown(ports: Ports) -> None:
    assert await ports.account.order("SOL", "dead") is None


async def test_same_client_id_twice_is_an_unknown_outcome_and_trades_once(ports: Ports) -> None:
    await ports.trade(Side.BUY, "1", "c1")
    with pytest.raises(OrderOutcomeUnknown):
        await ports.trade(Side.BUY, "1", "c1")
    assert await ports.kept.quantity("SOL") == 1


async def test_order_that_the_balance_does_not_cover_is_rejected(ports: Ports) -> None:
    await ports.kept.set_balance(Decimal(10))
    with pytest.raises(OrderRejected):
        await ports.trade(Side.BUY, "10", "c1")


async def test_reduce_only_without_a_position_is_rejected(ports: Ports) -> None:
    with pytest.raises(OrderRejected):
        await ports.trade(Side.SELL, "1", "c1", reduce_only=True)


async def test_reduce_only_closes_no_more_than_the_position(ports: Ports) -> None:
    await ports.trade(Side.BUY, "1", "c1")
    report = await ports.trade(Side.SELL, "3", "c2", reduce_only=True)
    assert report.filled_quantity == 1
    assert report.state in (OrderState.FILLED, OrderState.CANCELLED)
    assert await ports.account.positions() == {}


@pytest.mark.parametrize(("symbol", "quantity"), [("NOPE", "1"), ("SOL", "1.05")])
async def test_order_that_cannot_be_written_is_not_sent(ports: Ports, symbol: str, quantity: str) -> None:
    with pytest.raises(OrderNotSent):
        await ports.trade(Side.BUY, quantity, "c1", symbol=symbol)
    assert await ports.kept.order_count() == 0


@ON_A_VENUE
async def test_hedge_mode_is_seen_and_left_by_the_preflight(ports: Ports) -> None:
    if ports.ledger.protocol == "hyperliquid":
        pytest.skip("Hyperliquid has no hedge mode")
    ports.ledger.set_hedged(True)
    assert await ports.account.position_mode("SOL") is PositionMode.HEDGE
    with pytest.raises(OrderRejected):
        await ports.trade(Side.BUY, "1", "c1")
    await ports.account.prepare("SOL", 5)
    assert await ports.account.position_mode("SOL") is PositionMode.ONE_WAY
    assert ports.ledger.leverage("SOL") == 5


@ON_A_VENUE
async def test_preparing_twice_changes_nothing(ports: Ports) -> None:
    await ports.account.prepare("SOL", 7)
    await ports.account.prepare("SOL", 7)
    assert ports.ledger.leverage("SOL") == 7


async def test_the_leverage_in_force_is_the_one_that_was_prepared_last(ports: Ports) -> None:
    for wanted in (7, 3):
        await ports.account.prepare("SOL", wanted)
        assert await ports.account.leverage("SOL") == wanted


@ON_A_VENUE
async def test_leverage_above_the_maximum_is_refused(ports: Ports) -> None:
    with pytest.raises(VenueRefused):
        await ports.account.prepare("SOL", 51)


async def test_positions_are_signed(ports: Ports) -> None:
    await ports.trade(Side.SELL, "2", "c1")
    await ports.trade(Side.BUY, "0.5", "c2", symbol="ETH")
    positions = await ports.account.positions()
    assert {symbol: position.quantity for symbol, position in positions.items()} == {
        "SOL": -2,
        "ETH": Decimal("0.5"),
    }
    assert positions["SOL"].entry_price == Decimal("199.98")
    assert list(await ports.account.positions(["ETH"])) == ["ETH"]


async def test_balance_is_the_ledgers(ports: Ports) -> None:
    await ports.trade(Side.BUY, "10", "c1")
    balance = await ports.account.balance()
    total, free = await ports.kept.usdt()
    assert balance.total_usdt == total
    assert abs(balance.free_usdt - free) < Decimal("0.00000001")


async def test_fills_are_the_ledgers_oldest_first(ports: Ports) -> None:
    await ports.trade(Side.BUY, "60", "c1")
    ports.clock.moment += timedelta(minutes=1)
    await ports.trade(Side.SELL, "60", "c2", reduce_only=True)
    fills = await ports.account.fills("SOL", NOON)
    shown = [(f.fill_id, f.price, f.quantity, f.fee_usdt, f.traded_at) for f in fills]
    assert shown == list(await ports.kept.fills())
    later = await ports.account.fills("SOL", ports.clock.moment)
    assert {fill.side for fill in later} == {Side.SELL}


async def test_fills_of_many_pages_and_weeks_are_all_there(ports: Ports) -> None:
    await ports.kept.set_balance(Decimal(1_000_000))
    for number in range(60):
        await ports.trade(Side.BUY, "90", f"b{number}")
        await ports.trade(Side.SELL, "90", f"c{number}", reduce_only=True)
        ports.clock.moment += timedelta(hours=6)
    fills = await ports.account.fills("SOL", NOON)
    assert len(fills) == 240
    assert [fill.fill_id for fill in fills] == [fill_id for fill_id, *_ in await ports.kept.fills()]


async def test_funding_payments_are_the_ledgers_and_signed_by_what_was_received(ports: Ports) -> None:
    await ports.trade(Side.SELL, "10", "c1")
    ports.clock.moment = SETTLEMENT + timedelta(minutes=1)
    (payment,) = await ports.account.funding_payments("SOL", NOON)
    assert payment.amount_usdt == Decimal("0.2")
    assert payment.settled_at == SETTLEMENT
    assert [payment.payment_id] == list(await ports.kept.payment_ids())


async def test_cancel_of_an_order_that_is_final_is_no_error(ports: Ports) -> None:
    await ports.trade(Side.BUY, "1", "c1")
    await ports.desk.cancel("SOL", "c1")
    report = await ports.account.order("SOL", "c1")
    assert report is not None
    assert report.state is OrderState.FILLED


async def test_errors_are_those_of_the_ports(ports: Ports) -> None:
    with pytest.raises(VenueError):
        await ports.account.order("NOPE", "c1")
