"""Which of a service's replicas does what must not be done twice: the one that holds a lock of PostgreSQL.

The lock lives in a connection of its own. A process that ends leaves it at once, a machine that is lost leaves it when
the server notices (`LOST_CLIENT_SETTINGS`); either way another replica has it a look later. Leading is for what would
be counted twice, never for what may not happen twice: that is what unique keys are for.
"""

import asyncio
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import asyncpg
import structlog

from common.persistence.database import DATABASE_AWAY, LOST_CLIENT_SETTINGS

if TYPE_CHECKING:  # generic for the type checker only
    _Connection = asyncpg.Connection[Any]

log = structlog.get_logger(__name__)

LOOK_EVERY_SECONDS = 0.5
ANSWER_SECONDS = 2.0
"""A lost machine is noticed by the process itself within this time, and by the server as everywhere."""


class Work(IntEnum):
    """What one replica does for all: the number of its advisory lock."""

    SCAN = 7_211_002
    JUDGE_TRADES = 7_211_003


class Leadership:
    """One replica's place in the queue for a work."""

    def __init__(self, dsn: str, service: str, work: Work) -> None:
        self._dsn = dsn
        self._service = service
        self._work = work
        self._connection: _Connection | None = None
        self._holds = False

    @property
    def is_ours(self) -> bool:
        """Whether this replica leads: it has the lock, and the connection that it lives in stood at the last look."""
        return self._holds and self._connection is not None and not self._connection.is_closed()

    async def run(self) -> None:
        """Queues, leads and queues again, until cancelled; then the lock is free at once."""
        try:
            while True:
                await self.look()
                await asyncio.sleep(LOOK_EVERY_SECONDS)
        finally:
            self._let_go()

    async def look(self) -> None:
        """Takes the lock if it is free, and makes sure of the connection that holds it."""
        led = self._holds
        try:
            await self._look()
        except DATABASE_AWAY as error:
            self._let_go()
            log.warning("leadership.unknown", work=self._work.name, error=repr(error))
        if self._holds != led:
            log.info("leadership.changed", work=self._work.name, leads=self._holds)

    async def _look(self) -> None:
        if self._connection is None or self._connection.is_closed():
            self._let_go()
            self._connection = await asyncpg.connect(
                self._dsn,
                timeout=ANSWER_SECONDS,
                command_timeout=ANSWER_SECONDS,
                server_settings={"application_name": f"{self._service}-leadership", **LOST_CLIENT_SETTINGS},
            )
        if self._holds:
            await self._connection.execute("SELECT 1")
        else:
            self._holds = await self._connection.fetchval("SELECT pg_try_advisory_lock($1)", int(self._work))

    def _let_go(self) -> None:
        self._holds = False
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None
