"""Sessions of the page in Postgres, so that every replica knows them; of their secret only the digest is kept."""

import secrets

from common.persistence.database import Pool
from common.persistence.page_sessions import StoredSessions
from common.runtime.access import TOKEN_BYTES, Access, Credential, digest_of
from common.runtime.clock import Clock

_BEGIN = """
INSERT INTO watchlist.operator_session (session_sha256, credential, token_sha256, expires_at_seconds)
VALUES ($1, $2, $3, $4)
"""
_END = "DELETE FROM watchlist.operator_session WHERE session_sha256 = $1"
_FORGET = "DELETE FROM watchlist.operator_session WHERE expires_at_seconds <= $1"


class PostgresSessions(StoredSessions):
    """Begins and ends what `StoredSessions` reads."""

    def __init__(self, pool: Pool, access: Access, lasts_seconds: float, clock: Clock) -> None:
        super().__init__(pool, access, clock)
        self.lasts_seconds = lasts_seconds

    async def begin(self, credential: Credential) -> str:
        """A new session's secret, for the cookie."""
        session = secrets.token_urlsafe(TOKEN_BYTES)
        expires_at = self._clock.unix_seconds() + self.lasts_seconds
        await self._pool.execute(_BEGIN, digest_of(session), credential.name, credential.digest, expires_at)
        return session

    async def end(self, session: str) -> None:
        """Forgets the session."""
        await self._pool.execute(_END, digest_of(session))

    async def forget_expired(self) -> None:
        """Deletes what is over."""
        await self._pool.execute(_FORGET, self._clock.unix_seconds())
