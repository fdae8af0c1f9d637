"""An operator closes a trade by hand: the wish is recorded and sent, and its outcome is waited for.

The gateway sends no order. The request and its audit commit together; from then on the executor closes the trade,
whether anybody waits for it or not.
"""

import asyncio

from pydantic import BaseModel, ConfigDict, Field

from api_gateway.application.ports import CloseDesk, LedgerAway, Operator, TradeStatus
from api_gateway.domain.closing import CLOSED, may_be_closed
from common.runtime.clock import Clock

POLL_SECONDS = 0.1


class UnknownTrade(Exception):
    """There is no such signal."""


class NotClosable(Exception):
    """The trade is in a state that cannot be closed."""

    def __init__(self, trade: TradeStatus) -> None:
        super().__init__(f"signal {trade.signal_id} is {trade.status}")
        self.trade = trade


class ForceClose(BaseModel):
    """What became of the request within the time that the operator waited, in real seconds.

    `told` says in a sentence what is known, `see` where to look later.
    """

    model_config = ConfigDict(frozen=True)

    request_id: str
    trade: TradeStatus
    waited_seconds: float
    told: str = Field(examples=["trade 7 is closed: both venues report flat"])
    see: str

    @property
    def is_done(self) -> bool:
        """The trade is closed."""
        return self.trade.status == CLOSED


async def force_close(
    desk: CloseDesk, clock: Clock, signal_id: int, operator: Operator, why: str, wait_seconds: float
) -> ForceClose:
    """Asks for the close and waits up to `wait_seconds` (real) for the trade to be closed.

    Raises:
        UnknownTrade: there is no such signal.
        NotClosable: it is neither open nor closing.
        LedgerAway: the request could not be committed.
    """
    trade = await desk.status(signal_id)
    if trade is None:
        raise UnknownTrade(signal_id)
    if not may_be_closed(trade.status):
        raise NotClosable(trade)
    request_id = await desk.request(trade, operator, why)
    started = clock.monotonic()
    while True:
        trade = await _status_now(desk, trade)
        waited = clock.monotonic() - started
        if trade.status == CLOSED or waited >= wait_seconds:
            return ForceClose(
                request_id=request_id,
                trade=trade,
                waited_seconds=round(waited, 3),
                told=_told(trade),
                see=f"/api/live_trading/signals/{signal_id}",
            )
        await asyncio.sleep(min(POLL_SECONDS, wait_seconds - waited))


def _told(trade: TradeStatus) -> str:
    if trade.status == CLOSED:
        return f"trade {trade.signal_id} is closed: both venues report flat"
    if trade.status == "closing":
        return f"the executor is closing trade {trade.signal_id}, and goes on until both venues report flat"
    return f"trade {trade.signal_id} is still {trade.status}: the executor has not taken the request up yet"


async def _status_now(desk: CloseDesk, last_known: TradeStatus) -> TradeStatus:
    """The request is committed: a database that is away for a moment does not undo it."""
    try:
        return await desk.status(last_known.signal_id) or last_known
    except LedgerAway:
        return last_known
