"""Watches the rails and moves trading from active to reducing when one is hit. Only an operator moves it back."""

import structlog

from common.runtime.clock import Clock
from common.venues.errors import VenueError
from executor.application.ports import RailFigures, TradingStates, Venues
from executor.domain.rails import Rails, Standing, rail_hit
from executor.domain.trading_state import TradingState

log = structlog.get_logger(__name__)


class Guardian:
    """Looks at the rails."""

    def __init__(self, venues: Venues, states: TradingStates, figures: RailFigures, rails: Rails, clock: Clock) -> None:
        self._venues = venues
        self._states = states
        self._figures = figures
        self._rails = rails
        self._clock = clock

    async def sweep(self) -> None:
        """One look. Where trading is not active there is nothing to move."""
        if await self._states.current() is not TradingState.ACTIVE:
            return
        offsets = {name: await self._offset(name) for name in self._venues}
        day, unwinds = await self._figures.read(self._clock.now())
        hit = rail_hit(Standing(day, unwinds, offsets), self._rails)
        if hit is not None:
            log.error("rail.hit", reason=hit.reason, **hit.evidence)
            # An operator may have halted while the venues were asked: reducing would give back what that takes.
            await self._states.change(
                TradingState.REDUCING, hit.reason, "executor", hit.evidence, only_from=TradingState.ACTIVE
            )

    async def _offset(self, venue: str) -> float | None:
        try:
            return await self._venues[venue].market.server_time_offset_seconds()
        except VenueError as error:
            log.warning("clock_offset.unknown", venue=venue, error=str(error))
            return None
