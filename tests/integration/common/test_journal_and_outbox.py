"""What every service writes, as its own role: whatever bytes come in are kept, and nothing grows for ever."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from common.messages.contracts import RetryEnded
from common.messages.subjects import RETRY_ENDED
from common.messaging.outbox import FORGET_BATCH, KEPT, Outbox
from common.persistence.database import DATABASE_AWAY, Pool, connect_pool
from common.persistence.journal import Journal
from common.runtime import tracing
from common.runtime.health import MESSAGE_WAITS_SECONDS_MAX, check_all, outbox_check
from local_stack.services import SERVICES
from support.embedded_stack import Database
from support.ledger_rows import NOON
from support.standing_clock import StandingClock


@dataclass
class FakeBus:
    """Stores everything, or is away."""

    away: bool = False
    published: list[str] = field(default_factory=list)
    traces: list[str | None] = field(default_factory=list)

    async def publish(self, subject: str, body: bytes, message_id: str, traceparent: str | None) -> bool:
        if not self.away:
            self.published.append(message_id)
            self.traces.append(traceparent)
        return not self.away


@dataclass
class Desk:
    pool: Pool
    clock: StandingClock
    bus: FakeBus
    outbox: Outbox
    journal: Journal

    async def say(self, *message_ids: str) -> None:
        payload = RetryEnded(signal_id=1, attempt=1, reason="event_closed", evidence={})
        async with self.pool.acquire() as connection:
            await self.outbox.add_all(connection, [(RETRY_ENDED, name, payload) for name in message_ids])

    async def waiting(self) -> list[str]:
        rows = await self.pool.fetch("SELECT message_id FROM watchlist.outbox ORDER BY id")
        return [row["message_id"] for row in rows]


@pytest_asyncio.fixture(loop_scope="session")
async def desk(database: Database, request: pytest.FixtureRequest) -> AsyncIterator[Desk]:
    service = getattr(request, "param", "executor")
    pool = await connect_pool(database.dsn_of(service), service)
    clock, bus = StandingClock(NOON), FakeBus()
    yield Desk(pool, clock, bus, Outbox(service, pool, bus, clock), Journal(service, pool, clock))
    await pool.close()


@pytest.mark.parametrize("body", [b"\x00", b'{"symbol": "S\\u0000L"}', b"\xff\xfe\x00", b"\xed\xa0\x80"])
async def test_a_message_of_any_bytes_can_be_quarantined(desk: Desk, body: bytes) -> None:
    await desk.journal.quarantine("trade.close.requested", body, "a reason with \0 in it")
    (shown,) = await desk.journal.page(2**62, 10)
    assert shown["decision"] == "message_quarantined"
    assert shown["evidence"]["reason"] == "a reason with \ufffd in it"
    assert await desk.pool.fetchval("SELECT count(*) FROM watchlist.live_trade_error") == 1


async def test_evidence_with_nul_anywhere_can_be_audited(desk: Desk) -> None:
    await desk.journal.decided("event_opened", {"factors": [{"a\0b": "c\0"}], "literal": "\\u0000"})
    (shown,) = await desk.journal.page(2**62, 10)
    assert shown["evidence"] == {"factors": [{"a\ufffdb": "c\ufffd"}], "literal": "\\u0000"}


async def test_decisions_are_found_by_trade_by_symbol_and_by_both(desk: Desk) -> None:
    for number, (symbol, signal_id) in enumerate([("SOL", 1), ("ETH", 2), (None, None), ("SOL", None), ("SOL", 2)]):
        await desk.journal.decided(f"decision_{number}", {}, symbol=symbol, signal_id=signal_id)
    await Journal("api_gateway", desk.pool, desk.clock).decided("of_another_service", {}, symbol="SOL")

    async def found(**wanted: Any) -> list[int]:
        page = await desk.journal.page(2**62, 10, **wanted)
        return [int(line["decision"].removeprefix("decision_")) for line in page]

    assert await found() == [4, 3, 2, 1, 0]
    assert await found(symbol="SOL") == [4, 3, 0]
    assert await found(signal_id=2) == [4, 1]
    assert await found(signal_id=2, symbol="SOL") == [4]
    assert await found(symbol="DOGE") == []


async def test_a_value_that_cannot_be_encoded_is_not_a_database_that_is_away(desk: Desk) -> None:
    with pytest.raises(asyncpg.DataError) as caught:
        await desk.pool.fetchval("SELECT $1::bigint", 2**70)
    assert not isinstance(caught.value, DATABASE_AWAY)


@pytest.mark.parametrize("desk", SERVICES, indirect=True)
async def test_each_role_forgets_its_published_messages_after_a_day(desk: Desk) -> None:
    await desk.say(*(f"old-{number}" for number in range(FORGET_BATCH + 1)))
    await desk.outbox.sweep()
    desk.bus.away = True
    await desk.say("never-published")
    await desk.outbox.sweep()
    desk.clock.pass_(KEPT.total_seconds())
    assert await desk.outbox.forget_published() == 0
    desk.clock.pass_(1)
    assert await desk.outbox.forget_published() == FORGET_BATCH + 1
    assert await desk.waiting() == ["never-published"]


async def test_a_service_forgets_no_others_messages(desk: Desk) -> None:
    await desk.say("ours")
    await desk.outbox.sweep()
    desk.clock.pass_(timedelta(days=30).total_seconds())
    other = Outbox("api_gateway", desk.pool, desk.bus, desk.clock)
    assert await other.forget_published() == 0
    assert await desk.waiting() == ["ours"]


async def test_a_message_that_waits_long_for_the_bus_makes_a_service_unready(desk: Desk) -> None:
    checks = {"outbox": outbox_check(desk.outbox)}
    desk.bus.away = True
    await desk.say("close")
    await desk.outbox.sweep()
    desk.clock.pass_(MESSAGE_WAITS_SECONDS_MAX)
    await desk.outbox.sweep()
    assert (await check_all(checks)).problems == {}
    desk.clock.pass_(1)
    assert (await check_all(checks)).problems == {"outbox": "the oldest message has waited for the bus for 11 s"}
    desk.bus.away = False
    await desk.outbox.sweep()
    await desk.outbox.sweep()
    assert (await check_all(checks)).problems == {}


async def test_a_message_that_a_dead_process_left_is_published_in_the_trace_it_was_written_in(desk: Desk) -> None:
    provider = tracing.configure_tracing("test")
    with tracing.span("observation"):
        await desk.say("close")
        written_in = tracing.traceparent()
    provider.shutdown()
    tracing.forget_tracing()
    next_life = Outbox("executor", desk.pool, desk.bus, desk.clock)
    assert await next_life.sweep() == 1
    assert desk.bus.traces == [written_in]
    assert written_in is not None
