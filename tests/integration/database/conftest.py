"""Builders of rows as the database's owner."""

from collections.abc import AsyncIterator

import pytest_asyncio

from common.persistence.database import connect_pool
from support.embedded_stack import Database
from support.ledger_rows import LedgerRows


@pytest_asyncio.fixture(loop_scope="session")
async def rows(database: Database) -> AsyncIterator[LedgerRows]:
    pool = await connect_pool(database.owner_dsn, "test")
    yield LedgerRows(pool)
    await pool.close()
