"""Whose a session of the page is, read from Postgres: any service knows it, so the gateway may pass one on."""

from common.persistence.database import Pool
from common.runtime.access import Access, Principal, digest_of
from common.runtime.clock import Clock

_FIND = """
SELECT credential, token_sha256 FROM watchlist.operator_session WHERE session_sha256 = $1 AND expires_at_seconds > $2
"""


class StoredSessions:
    """`common.runtime.guard.Sessions` over Postgres. A service lets in only whose token it knows itself."""

    def __init__(self, pool: Pool, access: Access, clock: Clock) -> None:
        self._pool = pool
        self._access = access
        self._clock = clock

    async def principal(self, session: str, address: str) -> Principal | None:
        """Whose session it is: one whose token was taken away ends with it."""
        row = await self._pool.fetchrow(_FIND, digest_of(session), self._clock.unix_seconds())
        credential = self._access.still_valid(row["credential"], row["token_sha256"]) if row else None
        return Principal(credential.name, credential.role, address) if credential else None
