"""What the gateway shows: one frozen model for each table that it reads, by the columns' own names.

Ledger figures are decimal text, never floats; times are RFC 3339 in UTC with a `Z`; a null is something unknown or
something that has not happened.
"""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

from common.runtime.operations import AuditLine

ItemType = TypeVar("ItemType")

CounterfactualStatus = Annotated[
    Literal["followed", "over", "no_entry", "opened", "displaced"], Field(examples=["over"])
]
SignalStatus = Literal["new", "skipped", "expired", "opening", "open", "closing", "closed", "failed"]
EventStatus = Literal["forming", "open", "closed"]
OrderStatus = Annotated[
    Literal["intent", "working", "unknown", "filled", "partly_filled", "cancelled", "rejected", "not_sent"],
    Field(examples=["filled"]),
]
LegName = Literal["long", "short"]


def _plain(value: Decimal) -> str:
    return format(value, "f")


Amount = Annotated[Decimal, PlainSerializer(_plain, return_type=str, when_used="json")]
"""A ledger figure: decimal text without an exponent."""


class View(BaseModel):
    """Base of everything shown."""

    model_config = ConfigDict(frozen=True)


class Page(View, Generic[ItemType]):
    """One page, newest first; `next` is the `before` of the following page, null on the last one."""

    items: list[ItemType]
    next: int | None


class Recent(View, Generic[ItemType]):
    """The newest `items`, oldest of them first, out of `count`."""

    count: int
    items: list[ItemType]


class SignalRow(View):
    """`live_trade_signal`, without the executor's own bookkeeping."""

    id: int
    event_id: int
    symbol: str
    type: str
    status: SignalStatus
    reason: str | None
    long_venue: str
    short_venue: str
    mode: str
    pnl_hat: float | None
    win_prob: float | None
    attempts: int
    next_attempt_at: datetime | None
    created_at: datetime
    opened_at: datetime | None
    closed_at: datetime | None
    close_reason: str | None
    finalised_at: datetime | None
    take_profit_pnl: float | None
    force_close_at: datetime | None
    fees_usdt: Amount | None
    funding_usdt: Amount | None
    net_pnl_usdt: Amount | None


class SignalDetail(SignalRow):
    """All of one signal: also what the executor recorded of its decisions."""

    version: int
    order_key: str
    prediction_source: str | None
    reason_evidence: dict[str, Any] | None
    updated_at: datetime
    close_requested_at: datetime | None
    close_evidence: dict[str, Any] | None
    spread_pnl_usdt: Amount | None
    payload: dict[str, Any]


class Event(View):
    """`watch_signal_event`."""

    id: int
    version: int
    type: str
    symbol: str
    long_venue: str
    short_venue: str
    status: EventStatus
    merged: bool
    observations: int
    first_observed_at: datetime
    last_observed_at: datetime
    opened_at: datetime | None
    closed_at: datetime | None
    pnl_hat: float | None
    win_prob: float | None
    horizon_min: float | None
    prediction_source: str | None
    factors: dict[str, Any]
    last_observation: dict[str, Any]


class Observation(View):
    """`watch_observation`: one look at one pair. `refusal` is why it counts for no event, null of a triggered one."""

    id: int
    type: str
    symbol: str
    long_venue: str
    short_venue: str
    observed_at: datetime
    spread: float
    triggered: bool
    refusal: str | None
    event_id: int | None
    observation: dict[str, Any]


class Entry(View):
    """`live_trade_entry`: `notional_usdt` of one leg; `snapshot` is the execution evidence.

    `entry` counts attempts; k of SPEC 1 is the rank among the filled ones.
    """

    id: int
    signal_id: int
    entry: int
    status: Literal["opening", "filled", "failed"] = Field(examples=["filled"])
    event_id: int
    planned_quantity: Amount
    quantity: Amount | None
    notional_usdt: Amount | None
    entry_spread_metric: float | None
    entry_spread_pct: float | None
    pnl_hat: float
    win_prob: float
    requested_at: datetime
    filled_at: datetime | None
    snapshot: dict[str, Any]


class Order(View):
    """`live_trade_order`: quantities in base units, prices in USDT; `entry` 0 is the whole trade."""

    id: int
    signal_id: int
    entry: int
    leg: LegName
    purpose: Literal["open", "unwind", "close", "external"]
    attempt: int
    client_order_id: str
    venue: str
    venue_order_id: str | None
    symbol: str
    side: Literal["buy", "sell"]
    reduce_only: bool
    quantity: Amount
    reference_price: Amount
    status: OrderStatus
    filled_quantity: Amount
    average_price: Amount | None
    error: str | None
    intended_at: datetime
    resolved_at: datetime | None


class Fill(View):
    """`live_trade_fill`: `fee_usdt` is positive when paid, null while unknown."""

    id: int
    signal_id: int
    order_id: int
    venue: str
    symbol: str
    fill_id: str
    side: Literal["buy", "sell"]
    price: Amount
    quantity: Amount
    fee_usdt: Amount | None
    traded_at: datetime


class Funding(View):
    """`live_trade_funding`: `amount_usdt` is positive when received."""

    id: int
    signal_id: int
    leg: LegName
    venue: str
    symbol: str
    payment_id: str
    amount_usdt: Amount
    settled_at: datetime


class SampleFigures(View):
    """The figures of one valuation."""

    sampled_at: datetime
    verdict: str
    spread_now: float | None
    exit_spread_pct: float | None
    pnl_spread: float | None
    total_pnl_usdt: Amount | None
    pnl_complete: bool


class Sample(SampleFigures):
    """`live_trade_spread_sample`: a valuation with its verdict and the evidence for it."""

    id: int
    signal_id: int
    long_sell: Amount | None
    short_buy: Amount | None
    position_pnl_usdt: Amount | None
    funding_per_hour: float | None
    evidence: dict[str, Any]


class ErrorLine(View):
    """`live_trade_error` in one line."""

    id: int
    service: str
    occurred_at: datetime
    kind: str
    signal_id: int | None
    message: str


class ErrorRecord(ErrorLine):
    """`live_trade_error` with what was recorded of it."""

    detail: dict[str, Any]


class Counterfactual(View):
    """`live_trade_counterfactual`: what a skipped signal would have made, by one entry of the settings' size at the
    books of its skip. P&L is in USDT, an assumed taker fee of all four orders taken off, funding left out.

    `followed` is still looked at, `over` ended by a rule or its horizon, `no_entry` had no books to enter at, `opened`
    was traded after all, `displaced` gave its place to a wider one. Only a `complete` one may be counted. Null is
    unknown.
    """

    id: int
    signal_id: int
    symbol: str
    long_venue: str
    short_venue: str
    reason: str
    skipped_at: datetime
    status: CounterfactualStatus
    complete: bool
    entered_at: datetime | None
    until_at: datetime | None
    quantity: Decimal | None
    long_buy: Decimal | None
    short_sell: Decimal | None
    take_profit_pnl: float | None
    looks: int
    missed_looks: int
    looked_at: datetime | None
    best_at: datetime | None
    best_pnl_usdt: Decimal | None
    worst_at: datetime | None
    worst_pnl_usdt: Decimal | None
    exit_at: datetime | None
    exit_reason: str | None
    exit_long_sell: Decimal | None
    exit_short_buy: Decimal | None
    exit_pnl_usdt: Decimal | None


class ReasonSummary(View):
    """What skipping for one reason cost or saved. `count` is of all skips that were taken in, `complete_count` of those
    whose outcome is known; the share and the median are of these, null where there is none. The median of an even
    number is the lower of the two in the middle.
    """

    reason: str
    count: int
    complete_count: int
    won_share: float | None
    median_pnl_usdt: Decimal | None


class CounterfactualSummary(View):
    """By the reason of the skip, most frequent first."""

    items: list[ReasonSummary]


class AlertRecord(View):
    """`alert`: what people were told, or not: `throttled` (the same was told just before), `unwanted` (ALERT_KINDS),
    `given_up` (too old). `delivered_to` are the places of the addresses that have it, from 0.
    """

    id: int
    key: str
    kind: str = Field(examples=["opened"])
    about: str
    title: str
    message: str = Field(examples=["long binance, short bybit"])
    raised_at: datetime
    state: str
    attempts: int
    delivered_to: list[int]


class AuditRecord(AuditLine, View):
    """`audit`: one decision of one service."""

    service: str


class VenuePosition(View):
    """`live_trade_venue_position`: signed base quantity, long above zero."""

    venue: str
    symbol: str
    quantity: Amount
    read_at: datetime


class TradingState(View):
    """Whether Tandem may open (active), only close (reducing) or neither (halted)."""

    state: Literal["active", "reducing", "halted"]
    reason: str = Field(examples=["the maintenance is over"])
    changed_by: str
    changed_at: datetime | None


class SignalSummary(SignalRow):
    """One signal with what its entries and its latest valuation say.

    `pnl_complete` is null of a signal that never opened, and true once `net_pnl_usdt` is known.
    """

    entries_count: int
    entry_spread_pct_first: float | None
    entry_metric_weighted: float | None
    tp_exit_spread_pct: float | None
    pnl_complete: bool | None
    latest_sample: SampleFigures | None


class HistoryCount(View):
    """All signals by status, and the net P&L of the finalised trades, as counted at `counted_at`."""

    counted_at: datetime
    by_status: dict[str, int]
    finalised_trades: int
    finalised_net_pnl_usdt: Amount


class ActiveTotals(View):
    """Trades that hold or may hold a position now; the notional is one leg's, over their filled entries."""

    by_status: dict[str, int]
    open_notional_usdt: Amount


class Totals(View):
    """`by_status` is exact now for opening, open and closing; for the others, and the P&L, as of `counted_at`."""

    by_status: dict[str, int]
    open_notional_usdt: Amount = Field(description="one leg's, summed over filled entries of active trades")
    finalised_trades: int | None
    finalised_net_pnl_usdt: Amount | None
    counted_at: datetime | None


class Overview(View):
    """The state of trading at a glance."""

    timestamp: datetime
    live_trading_enabled: bool
    live_trading_config: dict[str, dict[str, Any]]
    trading_state: TradingState
    totals: Totals
    signals: list[SignalSummary]
    errors: list[ErrorLine]
