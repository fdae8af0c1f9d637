"""Tandem's own account of its trades, as the gateway tells it."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ConfigDict

ACTIVE = frozenset({"opening", "open", "closing"})


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Signal(_Row):
    """One decision record; from `opening` on it is a trade. Money in USDT, None while unknown."""

    id: int
    symbol: str
    status: str
    long_venue: str
    short_venue: str
    reason: str | None = None
    close_reason: str | None = None
    entries_count: int = 0
    entry_spread_pct_first: float | None = None
    opened_at: datetime | None = None
    closed_at: datetime | None = None
    finalised_at: datetime | None = None
    fees_usdt: Decimal | None = None
    funding_usdt: Decimal | None = None
    net_pnl_usdt: Decimal | None = None

    @property
    def is_active(self) -> bool:
        return self.status in ACTIVE

    @property
    def awaits_settlement(self) -> bool:
        return self.status == "closed" and self.finalised_at is None

    @property
    def direction(self) -> str:
        return f"long {self.long_venue} / short {self.short_venue}"


class Entry(_Row):
    entry: int
    status: str
    quantity: Decimal | None = None
    notional_usdt: Decimal | None = None
    entry_spread_pct: float | None = None


class Order(_Row):
    id: int
    client_order_id: str
    venue: str
    leg: str
    purpose: str
    entry: int
    side: str
    status: str
    filled_quantity: Decimal
    average_price: Decimal | None = None


class Fill(_Row):
    """`fee_usdt` is None while the venue has not told it."""

    order_id: int
    venue: str
    fill_id: str
    side: str
    price: Decimal
    quantity: Decimal
    fee_usdt: Decimal | None = None


class Payment(_Row):
    """One funding settlement; positive was received."""

    venue: str
    payment_id: str
    amount_usdt: Decimal


class Trade(_Row):
    """One signal with everything that was done for it."""

    signal: Signal
    entries: tuple[Entry, ...] = ()
    orders: tuple[Order, ...] = ()
    fills: tuple[Fill, ...] = ()
    funding: tuple[Payment, ...] = ()

    @property
    def filled_entries(self) -> tuple[Entry, ...]:
        return tuple(entry for entry in self.entries if entry.status == "filled")

    def order_of(self, fill: Fill) -> Order:
        return next(order for order in self.orders if order.id == fill.order_id)


def signals_of(overview: dict[str, Any]) -> list[Signal]:
    """The signals of `GET /api/live_trading/overview`."""
    return [Signal.model_validate(row) for row in overview["signals"]]


def trade_of(story: dict[str, Any]) -> Trade:
    """The trade of `GET /api/live_trading/signals/{id}`."""
    return Trade.model_validate(story)
