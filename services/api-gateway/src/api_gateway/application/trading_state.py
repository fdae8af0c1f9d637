"""An operator moves trading between active, reducing and halted: recorded, sent to the executor, and waited for."""

import asyncio
from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field

from api_gateway.application.ports import LedgerAway, Operator
from api_gateway.application.views import TradingState
from common.runtime.clock import Clock

POLL_SECONDS = 0.1
OVERVIEW = "/api/live_trading/overview"


class StateChange(BaseModel):
    """What became of the wish within the time that the operator waited, in real seconds.

    `trading_state` is None while nobody knows it; `told` says in a sentence what is known, `see` where to look later.
    """

    model_config = ConfigDict(frozen=True)

    request_id: str = Field(examples=["trading-state-operator-1"])
    wanted: str = Field(examples=["active"])
    trading_state: TradingState | None
    waited_seconds: float
    told: str = Field(examples=["trading is active"])
    see: str = OVERVIEW

    @property
    def is_done(self) -> bool:
        """Trading is in the wanted state."""
        return self.trading_state is not None and self.trading_state.state == self.wanted


class StateDesk(Protocol):
    """Asks the executor, which owns the trading state, for a change."""

    async def current(self) -> TradingState:
        """Raises LedgerAway."""
        ...

    async def request(self, state: str, operator: Operator, why: str) -> str:
        """Commits the wish and its audit together, and returns its id; raises LedgerAway."""
        ...


async def change_trading_state(
    desk: StateDesk, clock: Clock, state: str, operator: Operator, why: str, wait_seconds: float
) -> StateChange:
    """Asks for the state and waits up to `wait_seconds` (real) for it.

    Raises:
        LedgerAway: the wish could not be committed.
    """
    request_id = await desk.request(state, operator, why)
    started = clock.monotonic()
    while True:
        stored = await _state_now(desk)
        waited = round(clock.monotonic() - started, 3)
        change = StateChange(
            request_id=request_id,
            wanted=state,
            trading_state=stored,
            waited_seconds=waited,
            told=_told(state, stored),
        )
        if change.is_done or waited >= wait_seconds:
            return change
        await asyncio.sleep(min(POLL_SECONDS, wait_seconds - waited))


def _told(wanted: str, stored: TradingState | None) -> str:
    if stored is None:
        return "the wish is recorded; the database does not answer now, so the trading state is not known"
    if stored.state == wanted:
        return f"trading is {wanted}"
    return f"trading is still {stored.state}: the executor has not acted on the wish yet, and will when it can"


async def _state_now(desk: StateDesk) -> TradingState | None:
    """The wish is committed: a database that is away for a moment does not undo it."""
    try:
        return await desk.current()
    except LedgerAway:
        return None
