"""What the accounts can bear just before an entry: margin, positions, position mode.

A reading may serve for a second, so that the opening path does not wait for it; whatever this process sends makes the
readings of that venue void at once. Margin mode and leverage are set, and the position mode read, once a symbol.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import structlog

from common.runtime.clock import Clock
from common.venues.errors import VenueError
from common.venues.ports import PositionMode, VenuePosition
from executor.application.ports import Venues

log = structlog.get_logger(__name__)

READING_AGE_MAX_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Standing:
    """One venue's account towards one symbol: free margin in USDT, signed position in base units.

    `asked_at` is strategy time: whatever happened at the venue before it is in `held`.
    """

    free_usdt: Decimal
    is_one_way: bool
    held: Decimal
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class _Reading:
    free_usdt: Decimal
    positions: Mapping[str, VenuePosition]
    asked_at: datetime
    asked_at_seconds: float


class AccountStandings:
    """The accounts of all venues."""

    def __init__(self, venues: Venues, leverage: int, clock: Clock) -> None:
        self._venues = venues
        self._leverage = leverage
        self._clock = clock
        self._modes: dict[tuple[str, str], PositionMode] = {}
        self._readings: dict[str, asyncio.Future[_Reading]] = {}

    async def of(self, venue: str, symbol: str, *, touch: bool = True) -> Standing:
        """How the account stands, not more than a second old; without `touch` none of its settings are made.

        Raises:
            VenueError: the venue does not answer, or refuses the leverage or the mode.
        """
        reading = await self._reading(venue)
        position = reading.positions.get(symbol)
        held = position.quantity if position else Decimal(0)
        mode = await self._mode(venue, symbol, touch=touch and held == 0)
        return Standing(reading.free_usdt, mode is PositionMode.ONE_WAY, held, reading.asked_at)

    async def renew(self, venue: str) -> None:
        """Forgets what was read before an order was sent, and reads anew for whoever comes next."""
        self._readings.pop(venue, None)
        try:
            await self._reading(venue)
        except VenueError as error:
            log.warning("standing.unknown", venue=venue, error=str(error))

    def forget(self, venue: str) -> None:
        """Makes the readings of a venue void."""
        self._readings.pop(venue, None)

    async def _mode(self, venue: str, symbol: str, *, touch: bool) -> PositionMode:
        """Without `touch` nothing is set: a position of somebody else keeps its leverage and its mode."""
        if (venue, symbol) in self._modes:
            return self._modes[venue, symbol]
        account = self._venues[venue].account
        if not touch:
            return await account.position_mode(symbol)
        await account.prepare(symbol, self._leverage)
        self._modes[venue, symbol] = await account.position_mode(symbol)
        return self._modes[venue, symbol]

    async def _reading(self, venue: str) -> _Reading:
        """One request serves everybody who asks while it is young; one that failed serves nobody."""
        found = self._readings.get(venue)
        if found is None or not self._is_young(found):
            found = asyncio.ensure_future(self._read(venue))
            self._readings[venue] = found
        return await asyncio.shield(found)

    def _is_young(self, found: asyncio.Future[_Reading]) -> bool:
        if not found.done():
            return True
        if found.cancelled() or found.exception() is not None:
            return False
        return self._clock.monotonic() - found.result().asked_at_seconds <= READING_AGE_MAX_SECONDS

    async def _read(self, venue: str) -> _Reading:
        asked_at, asked_at_seconds = self._clock.now(), self._clock.monotonic()
        account = self._venues[venue].account
        balance, positions = await asyncio.gather(account.balance(), account.positions())
        return _Reading(balance.free_usdt, positions, asked_at, asked_at_seconds)
