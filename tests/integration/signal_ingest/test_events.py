"""The life of events in the database: merged across replicas and restarts, closed when quiet, announced again."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from common.messages.subjects import EVENT_CLOSED, EVENT_OPENED, EVENT_STREAM
from support.embedded_stack import Database
from support.ingest_stack import IngestService, heard, ingest_service
from support.observed_pairs import MOMENT, at, posted
from support.standing_clock import StandingClock


@pytest_asyncio.fixture(loop_scope="session")
async def service(database: Database, nats_url: str) -> AsyncIterator[IngestService]:
    async with ingest_service(database, nats_url) as running:
        yield running


def mirrored() -> dict[str, object]:
    body = posted()
    return {**body, "long": {**body["long"], "venue": "bybit"}, "short": {**body["short"], "venue": "binance"}}


async def test_two_replicas_posting_the_same_pairs_at_once_make_one_event_each(
    database: Database, nats_url: str
) -> None:
    clock = StandingClock(MOMENT)
    bodies = [posted(symbol=symbol) for symbol in ("SOL", "ETH", "BTC")] + [mirrored()]
    async with (
        ingest_service(database, nats_url, clock=clock) as one,
        ingest_service(database, nats_url, clock=clock) as two,
    ):
        await asyncio.gather(
            *(replica.post_batch(bodies[::step]) for _ in range(10) for replica, step in ((one, 1), (two, -1)))
        )
        events = await one.rows("watch_signal_event", "id, observations, version")
        observations = await one.rows("watch_observation", "id, event_id")
    assert [(row["observations"], row["version"]) for row in events] == [(20, 20)] * 4
    assert len(observations) == 80
    assert {row["event_id"] for row in observations} == {row["id"] for row in events}


async def test_a_restart_goes_on_with_the_same_event_and_the_same_prediction(database: Database, nats_url: str) -> None:
    """CUT is posted to two processes, one after the other; WHOLE to the second of them alone, in one batch."""
    clock = StandingClock(MOMENT)
    leg = posted()["short"]
    bodies = [
        posted(short={**leg, "price": price}, observed_at=at(10 * number).isoformat())
        for number, price in enumerate(["203", "205", "204", "206", "207", "203.5"])
    ]
    for half in (bodies[:3], bodies[3:]):
        async with ingest_service(database, nats_url, clock=clock) as process:
            for body in half:
                await process.post({**body, "symbol": "CUT"})
    async with ingest_service(database, nats_url, clock=clock) as process:
        await process.post_batch([{**body, "symbol": "WHOLE"} for body in bodies])
        cut, whole = [dict(row) for row in await process.rows("watch_signal_event")]
    assert (cut.pop("symbol"), whole.pop("symbol")) == ("CUT", "WHOLE")
    assert cut.pop("id") != whole.pop("id")
    assert cut == whole
    assert (cut["observations"], cut["prediction_source"]) == (6, "reversion")


@pytest.mark.parametrize(("seconds", "closed"), [(180, 0), (180.001, 1)])
async def test_an_event_closes_when_the_cooldown_has_passed(
    service: IngestService, nats_url: str, seconds: float, closed: int
) -> None:
    answer = await service.post(posted())
    service.clock.pass_(seconds)
    assert await service.parts.upkeep.close_quiet_events() == closed
    (event,) = await service.rows("watch_signal_event")
    assert (event["status"], event["version"]) == (("closed", 2) if closed else ("open", 1))
    assert event["closed_at"] == (service.clock.now() if closed else None)
    if closed:
        told = (await heard(nats_url, EVENT_STREAM, 2))[1]
        assert (told.subject, told.id) == (EVENT_CLOSED, f"event-{answer['event_id']}-2")


async def test_after_the_cooldown_the_pair_begins_another_event(service: IngestService) -> None:
    first = await service.post(posted())
    service.clock.pass_(181)
    second = await service.post(posted())
    assert second["event_id"] != first["event_id"]
    assert [row["status"] for row in await service.rows("watch_signal_event")] == ["closed", "open"]


async def test_an_event_that_never_opened_is_dropped_without_a_word(database: Database, nats_url: str) -> None:
    async with ingest_service(database, nats_url, WATCHLIST_CONSECUTIVE="3") as service:
        assert (await service.post(posted()))["event_status"] == "forming"
        assert (await service.post(mirrored()))["event_status"] == "forming"
        rows = await service.rows("watch_signal_event", "id, long_venue, status")
        assert [(row["long_venue"], row["status"]) for row in rows] == [("binance", "closed"), ("bybit", "forming")]
        await service.post_batch([mirrored(), mirrored()])
        (opened,) = await service.outbox_ids()
    assert opened.startswith(f"event-{rows[1]['id']}-")


async def test_without_merging_every_observation_is_an_event(database: Database, nats_url: str) -> None:
    async with ingest_service(database, nats_url, WATCHLIST_EVENT_MERGE="0") as service:
        await service.post_batch([posted(), posted(), posted(symbol="ETH")])
        rows = await service.rows("watch_signal_event", "id, symbol, merged")
        assert [(row["symbol"], row["merged"]) for row in rows].count(("SOL", False)) == 2
        observed = await service.rows("watch_observation", "id, symbol, event_id")
    symbols = {row["id"]: row["symbol"] for row in rows}
    assert len({row["event_id"] for row in observed}) == 3
    assert all(symbols[row["event_id"]] == row["symbol"] for row in observed)


async def test_an_open_event_without_a_signal_is_announced_again(service: IngestService, nats_url: str) -> None:
    answer = await service.post(posted())
    await service.parts.upkeep.announce_unsignalled()
    assert await service.parts.upkeep.announce_unsignalled() == 1
    told = await heard(nats_url, EVENT_STREAM, 2)
    assert [one.subject for one in told] == [EVENT_OPENED, EVENT_OPENED]
    assert told[1].id.startswith(f"event-{answer['event_id']}-1-again-")
    assert told[1].payload == told[0].payload


async def test_the_audit_tells_when_an_event_opened_and_closed(service: IngestService) -> None:
    await service.post(posted(pnl_hat=0.02, win_prob=0.9))
    service.clock.pass_(181)
    await service.parts.upkeep.close_quiet_events()
    items = (await service.http.get("/audit")).json()["items"]
    assert [item["decision"] for item in items] == ["event_closed", "event_opened"]
    assert items[1]["evidence"]["prediction"]["pnl_hat"] == 0.02
    assert items[1]["evidence"]["spread"]["count"] == 1


async def test_the_audit_is_read_in_pages_and_by_symbol(service: IngestService) -> None:
    for symbol in ("SOL", "ETH", "SOL"):
        await service.post(posted(symbol=symbol, pnl_hat=0.02, win_prob=0.9))
        service.clock.pass_(181)
        await service.parts.upkeep.close_quiet_events()

    async def page(**query: Any) -> tuple[list[str], int | None]:
        answer = (await service.http.get("/audit", params=query)).json()
        return [item["symbol"] for item in answer["items"]], answer["next"]

    assert await page() == (["SOL", "SOL", "ETH", "ETH", "SOL", "SOL"], None)
    newest, following = await page(symbol="SOL", limit=3)
    assert newest == ["SOL"] * 3
    assert await page(symbol="SOL", limit=3, before=following) == (["SOL"], None)
    assert await page(symbol="ETH") == (["ETH", "ETH"], None)


@pytest.mark.parametrize(("name", "value"), [("symbol", "sol"), ("signal_id", "0"), ("limit", "501"), ("symbl", "SOL")])
async def test_a_wrong_filter_of_the_audit_is_named(service: IngestService, name: str, value: str) -> None:
    answer = await service.http.get("/audit", params={name: value})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    [error] = answer.json()["errors"]
    assert (error["field"], error["value"]) == (f"query.{name}", value)
    assert error["allowed"]


async def test_metrics_and_readiness_answer(service: IngestService) -> None:
    await service.post(posted())
    await service.parts.upkeep.measure()
    metrics = (await service.http.get("/metrics")).text
    assert 'tandem_observations_total{outcome="triggered"}' in metrics
    assert 'tandem_watchlist_events{status="open"} 1.0' in metrics
    ready = await service.http.get("/health/ready")
    well = {"postgres": "ok", "nats": "ok", "outbox": "ok"}
    assert (ready.status_code, ready.json()["dependencies"]) == (200, well)


async def test_old_looks_that_triggered_nothing_are_forgotten_and_the_others_kept(
    service: IngestService, database: Database
) -> None:
    leg = posted()["short"]
    for days_ago, price in ((9, "201"), (9, "204"), (7.9, "201"), (0, "204")):
        seen_at = at(-86400 * days_ago).isoformat()
        await service.post(posted(short={**leg, "price": price}, observed_at=seen_at))
    owner = await asyncpg.connect(database.owner_dsn)
    await owner.execute("UPDATE watchlist.watch_observation SET triggered = (id % 2 = 0)")
    await owner.close()
    assert await service.parts.upkeep.forget_observations() == 1
    assert [row["id"] for row in await service.rows("watch_observation", "id")] == [2, 3, 4]
