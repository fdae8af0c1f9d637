"""What several processes know together of the venues' limits, over a real NATS."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from common.messaging.bus import Bus
from common.messaging.venue_limits import BUCKET
from common.runtime.clock import SystemClock
from common.runtime.service import end
from common.venues.addresses import VenueAddress
from common.venues.ccxt.bans import BudgetSpent, VenueBan
from common.venues.ccxt.limits import VenueGate, VenueLimits
from common.venues.ccxt.request_limits import ADDRESS, Budget, RequestLimits
from common.venues.shared_limits import NothingShared
from common.venues.urgency import urgently
from local_stack.ports import Ports
from local_stack.stack import LocalStack, StackPlan
from support.embedded_stack import quiet_screen

VENUE = VenueAddress("binance", "binance", None)
URL = "https://venue/depth"
SPAN_SECONDS = 10**10
"""From 1970 on: no test sees a second span, whenever it runs."""
LIMITS = RequestLimits({ADDRESS: Budget(200, SPAN_SECONDS, SPAN_SECONDS, reserve_percent=20)}, ((r".", {ADDRESS: 1}),))
"""100 units a span, 20 of them in reserve."""
PATIENCE_SECONDS = 20.0


class Process:
    """The venue limits of one process, on a connection of its own."""

    def __init__(self, bus: Bus, limits: VenueLimits) -> None:
        self.bus, self.limits = bus, limits

    @property
    def gate(self) -> VenueGate:
        return self.limits.gate(VENUE)

    async def ask(self, *, is_order: bool = False) -> None:
        await self.gate.admit("GET", URL, None, is_order=is_order)

    async def ask_until_refused(self, times_max: int = 200) -> int:
        """How often it may ask. Who is refused while something is left had its share too late, and has it then."""
        asked, refused = 0, 0
        while asked < times_max and refused < 2:
            try:
                await self.ask()
                asked, refused = asked + 1, 0
            except BudgetSpent:
                refused += not self.gate.budgets[ADDRESS].may_get_more
        return asked

    @property
    def bans(self) -> bool:
        return self.gate.bans.banned_until() is not None


@asynccontextmanager
async def process(nats_url: str, *, trades: bool = False) -> AsyncIterator[Process]:
    bus = await Bus.connect(nats_url, "test")
    limits = VenueLimits(SystemClock(), bus.venue_limits(), trades=trades, limited=lambda _: LIMITS)
    running = asyncio.create_task(limits.run())
    try:
        yield Process(bus, limits)
    finally:
        await end([running])
        await bus.close()
    with pytest.raises(asyncio.CancelledError):
        running.result()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine's bus is not away, and a share that comes late comes all the same."""
    monkeypatch.setattr("common.messaging.venue_limits.ANSWER_SECONDS_MAX", PATIENCE_SECONDS)
    monkeypatch.setattr("common.venues.ccxt.limits.SLOWED_SECONDS_MAX", 1.0)
    monkeypatch.setattr("common.venues.ccxt.limits.URGENT_SLOWED_SECONDS_MAX", PATIENCE_SECONDS)


async def test_two_processes_share_one_budget_and_closing_keeps_its_reserve(
    nats_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with process(nats_url, trades=True) as executor, process(nats_url) as scanner:
        counts = await asyncio.gather(executor.ask_until_refused(), scanner.ask_until_refused())
        assert sum(counts) == 80
        assert min(counts) > 0
        with urgently():
            for _ in range(10):
                await executor.ask(is_order=True)
            for _ in range(10):
                await executor.ask()
            monkeypatch.setattr("common.venues.ccxt.limits.URGENT_SLOWED_SECONDS_MAX", 0.3)
            with pytest.raises(BudgetSpent):
                await executor.ask()
            with pytest.raises(BudgetSpent):
                await scanner.ask()
        assert executor.limits.standings()["binance"]["budgets"][ADDRESS]["left"] == 0


async def test_a_ban_that_one_process_meets_is_kept_by_the_others_before_the_next_round(
    nats_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("common.venues.ccxt.limits.ROUND_SECONDS", 3 * PATIENCE_SECONDS)
    async with process(nats_url) as first, process(nats_url) as second:
        await asyncio.gather(first.ask(), second.ask())
        for seconds in (20, 40, 60):
            before = second.gate.bans.banned_until() or 0
            first.gate.ban(418, {"Retry-After": str(seconds)}, "", None)
            await until(lambda before=before: (second.gate.bans.banned_until() or 0) > before + 10)  # type: ignore[misc]
        with pytest.raises(VenueBan, match="not asked"):
            await second.ask()
        async with process(nats_url) as third:
            await until(lambda: third.bans)


async def test_a_process_that_starts_knows_what_is_banned_before_it_asks_anything(nats_url: str) -> None:
    async with process(nats_url) as first:
        first.gate.ban(418, {"Retry-After": "600"}, "", None)
        async with process(nats_url) as second:
            await until(lambda: second.bans)
    unbanned = VenueAddress("unbanned", "gate", None)  # the figures of other tests have other names
    bus = await Bus.connect(nats_url, "test")
    try:
        limits = VenueLimits(SystemClock(), bus.venue_limits(), limited=lambda _: LIMITS)
        await limits.hear_bans([VENUE.name, unbanned.name])
        with pytest.raises(VenueBan, match="not asked"):
            await limits.gate(VENUE).admit("GET", URL, None, is_order=False)
        assert limits.gate(unbanned).bans.banned_until() is None
        assert REGISTRY.get_sample_value("tandem_venue_banned_until_timestamp_seconds", {"venue": unbanned.name}) == 0
    finally:
        await bus.close()


async def test_a_process_that_nobody_can_tell_of_bans_starts_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("common.venues.ccxt.limits.BANS_AT_START_SECONDS_MAX", 0.3)
    limits = VenueLimits(SystemClock(), NothingShared(), limited=lambda _: LIMITS)
    await limits.hear_bans([VENUE.name])
    assert limits.gate(VENUE).bans.banned_until() is None


async def test_a_shorter_ban_does_not_replace_a_longer_one(nats_url: str) -> None:
    async with process(nats_url) as first:
        first.gate.ban(418, {"Retry-After": "600"}, "", None)
        async with process(nats_url) as second:
            second.gate.ban(429, {"Retry-After": "1"}, "", None)
            await until(lambda: (second.gate.bans.banned_until() or 0) > time.time() + 500)


async def test_without_nats_a_process_goes_on_with_its_share_and_its_bans(tmp_path: Path) -> None:
    plan = StackPlan(postgres=False, ports=Ports.ephemeral(), var=tmp_path)
    async with LocalStack(plan, quiet_screen()) as stack:
        executor = process(stack.nats_url, trades=True)
        entered = await executor.__aenter__()
        other = VenueAddress("okx", "okx", None)
        await entered.ask()
        await until(lambda: entered.gate.budgets[ADDRESS].left_shared < 80)
    try:
        await until(lambda: not entered.bus.is_connected)
        with urgently():
            async with asyncio.timeout(PATIENCE_SECONDS / 2):  # an order waits for nobody
                for _ in range(10):
                    await entered.ask(is_order=True)
        entered.limits.gate(other).ban(429, {"Retry-After": "30"}, "", None)
        with pytest.raises(VenueBan):
            await entered.limits.gate(other).admit("GET", URL, None, is_order=False)
        assert await entered.ask_until_refused(30) < 20, "its last share, not everything"
    finally:
        await executor.__aexit__(None, None, None)


async def test_a_bucket_that_was_lost_is_made_anew_and_told_what_is_known(
    nats_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("common.venues.ccxt.limits.BAN_REPEATED_SECONDS", 0.1)
    async with process(nats_url) as first:
        first.gate.ban(418, {"Retry-After": "600"}, "", None)
        async with process(nats_url) as second:
            await until(lambda: second.bans)
        await first.bus._jetstream.delete_stream(f"KV_{BUCKET}")
        async with process(nats_url) as third:
            await until(lambda: third.bans)
