"""The stream of events over a real bus: one order for every replica, and nothing is missed."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from fastapi import FastAPI

from api_gateway.application.event_hub import QUEUE_MAX, EventHub
from api_gateway.entrypoints import streaming
from common.messages.contracts import TradeChanged
from common.messages.envelope import Envelope
from common.messages.subjects import TRADE_CHANGED
from common.messaging.bus import Bus
from common.runtime.service import end
from support.embedded_stack import Database

from .conftest import Gateway, gateway_over, until

PATH = "/api/live_trading/stream"
Scope = dict[str, Any]


@pytest_asyncio.fixture(loop_scope="session")
async def bus(nats_url: str) -> AsyncIterator[Bus]:
    joined = await Bus.connect(nats_url, "test")
    yield joined
    await joined.close()


async def tell(bus: Bus, number: int) -> str:
    """Publishes one trade's news and returns its id."""
    message_id = f"trade-{number}-{uuid4()}"
    now = datetime(2025, 10, 10, 12, tzinfo=UTC)
    news = TradeChanged(
        signal_id=number, version=1, symbol="SOL", status="open", reason="opened", changed_at=now, detail={}
    )
    envelope = Envelope(
        id=message_id, subject=TRADE_CHANGED, producer="test", sent_at=now, payload=news.model_dump(mode="json")
    )
    assert await bus.publish(TRADE_CHANGED, envelope.model_dump_json().encode(), message_id)
    return message_id


@asynccontextmanager
async def reading(gateway: Gateway) -> AsyncIterator[None]:
    """The hub at work."""
    running = asyncio.create_task(gateway.hub.run())
    try:
        await until(lambda: is_at(gateway.hub))
        yield
    finally:
        await end([running])


async def is_at(hub: EventHub) -> bool:
    return hub.position is not None


class Listener:
    """One client: what it was told, and a connection that takes as much as it is let."""

    def __init__(self, app: FastAPI, *, last_event_id: int | None = None) -> None:
        self.told: list[tuple[int, str, dict[str, Any]]] = []
        self.comments: list[str] = []
        self.status = 0
        self.takes = asyncio.Event()
        self.takes.set()
        self._left = asyncio.Event()
        headers = [(b"host", b"127.0.0.1")]
        if last_event_id is not None:
            headers.append((b"last-event-id", str(last_event_id).encode()))
        scope: Scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": PATH,
            "raw_path": PATH.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": headers,
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }
        self.task = asyncio.create_task(app(scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        await self.takes.wait()
        if message["type"] == "http.response.start":
            self.status = message["status"]
            return
        for block in message["body"].decode().split("\n\n"):
            lines = dict(line.split(": ", 1) for line in block.splitlines() if line)
            if "" in {line[:1].strip(":") for line in block.splitlines() if line.startswith(":")}:
                self.comments.append(block)
            elif "id" in lines:
                self.told.append((int(lines["id"]), lines["event"], json.loads(lines["data"])))

    async def leave(self) -> None:
        self._left.set()
        await self.task

    def has(self, message_id: str) -> Callable[[], Awaitable[bool]]:
        async def found() -> bool:
            return any(data.get("id") == message_id for _, _, data in self.told)

        return found

    @property
    def ids(self) -> list[int]:
        return [sequence for sequence, _, _ in self.told]


async def test_what_happens_is_told_to_every_listener_in_the_same_order(gateway: Gateway, bus: Bus) -> None:
    async with reading(gateway):
        listeners = [Listener(gateway.app) for _ in range(3)]
        await until(lambda: all_greeted(listeners))
        sent = [await tell(bus, number) for number in range(20)]
        for listener in listeners:
            await until(listener.has(sent[-1]))
            assert [data["id"] for _, event, data in listener.told if event == TRADE_CHANGED] == sent
            assert listener.ids == sorted(set(listener.ids))
            await listener.leave()


async def all_greeted(listeners: list[Listener]) -> bool:
    return all(listener.told and listener.told[0][1] == "hello" for listener in listeners)


async def test_a_listener_that_comes_back_to_another_replica_misses_nothing_and_hears_nothing_twice(
    gateway: Gateway, bus: Bus, database: Database, nats_url: str
) -> None:
    async with reading(gateway), gateway_over(database, nats_url, {"ACCESS_REQUIRED": "0"}) as replica:
        first = Listener(gateway.app)
        await until(lambda: all_greeted([first]))
        seen = await tell(bus, 1)
        await until(first.has(seen))
        await first.leave()
        missed = [await tell(bus, number) for number in range(150)]
        async with reading(replica):
            again = Listener(replica.app, last_event_id=first.ids[-1])
            await until(again.has(missed[-1]))
            live = await tell(bus, 999)
            await until(again.has(live))
            assert [data["id"] for _, _, data in again.told] == [*missed, live]
            assert again.ids == list(range(first.ids[-1] + 1, first.ids[-1] + 152))
            await again.leave()


@pytest.mark.parametrize("unknown", [2**50, 0])
async def test_an_id_that_is_not_kept_is_answered_with_reset(gateway: Gateway, bus: Bus, unknown: int) -> None:
    await tell(bus, 1)
    async with reading(gateway):
        position = gateway.hub.position
        assert position is not None
        listener = Listener(gateway.app, last_event_id=unknown)
        await until(lambda: anything(listener))
        kept = unknown == 0 and listener.told[0][1] == TRADE_CHANGED
        assert kept or listener.told[0] == (position, "reset", {"position": position})
        await listener.leave()


async def anything(listener: Listener) -> bool:
    return bool(listener.told)


async def test_a_listener_that_takes_nothing_is_let_go_and_holds_no_more_than_its_queue(
    gateway: Gateway, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "SEND_SECONDS_MAX", 100.0)  # what fills its queue ends it, not how long that takes
    async with reading(gateway):
        slow, quick = Listener(gateway.app), Listener(gateway.app)
        await until(lambda: all_greeted([slow, quick]))
        slow.takes.clear()
        [held] = [one for one in gateway.hub._listeners if one.queue.qsize() == 0][:1]
        sent = [await tell(bus, number) for number in range(QUEUE_MAX + 5)]
        await until(quick.has(sent[-1]))
        assert sorted(one.is_too_slow for one in gateway.hub._listeners) == [False, True]
        assert all(one.queue.qsize() <= 1 for one in gateway.hub._listeners)
        assert held.queue.maxsize == QUEUE_MAX
        slow.takes.set()
        async with asyncio.timeout(20):
            await slow.task
        assert any("too slow" in comment for comment in slow.comments)
        assert len(gateway.hub._listeners) == 1
        await quick.leave()
        assert len(gateway.hub._listeners) == 0


async def test_without_the_bus_no_stream_is_promised(gateway: Gateway) -> None:
    answer = await gateway.http.get(PATH)
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("wrong", ["first", "-1", str(2**60)])
async def test_a_wrong_last_event_id_is_named(gateway: Gateway, wrong: str) -> None:
    answer = await gateway.http.get(PATH, headers={"Last-Event-ID": wrong})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "header.last-event-id"
