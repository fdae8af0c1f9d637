"""Brings a database to the newest schema: `python -m common.persistence.migrate` with the owner's DATABASE_URL."""

import os
import sys
from pathlib import Path

from alembic import command
from alembic.config import Config

from common.runtime.settings import ADDRESS_HINT, is_address

MIGRATIONS = Path(__file__).parent / "migrations"


def configuration(dsn: str) -> Config:
    """Alembic's configuration for one database; `dsn` is a `postgresql://` address."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["dsn"] = dsn
    return config


def upgrade(dsn: str) -> None:
    """Upgrades to the newest revision. Blocks; runs its own event loop, so call it outside of one."""
    command.upgrade(configuration(dsn), "head")


def main() -> int:
    dsn = os.environ.get("DATABASE_URL", "")
    if not is_address(dsn, ("postgresql",)):
        expected = "the owner's address, as postgresql://user:password@host:port/database"
        print(f"DATABASE_URL must be {expected}; {ADDRESS_HINT}", file=sys.stderr)
        return 2
    upgrade(dsn)
    return 0


if __name__ == "__main__":
    sys.exit(main())
