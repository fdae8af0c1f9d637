"""Rows of the ledger as records, and the columns that they are read from."""

from collections.abc import Mapping
from typing import Any

import asyncpg

from common.domain.identifiers import Leg, Purpose, Side
from common.messages.contracts import Prediction, WatchlistEvent
from common.persistence.database import Connection, Pool
from executor.domain.order_machine import OrderStatus
from executor.domain.records import Entry, Order, Trade, TradeBook
from executor.domain.trade_machine import TradeStatus

TRADE_COLUMNS = """
id, version, event_id, order_key, type, symbol, long_venue, short_venue, status, attempts, pnl_hat, win_prob,
take_profit_pnl, opened_at, close_requested_at, close_reason, closed_at, payload, traceparent
"""
ORDER_COLUMNS = """
id, version, entry, leg, purpose, attempt, client_order_id, venue, symbol, side, reduce_only, quantity,
reference_price, status, venue_order_id, filled_quantity, average_price, booked_quantity, intended_at
"""
AGE_SECONDS = "extract(epoch FROM clock_timestamp() - written_at)::float8 AS age_seconds"
"""Of an order; by the database's clock at both ends, so that it means the same to every process."""
AGED_ORDER_COLUMNS = f"{ORDER_COLUMNS}, {AGE_SECONDS}"

ENTRY_COLUMNS = """
id, entry, status, event_id, planned_quantity, quantity, notional_usdt, entry_spread_metric, entry_spread_pct,
pnl_hat, win_prob, snapshot, filled_at
"""
EVENT_COLUMNS = """
id AS event_id, version, type, symbol, long_venue, short_venue, status, observations, first_observed_at,
last_observed_at, factors, pnl_hat, win_prob, horizon_min, prediction_source
"""

_TRADE = f"SELECT {TRADE_COLUMNS} FROM watchlist.live_trade_signal WHERE id = $1"  # noqa: S608  column names of ours
_ENTRIES = f"SELECT {ENTRY_COLUMNS} FROM watchlist.live_trade_entry WHERE signal_id = $1 ORDER BY entry"  # noqa: S608
_ORDERS = f"SELECT {AGED_ORDER_COLUMNS} FROM watchlist.live_trade_order WHERE signal_id = $1 ORDER BY id"  # noqa: S608


def read_trade(row: Mapping[str, Any]) -> Trade:
    """A row of `live_trade_signal`."""
    return Trade(**{**row, "status": TradeStatus(row["status"])})


def read_order(row: asyncpg.Record) -> Order:
    """A row of `live_trade_order`."""
    kinds: dict[str, Any] = {
        "leg": Leg(row["leg"]),
        "purpose": Purpose(row["purpose"]),
        "side": Side(row["side"]),
        "status": OrderStatus(row["status"]),
    }
    return Order(**{**row, **kinds})


def read_event(row: Mapping[str, Any]) -> WatchlistEvent:
    """A row of `watch_signal_event` as the message that tells of it."""
    values = dict(row)
    pnl_hat, win_prob = values.pop("pnl_hat"), values.pop("win_prob")
    horizon, source = values.pop("horizon_min"), values.pop("prediction_source")
    prediction = None
    if pnl_hat is not None and win_prob is not None:
        prediction = Prediction(
            pnl_hat=pnl_hat, win_prob=win_prob, horizon_min=horizon or 0, source=source or "unknown"
        )
    return WatchlistEvent(**values, prediction=prediction)


async def fetch_trade(connection: Connection | Pool, signal_id: int) -> Trade | None:
    """One trade, or None."""
    row = await connection.fetchrow(_TRADE, signal_id)
    return None if row is None else read_trade(row)


async def fetch_book(connection: Connection | Pool, signal_id: int) -> TradeBook:
    """One trade with its entries and orders.

    Raises:
        LookupError: there is no such trade.
    """
    trade = await fetch_trade(connection, signal_id)
    if trade is None:
        raise LookupError(f"there is no signal {signal_id}")
    entries = [Entry(**row) for row in await connection.fetch(_ENTRIES, signal_id)]
    orders = [read_order(row) for row in await connection.fetch(_ORDERS, signal_id)]
    return TradeBook(trade, entries, orders)
