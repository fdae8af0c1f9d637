"""Leadership over a real PostgreSQL: one replica at a time, and the next one as soon as it is gone."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

import asyncpg
import pytest
import pytest_asyncio

from common.persistence.leadership import Leadership, Work
from support.embedded_stack import Database

SERVICE = "position_monitor"
DEADLINE_SECONDS = 60.0


@pytest_asyncio.fixture(loop_scope="session")
async def replica(database: Database) -> AsyncIterator[Callable[[], Leadership]]:
    """Makes replicas that look when the test says so; their connections end with the test."""
    made: list[Leadership] = []

    def make() -> Leadership:
        made.append(Leadership(database.dsn_of(SERVICE), SERVICE, Work.JUDGE_TRADES))
        return made[-1]

    yield make
    for one in made:
        await ended(one)


async def ended(one: Leadership) -> None:
    """Ends a replica as its service does: `run` is cancelled."""
    running = asyncio.create_task(one.run())
    await asyncio.sleep(0)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def leads_soon(one: Leadership) -> bool:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not one.is_ours:
            await one.look()
    return one.is_ours


async def test_one_of_several_leads_and_the_next_one_does_when_it_ends(replica: Callable[[], Leadership]) -> None:
    first, second = replica(), replica()
    assert not first.is_ours
    await first.look()
    await second.look()
    await first.look()
    assert (first.is_ours, second.is_ours) == (True, False)
    await ended(first)
    assert not first.is_ours
    assert await leads_soon(second)


async def test_works_are_led_one_by_one(replica: Callable[[], Leadership], database: Database) -> None:
    judge, scan = replica(), Leadership(database.dsn_of("signal_ingest"), "signal_ingest", Work.SCAN)
    await judge.look()
    await scan.look()
    assert (judge.is_ours, scan.is_ours) == (True, True)
    await ended(scan)


async def test_a_replica_whose_connection_is_cut_leads_no_more_and_queues_again(
    replica: Callable[[], Leadership], database: Database
) -> None:
    first, second = replica(), replica()
    await first.look()
    await second.look()
    owner = await asyncpg.connect(database.owner_dsn)
    cut = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = $1 AND granted"
    await owner.execute(cut, int(Work.JUDGE_TRADES))
    await owner.close()
    assert await leads_soon(second)
    await first.look()
    assert not first.is_ours
    await ended(second)
    assert await leads_soon(first)


async def test_a_database_that_is_away_leaves_nobody_leading(caplog: pytest.LogCaptureFixture) -> None:
    lonely = Leadership("postgresql://nobody:nothing@127.0.0.1:1/nowhere", SERVICE, Work.JUDGE_TRADES)
    await lonely.look()
    assert not lonely.is_ours
