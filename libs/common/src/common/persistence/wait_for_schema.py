"""Waits until the database has the schema of this version: `python -m common.persistence.wait_for_schema`.

It asks as the service itself (DATABASE_URL), so its end also shows that the service's role can log in and read. A
schema that is newer than this version counts: migrations come first, and the services of the version before go on.
"""

import asyncio
import os
import sys
from collections.abc import Collection

import asyncpg
from alembic.script import ScriptDirectory

from common.persistence.database import DATABASE_AWAY
from common.persistence.migrate import MIGRATIONS
from common.persistence.tables import SCHEMA
from common.runtime.settings import ADDRESS_HINT, is_address

PATIENCE_SECONDS = 300.0
ASK_EVERY_SECONDS = 1.0
_REVISION = f"SELECT version_num FROM {SCHEMA}.alembic_version"  # noqa: S608  a name of ours


def earlier_revisions() -> frozenset[str]:
    """The revisions that this version knows and that are not its newest."""
    scripts = ScriptDirectory(str(MIGRATIONS))
    return frozenset(found.revision for found in scripts.walk_revisions()) - set(scripts.get_heads())


async def missing(dsn: str, earlier: Collection[str]) -> str | None:
    """What the database still lacks; None where the schema is there."""
    try:
        connection = await asyncpg.connect(dsn, timeout=5, command_timeout=5)
        try:
            revision = await connection.fetchval(_REVISION)
        finally:
            connection.terminate()
    except (asyncpg.PostgresError, *DATABASE_AWAY) as error:
        return f"{type(error).__name__}: {error}"
    return f"it is at revision {revision}" if revision is None or revision in earlier else None


async def wait(dsn: str, patience_seconds: float = PATIENCE_SECONDS) -> str | None:
    """None once the schema is there; after `patience_seconds` what was missing last."""
    earlier, lacks = earlier_revisions(), "no answer"
    try:
        async with asyncio.timeout(patience_seconds):
            while (found := await missing(dsn, earlier)) is not None:
                if found != lacks:
                    print(f"waiting for the schema: {found}", flush=True)
                lacks = found
                await asyncio.sleep(ASK_EVERY_SECONDS)
    except TimeoutError:
        return lacks
    return None


def main() -> int:
    """0 once the schema is there, 1 when it did not come, 2 when DATABASE_URL is no address."""
    dsn = os.environ.get("DATABASE_URL", "")
    if not is_address(dsn, ("postgresql",)):
        print(f"DATABASE_URL must be postgresql://user:password@host:port/database; {ADDRESS_HINT}", file=sys.stderr)
        return 2
    lacks = asyncio.run(wait(dsn))
    if lacks is not None:
        print(f"the schema did not come within {PATIENCE_SECONDS:g} s: {lacks}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
