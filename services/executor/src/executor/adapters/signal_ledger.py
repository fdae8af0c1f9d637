"""Signals in Postgres. Every write is guarded by the state and the version that the caller read."""

import secrets
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from common.messages.contracts import TradeChanged, WatchlistEvent
from common.messages.subjects import TRADE_CHANGED
from common.messaging.outbox import Outbox, OutboxMessage
from common.persistence.database import Connection, Pool
from common.persistence.journal import Journal
from common.runtime.clock import Clock
from common.runtime.tracing import traceparent
from executor.adapters.rows import EVENT_COLUMNS, TRADE_COLUMNS, fetch_trade, read_event, read_trade
from executor.application.ports import StaleTradeError, Waiting
from executor.domain.gate import Standing
from executor.domain.records import Trade
from executor.domain.refusal import Refusal
from executor.domain.trade_machine import TradeStatus, sources_of

# The event's own columns; a second signal for the same event is refused by the unique index.
_RECORD = f"""
INSERT INTO watchlist.live_trade_signal
    (event_id, order_key, mode, type, symbol, long_venue, short_venue, status, pnl_hat, win_prob, prediction_source,
     traceparent, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, 'new', $8, $9, $10, $11, $12, $12)
ON CONFLICT (event_id) DO NOTHING RETURNING {TRADE_COLUMNS}
"""  # noqa: S608  column names of ours
_BY_EVENT = f"SELECT {TRADE_COLUMNS} FROM watchlist.live_trade_signal WHERE event_id = $1"  # noqa: S608
# Trading state, the active trade on the symbol, and how many are active at all, in one round trip.
_STANDING = """
SELECT (SELECT state FROM watchlist.trading_state WHERE id = 1) AS trading_state,
       (SELECT id FROM watchlist.live_trade_signal
        WHERE symbol = $1 AND status IN ('opening', 'open', 'closing')) AS active_trade_on_symbol,
       (SELECT count(*) FROM watchlist.live_trade_signal
        WHERE status IN ('opening', 'open', 'closing')) AS active_trades
"""
_SKIP = """
UPDATE watchlist.live_trade_signal
SET status = 'skipped', reason = $4, reason_evidence = $5, attempts = attempts + 1, next_attempt_at = $6,
    pnl_hat = $7, win_prob = $8, prediction_source = $9, updated_at = $10, version = version + 1
WHERE id = $1 AND version = $2 AND status = ANY($3) RETURNING version
"""
_EXPIRE = """
UPDATE watchlist.live_trade_signal
SET status = 'expired', reason = $4, reason_evidence = $5, next_attempt_at = NULL, updated_at = $6,
    version = version + 1
WHERE id = $1 AND attempts = $2 AND status = ANY($3) RETURNING version, symbol
"""
_FRESH_EVENT = f"""
SELECT {EVENT_COLUMNS} FROM watchlist.watch_signal_event
WHERE type = 'B' AND symbol = $1 AND long_venue = $2 AND short_venue = $3 AND status <> 'forming'
ORDER BY last_observed_at DESC LIMIT 1
"""  # noqa: S608
_EVENT = f"SELECT {EVENT_COLUMNS} FROM watchlist.watch_signal_event WHERE id = $1"  # noqa: S608
# The few live events, each with its signal; what is a trade, or was ended, is not looked at again.
_WAITING = f"""
WITH waiting AS (
    SELECT event.id AS waits, signal.id AS signal_id, signal.next_attempt_at
    FROM watchlist.watch_signal_event AS event
    LEFT JOIN watchlist.live_trade_signal AS signal ON signal.event_id = event.id
    WHERE event.status = 'open' AND coalesce(signal.status, 'new') IN ('new', 'skipped')
    ORDER BY event.last_observed_at DESC LIMIT $1
)
SELECT {EVENT_COLUMNS}, signal_id, next_attempt_at FROM waiting
JOIN watchlist.watch_signal_event ON id = waits ORDER BY last_observed_at DESC
"""  # noqa: S608


def draw_order_key() -> str:
    """16 random hexadecimal characters: the part of client order ids that no other trade shares."""
    return secrets.token_hex(8)


class PostgresSignalLedger:
    """See `executor.application.ports.SignalLedger`."""

    def __init__(
        self,
        pool: Pool,
        outbox: Outbox,
        journal: Journal,
        clock: Clock,
        mode: str,
        new_order_key: Callable[[], str] = draw_order_key,
    ) -> None:
        self._pool = pool
        self._outbox = outbox
        self._journal = journal
        self._clock = clock
        self._mode = mode
        self._new_order_key = new_order_key

    async def record_signal(self, event: WatchlistEvent) -> tuple[Trade, bool]:
        prediction = event.prediction
        row = await self._pool.fetchrow(
            _RECORD,
            event.event_id,
            self._new_order_key(),
            self._mode,
            event.type,
            event.symbol,
            event.long_venue,
            event.short_venue,
            prediction.pnl_hat if prediction else None,
            prediction.win_prob if prediction else None,
            prediction.source if prediction else None,
            traceparent(),
            self._clock.now(),
        )
        if row is not None:
            return read_trade(row), True
        existing = await self._pool.fetchrow(_BY_EVENT, event.event_id)
        assert existing is not None, "a conflict on the event means that its signal is there"
        return read_trade(existing), False

    async def trade(self, signal_id: int) -> Trade | None:
        return await fetch_trade(self._pool, signal_id)

    async def waiting(self, limit: int) -> Sequence[Waiting]:
        found = []
        for row in await self._pool.fetch(_WAITING, limit):
            values = dict(row)
            signal_id, next_attempt_at = values.pop("signal_id"), values.pop("next_attempt_at")
            trade = None if signal_id is None else await fetch_trade(self._pool, signal_id)
            found.append(Waiting(read_event(values), trade, next_attempt_at))
        return found

    async def standing(self, symbol: str) -> Standing:
        row = await self._pool.fetchrow(_STANDING, symbol)
        assert row is not None
        return Standing(**row)

    async def skip(
        self, trade: Trade, refusal: Refusal, next_attempt_at: datetime | None, event: WatchlistEvent
    ) -> None:
        prediction = event.prediction
        async with self._pool.acquire() as connection, connection.transaction():
            version = await connection.fetchval(
                _SKIP,
                trade.id,
                trade.version,
                sources_of(TradeStatus.SKIPPED),
                refusal.reason,
                refusal.evidence,
                next_attempt_at,
                prediction.pnl_hat if prediction else None,
                prediction.win_prob if prediction else None,
                prediction.source if prediction else None,
                self._clock.now(),
            )
            if version is None:
                raise StaleTradeError
            evidence = {"attempt": trade.attempts + 1, "next_attempt_at": next_attempt_at, **refusal.evidence}
            await self._decided(connection, f"skipped:{refusal.reason}", trade, evidence)
            news = await tell(self._outbox, connection, self._clock, trade, version, "skipped", refusal.reason)
        self._outbox.submit(news)

    async def expire(self, signal_id: int, attempts: int, reason: str, evidence: dict[str, Any]) -> None:
        async with self._pool.acquire() as connection, connection.transaction():
            now = self._clock.now()
            sources = sources_of(TradeStatus.EXPIRED)
            row = await connection.fetchrow(_EXPIRE, signal_id, attempts, sources, reason, evidence, now)
            if row is None:
                return
            trade = await fetch_trade(connection, signal_id)
            assert trade is not None
            await self._decided(connection, f"expired:{reason}", trade, evidence)
            news = await tell(self._outbox, connection, self._clock, trade, row["version"], "expired", reason)
        self._outbox.submit(news)

    async def refused_scale_in(self, trade: Trade, refusal: Refusal) -> None:
        await self._journal.decided(
            f"scale_in_refused:{refusal.reason}", refusal.evidence, symbol=trade.symbol, signal_id=trade.id
        )

    async def fresh_event(self, trade: Trade) -> WatchlistEvent | None:
        row = await self._pool.fetchrow(_FRESH_EVENT, trade.symbol, trade.long_venue, trade.short_venue)
        return None if row is None else read_event(row)

    async def event(self, event_id: int) -> WatchlistEvent | None:
        row = await self._pool.fetchrow(_EVENT, event_id)
        return None if row is None else read_event(row)

    async def _decided(self, connection: Connection, decision: str, trade: Trade, evidence: dict[str, Any]) -> None:
        await self._journal.decided(
            decision,
            evidence,
            symbol=trade.symbol,
            event_id=trade.event_id,
            signal_id=trade.id,
            connection=connection,
        )


async def tell(
    outbox: Outbox,
    connection: Connection,
    clock: Clock,
    trade: Trade,
    version: int,
    status: str,
    reason: str | None,
    detail: dict[str, Any] | None = None,
) -> list[OutboxMessage]:
    """Adds the news of a trade's new state to the caller's transaction."""
    news = TradeChanged(
        signal_id=trade.id,
        version=version,
        symbol=trade.symbol,
        status=status,
        reason=reason,
        changed_at=clock.now(),
        detail=detail or {},
    )
    return await outbox.add(connection, TRADE_CHANGED, f"trade-{trade.id}-{version}", news)
