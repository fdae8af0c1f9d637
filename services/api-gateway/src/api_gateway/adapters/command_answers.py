"""Answers by Idempotency-Key in Postgres: the unique key lets one request of several at once do the work."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from api_gateway.application.once import Begun, InHand, OtherRequest, StoredAnswer, Wish
from api_gateway.application.ports import LedgerAway
from common.persistence.database import DATABASE_AWAY, Pool
from common.runtime.clock import Clock

GIVEN_UP_AFTER_SECONDS = 60.0
"""Longer than any command waits: who began it is dead, and whoever asks again may do it."""
KEPT_SECONDS = 24 * 3600.0

_BEGIN = """
INSERT INTO watchlist.command_answer AS stored (who, key, command, body_sha256, begun_at_seconds)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (who, key) DO UPDATE SET begun_at_seconds = excluded.begun_at_seconds
WHERE stored.status IS NULL AND stored.begun_at_seconds < $6
    AND (stored.command, stored.body_sha256) = (excluded.command, excluded.body_sha256)
RETURNING key
"""
_FIND = "SELECT command, body_sha256, status, answer FROM watchlist.command_answer WHERE who = $1 AND key = $2"
_FINISH = "UPDATE watchlist.command_answer SET status = $3, answer = $4 WHERE who = $1 AND key = $2"
_DROP = "DELETE FROM watchlist.command_answer WHERE who = $1 AND key = $2 AND status IS NULL"
_FORGET = "DELETE FROM watchlist.command_answer WHERE begun_at_seconds < $1"


@contextmanager
def _ledger() -> Iterator[None]:
    try:
        yield
    except DATABASE_AWAY as error:
        raise LedgerAway(str(error)) from error


class PostgresCommandAnswers:
    """`CommandAnswers` over Postgres."""

    def __init__(self, pool: Pool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock

    async def begin(self, wish: Wish) -> Begun | StoredAnswer | InHand | OtherRequest:
        now = self._clock.unix_seconds()
        given_up = now - GIVEN_UP_AFTER_SECONDS
        with _ledger():
            key = await self._pool.fetchval(_BEGIN, wish.who, wish.key, wish.command, wish.body_sha256, now, given_up)
            if key is not None:
                return Begun()
            row = await self._pool.fetchrow(_FIND, wish.who, wish.key)
        if row is None:  # whoever held it dropped it at this moment
            return InHand()
        if (row["command"], row["body_sha256"]) != (wish.command, wish.body_sha256):
            return OtherRequest(row["command"])
        return InHand() if row["status"] is None else StoredAnswer(row["status"], row["answer"])

    async def finish(self, wish: Wish, status: int, answer: dict[str, Any]) -> None:
        with _ledger():
            await self._pool.execute(_FINISH, wish.who, wish.key, status, answer)

    async def drop(self, wish: Wish) -> None:
        with _ledger():
            await self._pool.execute(_DROP, wish.who, wish.key)

    async def forget_old(self) -> None:
        """Deletes answers that are older than a day."""
        await self._pool.execute(_FORGET, self._clock.unix_seconds() - KEPT_SECONDS)
