"""What a replay of a recorded market showed: its signals, its trades, and what each made."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from executor.domain.settlement_sum import BookedFill, FinalAccount, final_account
from position_monitor.domain.exits import Verdict
from position_monitor.domain.trade import Trade


@dataclass(frozen=True, slots=True)
class ReplayedEntry:
    """One entry: its figures as filled, and the prediction that it was opened on."""

    at: datetime
    quantity: Decimal
    long_price: Decimal
    short_price: Decimal
    spread_pct: float
    pnl_hat: float
    win_prob: float


@dataclass
class ReplayedTrade:
    """One trade from its first entry on; `verdicts` counts what position-monitor said of it."""

    trade: Trade
    entries: list[ReplayedEntry] = field(default_factory=list)
    booked: list[BookedFill] = field(default_factory=list)
    verdicts: Counter[str] = field(default_factory=Counter)
    scale_in_refusals: Counter[str] = field(default_factory=Counter)
    worst_pnl_spread: float = 0.0
    closed_at: datetime | None = None
    exit_spread_pct: float | None = None
    closing_verdict: Verdict | None = None

    @property
    def is_open(self) -> bool:
        return self.closed_at is None

    @property
    def account(self) -> FinalAccount:
        """What the trade made, in USDT; of an open one what was spent so far."""
        account = final_account(self.booked, (paid.amount_usdt for paid in self.trade.funding))
        assert account is not None, "every fee of a replay is known"
        return account


@dataclass
class ReplayedSignal:
    """One event's signal that is not, or not yet, a trade."""

    event_id: int
    symbol: str
    long_venue: str
    short_venue: str
    first_attempt_at: datetime
    status: str = "new"
    reason: str | None = None
    attempts: int = 0
    next_attempt_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Replay:
    """Everything that happened."""

    moments: int
    verdicts: Counter[str]
    events: int
    signals: list[ReplayedSignal]
    trades: list[ReplayedTrade]
