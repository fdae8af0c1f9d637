"""Stores verdicts: the sample, the message to the executor and the audit line commit together."""

from typing import Any

from common.messages.contracts import CloseRequested, Message, ScaleInRequested
from common.messages.subjects import CLOSE_REQUESTED, SCALE_IN_REQUESTED
from common.messaging.outbox import Outbox, OutboxMessage
from common.persistence.database import DATABASE_AWAY, Connection, Pool
from common.persistence.journal import Journal
from position_monitor.application.ports import Sample, StoreAway
from position_monitor.domain.requests import Request

REQUESTED_BY = "position_monitor"

_SAMPLE = """
INSERT INTO watchlist.live_trade_spread_sample
    (signal_id, sampled_at, verdict, long_sell, short_buy, spread_now, exit_spread_pct, pnl_spread,
     position_pnl_usdt, total_pnl_usdt, pnl_complete, funding_per_hour, evidence)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
"""


class PostgresDecisions:
    """Decisions over Postgres, the outbox and the audit."""

    def __init__(self, pool: Pool, outbox: Outbox, journal: Journal) -> None:
        self._pool = pool
        self._outbox = outbox
        self._journal = journal

    async def record(self, sample: Sample, request: Request | None, decision: str | None) -> None:
        """See `Decisions.record`."""
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                messages = await self._write(connection, sample, request, decision)
        except DATABASE_AWAY as error:
            raise StoreAway(f"{type(error).__name__}: {error}") from error
        self._outbox.submit(messages)

    async def noticed(self, decision: str, evidence: dict[str, Any], symbol: str, signal_id: int) -> None:
        """See `Decisions.noticed`."""
        try:
            await self._journal.decided(decision, evidence, symbol=symbol, signal_id=signal_id)
        except DATABASE_AWAY as error:
            raise StoreAway(f"{type(error).__name__}: {error}") from error

    async def _write(
        self, connection: Connection, sample: Sample, request: Request | None, decision: str | None
    ) -> list[OutboxMessage]:
        await connection.execute(_SAMPLE, *_sample_values(sample))
        messages: list[OutboxMessage] = []
        evidence = sample.evidence
        if request is not None:
            subject, payload = _message(request, evidence)
            messages = await self._outbox.add(connection, subject, request.message_id, payload)
            evidence = {"topic": request.topic, "message_id": request.message_id, **evidence}
        if decision is not None and (request is None or messages):
            await self._journal.decided(
                decision, evidence, symbol=sample.symbol, signal_id=sample.signal_id, connection=connection
            )
        return messages


def _message(request: Request, evidence: dict[str, Any]) -> tuple[str, Message]:
    if request.entries is not None:
        return SCALE_IN_REQUESTED, ScaleInRequested(
            signal_id=request.signal_id, entries=request.entries, evidence=evidence
        )
    return CLOSE_REQUESTED, CloseRequested(
        signal_id=request.signal_id, reason=request.reason, requested_by=REQUESTED_BY, evidence=evidence
    )


def _sample_values(sample: Sample) -> tuple[Any, ...]:
    valued = sample.valuation
    return (
        sample.signal_id,
        sample.sampled_at,
        str(sample.verdict.action),
        valued.long_sell if valued else None,
        valued.short_buy if valued else None,
        valued.spread_now if valued else None,
        valued.exit_spread_pct if valued else None,
        valued.pnl_spread if valued else None,
        valued.position_pnl_usdt if valued else None,
        valued.total_pnl_usdt if valued else None,
        valued.pnl_complete if valued else False,
        sample.funding_per_hour,
        sample.evidence,
    )
