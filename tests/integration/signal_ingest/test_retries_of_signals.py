"""Skipped signals in the executor's table come back on the bus when due, or are said to have ended."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest
import pytest_asyncio

from common.messages.contracts import RetryDue, RetryEnded
from common.messages.subjects import COMMAND_STREAM, RETRY_DUE, RETRY_ENDED
from common.persistence.database import connect_pool
from support.embedded_stack import Database
from support.ingest_stack import IngestService, heard, ingest_service
from support.ledger_rows import LedgerRows
from support.observed_pairs import at, posted


@pytest_asyncio.fixture(loop_scope="session")
async def service(database: Database, nats_url: str) -> AsyncIterator[IngestService]:
    async with ingest_service(database, nats_url, WATCHLIST_COOLDOWN_MIN="100000") as running:
        yield running


async def skip(database: Database, event_id: int, due: datetime, **columns: Any) -> int:
    """What the executor writes of a signal that it skipped."""
    pool = await connect_pool(database.owner_dsn, "test")
    try:
        row = {"status": "skipped", "attempts": 1, "next_attempt_at": due, **columns}
        return await LedgerRows(pool).signal(event_id=event_id, **row)
    finally:
        await pool.close()


async def test_a_merged_event_that_stood_still_for_an_hour_is_still_retried_with_its_current_prediction(
    service: IngestService, database: Database, nats_url: str
) -> None:
    answer = await service.post(posted(pnl_hat=0.01, win_prob=0.9))
    signal_id = await skip(database, answer["event_id"], at(3600))
    await service.post(posted(pnl_hat=0.03, win_prob=0.97))
    service.clock.pass_(3600)
    assert await service.parts.retries.bring_back_due() == 1
    (told,) = await heard(nats_url, COMMAND_STREAM, 1)
    due = told.read(RetryDue)
    assert (told.id, told.subject) == (f"retry-{signal_id}-1", RETRY_DUE)
    assert (due.signal_id, due.attempt, due.event.version, due.event.status) == (signal_id, 1, 2, "open")
    assert due.event.prediction is not None
    assert due.event.prediction.pnl_hat == 0.03


async def test_a_signal_of_a_closed_event_ends_after_the_window(
    service: IngestService, database: Database, nats_url: str
) -> None:
    answer = await service.post(posted())
    signal_id = await skip(database, answer["event_id"], at(240), attempts=4)
    await service.pool.execute("UPDATE watchlist.watch_signal_event SET status = 'closed'")
    service.clock.pass_(300)
    await service.parts.retries.bring_back_due()
    service.clock.pass_(0.001)
    await service.parts.retries.bring_back_due()
    told = await heard(nats_url, COMMAND_STREAM, 2)
    assert [one.id for one in told] == [f"retry-{signal_id}-4", f"retry-ended-{signal_id}-4"]
    assert told[1].subject == RETRY_ENDED
    ended = told[1].read(RetryEnded)
    assert (ended.reason, ended.evidence["window_minutes"], ended.evidence["event_status"]) == (
        "event_closed",
        5.0,
        "closed",
    )
    audit = (await service.http.get("/audit", params={"signal_id": signal_id})).json()["items"]
    assert [item["decision"] for item in audit] == ["retry_ended", "retry_due"]


async def test_a_restart_does_not_say_it_twice(service: IngestService, database: Database, nats_url: str) -> None:
    answer = await service.post(posted())
    await skip(database, answer["event_id"], at(0))
    await service.parts.retries.bring_back_due()
    async with ingest_service(database, nats_url, clock=service.clock) as second:
        await second.parts.retries.bring_back_due()
    assert len([one for one in await service.outbox_ids() if one.startswith("retry-")]) == 1


@pytest.mark.parametrize(
    "columns",
    [{"status": "open"}, {"status": "expired"}, {"next_attempt_at": at(1)}, {"next_attempt_at": None}],
    ids=["opened", "expired", "not due yet", "not retryable"],
)
async def test_signals_that_wait_for_nothing_are_left_alone(
    service: IngestService, database: Database, columns: dict[str, Any]
) -> None:
    answer = await service.post(posted())
    await skip(database, answer["event_id"], at(0), **columns)
    assert await service.parts.retries.bring_back_due() == 0
