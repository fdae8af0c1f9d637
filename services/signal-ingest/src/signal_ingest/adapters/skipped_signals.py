"""The executor's skipped signals: read here, never written; what is decided about them goes out by the outbox."""

from collections.abc import Sequence
from datetime import datetime

from common.messages.contracts import Message, RetryDue, RetryEnded
from common.messages.subjects import RETRY_DUE, RETRY_ENDED
from common.messaging.outbox import Outbox
from common.persistence.database import Pool
from common.persistence.journal import Decision, Journal
from signal_ingest.adapters.event_rows import event_from_row
from signal_ingest.application.announcements import event_message
from signal_ingest.application.ports import RetryVerdict, SkippedSignal

ROUND_SIGNALS = 1000

_DUE = """
SELECT s.id AS signal_id, s.attempts, s.reason, s.next_attempt_at, e.*
FROM watchlist.live_trade_signal s JOIN watchlist.watch_signal_event e ON e.id = s.event_id
WHERE s.status = 'skipped' AND s.next_attempt_at <= $1 ORDER BY s.next_attempt_at, s.id LIMIT $2
"""


class PostgresSkippedSignals:
    """`SkippedSignals` over asyncpg, the outbox and the journal."""

    def __init__(self, pool: Pool, outbox: Outbox, journal: Journal) -> None:
        self._pool = pool
        self._outbox = outbox
        self._journal = journal

    async def due(self, now: datetime) -> list[SkippedSignal]:
        return [
            SkippedSignal(row["signal_id"], row["attempts"], row["reason"], row["next_attempt_at"], event_from_row(row))
            for row in await self._pool.fetch(_DUE, now, ROUND_SIGNALS)
        ]

    async def publish(self, verdicts: Sequence[RetryVerdict]) -> None:
        said = {verdict.message_id: verdict for verdict in verdicts}
        async with self._pool.acquire() as connection:
            async with connection.transaction():
                announced = [_message(verdict) for verdict in verdicts]
                messages = await self._outbox.add_all(connection, announced)
                new = [_decision(said[message.message_id]) for message in messages]
                if new:
                    await self._journal.decided_all(connection, new)
            self._outbox.submit(messages)


def _message(verdict: RetryVerdict) -> tuple[str, str, Message]:
    signal = verdict.signal
    if verdict.ended is None:
        due = RetryDue(signal_id=signal.signal_id, attempt=signal.attempts, event=event_message(signal.event))
        return RETRY_DUE, verdict.message_id, due
    ended = RetryEnded(
        signal_id=signal.signal_id, attempt=signal.attempts, reason="event_closed", evidence=dict(verdict.ended)
    )
    return RETRY_ENDED, verdict.message_id, ended


def _decision(verdict: RetryVerdict) -> Decision:
    signal = verdict.signal
    figures = verdict.ended or {
        "event_status": signal.event.status.value,
        "last_observed_at": signal.event.last_observed_at.isoformat(),
        "attempts": signal.attempts,
        "last_reason": signal.reason,
        "due_at": signal.next_attempt_at.isoformat(),
    }
    return Decision(
        "retry_due" if verdict.ended is None else "retry_ended",
        {**figures, "message_id": verdict.message_id},
        symbol=signal.event.key.symbol,
        event_id=signal.event.id,
        signal_id=signal.signal_id,
    )
