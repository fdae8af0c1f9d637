"""Which trades this executor can work on: executors beside it may know more venues, and hold trades there."""

import structlog

from executor.application.ports import Alarms, TradeBusyError, Venues
from executor.domain.records import Trade

log = structlog.get_logger(__name__)


class Reach:
    """Trades on venues that this executor does not know are left alone, and told of once."""

    def __init__(self, venues: Venues, alarms: Alarms) -> None:
        self._venues = venues
        self._alarms = alarms
        self._left_alone: set[int] = set()

    def leaves_alone(self, signal_id: int) -> bool:
        """Whether the trade was found to be out of reach; a trade never changes its venues."""
        return signal_id in self._left_alone

    def check(self, signal_id: int) -> None:
        """Raises TradeBusyError where the trade was found to be out of reach: its messages go back to the bus."""
        if self.leaves_alone(signal_id):
            raise TradeBusyError(f"trade {signal_id} is on a venue that this executor does not know")

    async def require(self, trade: Trade) -> None:
        """Raises TradeBusyError where a venue of a trade is not known."""
        await self.covers(trade)
        self.check(trade.id)

    async def covers(self, trade: Trade) -> bool:
        """Whether both venues of a trade are known."""
        unknown = [venue for venue in (trade.long_venue, trade.short_venue) if venue not in self._venues]
        if unknown and trade.id not in self._left_alone:
            await self._tell(trade, unknown)
            self._left_alone.add(trade.id)
        return not unknown

    async def _tell(self, trade: Trade, unknown: list[str]) -> None:
        message = (
            f"the {trade.symbol} trade is on {' and '.join(unknown)}, which this executor does not know: it leaves the "
            "trade alone; unless another one knows its venues, nobody closes it"
        )
        log.warning("trade.left_alone", signal_id=trade.id, status=trade.status, unknown_venues=unknown)
        detail = {"unknown_venues": unknown, "known_venues": sorted(self._venues), "status": trade.status}
        await self._alarms.sound("trade_left_alone", message, detail, trade.id)
