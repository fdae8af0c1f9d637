"""The bus over a real NATS: no message is lost, copied or given up for a reason that is not its own."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import asyncpg
import nats
import pytest
import pytest_asyncio
from nats.js.errors import NotFoundError

from common.messages.envelope import Envelope
from common.messages.subjects import (
    CLOSE_REQUESTED,
    COMMAND_STREAM,
    OPERATOR_STREAM,
    SCALE_IN_REQUESTED,
    STREAM_SUBJECTS,
    TRADING_STATE_REQUESTED,
)
from common.messaging import bus as bus_module
from common.messaging import consumer as consumer_module
from common.messaging.bus import Bus
from common.messaging.consumer import FAILURES_MAX
from common.messaging.errors import TryLater
from common.runtime.health import check_all, nats_check
from common.runtime.service import end

DEADLINE_SECONDS = 30.0
OVERDUE_SECONDS = 2.0

Work = Callable[[Envelope], Coroutine[Any, Any, None]]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries follow at once; no answer is overdue, however slow the machine, unless the test is about that."""
    monkeypatch.setattr(consumer_module, "ACK_WAIT_SECONDS", 60.0)
    monkeypatch.setattr(consumer_module, "RETRY_DELAY_SECONDS", 0.01)
    monkeypatch.setattr(consumer_module, "SUBSCRIBE_RETRY_SECONDS", 0.05)
    monkeypatch.setattr(consumer_module, "FETCH_TIMEOUT_SECONDS", 0.3)
    monkeypatch.setattr(bus_module, "STREAMS_AGAIN_SECONDS", 0.0)


@pytest.fixture
def _soon_overdue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumer_module, "ACK_WAIT_SECONDS", OVERDUE_SECONDS)
    monkeypatch.setattr(consumer_module, "HEARTBEAT_SECONDS", 0.1)


@pytest_asyncio.fixture(loop_scope="session")
async def bus(nats_url: str) -> AsyncIterator[Bus]:
    connected = await Bus.connect(nats_url, "test")
    yield connected
    await connected.close()


@dataclass
class Kept:
    """What was quarantined; the first `refusals` times the store says no."""

    refusals: int = 0
    reasons: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    async def __call__(self, subject: str, body: bytes, reason: str) -> None:
        if self.refusals:
            self.refusals -= 1
            raise asyncpg.CannotConnectNowError("the database system is starting up")
        self.bodies.append(body)
        self.reasons.append(reason)


def envelope(name: str, subject: str = CLOSE_REQUESTED) -> bytes:
    told = Envelope(id=name, subject=subject, producer="test", sent_at=datetime(2025, 10, 10, tzinfo=UTC), payload={})
    return told.model_dump_json().encode()


async def say(bus: Bus, name: str, subject: str = CLOSE_REQUESTED) -> bool:
    return await bus.publish(subject, envelope(name, subject), name)


@asynccontextmanager
async def consuming(bus: Bus, work: Work, kept: Kept, *, concurrency: int = 16) -> AsyncIterator[None]:
    task = asyncio.create_task(
        bus.consume(COMMAND_STREAM, "closes", [CLOSE_REQUESTED], work, kept.__call__, concurrency=concurrency)
    )
    try:
        yield
    finally:
        await end([task])


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not holds():  # noqa: ASYNC110  # what is waited for is a fact, not an event
            await asyncio.sleep(0.01)


@pytest.mark.usefixtures("_soon_overdue")
async def test_a_slow_handler_gets_no_copy_of_what_it_works_on(bus: Bus) -> None:
    handled: list[str] = []
    finished: list[str] = []

    async def slow(told: Envelope) -> None:
        handled.append(told.id)
        await asyncio.sleep(1.5 * OVERDUE_SECONDS if told.id == "slow" else 0)
        finished.append(told.id)

    async with consuming(bus, slow, Kept()):
        await say(bus, "slow")
        await until(lambda: "slow" in finished)
        await say(bus, "next")
        await until(lambda: "next" in finished)
    assert handled == ["slow", "next"]


@pytest.mark.usefixtures("_soon_overdue")
async def test_what_waits_for_a_slot_is_not_delivered_twice(bus: Bus) -> None:
    handled: list[str] = []

    async def slow(told: Envelope) -> None:
        handled.append(told.id)
        await asyncio.sleep(1.5 * OVERDUE_SECONDS if told.id == "a" else 0)

    async with consuming(bus, slow, Kept(), concurrency=1):
        for name in ("a", "b", "c"):
            await say(bus, name)
        await until(lambda: len(handled) >= 3)
        await asyncio.sleep(0.5)
    assert handled == ["a", "b", "c"]


async def test_what_a_process_has_in_hand_when_it_ends_is_somebody_elses_at_once(bus: Bus, nats_url: str) -> None:
    handled: list[str] = []

    async def ends_in_the_middle(told: Envelope) -> None:
        handled.append(f"begun {told.id}")
        await asyncio.sleep(60)

    async def ends(told: Envelope) -> None:
        handled.append(told.id)

    ending = await Bus.connect(nats_url, "test")
    async with consuming(ending, ends_in_the_middle, Kept()):
        await say(bus, "close")
        await until(lambda: bool(handled))
    await ending.close()
    async with consuming(bus, ends, Kept()):
        await until(lambda: len(handled) == 2)
    assert handled == ["begun close", "close"]


async def test_with_one_slot_the_order_holds_over_a_process_that_dies_with_a_message(bus: Bus) -> None:
    handled: list[str] = []

    async def dies(told: Envelope) -> None:
        handled.append(f"dying {told.id}")
        await asyncio.sleep(60)

    async def lives(told: Envelope) -> None:
        handled.append(told.id)

    async with consuming(bus, dies, Kept(), concurrency=1):
        await say(bus, "halt")
        await until(lambda: bool(handled))
    async with consuming(bus, lives, Kept(), concurrency=1):
        await say(bus, "go on")
        await until(lambda: len(handled) == 3)
    assert handled == ["dying halt", "halt", "go on"]


@pytest.mark.parametrize("busy", [TryLater("the trade is worked on"), asyncpg.CannotConnectNowError("starting up")])
async def test_what_is_not_the_messages_fault_never_leads_to_quarantine(bus: Bus, busy: Exception) -> None:
    attempts, kept = 0, Kept()

    async def handler(_: Envelope) -> None:
        nonlocal attempts
        attempts += 1
        if attempts <= 3 * FAILURES_MAX:
            raise busy

    async with consuming(bus, handler, kept):
        await say(bus, "close")
        await until(lambda: attempts > 3 * FAILURES_MAX)
    assert kept.reasons == []


async def test_waiting_for_its_turn_does_not_use_up_a_messages_tries(bus: Bus) -> None:
    attempts, kept = 0, Kept()

    async def handler(_: Envelope) -> None:
        nonlocal attempts
        attempts += 1
        raise TryLater("busy") if attempts <= FAILURES_MAX else LookupError("wrong")

    async with consuming(bus, handler, kept):
        await say(bus, "close")
        await until(lambda: bool(kept.reasons))
    assert attempts == 2 * FAILURES_MAX


async def test_a_message_that_keeps_failing_is_quarantined_once_with_its_reason(bus: Bus) -> None:
    attempts, kept = 0, Kept()

    async def handler(told: Envelope) -> None:
        nonlocal attempts
        if told.id == "wrong":
            attempts += 1
            raise LookupError("nobody handles it")

    async with consuming(bus, handler, kept):
        await say(bus, "wrong")
        await until(lambda: bool(kept.reasons))
        await asyncio.sleep(0.5)
    assert (attempts, kept.reasons) == (FAILURES_MAX, ["LookupError('nobody handles it')"])


async def test_a_store_that_is_away_while_a_message_is_given_up_ends_nothing(bus: Bus) -> None:
    kept, heard = Kept(refusals=2), asyncio.Event()

    async def handler(_: Envelope) -> None:
        heard.set()

    async with consuming(bus, handler, kept):
        assert await bus.publish(CLOSE_REQUESTED, b"no envelope \x00", "poison")
        await until(lambda: bool(kept.bodies))
        await say(bus, "after")
        await asyncio.wait_for(heard.wait(), DEADLINE_SECONDS)
    assert kept.bodies == [b"no envelope \x00"]


async def test_streams_that_are_lost_are_made_again_by_who_publishes_and_who_consumes(bus: Bus, nats_url: str) -> None:
    heard: list[str] = []

    async def handler(told: Envelope) -> None:
        heard.append(told.id)

    async with consuming(bus, handler, Kept()):
        await say(bus, "before")
        await until(lambda: heard == ["before"])
        await lose_streams(nats_url)
        assert await say(bus, "after")
        await until(lambda: heard == ["before", "after"])


async def test_lost_streams_make_a_service_unready_until_they_are_there_again(bus: Bus, nats_url: str) -> None:
    checks = {"nats": nats_check(bus)}
    assert (await check_all(checks)).problems == {}
    await lose_streams(nats_url)
    assert "NotFoundError" in (await check_all(checks)).problems["nats"]
    assert (await check_all(checks)).problems == {}


async def test_a_consumer_that_is_lost_makes_a_service_unready(bus: Bus, nats_url: str) -> None:
    heard = asyncio.Event()

    async def handler(_: Envelope) -> None:
        heard.set()

    async with consuming(bus, handler, Kept()):
        await say(bus, "before")
        await asyncio.wait_for(heard.wait(), DEADLINE_SECONDS)
        connection = await nats.connect(nats_url)
        await connection.jetstream().delete_consumer(COMMAND_STREAM, "closes")
        await connection.close()
        with pytest.raises(NotFoundError):
            await bus.ask_for_all()
        heard.clear()
        await say(bus, "after")
        await asyncio.wait_for(heard.wait(), DEADLINE_SECONDS)
        await bus.ask_for_all()


async def test_every_stream_has_bounds_and_wishes_die_young(bus: Bus, nats_url: str) -> None:
    connection = await nats.connect(nats_url)
    streams = {name: (await connection.jetstream().stream_info(name)).config for name in STREAM_SUBJECTS}
    await connection.close()
    assert all(config.max_bytes is not None and config.max_bytes > 0 for config in streams.values())
    assert streams[COMMAND_STREAM].max_age == 600
    assert {CLOSE_REQUESTED, SCALE_IN_REQUESTED} <= set(streams[COMMAND_STREAM].subjects or ())
    assert streams[OPERATOR_STREAM].subjects == [TRADING_STATE_REQUESTED]
    assert streams[OPERATOR_STREAM].max_age == 7 * 24 * 3600


async def test_a_stream_of_an_earlier_version_takes_over_the_new_bounds(nats_url: str) -> None:
    connection = await nats.connect(nats_url)
    jetstream = connection.jetstream()
    await jetstream.add_stream(name=COMMAND_STREAM, subjects=["signal.retry.*", "trade.*.requested", "trading.>"])
    first = await Bus.connect(nats_url, "test")
    assert (await jetstream.stream_info(COMMAND_STREAM)).config.max_age == 600
    assert await say(first, "halt", TRADING_STATE_REQUESTED)
    assert (await jetstream.stream_info(OPERATOR_STREAM)).state.messages == 1
    await first.close()
    await connection.close()


async def lose_streams(nats_url: str) -> None:
    """As a server that comes back without its storage."""
    connection = await nats.connect(nats_url)
    for name in STREAM_SUBJECTS:
        await connection.jetstream().delete_stream(name)
    await connection.close()
