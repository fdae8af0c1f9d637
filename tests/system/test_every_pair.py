"""The rescue by scale-in on each of the fifteen pairs of six venues, all at the same time on one stack.

Afterwards the stack is given trouble, and everything that it shows and stores is searched for its secrets.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest
import pytest_asyncio

from common.runtime.access import Role, new_token
from local_stack.ports import Ports
from local_stack.reconciliation import VenueLedger, differences
from local_stack.services import SERVICES
from local_stack.stack import LocalStack, StackPlan
from local_stack.trades import Trade
from support.embedded_stack import quiet_screen
from support.every_pair import MARKETS, SETTLES_AT, write_scenario
from support.leaks import leaks
from support.otlp_collector import Collector, otlp_collector
from support.rescue import ENTRY_GAPS, NO_GAP, Market, begin, entered, finalised, open_trade, show_gap, unlike_a_rescue
from support.running_stack import RunningStack, eventually
from support.shown import shown

SPEED = 15.0
PAST_MINUTES = 300
OPENING_AT_A_TIME = 3
"""An order is sent within a second of its intent or never: a busy machine does not send thirty of them that fast."""


EVENTS = "/api/live_trading/events"
WIDER_THAN_EVER = Decimal("0.05")
"""A gap that promises a profit also to who has seen those of the rescue."""
TOKEN, _ = new_token("ada", Role.OPERATE)


@dataclass(frozen=True)
class Played:
    """The stack after all rescues, Tandem's account of each pair's, and the venues' own ledgers of all."""

    running: RunningStack
    trades: dict[Market, Trade]
    ledgers: list[VenueLedger]
    collector: Collector


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def played(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Played]:
    folder = tmp_path_factory.mktemp("every-pair")
    with otlp_collector() as collector:
        plan = StackPlan(
            scenario_path=write_scenario(folder / "scenario.json", SPEED),
            services=SERVICES,
            settings={"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint},
            ports=Ports.ephemeral(),
            var=folder,
        )
        async with LocalStack(plan, quiet_screen()) as stack, httpx.AsyncClient(trust_env=False, timeout=60) as http:
            running = RunningStack(stack, http)
            trades = await stack.guard(rescued(running))
            yield Played(running, trades, await running.ledgers(), collector)


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


@pytest.mark.timeout(300)
@pytest.mark.parametrize("market", MARKETS, ids=str)
async def test_a_pair_is_rescued_once_and_pays_what_its_venues_say(market: Market, played: Played) -> None:
    trade = played.trades[market]
    assert unlike_a_rescue(trade) == []
    assert (trade.signal.long_venue, trade.signal.short_venue) == (market.cheap, market.dear)
    assert trade.signal.opened_at is not None
    if trade.signal.opened_at < SETTLES_AT:
        assert {payment.venue for payment in trade.funding} == {market.cheap, market.dear}


@pytest.mark.timeout(300)
async def test_the_books_are_the_venues_own_to_the_last_digit(played: Played) -> None:
    assert differences(list(played.trades.values()), played.ledgers) == []
    assert len(played.ledgers) == 6
    assert {len(ledger.fills) for ledger in played.ledgers if len(ledger.fills) < 20} == set()


@pytest.mark.timeout(300)
async def test_no_secret_is_shown_anywhere(played: Played) -> None:
    """After trades on every venue, accounts that fail, refused orders and sign-ins, a ban, and a database that left."""
    running, stack = played.running, played.running.stack
    await stack.guard(troubled(running))
    urls = {service: stack.service_url(service) for service in SERVICES}
    places = await shown(running.http, urls, stack.run.logs, stack.owner_dsn, stack.nats_url)
    places.append(("traces", "\n".join(map(repr, played.collector.spans))))
    # What is searched is really there.
    kinds = {"executor.log", "executor /audit", "table watchlist.audit", "stream NEWS", "traces"}
    assert kinds - {name for name, text in places if len(text) > 100} == set()
    assert len(leaks(places, {"a symbol": MARKETS[0].symbol})) >= 4
    assert leaks(places, secrets_of(stack)) == []


def secrets_of(stack: LocalStack) -> dict[str, str]:
    """By name. Of numbers that begin with `0x` the digits alone are looked for, which finds both ways to write them."""
    found = {"ada's token": TOKEN}
    for venue in stack.venues:
        parts = {"key": venue.key, "secret": venue.secret, "passphrase": venue.passphrase}
        found |= {f"{venue.name}'s {part}": secret.removeprefix("0x") for part, secret in parts.items()}
    dsns = {"the owner": stack.owner_dsn, **{service: stack.service_dsn(service) for service in SERVICES}}
    return found | {f"the password of {role}": urlsplit(dsn).password or "" for role, dsn in dsns.items()}


async def troubled(running: RunningStack) -> None:
    """Private requests fail at every venue in ways of their own, and so do people and the database."""
    await refused_orders(running)
    await refused_people(running)
    await arm(running, "binance", kind="ban", endpoint="any", for_seconds=2, status=429)
    await database_left(running)


async def refused_orders(running: RunningStack) -> None:
    """One opening at each venue: its account cannot be read, then its order is refused, on both legs alike."""
    venues = [venue.name for venue in running.stack.venues]
    for venue in venues:
        for kind in ("server_error", "malformed"):
            await arm(running, venue, kind=kind, endpoint="positions", times=1)
        await arm(running, venue, kind="nonce", endpoint="order.create", times=1)
    for market in one_market_a_venue():
        await eventually("its event is over", partial(running.first, f"{EVENTS}?status=closed&symbol={market.symbol}"))
        await show_gap(running, WIDER_THAN_EVER, market)

    async def all_met() -> bool:
        states = [await running.http.get(f"{running.stack.venue(venue).url}/control/faults") for venue in venues]
        return not any(fault["live"] for state in states for fault in state.json()["faults"])

    await eventually("every fault has been met", all_met, within_seconds=60)
    for market in MARKETS:
        await show_gap(running, NO_GAP, market)


def one_market_a_venue() -> list[Market]:
    """Markets that have every venue once."""
    found: list[Market] = []
    for market in MARKETS:
        taken = {venue for one in found for venue in (one.cheap, one.dear)}
        if not {market.cheap, market.dear} & taken:
            found.append(market)
    return found


async def arm(running: RunningStack, venue: str, **fault: object) -> None:
    answer = await running.http.post(f"{running.stack.venue(venue).url}/control/faults", json=fault)
    assert answer.is_success, answer.text


async def refused_people(running: RunningStack) -> None:
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    for service in SERVICES:
        for path, status in (("/settings", 200), ("/nowhere", 404)):
            answer = await running.http.get(running.stack.service_url(service) + path, headers=bearer)
            assert answer.status_code == status, (service, answer.text)
    gateway = running.stack.service_url("api_gateway")
    refused = await running.http.post(f"{gateway}/api/session", json={"token": TOKEN})
    assert refused.status_code == 401, refused.text
    assert (await running.http.post(f"{gateway}/api/session", json={"token": [TOKEN]})).status_code == 422


async def database_left(running: RunningStack) -> None:
    """Ends every service's connections, and waits until all are well again."""
    connection = await asyncpg.connect(running.stack.owner_dsn)
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await connection.close()

    async def well() -> bool:
        try:
            return (await running.ask("api_gateway", "/api/health")).status_code == 200
        except httpx.HTTPError:
            return False

    await eventually("the services are well again", well)
