"""Alerts in Postgres: recorded once by their keys, and claimed by one gateway at a time."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta

from api_gateway.application.alert_texts import ErrorRow, UnwoundEntry
from api_gateway.application.alerting import AlertState, ClaimedAlert
from api_gateway.application.ports import LedgerAway
from api_gateway.domain.alerts import Alert, AlertKind
from common.persistence.database import DATABASE_AWAY, Pool
from common.runtime.clock import Clock

AT_ONCE_MAX = 200
CLAIM_SECONDS = 120.0
"""Longer than any round of sending: who claimed it and settled nothing by then is dead."""
KEPT_SECONDS = 30 * 24 * 3600.0

# One recorder at a time, so that two gateways that see the same thing find each other's alert.
_ONE_RECORDER = "SELECT pg_advisory_xact_lock(hashtext('watchlist.alert'))"
_RECORD = """
INSERT INTO watchlist.alert
    (key, kind, about, title, message, raised_at, raised_at_seconds, next_attempt_at_seconds, state)
SELECT $1, $2, $3, $4, $5, $6, $7, $7, CASE
    WHEN NOT $9 THEN 'unwanted'
    WHEN $2 = (SELECT kind FROM watchlist.alert
               WHERE about = $3 AND state NOT IN ('throttled', 'unwanted') AND raised_at_seconds > $8
               ORDER BY id DESC LIMIT 1) THEN 'throttled'
    ELSE 'waiting' END
ON CONFLICT (key) DO NOTHING
"""
_CLAIM = """
UPDATE watchlist.alert SET next_attempt_at_seconds = $2, attempts = attempts + 1
WHERE id IN (
    SELECT id FROM watchlist.alert WHERE state = 'waiting' AND next_attempt_at_seconds <= $1
    ORDER BY id LIMIT $3 FOR UPDATE SKIP LOCKED
)
RETURNING id, key, kind, about, title, message, raised_at_seconds, attempts, delivered_to
"""
_SETTLE = """
UPDATE watchlist.alert SET state = $2, delivered_to = $3, next_attempt_at_seconds = $4 WHERE id = $1
"""
_ERRORS = """
SELECT id, service, kind, signal_id, message FROM watchlist.live_trade_error AS error
WHERE occurred_at > $1 AND NOT EXISTS (SELECT FROM watchlist.alert WHERE key = 'error-' || error.id)
ORDER BY id LIMIT $2
"""
_UNWINDS = """
SELECT DISTINCT ON (signal_id, entry) signal_id, entry, symbol, venue, side, quantity
FROM watchlist.live_trade_order AS unwind
WHERE purpose = 'unwind' AND intended_at > $1
    AND NOT EXISTS (SELECT FROM watchlist.alert WHERE key = 'unwound-' || unwind.signal_id || '-' || unwind.entry)
ORDER BY signal_id, entry, id LIMIT $2
"""
_STATE = "SELECT state FROM watchlist.alert WHERE key = $1"
_FORGET = "DELETE FROM watchlist.alert WHERE raised_at_seconds < $1"


@dataclass(frozen=True)
class PostgresAlerts:
    """`AlertStore` over Postgres. What is older than `news_age_max` when it is found is nobody's alert any more."""

    pool: Pool
    clock: Clock
    kinds: Collection[AlertKind]
    throttle_seconds: float
    news_age_max: timedelta

    async def record(self, alerts: Sequence[Alert]) -> None:
        try:
            async with self.pool.acquire() as connection, connection.transaction():
                await connection.execute(_ONE_RECORDER)
                at, now = self.clock.now(), self.clock.unix_seconds()
                for alert in alerts:
                    is_wanted = alert.kind is AlertKind.TEST or alert.kind in self.kinds
                    throttled_since = now - self.throttle_seconds
                    texts = (alert.key, alert.kind.value, alert.about, alert.title, alert.text)
                    await connection.execute(_RECORD, *texts, at, now, throttled_since, is_wanted)
        except DATABASE_AWAY as error:
            raise LedgerAway(str(error)) from error

    async def claim(self) -> list[ClaimedAlert]:
        now = self.clock.unix_seconds()
        rows = await self.pool.fetch(_CLAIM, now, now + CLAIM_SECONDS, AT_ONCE_MAX)
        return [
            ClaimedAlert(
                id=row["id"],
                alert=Alert(row["key"], AlertKind(row["kind"]), row["about"], row["title"], row["message"]),
                raised_at_seconds=row["raised_at_seconds"],
                attempts=row["attempts"],
                delivered_to=frozenset(row["delivered_to"]),
            )
            for row in sorted(rows, key=lambda row: int(row["id"]))
        ]

    async def settle(
        self, alert_id: int, state: AlertState, delivered_to: Sequence[int], next_attempt_in_seconds: float
    ) -> None:
        next_attempt_at = self.clock.unix_seconds() + next_attempt_in_seconds
        await self.pool.execute(_SETTLE, alert_id, state, list(delivered_to), next_attempt_at)

    async def new_errors(self) -> list[ErrorRow]:
        rows = await self.pool.fetch(_ERRORS, self.clock.now() - self.news_age_max, AT_ONCE_MAX)
        return [ErrorRow(**row) for row in rows]

    async def new_unwinds(self) -> list[UnwoundEntry]:
        rows = await self.pool.fetch(_UNWINDS, self.clock.now() - self.news_age_max, AT_ONCE_MAX)
        return [UnwoundEntry(**row) for row in rows]

    async def state_of(self, key: str) -> str:
        """Where an alert that was recorded stands; raises LedgerAway."""
        try:
            return str(await self.pool.fetchval(_STATE, key))
        except DATABASE_AWAY as error:
            raise LedgerAway(str(error)) from error

    async def forget_old(self) -> None:
        """Deletes alerts that are older than a month."""
        await self.pool.execute(_FORGET, self.clock.unix_seconds() - KEPT_SECONDS)
