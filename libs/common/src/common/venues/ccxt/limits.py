"""What a process may ask of the venues: nothing while a venue bans, and no more than its share of what it allows.

Sending never waits for the bus. A keeper leases shares ahead and tells of bans; whoever finds nothing left waits for
it a moment, but an order is sent or refused at once. Without the bus a process goes on with its last share, and with
every ban that it knows.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import structlog

from common.runtime.clock import Clock
from common.runtime.metrics import BudgetMeasures, VenueMeasures
from common.venues.addresses import VenueAddress
from common.venues.ccxt.bans import BanGate, BudgetSpent
from common.venues.ccxt.budgets import LocalBudget, Share, SharedBudget
from common.venues.ccxt.facts import facts_of
from common.venues.ccxt.message_limits import SentMessages
from common.venues.ccxt.request_limits import REQUEST_LIMITS, Budget, Cost, RequestLimits
from common.venues.shared_limits import NothingShared, SharedLimits, SharingAway
from common.venues.urgency import is_urgent

log = structlog.get_logger(__name__)

ROUND_SECONDS = 0.2
SLOWED_SECONDS_MAX = 1.0
"""How long a request waits for its share before it is refused."""
URGENT_SLOWED_SECONDS_MAX = 0.25
BAN_REPEATED_SECONDS = 5.0
"""A ban that holds is told again now and then: the bus may have lost it."""
BANS_AT_START_SECONDS_MAX = 5.0
"""How long a process that starts, and has found the bus, waits to be told of bans; what is open must be closed."""
BAN_KEYS, BUDGET_KEYS = "ban", "budget"


def limits_of(address: VenueAddress) -> RequestLimits | None:
    """The documented limits; None for a server that stands in, which has none of its own."""
    return REQUEST_LIMITS[address.protocol] if address.url is None else None


class VenueGate:
    """The one way of this process to one venue."""

    def __init__(
        self, address: VenueAddress, limits: RequestLimits | None, clock: Clock, keeper: "_Keeper", *, trades: bool
    ) -> None:
        self.venue = address.name
        self.measures = VenueMeasures(address.name)
        self.bans = BanGate(clock, self.measures, facts_of(address).unsaid_seconds)
        self.budgets: dict[str, LocalBudget] = {}
        self._limits = limits
        self._clock = clock
        self._keeper = keeper
        self._refusals: dict[str, BudgetMeasures] = {}
        for name, budget in (limits.budgets if limits else {}).items():
            self._refusals[name] = BudgetMeasures(address.name, name)
            self.budgets[name] = LocalBudget(budget, clock, self._refusals[name], trades=trades)

    async def admit(self, method: str, url: str, body: str | None, *, is_order: bool) -> None:
        """Lets a request leave, and counts it; an order is never held up.

        Raises:
            VenueBan, BudgetSpent: it must not leave.
        """
        self.bans.check()
        if self._limits is None:
            return
        asked = urlsplit(url)
        cost = self._limits.cost_of(method, asked.path, body, asked.query)
        if not self._spend(cost):
            self._keeper.wake()
            if is_order or not await self._spend_soon(cost):
                raise self._spent(cost)
            self.bans.check()

    def connection(self) -> SentMessages:
        """Counts what a new connection for streams is sent."""
        return SentMessages(self._limits.messages if self._limits else None, self._clock)

    def ban(self, status: int, headers: Mapping[str, str], body: str, code: str | None) -> Exception:
        """The venue answered with a ban: see `BanGate.ban`. All processes are told."""
        ban = self.bans.ban(status, headers, body, code)
        self._keeper.tell_bans()
        return ban

    @property
    def has_room(self) -> bool:
        """Whether the venue bans nobody and half of what it allows now is left to whoever needs it."""
        budgets = self.budgets.values()
        return self.bans.banned_until() is None and all(
            local.left_shared >= local.budget.ordinary_units / 2 for local in budgets
        )

    def standing(self) -> dict[str, Any]:
        """What health shows of the venue."""
        until = self.bans.banned_until()
        return {
            "banned_until": None if until is None else datetime.fromtimestamp(until, UTC).isoformat(),
            "budgets": {
                name: {
                    "units": local.budget.leased_units,
                    "reserve": local.budget.reserve_units,
                    "left": local.left_shared,
                    "seconds": local.budget.lease_seconds,
                }
                for name, local in self.budgets.items()
            },
        }

    def _spend(self, cost: Cost) -> bool:
        """Spends all of it or nothing."""
        urgent = is_urgent()
        # All are asked, so that each one knows what it lacks.
        if not all([self.budgets[name].may_spend(units, urgent=urgent) for name, units in cost.items()]):  # noqa: C419
            return False
        for name, units in cost.items():
            self.budgets[name].spend(units)
        return True

    async def _spend_soon(self, cost: Cost) -> bool:
        try:
            async with asyncio.timeout(URGENT_SLOWED_SECONDS_MAX if is_urgent() else SLOWED_SECONDS_MAX):
                while True:
                    await self._keeper.told()
                    if self._spend(cost):
                        return True
                    if all(self.budgets[name].may_get_more for name in cost):
                        self._keeper.wake()
        except TimeoutError:
            return False

    def _spent(self, cost: Cost) -> BudgetSpent:
        for name in cost:
            self._refusals[name].refused()
        until = max(self.budgets[name].span_ends_at() for name in cost)
        return BudgetSpent("not asked: what it allows for now is spent or kept for closing", until)


class _Keeper:
    """Wakes the one who leases and tells, and those who wait for what that brings."""

    def __init__(self) -> None:
        self.bans_are_news = False
        self._woken = asyncio.Event()
        self._told = asyncio.Event()

    def wake(self) -> None:
        self._woken.set()

    def tell_bans(self) -> None:
        self.bans_are_news = True
        self._woken.set()

    async def told(self) -> None:
        """Waits for the end of a round."""
        await self._told.wait()

    def tell(self) -> None:
        """A round is over."""
        self._told.set()
        self._told = asyncio.Event()

    async def rest(self) -> None:
        """Waits until woken, and for a moment at the most."""
        try:
            async with asyncio.timeout(ROUND_SECONDS):
                await self._woken.wait()
        except TimeoutError:
            pass
        self._woken.clear()


class VenueLimits:
    """The gates of one process. `trades`: it also holds a share of the reserves."""

    def __init__(
        self,
        clock: Clock,
        shared: SharedLimits | None = None,
        *,
        trades: bool = False,
        limited: Callable[[VenueAddress], RequestLimits | None] = limits_of,
    ) -> None:
        self._clock = clock
        self._shared: SharedLimits = shared or NothingShared()
        self._is_alone = shared is None
        self._trades = trades
        self._limited = limited
        self._gates: dict[str, VenueGate] = {}
        self._heard: dict[str, float] = {}
        self._keeper = _Keeper()
        self._bans_told_at = -BAN_REPEATED_SECONDS

    def gate(self, address: VenueAddress) -> VenueGate:
        """The gate of the venue; one for all that this process connects to it.

        Raises:
            SettingsError: this version does not speak the venue's protocol.
        """
        known = self._gates.get(address.name)
        if known is None:
            known = VenueGate(address, self._limited(address), self._clock, self._keeper, trades=self._trades)
            self._gates[address.name] = known
            if address.name in self._heard:
                known.bans.hear(self._heard[address.name])
            if self._is_alone:
                self._go_on_alone()
        return known

    def standings(self) -> dict[str, Any]:
        """What health shows, by venue: until when it bans, and what of its limits nobody has leased."""
        return {name: gate.standing() for name, gate in sorted(self._gates.items())}

    def has_room(self, venue: str) -> bool:
        """Whether what nobody depends on may be asked of the venue; see `VenueGate.has_room`."""
        gate = self._gates.get(venue)
        return gate is None or gate.has_room

    async def hear_bans(self, venues: Iterable[str]) -> None:
        """Hears which of the venues ban already; for before a process asks any of them anything.

        After `BANS_AT_START_SECONDS_MAX` in which nobody could be asked it is left to `run`.
        """
        if self._is_alone:
            return
        try:
            async with asyncio.timeout(BANS_AT_START_SECONDS_MAX):
                for venue in venues:
                    await self._hear_ban(f"{BAN_KEYS}.{venue}")
        except TimeoutError:
            log.warning("venue_limits.bans_not_heard_at_start")

    async def _hear_ban(self, key: str) -> None:
        def hear(stored: bytes | None) -> None:
            if stored is not None:
                self._hear(key, stored)

        while True:
            try:
                await self._shared.change(key, hear)
            except SharingAway:
                await asyncio.sleep(ROUND_SECONDS)
            else:
                return

    async def run(self) -> None:
        """Leases shares and hears and tells of bans, without end."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._shared.follow(BAN_KEYS, self._hear))
            group.create_task(self._keep())

    async def _keep(self) -> None:
        while True:
            try:
                await self._tell_bans()
                await self._lease()
            except SharingAway:
                self._go_on_alone()
            self._keeper.tell()
            await self._keeper.rest()

    def _go_on_alone(self) -> None:
        for gate in self._gates.values():
            for local in gate.budgets.values():
                local.go_on_alone()

    def _hear(self, key: str, text: bytes) -> None:
        venue, until = key.removeprefix(f"{BAN_KEYS}."), _seconds(text)
        self._heard[venue] = max(self._heard.get(venue, 0.0), until)
        if venue in self._gates:
            self._gates[venue].bans.hear(until)

    async def _tell_bans(self) -> None:
        now = self._clock.monotonic()
        if not self._keeper.bans_are_news and now - self._bans_told_at < BAN_REPEATED_SECONDS:
            return
        self._keeper.bans_are_news = False
        try:
            for gate in list(self._gates.values()):
                until = gate.bans.banned_until()
                if until is not None:
                    await self._shared.change(f"{BAN_KEYS}.{gate.venue}", _later(until))
        except SharingAway:
            self._keeper.bans_are_news = True
            raise
        self._bans_told_at = now

    async def _lease(self) -> None:
        for gate in list(self._gates.values()):
            for name, local in gate.budgets.items():
                for span, wanted in local.wanted():
                    lease = _Lease(local.budget, span, wanted)
                    await self._shared.change(f"{BUDGET_KEYS}.{gate.venue}.{name}", lease.change)
                    local.grant(span, lease.granted, lease.left)


class _Lease:
    """One lease out of the shared record; `granted` and `left` are those of the last time that it was tried."""

    def __init__(self, budget: Budget, span: int, wanted: Share) -> None:
        self.granted, self.left = Share(), 0
        self._budget, self._span, self._wanted = budget, span, wanted

    def change(self, stored: bytes | None) -> bytes | None:
        record, self.granted = SharedBudget.read(stored).lease(self._budget, self._span, self._wanted)
        self.left = record.left(self._budget, self._span)
        return None if self.granted == Share() else record.text()


def _seconds(text: bytes | None) -> float:
    try:
        return float(text or 0)
    except ValueError:
        return 0.0


def _later(until: float) -> Callable[[bytes | None], bytes | None]:
    """Writes an end of a ban where no later one is known; a second more or less is the same."""
    return lambda stored: None if _seconds(stored) >= until - 1 else f"{until:.3f}".encode()
