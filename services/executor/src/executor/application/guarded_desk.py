"""The last line before a venue: an order that the trading state does not allow is not sent."""

from common.domain.identifiers import Purpose
from common.venues.errors import OrderNotSent
from common.venues.ports import OrderDesk, OrderIntent, OrderReport
from executor.application.ports import TradingStates
from executor.domain.trading_state import Authority, may_send


class GuardedDesk:
    """Sends on one venue what the trading state allows at this moment."""

    def __init__(self, desk: OrderDesk, states: TradingStates) -> None:
        self._desk = desk
        self._states = states
        self.venue = desk.venue

    async def send(self, intent: OrderIntent, purpose: Purpose, authority: Authority) -> OrderReport:
        """See `OrderDesk.send`; raises OrderNotSent where the state forbids it, or is not known."""
        state = await self._states.current()
        if not may_send(state, purpose, authority):
            raise OrderNotSent(self.venue, f"trading is {state}: {purpose} for the {authority} is not allowed")
        return await self._desk.send(intent)

    async def cancel(self, symbol: str, client_order_id: str) -> None:
        """See `OrderDesk.cancel`: always allowed."""
        await self._desk.cancel(symbol, client_order_id)
