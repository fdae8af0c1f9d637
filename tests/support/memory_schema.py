"""The schema `watchlist` for the database in memory: tables, unique keys, defaults, as the migrations make them."""

import asyncio

from common.domain.trade_states import ACTIVE_STATES
from support.memory_postgres import MemoryPostgres, Schema
from support.memory_statements_audit import AUDIT_STATEMENTS
from support.memory_statements_books import BOOK_STATEMENTS
from support.memory_statements_flattens import FLATTEN_STATEMENTS
from support.memory_statements_leases import LEASE_STATEMENTS
from support.memory_statements_monitor import MONITOR_STATEMENTS
from support.memory_statements_signals import SIGNAL_STATEMENTS
from support.memory_statements_trades import TRADE_STATEMENTS
from support.memory_statements_watch import WATCH_STATEMENTS

SCHEMA = Schema(
    tables=(
        "watch_observation",
        "watch_signal_event",
        "live_trade_signal",
        "live_trade_entry",
        "live_trade_order",
        "live_trade_fill",
        "live_trade_funding",
        "live_trade_venue_position",
        "live_trade_spread_sample",
        "live_trade_error",
        "operator_flatten",
        "operator_flatten_order",
        "operator_flatten_fill",
        "audit",
        "outbox",
        "trading_state",
    ),
    unique={
        "watch_signal_event": {
            "watch_signal_event_one_live": lambda row: (
                (row["symbol"], row["type"], row["long_venue"], row["short_venue"])
                if row["merged"] and row["status"] in ("forming", "open")
                else None
            )
        },
        "live_trade_signal": {
            "live_trade_signal_one_active": lambda row: (row["symbol"],) if row["status"] in ACTIVE_STATES else None,
            "live_trade_signal_event_id_key": lambda row: (row["event_id"],),
            "live_trade_signal_order_key_key": lambda row: (row["order_key"],),
        },
        "live_trade_entry": {"live_trade_entry_signal_id_entry_key": lambda row: (row["signal_id"], row["entry"])},
        "live_trade_order": {"live_trade_order_client_order_id_key": lambda row: (row["client_order_id"],)},
        "live_trade_fill": {
            "live_trade_fill_venue_symbol_fill_id_key": lambda row: (row["venue"], row["symbol"], row["fill_id"])
        },
        "live_trade_funding": {
            "live_trade_funding_venue_symbol_payment_id_key": lambda row: (
                row["venue"],
                row["symbol"],
                row["payment_id"],
            )
        },
        "live_trade_venue_position": {"live_trade_venue_position_pkey": lambda row: (row["venue"], row["symbol"])},
        "operator_flatten": {
            "operator_flatten_pkey": lambda row: (row["request_id"],),
            "operator_flatten_order_key_key": lambda row: (row["order_key"],),
        },
        "operator_flatten_order": {"operator_flatten_order_client_order_id_key": lambda row: (row["client_order_id"],)},
        "operator_flatten_fill": {
            "operator_flatten_fill_venue_symbol_fill_id_key": lambda row: (row["venue"], row["symbol"], row["fill_id"])
        },
        "outbox": {"outbox_message_id_key": lambda row: (row["message_id"],)},
    },
    defaults={
        "watch_signal_event": {"version": 1},
        "live_trade_signal": {
            "version": 1,
            "attempts": 0,
            "payload": {},
            **dict.fromkeys(
                (
                    "reason",
                    "reason_evidence",
                    "next_attempt_at",
                    "take_profit_pnl",
                    "opened_at",
                    "force_close_at",
                    "close_requested_at",
                    "close_reason",
                    "close_evidence",
                    "closed_at",
                    "finalised_at",
                    "fees_usdt",
                    "funding_usdt",
                    "spread_pnl_usdt",
                    "net_pnl_usdt",
                    "lease_owner",
                    "lease_until_seconds",
                )
            ),
        },
        "live_trade_entry": dict.fromkeys(
            ("quantity", "notional_usdt", "entry_spread_metric", "entry_spread_pct", "filled_at")
        ),
    },
)


def open_memory_database(loop: asyncio.AbstractEventLoop) -> MemoryPostgres:
    """A freshly migrated database."""
    statements = (
        AUDIT_STATEMENTS
        | SIGNAL_STATEMENTS
        | TRADE_STATEMENTS
        | LEASE_STATEMENTS
        | BOOK_STATEMENTS
        | FLATTEN_STATEMENTS
        | WATCH_STATEMENTS
        | MONITOR_STATEMENTS
    )
    server = MemoryPostgres(loop, SCHEMA, statements)
    first = server.begin()
    first.insert("trading_state", state="active", reason="first installation", changed_by="migration", changed_at=None)
    server.commit(first)
    return server
