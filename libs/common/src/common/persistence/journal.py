"""The append-only tables that every service writes: audit and errors."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from common.persistence.database import Connection, Pool, storable_text
from common.runtime.clock import Clock

_AUDIT = """
INSERT INTO watchlist.audit (service, decided_at, decision, symbol, event_id, signal_id, evidence)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
_AUDIT_MANY = """
INSERT INTO watchlist.audit (service, decided_at, decision, symbol, event_id, signal_id, evidence)
SELECT $1, $2, d.decision, d.symbol, d.event_id, d.signal_id, d.evidence
FROM unnest($3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::jsonb[])
    WITH ORDINALITY AS d (decision, symbol, event_id, signal_id, evidence, place)
ORDER BY place
"""
_ERROR = """
INSERT INTO watchlist.live_trade_error (service, occurred_at, kind, signal_id, message, detail)
VALUES ($1, $2, $3, $4, $5, $6)
"""
_PAGE = """
SELECT id, decided_at, decision, symbol, event_id, signal_id, evidence FROM watchlist.audit
WHERE service = $1 AND id < $2{filters} ORDER BY id DESC LIMIT $3
"""

QUARANTINED_CHARACTERS_MAX = 20_000


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision of many that are recorded together."""

    decision: str
    evidence: dict[str, Any]
    symbol: str | None = None
    event_id: int | None = None
    signal_id: int | None = None


class Journal:
    """One service's audit and error log."""

    def __init__(self, service: str, pool: Pool, clock: Clock) -> None:
        self._service = service
        self._pool = pool
        self._clock = clock

    async def decided(
        self,
        decision: str,
        evidence: dict[str, Any],
        *,
        symbol: str | None = None,
        event_id: int | None = None,
        signal_id: int | None = None,
        connection: Connection | None = None,
    ) -> None:
        """Records a decision with the figures that made it, in the caller's transaction where one is given."""
        target = connection or self._pool
        now = self._clock.now()
        await target.execute(_AUDIT, self._service, now, decision, symbol, event_id, signal_id, evidence)

    async def decided_all(self, connection: Connection, decisions: Sequence[Decision]) -> None:
        """Records many decisions in the caller's transaction, with one statement."""
        await connection.execute(
            _AUDIT_MANY,
            self._service,
            self._clock.now(),
            [decision.decision for decision in decisions],
            [decision.symbol for decision in decisions],
            [decision.event_id for decision in decisions],
            [decision.signal_id for decision in decisions],
            [decision.evidence for decision in decisions],
        )

    async def failed(
        self,
        kind: str,
        message: str,
        detail: dict[str, Any],
        *,
        signal_id: int | None = None,
        connection: Connection | None = None,
    ) -> None:
        """Records what went wrong, in the caller's transaction where one is given."""
        target = connection or self._pool
        now = self._clock.now()
        await target.execute(_ERROR, self._service, now, kind, signal_id, storable_text(message), detail)

    async def quarantine(self, subject: str, body: bytes, reason: str) -> None:
        """Keeps a message that could not be handled, whatever bytes it has, so that `/audit` shows it."""
        subject = storable_text(subject)
        detail = {
            "subject": subject,
            "body": storable_text(body.decode(errors="replace")[:QUARANTINED_CHARACTERS_MAX]),
            "reason": storable_text(reason[:QUARANTINED_CHARACTERS_MAX]),
        }
        async with self._pool.acquire() as connection, connection.transaction():
            message = f"{subject} could not be handled"
            now = self._clock.now()
            await connection.execute(_ERROR, self._service, now, "message_quarantined", None, message, detail)
            await self.decided("message_quarantined", detail, connection=connection)

    async def page(
        self, before: int, limit: int, *, signal_id: int | None = None, symbol: str | None = None
    ) -> list[dict[str, Any]]:
        """This service's decisions with ids below `before`, newest first; None filters nothing.

        Only what is given reaches the SQL, so that each combination is planned for its own index.
        """
        given = {"signal_id": signal_id, "symbol": symbol}
        given = {name: value for name, value in given.items() if value is not None}
        filters = "".join(f" AND {name} = ${place}" for place, name in enumerate(given, 4))
        rows = await self._pool.fetch(_PAGE.format(filters=filters), self._service, before, limit, *given.values())
        return [dict(row) for row in rows]
