"""Runs migrations over asyncpg, the one database driver that Tandem installs."""

import asyncio

from alembic import context
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool
from sqlmodel import SQLModel

from common.persistence.tables import PAPER_SCHEMA, SCHEMA


def _configure(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=SQLModel.metadata,
        include_schemas=True,
        version_table_schema=SCHEMA,
        compare_type=True,
        include_name=lambda name, kind, _: kind != "schema" or name in (SCHEMA, PAPER_SCHEMA),
    )
    with context.begin_transaction():
        context.run_migrations()


async def _run() -> None:
    dsn: str = context.config.attributes["dsn"]
    engine = create_async_engine(dsn.replace("postgresql://", "postgresql+asyncpg://", 1), poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
        await connection.commit()
        await connection.run_sync(_configure)
        await connection.commit()
    await engine.dispose()


asyncio.run(_run())
