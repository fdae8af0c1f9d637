"""The last line before a venue: what the trading state does not allow is not sent, nor is an intent that grew old."""

from dataclasses import replace

from common.domain.identifiers import Purpose
from common.runtime.clock import Clock
from common.venues.errors import OrderNotSent
from common.venues.ports import OrderDesk, OrderIntent, OrderReport
from executor.application.ports import TradingStates
from executor.domain.trading_state import Authority, may_send


class GuardedDesk:
    """Sends on one venue what may be sent at this moment."""

    def __init__(self, desk: OrderDesk, states: TradingStates, clock: Clock) -> None:
        self._desk = desk
        self._states = states
        self._clock = clock
        self.venue = desk.venue

    async def send(
        self, intent: OrderIntent, purpose: Purpose, authority: Authority, not_after_seconds: float
    ) -> OrderReport:
        """See `OrderDesk.send`; raises OrderNotSent where the state forbids it, is not known, or the time is over.

        `not_after_seconds` is monotonic; it is looked at last, with nothing to wait for between it and the request.
        """
        state = await self._states.current()
        if not may_send(state, purpose, authority):
            raise OrderNotSent(self.venue, f"trading is {state}: {purpose} for the {authority} is not allowed")
        decided_at = self._clock.unix_seconds()
        late_by = self._clock.monotonic() - not_after_seconds
        if late_by > 0:
            raise OrderNotSent(self.venue, f"the intent became too old to be sent {late_by:.1f} s ago")
        return await self._desk.send(replace(intent, signed_at_seconds=decided_at))

    async def cancel(self, symbol: str, client_order_id: str) -> None:
        """See `OrderDesk.cancel`: always allowed."""
        await self._desk.cancel(symbol, client_order_id)
