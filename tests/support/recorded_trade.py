"""A trade as the executor's ledger records it, open with one filled entry: tests replace in it what they care about."""

from datetime import UTC, datetime
from decimal import Decimal

from common.domain.identifiers import Leg, Purpose, Side, client_order_id
from executor.domain.order_machine import OrderStatus
from executor.domain.records import Entry, Order, Trade
from executor.domain.trade_machine import TradeStatus

OPENED_AT = datetime(2025, 10, 10, 21, 55, tzinfo=UTC)
TRADE = Trade(
    id=7,
    version=1,
    event_id=11,
    order_key="0123456789abcdef",
    type="B",
    symbol="SOL",
    long_venue="bybit",
    short_venue="binance",
    status=TradeStatus.OPEN,
    attempts=1,
    pnl_hat=0.01,
    win_prob=0.9,
    take_profit_pnl=0.007,
    opened_at=OPENED_AT,
    close_requested_at=None,
    close_reason=None,
    closed_at=None,
    payload={},
)
ENTRY = Entry(
    id=1,
    entry=1,
    status="filled",
    event_id=TRADE.event_id,
    planned_quantity=Decimal(5),
    quantity=Decimal(5),
    notional_usdt=Decimal(500),
    entry_spread_metric=0.02,
    entry_spread_pct=0.0202,
    pnl_hat=0.01,
    win_prob=0.9,
    snapshot={},
    filled_at=OPENED_AT,
)
LONG_ORDER = Order(
    id=1,
    version=1,
    entry=ENTRY.entry,
    leg=Leg.LONG,
    purpose=Purpose.OPEN,
    attempt=1,
    client_order_id=client_order_id(TRADE.order_key, ENTRY.entry, Leg.LONG, Purpose.OPEN, 1),
    venue=TRADE.long_venue,
    symbol=TRADE.symbol,
    side=Side.BUY,
    reduce_only=False,
    quantity=Decimal(5),
    reference_price=Decimal(100),
    status=OrderStatus.FILLED,
    venue_order_id="1",
    filled_quantity=Decimal(5),
    average_price=Decimal(100),
    booked_quantity=Decimal(5),
    intended_at=OPENED_AT,
)
"""What opened the long leg."""
