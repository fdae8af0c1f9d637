"""The bus: the same cases over NATS JetStream and over the server in memory that the simulation uses."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from prometheus_client import REGISTRY

from common.messages.envelope import Envelope
from common.messages.subjects import NEWS_STREAM, TRADE_CHANGED
from common.messaging import consumer
from common.messaging.bus import Bus
from common.messaging.errors import TryLater
from common.runtime import tracing
from common.runtime.metrics import FAILED, HANDLED, QUARANTINED, TRY_LATER
from support.memory_jetstream import MemoryJetStream, MemoryNats
from support.memory_pool import AtOnce
from support.virtual_process import Life

DEADLINE_SECONDS = 20.0


@pytest.fixture(params=["memory", "nats"])
async def bus(request: pytest.FixtureRequest, nats_url: str) -> AsyncIterator[Bus]:
    if request.param == "memory":
        server = MemoryJetStream(asyncio.get_running_loop())
        yield Bus(cast("Any", MemoryNats(server, Life(), AtOnce())), "test")
        return
    connected = await Bus.connect(nats_url, "test")
    yield connected
    await connected.close()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumer, "RETRY_DELAY_SECONDS", 0.05)


class Reader:
    """Handles messages as the test says, and remembers all."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.quarantined: list[str] = []
        self.traces: list[str | None] = []
        self.in_hand: list[Envelope | None] = []
        self.failing: Callable[[int], BaseException | None] = lambda _: None

    async def handle(self, envelope: Envelope) -> None:
        self.seen.append(envelope.id)
        self.traces.append(tracing.traceparent())
        self.in_hand.append(consumer.in_hand.get())
        failure = self.failing(self.seen.count(envelope.id))
        if failure is not None:
            raise failure

    async def quarantine(self, subject: str, body: bytes, reason: str) -> None:
        self.quarantined.append(reason)


async def tell(bus: Bus, id_: str, body: bytes | None = None, traceparent: str | None = None) -> None:
    sent_at = datetime(2025, 10, 10, tzinfo=UTC)
    envelope = Envelope(id=id_, subject=TRADE_CHANGED, producer="test", sent_at=sent_at, payload={})
    assert await bus.publish(TRADE_CHANGED, body or envelope.model_dump_json().encode(), id_, traceparent)


async def read(
    bus: Bus, reader: Reader, until: Callable[[], bool], durable: str = "reader", *, slots: int = 16
) -> None:
    """Consumes until it is so."""
    task = asyncio.create_task(
        bus.consume(NEWS_STREAM, durable, [TRADE_CHANGED], reader.handle, reader.quarantine, concurrency=slots)
    )
    deadline = asyncio.get_running_loop().time() + DEADLINE_SECONDS
    while not until() and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110  any condition of a test
        await asyncio.sleep(0.01)
    assert until(), reader.seen
    task.cancel()
    await asyncio.wait({task})


async def test_a_message_is_delivered_also_to_who_comes_later(bus: Bus) -> None:
    await tell(bus, "one")
    reader = Reader()
    await read(bus, reader, lambda: reader.seen == ["one"])


async def test_an_id_is_stored_once(bus: Bus) -> None:
    for id_ in ("one", "one", "two"):
        await tell(bus, id_)
    reader = Reader()
    await read(bus, reader, lambda: "two" in reader.seen)
    assert sorted(reader.seen) == ["one", "two"]


async def test_a_message_whose_handler_fails_comes_again_and_then_is_done(bus: Bus) -> None:
    await tell(bus, "one")
    reader = Reader()
    reader.failing = lambda times: ValueError("not yet") if times < 3 else None
    await read(bus, reader, lambda: len(reader.seen) == 3)
    assert reader.quarantined == []


async def test_a_message_that_keeps_failing_is_quarantined(bus: Bus) -> None:
    await tell(bus, "one")
    reader = Reader()
    reader.failing = lambda _: ValueError("never")
    await read(bus, reader, lambda: bool(reader.quarantined))
    assert len(reader.seen) == consumer.FAILURES_MAX


async def test_what_is_not_the_messages_fault_never_counts(bus: Bus) -> None:
    await tell(bus, "one")
    reader = Reader()
    reader.failing = lambda times: TryLater("busy") if times <= consumer.FAILURES_MAX + 1 else None
    await read(bus, reader, lambda: len(reader.seen) == consumer.FAILURES_MAX + 2)
    assert reader.quarantined == []


async def test_what_is_no_envelope_is_quarantined_at_once(bus: Bus) -> None:
    await tell(bus, "one", b"not json")
    reader = Reader()
    await read(bus, reader, lambda: bool(reader.quarantined))
    assert reader.seen == []


async def test_two_durables_each_get_everything(bus: Bus) -> None:
    await tell(bus, "one")
    for durable in ("first", "second"):
        reader = Reader()
        await read(bus, reader, lambda reader=reader: reader.seen == ["one"], durable)  # type: ignore[misc]


async def test_a_handler_works_in_the_trace_that_its_message_carries(bus: Bus) -> None:
    provider = tracing.configure_tracing("test")
    await tell(bus, "one", traceparent=f"00-{'a' * 32}-{'b' * 16}-01")
    await tell(bus, "two")
    reader = Reader()
    await read(bus, reader, lambda: len(reader.seen) == 2)
    provider.shutdown()
    tracing.forget_tracing()
    traces = dict(zip(reader.seen, (text.split("-")[1] for text in reader.traces if text), strict=True))
    assert traces["one"] == "a" * 32
    assert traces["two"] != "a" * 32
    assert [envelope.id for envelope in reader.in_hand if envelope] == reader.seen


def counted(durable: str) -> dict[str, float | None]:
    labels = ({"consumer": durable, "outcome": name} for name in (HANDLED, TRY_LATER, FAILED, QUARANTINED))
    return {one["outcome"]: REGISTRY.get_sample_value("tandem_messages_total", one) for one in labels}


async def test_deliveries_are_counted_by_what_became_of_them(bus: Bus, request: pytest.FixtureRequest) -> None:
    durable = f"counted-{request.node.callspec.params['bus']}"
    answers: dict[str, list[BaseException | None]] = {
        "fine": [None],
        "late": [TryLater("busy"), None],
        "bad": [ValueError("never")] * consumer.FAILURES_MAX,
    }
    for id_ in answers:
        await tell(bus, id_)
    reader = Reader()
    given = {id_: iter(each) for id_, each in answers.items()}
    reader.failing = lambda _: next(given[reader.seen[-1]])
    await read(bus, reader, lambda: bool(reader.quarantined), durable)
    assert counted(durable) == {"handled": 2, "try_later": 1, "failed": consumer.FAILURES_MAX, "quarantined": 1}


async def test_with_one_slot_nothing_overtakes_a_message_that_comes_again(bus: Bus) -> None:
    for id_ in ("one", "two", "three"):
        await tell(bus, id_)
    reader = Reader()
    reader.failing = lambda times: TryLater("busy") if times < 3 and reader.seen[-1] == "one" else None
    await read(bus, reader, lambda: "three" in reader.seen, slots=1)
    assert reader.seen == ["one", "one", "one", "two", "three"]


async def test_with_one_slot_a_second_process_gets_nothing_beside_the_message_in_hand(bus: Bus) -> None:
    for id_ in ("one", "two"):
        await tell(bus, id_)
    reader, entered, released = Reader(), asyncio.Event(), asyncio.Event()

    async def slowly(envelope: Envelope) -> None:
        await reader.handle(envelope)
        entered.set()
        await released.wait()

    async def process() -> None:
        await bus.consume(NEWS_STREAM, "reader", [TRADE_CHANGED], slowly, reader.quarantine, concurrency=1)

    tasks = [asyncio.create_task(process()) for _ in range(2)]
    await asyncio.wait_for(entered.wait(), DEADLINE_SECONDS)
    await tell(bus, "three")
    await asyncio.sleep(0.2)  # long enough for the second process to be given something
    assert reader.seen == ["one"]
    released.set()
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
