"""Rows of the ledger for tests: each builder inserts one row that makes sense, with what the test cares about.

They write as the database's owner; a column that a test does not name has a value that fits its neighbours.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from common.domain.spread import entry_spread_metric
from common.persistence.database import Pool

NOON = datetime(2025, 10, 10, 12, tzinfo=UTC)
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Trade:
    """What the builders of one trade's rows have to agree on."""

    id: int
    event_id: int
    symbol: str
    long_venue: str
    short_venue: str
    opened_at: datetime
    order_ids: list[int] = field(default_factory=list)


class LedgerRows:
    """Builders over one database, reached as its owner."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool

    async def insert(self, table: str, **columns: Any) -> int:
        """One row; returns its id (0 of a table that has none)."""
        names = ", ".join(columns)
        places = ", ".join(f"${number}" for number in range(1, len(columns) + 1))
        row = await self.pool.fetchrow(
            f"INSERT INTO watchlist.{table} ({names}) VALUES ({places}) RETURNING *", *columns.values()
        )
        assert row is not None
        return int(row.get("id") or 0)

    async def event(self, symbol: str = "SOL", *, status: str = "open", at: datetime = NOON, **columns: Any) -> int:
        """A merged type B event that was opened `at`."""
        row = {
            "type": "B",
            "symbol": symbol,
            "long_venue": "binance",
            "short_venue": "bybit",
            "status": status,
            "merged": False,
            "observations": 3,
            "first_observed_at": at,
            "last_observed_at": at + timedelta(seconds=30),
            "opened_at": at,
            "closed_at": at + timedelta(minutes=3) if status == "closed" else None,
            "factors": {"spread": {"count": 3, "min": 0.011, "max": 0.013, "mean": 0.012}},
            "last_observation": {"spread": 0.012},
            "pnl_hat": 0.01,
            "win_prob": 0.9,
            "horizon_min": 240.0,
            "prediction_source": "reversion",
        }
        return await self.insert("watch_signal_event", **row | columns)

    async def signal(self, symbol: str = "SOL", *, status: str = "skipped", at: datetime = NOON, **columns: Any) -> int:
        """A signal recorded `at`; by default one that was skipped and waits for its next attempt."""
        skipped = status == "skipped"
        row = {
            "event_id": 1_000_000 + next(_numbers),
            "order_key": f"{next(_numbers):016x}",
            "mode": "live",
            "type": "B",
            "symbol": symbol,
            "long_venue": "binance",
            "short_venue": "bybit",
            "status": status,
            "reason": "entry_spread_too_small" if skipped else None,
            "attempts": 1,
            "next_attempt_at": at + timedelta(seconds=10) if skipped else None,
            "pnl_hat": 0.01,
            "win_prob": 0.9,
            "created_at": at,
            "updated_at": at,
        }
        return await self.insert("live_trade_signal", **row | columns)

    async def trade(self, symbol: str = "SOL", *, status: str = "open", at: datetime = NOON, **columns: Any) -> Trade:
        """A trade that opened `at`, with its event but without entries and orders."""
        event_id = await self.event(symbol, at=at - timedelta(seconds=2))
        row = {
            "event_id": event_id,
            "opened_at": at,
            "take_profit_pnl": 0.007,
            "force_close_at": at + timedelta(days=7),
        }
        signal_id = await self.signal(symbol, status=status, at=at - timedelta(seconds=1), **row | columns)
        return Trade(signal_id, event_id, symbol, "binance", "bybit", at)

    async def entry(
        self,
        trade: Trade,
        number: int = 1,
        *,
        long_buy: str = "100",
        short_sell: str = "101.2",
        quantity: str = "0.5",
        at: datetime | None = None,
    ) -> int:
        """A filled entry at these prices, with its two filled orders and their fills (fee 0.05 %)."""
        filled_at = at or trade.opened_at
        prices = Decimal(long_buy), Decimal(short_sell)
        entry_id = await self.insert(
            "live_trade_entry",
            signal_id=trade.id,
            entry=number,
            status="filled",
            event_id=trade.event_id,
            planned_quantity=Decimal(quantity),
            quantity=Decimal(quantity),
            notional_usdt=Decimal(quantity) * prices[1],
            entry_spread_metric=entry_spread_metric(*prices),
            entry_spread_pct=float(prices[1] / prices[0] - 1),
            pnl_hat=0.01,
            win_prob=0.9,
            snapshot={
                "execution": {
                    "long_buy": {"price": long_buy, "taken": [[long_buy, quantity]]},
                    "short_sell": {"price": short_sell, "taken": [[short_sell, quantity]]},
                    "entry_spread_pct": float(prices[1] / prices[0] - 1),
                },
                "residual": {"long": "0", "short": "0"},
            },
            requested_at=filled_at - timedelta(seconds=1),
            filled_at=filled_at,
        )
        for leg, side, price in (("long", "buy", long_buy), ("short", "sell", short_sell)):
            await self.filled_order(trade, leg, "open", side, price, quantity, entry=number, at=filled_at)
        return entry_id

    async def close(self, trade: Trade, long_sell: str, short_buy: str, quantity: str, at: datetime) -> None:
        """Both legs' filled close orders with their fills."""
        await self.filled_order(trade, "long", "close", "sell", long_sell, quantity, at=at)
        await self.filled_order(trade, "short", "close", "buy", short_buy, quantity, at=at)

    async def filled_order(
        self,
        trade: Trade,
        leg: str,
        purpose: str,
        side: str,
        price: str,
        quantity: str,
        *,
        entry: int = 0,
        at: datetime = NOON,
        fee_usdt: Decimal | str | None = "taker",
    ) -> int:
        """One order that filled at once, booked as one fill."""
        venue = trade.long_venue if leg == "long" else trade.short_venue
        number = next(_numbers)
        order_id = await self.insert(
            "live_trade_order",
            signal_id=trade.id,
            entry=entry,
            leg=leg,
            purpose=purpose,
            attempt=1,
            client_order_id=f"7a4d{number:024x}",
            venue=venue,
            symbol=trade.symbol,
            side=side,
            reduce_only=purpose != "open",
            quantity=Decimal(quantity),
            reference_price=Decimal(price),
            status="filled",
            venue_order_id=str(number),
            filled_quantity=Decimal(quantity),
            average_price=Decimal(price),
            intended_at=at - timedelta(milliseconds=5),
            resolved_at=at,
        )
        trade.order_ids.append(order_id)
        fee = Decimal(price) * Decimal(quantity) * Decimal("0.0005") if fee_usdt == "taker" else fee_usdt
        await self.insert(
            "live_trade_fill",
            signal_id=trade.id,
            order_id=order_id,
            venue=venue,
            symbol=trade.symbol,
            fill_id=f"fill-{number}",
            side=side,
            price=Decimal(price),
            quantity=Decimal(quantity),
            fee_usdt=fee,
            traded_at=at,
        )
        return order_id

    async def funding(self, trade: Trade, leg: str, amount_usdt: str, at: datetime) -> int:
        """One settlement."""
        return await self.insert(
            "live_trade_funding",
            signal_id=trade.id,
            leg=leg,
            venue=trade.long_venue if leg == "long" else trade.short_venue,
            symbol=trade.symbol,
            payment_id=f"funding-{next(_numbers)}",
            amount_usdt=Decimal(amount_usdt),
            settled_at=at,
        )

    async def sample(self, trade: Trade, verdict: str = "hold", *, at: datetime = NOON, **columns: Any) -> int:
        """One valuation."""
        row = {
            "signal_id": trade.id,
            "sampled_at": at,
            "verdict": verdict,
            "long_sell": Decimal("99.5"),
            "short_buy": Decimal("101"),
            "spread_now": 0.015,
            "exit_spread_pct": 0.0151,
            "pnl_spread": -0.003,
            "position_pnl_usdt": Decimal("-0.15"),
            "total_pnl_usdt": Decimal("-0.2"),
            "pnl_complete": False,
            "funding_per_hour": 0.00001,
            "evidence": {"take_profit_pnl": 0.007},
        }
        return await self.insert("live_trade_spread_sample", **row | columns)

    async def venue_position(self, venue: str, symbol: str, quantity: str, at: datetime = NOON) -> None:
        """What a venue said last."""
        await self.insert(
            "live_trade_venue_position", venue=venue, symbol=symbol, quantity=Decimal(quantity), read_at=at
        )

    async def error(
        self, service: str = "executor", signal_id: int | None = None, at: datetime = NOON, **columns: Any
    ) -> int:
        """One recorded error."""
        row = {
            "service": service,
            "occurred_at": at,
            "kind": "venue_unreachable",
            "signal_id": signal_id,
            "message": "bybit did not answer",
            "detail": {"venue": "bybit"},
        }
        return await self.insert("live_trade_error", **row | columns)

    async def counterfactual(self, signal_id: int, **columns: Any) -> int:
        """What a skipped signal would have made: one that is over and complete."""
        row = {
            "signal_id": signal_id,
            "symbol": "SOL",
            "long_venue": "binance",
            "short_venue": "bybit",
            "reason": "below_threshold",
            "skipped_at": NOON,
            "width": 0.012,
            "status": "over",
            "exit_pnl_usdt": Decimal("0.5"),
            "complete": True,
        }
        return await self.insert("live_trade_counterfactual", **row | columns)

    async def alert(self, key: str) -> int:
        """An alert that waits to be sent."""
        return await self.insert(
            "alert",
            key=key,
            kind="test",
            about="test",
            title="a test",
            message="a test",
            raised_at=NOON,
            raised_at_seconds=0.0,
            state="waiting",
            next_attempt_at_seconds=0.0,
        )

    async def audit(
        self,
        decision: str,
        service: str = "executor",
        signal_id: int | None = None,
        at: datetime = NOON,
        symbol: str | None = "SOL",
        **evidence: Any,
    ) -> int:
        """One recorded decision."""
        return await self.insert(
            "audit",
            service=service,
            decided_at=at,
            decision=decision,
            symbol=symbol,
            signal_id=signal_id,
            evidence=evidence or {"threshold": 0.007},
        )

    async def observation(self, *, at: datetime = NOON, **columns: Any) -> int:
        """One look that triggered."""
        row = {
            "type": "B",
            "symbol": "SOL",
            "long_venue": "binance",
            "short_venue": "bybit",
            "observed_at": at,
            "spread": 0.01,
            "triggered": True,
            "observation": {},
        }
        return await self.insert("watch_observation", **row | columns)

    async def message(self, message_id: str, **columns: Any) -> int:
        """One message of the executor that waits for the bus."""
        row = {
            "service": "executor",
            "message_id": message_id,
            "subject": "trade.changed",
            "body": b"{}",
            "created_at": NOON,
        }
        return await self.insert("outbox", **row | columns)

    async def set_status(self, signal_id: int, status: str, **columns: Any) -> None:
        """Moves a signal, as the executor would have done."""
        assignments: Sequence[str] = [f"{name} = ${number}" for number, name in enumerate(columns, start=3)]
        changes = ", ".join(["status = $2", *assignments])
        sql = f"UPDATE watchlist.live_trade_signal SET {changes} WHERE id = $1"
        await self.pool.execute(sql, signal_id, status, *columns.values())
