"""An open trade as the ledger knows it: entries, fills, fees, funding and what the venues say they hold.

Read in one snapshot, so that orders, entries and venue positions are of the same moment.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType

from common.domain.identifiers import Leg
from common.domain.position import LegFill, LegPosition, leg_position
from common.domain.scale_in import FreshEvent
from common.domain.spread import weighted_entry_metric

CLOSING = "closing"


@dataclass(frozen=True, slots=True)
class FilledEntry:
    """One matched pair of fills: `notional_usdt` of one leg, spreads as SPEC 2 has them."""

    number: int
    notional_usdt: Decimal
    spread_metric: float
    spread_pct: float
    filled_at: datetime


@dataclass(frozen=True, slots=True)
class VenueHolding:
    """What a venue said it holds: signed base quantity, long above zero, read at a moment (UTC)."""

    quantity: Decimal
    read_at: datetime


@dataclass(frozen=True, slots=True)
class FundingReceived:
    """One settlement of one leg, in USDT, positive when received."""

    leg: Leg
    amount_usdt: Decimal
    settled_at: datetime


@dataclass(frozen=True, slots=True)
class Asked:
    """How often the executor was asked for one thing, and when last (UTC)."""

    times: int
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Trade:
    """One trade in `open` or `closing`.

    `fees_usdt` is None while a fill or its fee is not known. `order_in_flight` says that an order or an entry is not
    resolved: then ledger and venue may differ for good reasons. `residuals` are the base quantities of each leg that
    nothing matches and that its venue would not take back. `asked` is by topic, see `requests`.
    """

    signal_id: int
    symbol: str
    status: str
    venues: Mapping[Leg, str]
    opened_at: datetime | None
    force_close_at: datetime | None
    take_profit_pnl: float | None
    close_requested_at: datetime | None
    close_reason: str | None
    entries: tuple[FilledEntry, ...]
    fills: tuple[LegFill, ...]
    fees_usdt: Decimal | None
    funding: tuple[FundingReceived, ...]
    order_in_flight: bool
    last_order_at: datetime | None
    residuals: Mapping[Leg, Decimal] = field(default_factory=lambda: MappingProxyType({}))
    holdings: Mapping[Leg, VenueHolding] = field(default_factory=lambda: MappingProxyType({}))
    newest_event: FreshEvent | None = None
    asked: Mapping[str, Asked] = field(default_factory=lambda: MappingProxyType({}))
    traceparent: str | None = None
    """The trace that the trade's signal was recorded in."""

    def leg(self, leg: Leg) -> LegPosition:
        """Open quantity and average entry price of one leg, from the fills."""
        return leg_position(self.fills, leg)

    def residual(self, leg: Leg) -> Decimal:
        """What the entries left over on one leg, in base units."""
        return self.residuals.get(leg, Decimal(0))

    @property
    def entry_metric_weighted(self) -> float | None:
        """SPEC 2; None while no entry is filled."""
        pairs = [(entry.notional_usdt, entry.spread_metric) for entry in self.entries]
        return weighted_entry_metric(pairs) if pairs else None

    @property
    def first_entry_spread_pct(self) -> float | None:
        """`entry_spread_pct(k=1)`, which anchors every scale-in trigger; None while it is not filled."""
        return next((entry.spread_pct for entry in self.entries if entry.number == 1), None)

    @property
    def last_scale_in_at(self) -> datetime | None:
        """When the newest entry with k > 1 was filled."""
        return max((entry.filled_at for entry in self.entries if entry.number > 1), default=None)

    @property
    def per_leg_notional_usdt(self) -> Decimal:
        """What all filled entries put on one leg."""
        return sum((entry.notional_usdt for entry in self.entries), Decimal(0))
