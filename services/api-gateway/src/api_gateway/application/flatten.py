"""An operator wants a venue to hold nothing of a symbol: recorded, sent to the executor, and waited for."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from api_gateway.application.ports import LedgerAway, Operator
from api_gateway.application.views import Amount, View
from common.runtime.clock import Clock

POLL_SECONDS = 0.1

State = Literal["asked", "working", "flat", "not_flat", "refused"]


class FlattenFill(View):
    """`operator_flatten_fill`: an execution against what no trade held. `fee_usdt` is null while unknown."""

    client_order_id: str
    fill_id: str
    side: Literal["buy", "sell"]
    price: Amount
    quantity: Amount
    fee_usdt: Amount | None
    traded_at: datetime


class FlattenStatus(BaseModel):
    """How far it has come, as the executor stored it; `asked` is before the executor took it up.

    `evidence` of an ended one has `venue_quantity`, which the venue said at `read_at`, and the orders that were sent
    against what no trade held; `fills` are theirs, and may come a moment later. What a trade held is in that trade.
    """

    model_config = ConfigDict(frozen=True)

    state: State = Field(examples=["flat"])
    evidence: dict[str, Any] = Field(examples=[{"venue_quantity": "0"}])
    updated_at: datetime | None
    fills: Sequence[FlattenFill] = ()


class Flattened(BaseModel):
    """What became of it within the time that the operator waited, in real seconds.

    `told` says in a sentence what is known, `see` where to look later.
    """

    model_config = ConfigDict(frozen=True)

    request_id: str = Field(examples=["flatten-binance-SOL-1"])
    venue: str
    symbol: str
    status: FlattenStatus
    waited_seconds: float
    told: str = Field(examples=["binance says that it holds 0 SOL"])
    see: str = Field(examples=["/api/live_trading/flattened/flatten-binance-SOL-1"])

    @property
    def is_over(self) -> bool:
        """The executor has ended it, well or not."""
        return self.status.state in ("flat", "not_flat", "refused")


class FlattenDesk(Protocol):
    """Asks the executor to flatten a position."""

    async def request(self, venue: str, symbol: str, operator: Operator, why: str, *, include_unowned: bool) -> str:
        """Commits the wish and its audit together, and returns its id; raises LedgerAway."""
        ...

    async def status(self, request_id: str) -> FlattenStatus:
        """Raises LedgerAway."""
        ...


async def flatten_position(
    desk: FlattenDesk,
    clock: Clock,
    venue: str,
    symbol: str,
    operator: Operator,
    why: str,
    wait_seconds: float,
    *,
    include_unowned: bool,
) -> Flattened:
    """Asks, and waits up to `wait_seconds` (real) for the executor to end it.

    Raises:
        LedgerAway: the wish could not be committed.
    """
    request_id = await desk.request(venue, symbol, operator, why, include_unowned=include_unowned)
    started = clock.monotonic()
    status = FlattenStatus(state="asked", evidence={}, updated_at=None)
    while True:
        status = await _status_now(desk, request_id, status)
        waited = clock.monotonic() - started
        told = Flattened(
            request_id=request_id,
            venue=venue,
            symbol=symbol,
            status=status,
            waited_seconds=round(waited, 3),
            told=_told(venue, symbol, status),
            see=f"/api/live_trading/flattened/{request_id}",
        )
        if told.is_over or waited >= wait_seconds:
            return told
        await asyncio.sleep(min(POLL_SECONDS, wait_seconds - waited))


async def _status_now(desk: FlattenDesk, request_id: str, last_known: FlattenStatus) -> FlattenStatus:
    """The wish is committed: a database that is away for a moment does not undo it."""
    try:
        return await desk.status(request_id)
    except LedgerAway:
        return last_known


def _told(venue: str, symbol: str, status: FlattenStatus) -> str:
    evidence = status.evidence
    match status.state:
        case "flat":
            return f"{venue} says that it holds 0 {symbol}"
        case "not_flat" | "refused":
            held = f"; {venue} holds {evidence['venue_quantity']} {symbol}" if "venue_quantity" in evidence else ""
            return f"{evidence.get('reason', 'it could not be done')}{held}"
        case "working":
            waits = f", and waits: {evidence['waits_for']}" if "waits_for" in evidence else ""
            return f"the executor is at it{waits}; after ten minutes it leaves what is not done"
    return "the executor has not taken it up yet; a wish that it does not take up within ten minutes is dropped"
