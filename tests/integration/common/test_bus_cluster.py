"""NATS_STREAM_REPLICAS on a real cluster of three: what is stored outlives the loss of any one server."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

import nats
import pytest
import pytest_asyncio
from nats.aio.client import Client

from common.messages.envelope import Envelope
from common.messages.subjects import CLOSE_REQUESTED, COMMAND_STREAM, STREAM_SUBJECTS
from common.messaging import bus as bus_module
from common.messaging.bus import Bus
from common.runtime.service import end
from common.runtime.settings import ServiceSettings, SettingsError, load
from common.runtime.start import within_patience
from support.nats_cluster import NatsCluster, nats_cluster

ASK_AGAIN_AFTER_SECONDS = 2.0
"""Servers that have no leader yet do not answer at all."""
PLACES = {"DATABASE_URL": "postgresql://a:b@127.0.0.1/c", "HTTP_PORT": "4002"}


@pytest.fixture(autouse=True)
def _asks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bus_module, "PUBLISH_TIMEOUT_SECONDS", ASK_AGAIN_AFTER_SECONDS)
    monkeypatch.setattr(bus_module, "API_TIMEOUT_SECONDS", ASK_AGAIN_AFTER_SECONDS)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[NatsCluster]:
    async with nats_cluster(tmp_path_factory.mktemp("nats-cluster")) as running:
        yield running


async def connected(url: str, replicas: str) -> Bus:
    """A bus as a service connects with NATS_STREAM_REPLICAS in its environment."""
    settings = load(ServiceSettings, {**PLACES, "NATS_STREAM_REPLICAS": replicas})
    connect = partial(Bus.connect, url, "test", settings.nats_stream_replicas)
    return await within_patience("NATS", connect, patience_seconds=40)  # the servers first elect who leads them


async def kept_by(url: str) -> dict[str, int | None]:
    """How many servers keep each stream."""
    connection = await nats.connect(url)
    found = {}
    for name in STREAM_SUBJECTS:
        found[name] = (await connection.jetstream().stream_info(name)).config.num_replicas
    await connection.close()
    return found


async def leader_of_a_whole(stream: str, url: str) -> str:
    """The server that leads a stream, once all others have everything that it has."""
    connection = await nats.connect(url)
    async with asyncio.timeout(20):
        while True:
            cluster = (await connection.jetstream().stream_info(stream)).cluster
            if cluster is not None and cluster.leader and all(peer.current for peer in cluster.replicas or []):
                break
            await asyncio.sleep(0.1)
    await connection.close()
    return cluster.leader


def envelope(name: str) -> bytes:
    told = Envelope(
        id=name, subject=CLOSE_REQUESTED, producer="test", sent_at=datetime(2025, 10, 10, tzinfo=UTC), payload={}
    )
    return told.model_dump_json().encode()


async def test_every_stream_is_kept_by_as_many_servers_as_set(cluster: NatsCluster) -> None:
    bus = await connected(cluster.urls["nats-0"], "3")
    assert set((await kept_by(cluster.urls["nats-0"])).values()) == {3}
    await bus.close()


async def test_what_is_stored_outlives_the_server_that_led_its_stream(cluster: NatsCluster) -> None:
    bus = await connected(cluster.urls["nats-0"], "3")
    assert await bus.publish(CLOSE_REQUESTED, envelope("before"), "before")
    lost = await leader_of_a_whole(COMMAND_STREAM, cluster.urls["nats-0"])
    await cluster.parts.kill(lost)
    heard: asyncio.Queue[str] = asyncio.Queue()

    async def handle(told: Envelope) -> None:
        heard.put_nowait(told.id)

    async def quarantine(subject: str, body: bytes, reason: str) -> None:
        raise AssertionError(reason)

    working = asyncio.create_task(bus.consume(COMMAND_STREAM, "test", [CLOSE_REQUESTED], handle, quarantine))
    async with asyncio.timeout(30):
        while not await bus.publish(CLOSE_REQUESTED, envelope("after"), "after"):  # noqa: ASYNC110
            await asyncio.sleep(0.2)
        assert [await heard.get(), await heard.get()] == ["before", "after"]
    await end([working])
    await bus.close()
    await cluster.parts.restart(lost)


async def test_more_copies_than_there_are_servers_are_refused_in_a_sentence(
    nats_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Client] = []
    connect = nats.connect

    async def noted(*arguments: Any, **options: Any) -> Client:
        made.append(await connect(*arguments, **options))
        return made[-1]

    monkeypatch.setattr(nats, "connect", noted)
    with pytest.raises(TimeoutError, match=r"NATS could not be reached within 3 s; .*replicas > 1 not supported"):
        await within_patience("NATS", lambda: Bus.connect(nats_url, "test", 3), patience_seconds=3)
    assert made
    assert all(client.is_closed for client in made)


@pytest.mark.parametrize("wrong", ["0", "6", "all"])
def test_a_number_that_nats_does_not_know_is_refused(wrong: str) -> None:
    with pytest.raises(SettingsError, match=f"NATS_STREAM_REPLICAS='{wrong}'"):
        load(ServiceSettings, {**PLACES, "NATS_STREAM_REPLICAS": wrong})
