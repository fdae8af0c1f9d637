"""Public market data by venue, connected when it is first asked for.

A trade may sit on a venue that is no longer allowed for new ones: it is still watched. A replayed clock, though,
meets simulated venues only.
"""

from collections.abc import Callable, Mapping

import structlog

from common.runtime.clock import Clock, ReplayClock
from common.runtime.settings import SettingsError
from common.venues.addresses import VenueAddress
from common.venues.ports import MarketData

log = structlog.get_logger(__name__)

Connect = Callable[[VenueAddress, Clock], MarketData]


class VenueDirectory:
    """The venues that the environment names, and the well-known ones at their own addresses."""

    def __init__(self, addresses: Mapping[str, VenueAddress], connect: Connect, clock: Clock) -> None:
        self._addresses = addresses
        self._connect = connect
        self._clock = clock
        self._markets: dict[str, MarketData | None] = {}

    def market(self, venue: str) -> MarketData | None:
        """See `Venues.market`."""
        if venue not in self._markets:
            self._markets[venue] = self._connected(venue)
        return self._markets[venue]

    def _connected(self, venue: str) -> MarketData | None:
        address = self._addresses.get(venue)
        if address is None or (isinstance(self._clock, ReplayClock) and address.url is None):
            log.error("venues.not_configured", venue=venue)
            return None
        try:
            return self._connect(address, self._clock)
        except SettingsError as error:
            log.error("venues.not_spoken", venue=venue, error=str(error))  # noqa: TRY400  # the sentence says it all
            return None

    async def close(self) -> None:
        """Closes every connection."""
        for market in self._markets.values():
            if market is not None:
                await market.close()
