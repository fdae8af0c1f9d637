"""The migrations let each service log in with the password that its own address holds."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from common.persistence.migrate import main
from support.embedded_stack import Database
from support.ledger_rows import LedgerRows


async def test_passwords_come_from_the_services_addresses_in_secret_files(
    database: Database, rows: LedgerRows, tmp_path: Path
) -> None:
    address = database.dsn_of("executor")
    await rows.pool.execute("ALTER ROLE tandem_executor PASSWORD NULL")
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(address)
    (tmp_path / "database_url").write_text(f"{database.owner_dsn}\n")
    (tmp_path / "executor_database_url").write_text(f"{address}\n")

    assert await asyncio.to_thread(main, {"SECRETS_DIR": str(tmp_path)}) == 0

    connection = await asyncpg.connect(address)
    assert await connection.fetchval("SELECT current_user") == "tandem_executor"
    await connection.close()
