"""Services are started once the schema of their version is there, and their role may read it."""

import asyncpg
import pytest

from common.persistence import wait_for_schema
from common.persistence.wait_for_schema import earlier_revisions, missing, wait
from local_stack.services import SERVICES
from local_stack.stack import LocalStack
from support.embedded_stack import Database


@pytest.mark.parametrize("service", SERVICES)
async def test_a_migrated_database_lets_every_service_start(database: Database, service: str) -> None:
    assert await wait(database.dsn_of(service), patience_seconds=20) is None


async def test_an_earlier_revision_and_none_are_waited_for_and_a_later_one_is_not(database: Database) -> None:
    owner = await asyncpg.connect(database.owner_dsn)
    lacks = {}
    for revision in (min(earlier_revisions()), None, "of-a-later-version"):
        await owner.execute("DELETE FROM watchlist.alembic_version")
        if revision is not None:
            await owner.execute("INSERT INTO watchlist.alembic_version VALUES ($1)", revision)
        lacks[revision] = await missing(database.dsn_of("executor"), earlier_revisions())
    await owner.close()
    assert lacks == {"0001": "it is at revision 0001", None: "it is at revision None", "of-a-later-version": None}


async def test_a_database_without_the_schema_is_waited_for_as_long_as_is_said(
    postgres_server: LocalStack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(wait_for_schema, "ASK_EVERY_SECONDS", 0.05)
    lacks = await wait(postgres_server.cluster.dsn("postgres"), patience_seconds=3)
    assert lacks is not None
    assert "alembic_version" in lacks
    assert capsys.readouterr().out.count("waiting for the schema") == 1


def test_an_address_that_is_none_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", "mysql://tandem:word-not-to-be-told@db/tandem")
    assert wait_for_schema.main() == 2
    told = capsys.readouterr().err
    assert "postgresql://" in told
    assert "word-not-to-be-told" not in told
