"""What the ledger holds, as the rules see it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from common.domain.identifiers import Leg, Purpose, Side, client_order_id, order_side
from common.domain.position import LegFill, LegPosition, leg_position
from executor.domain.order_machine import OrderStatus, is_final
from executor.domain.trade_machine import TradeStatus

CLOSES_FOR = "closes_for"
"""Where a trade's payload says which operator took over a close that the strategy had begun."""
WHOLE_TRADE = 0


@dataclass(frozen=True, slots=True)
class Trade:
    """One row of `live_trade_signal`."""

    id: int
    version: int
    event_id: int
    order_key: str
    type: str
    symbol: str
    long_venue: str
    short_venue: str
    status: TradeStatus
    attempts: int
    pnl_hat: float | None
    win_prob: float | None
    take_profit_pnl: float | None
    opened_at: datetime | None
    close_requested_at: datetime | None
    close_reason: str | None
    closed_at: datetime | None
    payload: dict[str, Any]
    traceparent: str | None = None
    """The trace that the trade's signal was recorded in."""

    def venue(self, leg: Leg) -> str:
        """The venue that holds `leg`."""
        return self.long_venue if leg is Leg.LONG else self.short_venue


@dataclass(frozen=True, slots=True)
class Order:
    """One row of `live_trade_order`. `entry` is 0 for an order that closes the whole trade."""

    id: int
    version: int
    entry: int
    leg: Leg
    purpose: Purpose
    attempt: int
    client_order_id: str
    venue: str
    symbol: str
    side: Side
    reduce_only: bool
    quantity: Decimal
    reference_price: Decimal
    status: OrderStatus
    venue_order_id: str | None
    filled_quantity: Decimal
    average_price: Decimal | None
    booked_quantity: Decimal
    intended_at: datetime
    age_seconds: float = field(default=0.0, compare=False)
    """Real seconds from the writing of the intent to the reading of this."""
    written_at_seconds: float | None = field(default=None, compare=False)
    """The monotonic moment right before this process wrote the intent; None of an intent that it only read."""

    @property
    def is_final(self) -> bool:
        """Whether nothing more is expected to fill."""
        return is_final(self.status)

    @property
    def price(self) -> Decimal:
        """The average fill price; the price that was swept for the order until the venue has told."""
        return self.reference_price if self.average_price is None else self.average_price


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of `live_trade_entry`. `entry` counts attempts; an entry's k is its rank among the filled ones."""

    id: int
    entry: int
    status: str
    event_id: int
    planned_quantity: Decimal
    quantity: Decimal | None
    notional_usdt: Decimal | None
    entry_spread_metric: float | None
    entry_spread_pct: float | None
    pnl_hat: float
    win_prob: float
    snapshot: dict[str, Any]
    filled_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewOrder:
    """An order to be written as an intent."""

    entry: int
    leg: Leg
    purpose: Purpose
    attempt: int
    client_order_id: str
    venue: str
    symbol: str
    side: Side
    quantity: Decimal
    reference_price: Decimal

    @property
    def reduce_only(self) -> bool:
        """Everything but an opening order may only reduce."""
        return self.purpose is not Purpose.OPEN


@dataclass(frozen=True, slots=True)
class TradeBook:
    """A trade with all that belongs to it."""

    trade: Trade
    entries: Sequence[Entry] = field(default_factory=tuple)
    orders: Sequence[Order] = field(default_factory=tuple)

    @property
    def filled_entries(self) -> list[Entry]:
        """Entries that count, in order."""
        return sorted((entry for entry in self.entries if entry.status == "filled"), key=lambda entry: entry.entry)

    @property
    def next_entry(self) -> int:
        """The number of the next entry: a number is never used twice, also after an attempt that failed."""
        return max((entry.entry for entry in self.entries), default=0) + 1

    @property
    def unresolved_orders(self) -> list[Order]:
        """Orders whose outcome is not known yet."""
        return [order for order in self.orders if not order.is_final]

    def position(self, leg: Leg) -> LegPosition:
        """What the trade holds on one leg, from what filled."""
        return leg_position(leg_fills(self.orders), leg)

    def opening_order(self, entry: Entry, leg: Leg) -> Order:
        """The order that opens `leg` of `entry`."""
        for order in self.orders:
            if order.entry == entry.entry and order.leg is leg and order.purpose is Purpose.OPEN:
                return order
        raise LookupError(f"entry {entry.entry} of trade {self.trade.id} has no opening order on its {leg} leg")

    def orders_named(self, client_order_ids: Iterable[str]) -> list[Order]:
        """The orders with these client ids: what was just committed, and nothing that an earlier process left."""
        wanted = set(client_order_ids)
        return [order for order in self.orders if order.client_order_id in wanted]

    def next_attempt(self, entry: int, leg: Leg, purpose: Purpose) -> int:
        """The number of the next order of this kind: attempts are never used twice."""
        used = [o.attempt for o in self.orders if o.entry == entry and o.leg is leg and o.purpose is purpose]
        return max(used, default=0) + 1


def leg_fills(orders: Iterable[Order]) -> list[LegFill]:
    """The filled part of each order: a fill whose price is not known yet is a fill all the same."""
    return [
        LegFill(order.leg, order.purpose, order.filled_quantity, order.price)
        for order in orders
        if order.filled_quantity > 0
    ]


def new_order(
    trade: Trade, entry: int, leg: Leg, purpose: Purpose, attempt: int, quantity: Decimal, reference_price: Decimal
) -> NewOrder:
    """An order of `trade` with its deterministic client id."""
    return NewOrder(
        entry=entry,
        leg=leg,
        purpose=purpose,
        attempt=attempt,
        client_order_id=client_order_id(trade.order_key, entry, leg, purpose, attempt),
        venue=trade.venue(leg),
        symbol=trade.symbol,
        side=order_side(leg, purpose),
        quantity=quantity,
        reference_price=reference_price,
    )
