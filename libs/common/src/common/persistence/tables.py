"""The schemas `watchlist` and `paper`. Each table has one writing service; the migrations grant exactly that.

The audit and the spread samples are partitioned by the month of their time; `retention` makes and drops the months.
Stored times come from the clock of the service that writes them, but for `live_trade_order.written_at`, which is about
processes and takes the database's own.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    Numeric,
    SmallInteger,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

SCHEMA = "watchlist"
MONTHS_SCHEMA = "watchlist_months"
"""Where the partitions are. No service's role may enter it: each goes through the partitioned table, and its grants."""
PAPER_SCHEMA = "paper"


def _identity() -> Any:
    return Field(default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True))


def _text(*, nullable: bool = False, **keywords: Any) -> Any:
    return Field(sa_column=Column(Text, nullable=nullable, **keywords))


def _time(*, nullable: bool = False, primary_key: bool = False) -> Any:
    return Field(sa_column=Column(DateTime(timezone=True), nullable=nullable, primary_key=primary_key))


def _money(*, nullable: bool = False) -> Any:
    return Field(sa_column=Column(Numeric, nullable=nullable))


def _json(*, nullable: bool = False) -> Any:
    return Field(sa_column=Column(JSONB, nullable=nullable))


def _reference(table: str, *, nullable: bool = False, primary_key: bool = False) -> Any:
    target = ForeignKey(f"{SCHEMA}.{table}.id")
    return Field(sa_column=Column(BigInteger, target, nullable=nullable, primary_key=primary_key))


def _number(default: int, kind: type = BigInteger) -> Any:
    return Field(sa_column=Column(kind, nullable=False, server_default=text(str(default))))


def _one_of(column: str, *values: str) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=f"{column}_known")


class WatchObservation(SQLModel, table=True):
    """One scanner look, or one posted signal. Written by signal-ingest."""

    __tablename__ = "watch_observation"
    __table_args__ = (
        Index("watch_observation_pair", "symbol", "long_venue", "short_venue", "observed_at"),
        Index("watch_observation_age", "observed_at", postgresql_using="brin"),
        {"schema": SCHEMA},
    )

    id: int | None = _identity()
    type: str = _text()
    symbol: str = _text()
    long_venue: str = _text()
    short_venue: str = _text()
    observed_at: datetime = _time()
    spread: float = Field(description="ln(short price / long price), at the top of both books")
    triggered: bool
    refusal: str | None = _text(nullable=True)
    event_id: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    observation: dict[str, Any] = _json()


class WatchSignalEvent(SQLModel, table=True):
    """Consecutive triggered observations of one pair, merged. Written by signal-ingest."""

    __tablename__ = "watch_signal_event"
    __table_args__ = (
        _one_of("status", "forming", "open", "closed"),
        Index(
            "watch_signal_event_one_live",
            "symbol",
            "type",
            "long_venue",
            "short_venue",
            unique=True,
            postgresql_where=text("merged AND status IN ('forming', 'open')"),
        ),
        Index("watch_signal_event_quiet", "last_observed_at", postgresql_where=text("status <> 'closed'")),
        Index("watch_signal_event_pair", "symbol", "long_venue", "short_venue", "last_observed_at"),
        Index("watch_signal_event_status", "status", "id"),
        Index("watch_signal_event_symbol", "symbol", "id"),
        Index("watch_signal_event_long_venue", "long_venue", "id"),
        Index("watch_signal_event_short_venue", "short_venue", "id"),
        Index("watch_signal_event_age", "first_observed_at", "id"),
        {"schema": SCHEMA},
    )

    id: int | None = _identity()
    version: int = _number(1)
    type: str = _text()
    symbol: str = _text()
    long_venue: str = _text()
    short_venue: str = _text()
    status: str = _text()
    merged: bool
    observations: int = Field(sa_column=Column(BigInteger, nullable=False))
    first_observed_at: datetime = _time()
    last_observed_at: datetime = _time()
    opened_at: datetime | None = _time(nullable=True)
    closed_at: datetime | None = _time(nullable=True)
    factors: dict[str, Any] = _json()
    last_observation: dict[str, Any] = _json()
    pnl_hat: float | None = Field(default=None)
    win_prob: float | None = Field(default=None)
    horizon_min: float | None = Field(default=None)
    prediction_source: str | None = _text(nullable=True)


class LiveTradeSignal(SQLModel, table=True):
    """The decision record of one event; from `opening` on it is the live trade. Written by executor."""

    __tablename__ = "live_trade_signal"
    __table_args__ = (
        _one_of("status", "new", "skipped", "expired", "opening", "open", "closing", "closed", "failed"),
        Index(
            "live_trade_signal_one_active",
            "symbol",
            unique=True,
            postgresql_where=text("status IN ('opening', 'open', 'closing')"),
        ),
        Index("live_trade_signal_due", "next_attempt_at", postgresql_where=text("status = 'skipped'")),
        Index("live_trade_signal_status", "status", "id"),
        Index("live_trade_signal_symbol", "symbol", "id"),
        Index("live_trade_signal_finalised", "finalised_at", postgresql_where=text("finalised_at IS NOT NULL")),
        Index("live_trade_signal_long_venue", "long_venue", "id"),
        Index("live_trade_signal_short_venue", "short_venue", "id"),
        Index("live_trade_signal_reason", "reason", "id"),
        Index("live_trade_signal_age", "created_at", "id"),
        Index(
            "live_trade_signal_unfinalised",
            "id",
            postgresql_where=text("status IN ('closed', 'failed') AND finalised_at IS NULL"),
        ),
        {"schema": SCHEMA},
    )

    id: int | None = _identity()
    version: int = _number(1)
    event_id: int = Field(sa_column=Column(BigInteger, nullable=False, unique=True))
    order_key: str = _text(unique=True)
    mode: str = _text()
    type: str = _text()
    symbol: str = _text()
    long_venue: str = _text()
    short_venue: str = _text()
    status: str = _text()
    reason: str | None = _text(nullable=True)
    reason_evidence: dict[str, Any] | None = _json(nullable=True)
    attempts: int = _number(0)
    next_attempt_at: datetime | None = _time(nullable=True)
    pnl_hat: float | None = Field(default=None)
    win_prob: float | None = Field(default=None)
    prediction_source: str | None = _text(nullable=True)
    created_at: datetime = _time()
    updated_at: datetime = _time()
    take_profit_pnl: float | None = Field(default=None)
    opened_at: datetime | None = _time(nullable=True)
    force_close_at: datetime | None = _time(nullable=True)
    close_requested_at: datetime | None = _time(nullable=True)
    close_reason: str | None = _text(nullable=True)
    close_evidence: dict[str, Any] | None = _json(nullable=True)
    closed_at: datetime | None = _time(nullable=True)
    finalised_at: datetime | None = _time(nullable=True)
    fees_usdt: Decimal | None = _money(nullable=True)
    funding_usdt: Decimal | None = _money(nullable=True)
    spread_pnl_usdt: Decimal | None = _money(nullable=True)
    net_pnl_usdt: Decimal | None = _money(nullable=True)
    payload: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False, server_default=text("'{}'::jsonb")))
    traceparent: str | None = _text(nullable=True)
    lease_owner: str | None = _text(nullable=True)
    lease_until_seconds: float | None = Field(default=None, description="real unix time: leases are about processes")


class LiveTradeEntry(SQLModel, table=True):
    """One matched pair of fills of a trade, or the attempt at one. Written by executor."""

    __tablename__ = "live_trade_entry"
    __table_args__ = (
        _one_of("status", "opening", "filled", "failed"),
        UniqueConstraint("signal_id", "entry"),
        {"schema": SCHEMA},
    )

    id: int | None = _identity()
    signal_id: int = _reference("live_trade_signal")
    entry: int = Field(
        sa_column=Column(SmallInteger, nullable=False),
        description="counts attempts, so that a number is never used twice; k is the rank among the filled ones",
    )
    status: str = _text()
    event_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    planned_quantity: Decimal = _money()
    quantity: Decimal | None = _money(nullable=True)
    notional_usdt: Decimal | None = _money(nullable=True)
    entry_spread_metric: float | None = Field(default=None)
    entry_spread_pct: float | None = Field(default=None)
    pnl_hat: float
    win_prob: float
    snapshot: dict[str, Any] = _json()
    requested_at: datetime = _time()
    filled_at: datetime | None = _time(nullable=True)


class LiveTradeOrder(SQLModel, table=True):
    """One leg of an entry or of a close on one venue; committed before it is sent. Written by executor."""

    __tablename__ = "live_trade_order"
    __table_args__ = (
        _one_of(
            "status", "intent", "working", "unknown", "filled", "partly_filled", "cancelled", "rejected", "not_sent"
        ),
        Index("live_trade_order_signal", "signal_id"),
        Index("live_trade_order_venue_id", "venue", "venue_order_id"),
        Index("live_trade_order_venue", "venue", "id"),
        Index("live_trade_order_symbol", "symbol", "id"),
        Index("live_trade_order_status", "status", "id"),
        Index("live_trade_order_age", "intended_at", "id"),
        Index(
            "live_trade_order_unresolved",
            "signal_id",
            postgresql_where=text("status IN ('intent', 'working', 'unknown')"),
        ),
        Index("live_trade_order_unwinds", "intended_at", postgresql_where=text("purpose = 'unwind'")),
        Index("live_trade_order_unbooked", "signal_id", postgresql_where=text("booked_quantity <> filled_quantity")),
        {"schema": SCHEMA},
    )

    id: int | None = _identity()
    version: int = _number(1)
    signal_id: int = _reference("live_trade_signal")
    entry: int = Field(sa_column=Column(SmallInteger, nullable=False), description="0: the whole trade")
    leg: str = _text()
    purpose: str = _text()
    attempt: int = Field(sa_column=Column(SmallInteger, nullable=False))
    client_order_id: str = _text(unique=True)
    venue: str = _text()
    symbol: str = _text()
    side: str = _text()
    reduce_only: bool
    quantity: Decimal = _money()
    reference_price: Decimal = _money()
    status: str = _text()
    venue_order_id: str | None = _text(nullable=True)
    filled_quantity: Decimal = Field(sa_column=Column(Numeric, nullable=False, server_default=text("0")))
    average_price: Decimal | None = _money(nullable=True)
    error: str | None = _text(nullable=True)
    intended_at: datetime = _time()
    written_at: datetime = Field(
        sa_column=Column(DateTime(timezone=True), nullable=False, server_default=text("clock_timestamp()")),
        description="real time by the database's own clock",
    )
    resolved_at: datetime | None = _time(nullable=True)
    booked_quantity: Decimal = Field(sa_column=Column(Numeric, nullable=False, server_default=text("0")))


class LiveTradeFill(SQLModel, table=True):
    """One execution from the venue's own ledger, by its id. Written by executor."""

    __tablename__ = "live_trade_fill"
    __table_args__ = (
        UniqueConstraint("venue", "symbol", "fill_id"),
        Index("live_trade_fill_signal", "signal_id"),
        Index("live_trade_fill_no_fee", "signal_id", postgresql_where=text("fee_usdt IS NULL")),
        {"schema": SCHEMA},
    )

    id: int | None = _identity()
    signal_id: int = _reference("live_trade_signal")
    order_id: int = _reference("live_trade_order")
    venue: str = _text()
    symbol: str = _text()
    fill_id: str = _text()
    side: str = _text()
    price: Decimal = _money()
    quantity: Decimal = _money()
    fee_usdt: Decimal | None = _money(nullable=True)
    traded_at: datetime = _time()


class LiveTradeFunding(SQLModel, table=True):
    """One funding settlement from the venue's own ledger, by its id. Written by executor, which holds the keys."""

    __tablename__ = "live_trade_funding"
    __table_args__ = (
        UniqueConstraint("venue", "symbol", "payment_id"),
        Index("live_trade_funding_signal", "signal_id"),
        {"schema": SCHEMA},
    )

    id: int | None = _identity()
    signal_id: int = _reference("live_trade_signal")
    leg: str = _text()
    venue: str = _text()
    symbol: str = _text()
    payment_id: str = _text()
    amount_usdt: Decimal = _money()
    settled_at: datetime = _time()


class LiveTradeVenuePosition(SQLModel, table=True):
    """What a venue last said it holds of an active trade's symbol. Written by executor."""

    __tablename__ = "live_trade_venue_position"
    __table_args__ = ({"schema": SCHEMA},)

    venue: str = _text(primary_key=True)
    symbol: str = _text(primary_key=True)
    quantity: Decimal = _money()
    read_at: datetime = _time()


class LiveTradeSpreadSample(SQLModel, table=True):
    """One valuation of an open trade with its verdict. Written by position-monitor."""

    __tablename__ = "live_trade_spread_sample"
    __table_args__ = (
        Index("live_trade_spread_sample_signal", "signal_id", "id"),
        {"schema": SCHEMA, "postgresql_partition_by": "RANGE (sampled_at)"},
    )

    id: int | None = _identity()
    signal_id: int = _reference("live_trade_signal")
    sampled_at: datetime = _time(primary_key=True)
    verdict: str = _text()
    long_sell: Decimal | None = _money(nullable=True)
    short_buy: Decimal | None = _money(nullable=True)
    spread_now: float | None = Field(default=None)
    exit_spread_pct: float | None = Field(default=None)
    pnl_spread: float | None = Field(default=None)
    position_pnl_usdt: Decimal | None = _money(nullable=True)
    total_pnl_usdt: Decimal | None = _money(nullable=True)
    pnl_complete: bool
    funding_per_hour: float | None = Field(default=None)
    evidence: dict[str, Any] = _json()


class LiveTradeCounterfactual(SQLModel, table=True):
    """What a skipped signal would have made by the books seen afterwards; null is unknown. Written by
    position-monitor. P&L is in USDT, assumed fees of all four orders taken off, funding left out.
    """

    __tablename__ = "live_trade_counterfactual"
    __table_args__ = (
        _one_of("status", "followed", "over", "no_entry", "opened", "displaced"),
        Index("live_trade_counterfactual_followed", "id", postgresql_where=text("status = 'followed'")),
        Index("live_trade_counterfactual_reason", "reason", "id"),
        Index("live_trade_counterfactual_age", "skipped_at", "id"),
        {"schema": SCHEMA},
    )

    id: int | None = _identity()
    signal_id: int = Field(
        sa_column=Column(BigInteger, ForeignKey(f"{SCHEMA}.live_trade_signal.id"), nullable=False, unique=True)
    )
    symbol: str = _text()
    long_venue: str = _text()
    short_venue: str = _text()
    reason: str = _text()
    skipped_at: datetime = _time()
    width: float = Field(description="the spread as it was observed, as a fraction")
    take_profit_pnl: float | None = None
    status: str = _text()
    entered_at: datetime | None = _time(nullable=True)
    quantity: Decimal | None = _money(nullable=True)
    long_buy: Decimal | None = _money(nullable=True)
    short_sell: Decimal | None = _money(nullable=True)
    until_at: datetime | None = _time(nullable=True)
    looked_at: datetime | None = _time(nullable=True)
    looks: int = _number(0)
    missed_looks: int = _number(0)
    best_at: datetime | None = _time(nullable=True)
    best_long_sell: Decimal | None = _money(nullable=True)
    best_short_buy: Decimal | None = _money(nullable=True)
    best_pnl_usdt: Decimal | None = _money(nullable=True)
    worst_at: datetime | None = _time(nullable=True)
    worst_long_sell: Decimal | None = _money(nullable=True)
    worst_short_buy: Decimal | None = _money(nullable=True)
    worst_pnl_usdt: Decimal | None = _money(nullable=True)
    exit_at: datetime | None = _time(nullable=True)
    exit_long_sell: Decimal | None = _money(nullable=True)
    exit_short_buy: Decimal | None = _money(nullable=True)
    exit_pnl_usdt: Decimal | None = _money(nullable=True)
    exit_reason: str | None = _text(nullable=True)
    complete: bool = Field(sa_column=Column(Boolean, nullable=False, server_default=text("false")))


class LiveTradeError(SQLModel, table=True):
    """What went wrong. Append-only for every service."""

    __tablename__ = "live_trade_error"
    __table_args__ = (
        Index("live_trade_error_signal", "signal_id"),
        Index("live_trade_error_kind", "kind", "id"),
        Index("live_trade_error_age", "occurred_at", "id"),
        {"schema": SCHEMA},
    )

    id: int | None = _identity()
    service: str = _text()
    occurred_at: datetime = _time()
    kind: str = _text()
    signal_id: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    message: str = _text()
    detail: dict[str, Any] = _json()


class Audit(SQLModel, table=True):
    """One decision with the figures that made it. Append-only for every service."""

    __tablename__ = "audit"
    __table_args__ = (
        Index("audit_service", "service", "id"),
        Index("audit_signal", "signal_id", "id", postgresql_where=text("signal_id IS NOT NULL")),
        Index("audit_event", "event_id", "id", postgresql_where=text("event_id IS NOT NULL")),
        Index("audit_decision", "decision", "id"),
        Index("audit_symbol", "symbol", "id"),
        Index("audit_age", "decided_at", "id"),
        {"schema": SCHEMA, "postgresql_partition_by": "RANGE (decided_at)"},
    )

    id: int | None = _identity()
    service: str = _text()
    decided_at: datetime = _time(primary_key=True)
    decision: str = _text()
    symbol: str | None = _text(nullable=True)
    event_id: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    signal_id: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    evidence: dict[str, Any] = _json()


class Outbox(SQLModel, table=True):
    """Messages committed with the state that they tell of, until the bus has acknowledged them."""

    __tablename__ = "outbox"
    __table_args__ = (
        Index("outbox_unpublished", "service", "id", postgresql_where=text("published_at IS NULL")),
        Index("outbox_age", "created_at", postgresql_using="brin"),
        {"schema": SCHEMA},
    )

    id: int | None = _identity()
    service: str = _text()
    message_id: str = _text(unique=True)
    subject: str = _text()
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    traceparent: str | None = _text(nullable=True)
    created_at: datetime = _time()
    published_at: datetime | None = _time(nullable=True)


class TradingStateRow(SQLModel, table=True):
    """The one row that says whether Tandem may open (active), only close (reducing) or neither (halted)."""

    __tablename__ = "trading_state"
    __table_args__ = (
        _one_of("state", "active", "reducing", "halted"),
        CheckConstraint("id = 1", name="one_row"),
        {"schema": SCHEMA},
    )

    id: int = Field(sa_column=Column(SmallInteger, primary_key=True, autoincrement=False))
    state: str = _text()
    reason: str = _text()
    changed_by: str = _text()
    changed_at: datetime | None = _time(nullable=True)


class Installation(SQLModel, table=True):
    """The one row that says whether this database is of paper or of live trading, for ever. Written by executor."""

    __tablename__ = "installation"
    __table_args__ = (
        CheckConstraint("id = 1", name="one_row"),
        CheckConstraint("mode IN ('paper', 'live')", name="mode_known"),
        {"schema": SCHEMA},
    )

    id: int = Field(sa_column=Column(SmallInteger, primary_key=True, autoincrement=False))
    mode: str = _text()
    begun_at: datetime = _time()


# The accounts of paper trading: what a venue's own ledger is to live trading. Nothing in `watchlist` refers to it, as
# nothing could refer to a row of a venue. Written by executor.


class PaperAccount(SQLModel, table=True):
    """The USDT of one venue's account: what it began with, and everything realised, paid and received since."""

    __tablename__ = "account"
    __table_args__ = {"schema": PAPER_SCHEMA}

    venue: str = _text(primary_key=True)
    balance_usdt: Decimal = _money()


class PaperPosition(SQLModel, table=True):
    """One net position. `funding_*` are the terms last seen, by which the next settlement is charged."""

    __tablename__ = "position"
    __table_args__ = {"schema": PAPER_SCHEMA}

    venue: str = _text(primary_key=True)
    symbol: str = _text(primary_key=True)
    quantity: Decimal = _money()
    entry_price: Decimal = _money()
    leverage: int
    funding_rate: float | None = None
    funding_interval_hours: float | None = None
    funding_next_at: datetime | None = _time(nullable=True)


class PaperOrder(SQLModel, table=True):
    """One market order and what became of it, at once and for good."""

    __tablename__ = "order"
    __table_args__ = (UniqueConstraint("venue", "client_order_id"), {"schema": PAPER_SCHEMA})

    id: int | None = _identity()
    venue: str = _text()
    symbol: str = _text()
    client_order_id: str = _text()
    side: str = _text()
    quantity: Decimal = _money()
    reduce_only: bool
    filled_quantity: Decimal = _money()
    average_price: Decimal | None = _money(nullable=True)
    placed_at: datetime = _time()


class PaperFill(SQLModel, table=True):
    """One execution against one level of the book."""

    __tablename__ = "fill"
    __table_args__ = (Index("fill_symbol", "venue", "symbol", "traded_at"), {"schema": PAPER_SCHEMA})

    id: int | None = _identity()
    venue: str = _text()
    symbol: str = _text()
    order_id: int = Field(sa_column=Column(BigInteger, ForeignKey(f"{PAPER_SCHEMA}.order.id"), nullable=False))
    side: str = _text()
    price: Decimal = _money()
    quantity: Decimal = _money()
    fee_usdt: Decimal = _money()
    traded_at: datetime = _time()


class PaperFunding(SQLModel, table=True):
    """One settlement; `amount_usdt` is positive when received."""

    __tablename__ = "funding"
    __table_args__ = (UniqueConstraint("venue", "symbol", "settled_at"), {"schema": PAPER_SCHEMA})

    id: int | None = _identity()
    venue: str = _text()
    symbol: str = _text()
    quantity: Decimal = _money()
    price: Decimal = _money()
    rate: float
    amount_usdt: Decimal = _money()
    settled_at: datetime = _time()


class OperatorSession(SQLModel, table=True):
    """One signed-in page. Of the session's secret only the digest is kept. Written by api-gateway."""

    __tablename__ = "operator_session"
    __table_args__ = ({"schema": SCHEMA},)

    session_sha256: str = _text(primary_key=True)
    credential: str = _text()
    token_sha256: str = _text()
    expires_at_seconds: float = Field(description="real unix time: a session is about a person at a screen")


class CommandAnswer(SQLModel, table=True):
    """What was answered to a command that came with an Idempotency-Key; null while it is worked on. Written by
    api-gateway.
    """

    __tablename__ = "command_answer"
    __table_args__ = (Index("command_answer_age", "begun_at_seconds"), {"schema": SCHEMA})

    who: str = _text(primary_key=True)
    key: str = _text(primary_key=True)
    command: str = _text()
    body_sha256: str = _text()
    begun_at_seconds: float = Field(description="real unix time")
    status: int | None = Field(default=None, sa_column=Column(SmallInteger, nullable=True))
    answer: dict[str, Any] | None = _json(nullable=True)


class AlertRow(SQLModel, table=True):
    """One thing that people are told, and how far that has come. Written by api-gateway."""

    __tablename__ = "alert"
    __table_args__ = (
        _one_of("state", "waiting", "delivered", "throttled", "unwanted", "given_up"),
        Index("alert_due", "next_attempt_at_seconds", postgresql_where=text("state = 'waiting'")),
        Index("alert_about", "about", "id"),
        Index("alert_age", "raised_at_seconds"),
        {"schema": SCHEMA},
    )

    id: int | None = _identity()
    key: str = _text(unique=True)
    kind: str = _text()
    about: str = _text()
    title: str = _text()
    message: str = _text()
    raised_at: datetime = _time()
    raised_at_seconds: float = Field(description="real unix time, as the other one: alerts are about people")
    state: str = _text()
    attempts: int = _number(0)
    next_attempt_at_seconds: float
    delivered_to: list[int] = Field(
        sa_column=Column(ARRAY(SmallInteger), nullable=False, server_default=text("'{}'::smallint[]")),
        description="the places of the addresses that have it, from 0",
    )


class OperatorFlatten(SQLModel, table=True):
    """An operator's wish that a venue holds nothing of a symbol, and how far it has come. Written by executor."""

    __tablename__ = "operator_flatten"
    __table_args__ = (_one_of("state", "working", "flat", "not_flat", "refused"), {"schema": SCHEMA})

    request_id: str = _text(primary_key=True)
    order_key: str = _text(unique=True)
    venue: str = _text()
    symbol: str = _text()
    requested_by: str = _text()
    state: str = _text()
    evidence: dict[str, Any] = _json()
    updated_at: datetime = _time()


class OperatorFlattenOrder(SQLModel, table=True):
    """A reduce-only order against a position that no trade holds; committed before it is sent. Written by executor."""

    __tablename__ = "operator_flatten_order"
    __table_args__ = (
        _one_of(
            "status", "intent", "working", "unknown", "filled", "partly_filled", "cancelled", "rejected", "not_sent"
        ),
        Index("operator_flatten_order_request", "request_id"),
        {"schema": SCHEMA},
    )

    id: int | None = _identity()
    version: int = _number(1)
    request_id: str = Field(sa_column=Column(Text, ForeignKey(f"{SCHEMA}.operator_flatten.request_id"), nullable=False))
    leg: str = _text()
    attempt: int = Field(sa_column=Column(SmallInteger, nullable=False))
    client_order_id: str = _text(unique=True)
    venue: str = _text()
    symbol: str = _text()
    side: str = _text()
    quantity: Decimal = _money()
    reference_price: Decimal = _money()
    status: str = _text()
    venue_order_id: str | None = _text(nullable=True)
    filled_quantity: Decimal = Field(sa_column=Column(Numeric, nullable=False, server_default=text("0")))
    average_price: Decimal | None = _money(nullable=True)
    error: str | None = _text(nullable=True)
    intended_at: datetime = _time()
    written_at: datetime = Field(
        sa_column=Column(DateTime(timezone=True), nullable=False, server_default=text("clock_timestamp()")),
        description="real time by the database's own clock",
    )
    resolved_at: datetime | None = _time(nullable=True)


class OperatorFlattenFill(SQLModel, table=True):
    """One execution of such an order from the venue's own ledger, by its id. Written by executor."""

    __tablename__ = "operator_flatten_fill"
    __table_args__ = (
        UniqueConstraint("venue", "symbol", "fill_id"),
        Index("operator_flatten_fill_order", "order_id"),
        {"schema": SCHEMA},
    )

    id: int | None = _identity()
    order_id: int = _reference("operator_flatten_order")
    venue: str = _text()
    symbol: str = _text()
    fill_id: str = _text()
    side: str = _text()
    price: Decimal = _money()
    quantity: Decimal = _money()
    fee_usdt: Decimal | None = _money(nullable=True)
    traded_at: datetime = _time()
