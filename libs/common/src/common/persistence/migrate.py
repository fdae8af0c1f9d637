"""Brings a database to the newest schema: `python -m common.persistence.migrate` with the owner's DATABASE_URL.

Where the services' own addresses are given too, their roles get the passwords that stand in them (see `logins`).
"""

import asyncio
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from common.persistence.logins import passwords_in, set_passwords
from common.persistence.owner import owner_dsn
from common.persistence.retention import make_months
from common.runtime.clock import SystemClock
from common.runtime.secret_files import with_secret_files
from common.runtime.settings import SettingsError

MIGRATIONS = Path(__file__).parent / "migrations"
CONNECT_SECONDS_MAX = 5.0
_CURRENT = "SELECT version_num FROM watchlist.alembic_version"

LOST_BELOW = {
    "0002": "the trading state, and what the roles may do: a halted Tandem comes back active",
    "0006": "who is signed in, the answers to keyed commands, and the orders that flattened positions of no trade",
    "0007": "what people were told, and alerts that still wait",
    "0008": "what skipped signals would have made",
    "0009": "the fills and fees of orders that flattened positions of no trade",
    "0005": "the paper accounts, and what the database is for: an executor of the other mode would start on it",
    "0001": "every table with all that is in it",
}
"""What taking a revision back destroys; the others keep every row."""


class DataWouldBeLost(Exception):
    """A downgrade that destroys what the older schema cannot keep; says what."""


def configuration(dsn: str) -> Config:
    """Alembic's configuration for one database; `dsn` is a `postgresql://` address."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["dsn"] = dsn
    return config


@dataclass(frozen=True, slots=True)
class Revision:
    """One step of the schema's history; `summary` is its first line."""

    revision: str
    summary: str


def history() -> list[Revision]:
    """All revisions, oldest first; no database is asked."""
    revisions = ScriptDirectory(str(MIGRATIONS)).walk_revisions()
    return [Revision(found.revision, found.doc) for found in revisions][::-1]


def current(dsn: str) -> str | None:
    """The revision that the database is at; None of one without the schema. Blocks as `upgrade` does.

    Raises:
        OSError, asyncpg.PostgresError: the database cannot be reached or refuses.
    """
    return asyncio.run(_current(dsn))


async def _current(dsn: str) -> str | None:
    connection = await asyncpg.connect(dsn, timeout=CONNECT_SECONDS_MAX)
    try:
        revision: str | None = await connection.fetchval(_CURRENT)
    except asyncpg.UndefinedTableError:
        return None
    finally:
        await connection.close()
    return revision


def upgrade(dsn: str, revision: str = "head") -> None:
    """Upgrades to a revision. Blocks; runs its own event loop, so call it outside of one."""
    command.upgrade(configuration(dsn), revision)


def downgrade(dsn: str, revision: str, *, may_lose_data: bool = False) -> None:
    """Takes revisions back until the database is at `revision`, `base` being before the first. Blocks as `upgrade`.

    Raises:
        DataWouldBeLost: the older schema cannot keep all, and `may_lose_data` does not say that this is known.
    """
    config = configuration(dsn)
    taken_back = ScriptDirectory.from_config(config).iterate_revisions(current(dsn) or "base", revision)
    lost = [f"{found.revision}: {LOST_BELOW[found.revision]}" for found in taken_back if found.revision in LOST_BELOW]
    if lost and not may_lose_data:
        raise DataWouldBeLost(f"a downgrade to {revision} destroys data. Taken back with\n" + "\n".join(lost))
    command.downgrade(config, revision)


def bring_to_newest(dsn: str) -> None:
    """The newest schema, with the months that history is written into next. Blocks as `upgrade`."""
    upgrade(dsn)
    asyncio.run(_make_months(dsn, SystemClock().now()))


async def _make_months(dsn: str, now: datetime) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await make_months(connection, now)
    finally:
        await connection.close()


def main(environment: Mapping[str, str]) -> int:
    """Migrates and sets passwords; the exit code, 2 with a sentence on stderr for what is wrong in the environment."""
    try:
        given = with_secret_files(environment)
        passwords = passwords_in(given)
        dsn = owner_dsn(given)
    except (SettingsError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    bring_to_newest(dsn)
    asyncio.run(set_passwords(dsn, passwords))
    return 0


if __name__ == "__main__":
    sys.exit(main(os.environ))
