"""What travels on the bus. Frozen: a message is a fact or a wish, and neither changes on the way.

A field may be added with a default; none is renamed or removed while a message of the old form may still wait.
"""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

SignalType = Literal["A", "B", "C"]


class Message(BaseModel):
    """Base of all messages: frozen, and tolerant of fields that a newer sender adds."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Prediction(Message):
    """What the pair is expected to give: `pnl_hat` as a fraction of notional, `win_prob` in 0..1."""

    pnl_hat: float
    win_prob: float
    horizon_min: float
    source: str


class WatchlistEvent(Message):
    """A watchlist event as it stood at `version`. `factors` holds count, min, max and mean of each factor."""

    event_id: int
    version: int
    type: SignalType
    symbol: str
    long_venue: str
    short_venue: str
    status: Literal["forming", "open", "closed"]
    observations: int
    first_observed_at: datetime
    last_observed_at: datetime
    factors: dict[str, Any]
    prediction: Prediction | None


class RetryDue(Message):
    """A skipped signal whose next attempt is due. `attempt` is the number of attempts made before it."""

    signal_id: int
    attempt: int
    event: WatchlistEvent


class RetryEnded(Message):
    """A skipped signal that is no longer eligible, and why."""

    signal_id: int
    attempt: int
    reason: str
    evidence: dict[str, Any]


class CloseRequested(Message):
    """Close the whole trade. `evidence` holds the figures that decided it."""

    signal_id: int
    reason: str
    requested_by: str
    evidence: dict[str, Any]


class ScaleInRequested(Message):
    """Add entry `entries + 1`, asked for while the trade had `entries`: never two for one trigger."""

    signal_id: int
    entries: int
    evidence: dict[str, Any]


class TradingStateRequested(Message):
    """Move trading to `state`: who asks and why."""

    state: Literal["active", "reducing", "halted"]
    requested_by: str
    why: str


class FlattenRequested(Message):
    """Bring what a venue holds of a symbol to zero. What no trade holds is touched only with `include_unowned`: it may
    be the operator's own.
    """

    request_id: str
    venue: str
    symbol: str
    include_unowned: bool
    requested_by: str
    why: str


class TradeChanged(Message):
    """A signal or trade reached a new state; `detail` holds what a reader wants to see."""

    signal_id: int
    version: int
    symbol: str
    status: str
    reason: str | None
    changed_at: datetime
    detail: dict[str, Any]
