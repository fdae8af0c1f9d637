"""POST /signals and /signals/batch: what is accepted is stored and told, what is not is named, nothing is lost."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from common.messages.contracts import WatchlistEvent
from common.messages.subjects import EVENT_CHANGED, EVENT_OPENED, EVENT_STREAM
from common.runtime.access import Role, new_token
from support.embedded_stack import Database
from support.ingest_stack import IngestService, heard, ingest_service
from support.observed_pairs import MOMENT, posted


@pytest_asyncio.fixture(loop_scope="session")
async def service(database: Database, nats_url: str) -> AsyncIterator[IngestService]:
    async with ingest_service(database, nats_url) as running:
        yield running


async def test_who_has_no_token_to_operate_posts_nothing(database: Database, nats_url: str) -> None:
    (read, read_line), (operate, operate_line) = new_token("screen", Role.READ), new_token("scanner", Role.OPERATE)
    tokens = f"{read_line},{operate_line}"
    async with ingest_service(database, nats_url, ACCESS_REQUIRED="1", ACCESS_TOKENS=tokens) as guarded:
        for path in ("/signals", "/signals/batch"):
            statuses = [
                (await guarded.http.post(path, json=posted(), headers=headers)).status_code
                for headers in ({}, {"Authorization": f"Bearer {read}"}, {"Authorization": f"Bearer {operate}"})
            ]
            assert statuses[:2] == [401, 403]
            assert statuses[2] in (200, 201)
        assert (await guarded.http.get("/health/live")).status_code == 200
        assert len(await guarded.rows("watch_observation")) == 2


async def test_a_posted_gap_is_stored_opens_an_event_and_is_published(service: IngestService, nats_url: str) -> None:
    answer = await service.post(posted(pnl_hat=0.02, win_prob=0.95, horizon_min=60))
    assert answer == {
        "triggered": True,
        "refusal": None,
        "event_id": answer["event_id"],
        "event_status": "open",
        "version": 1,
    }
    (told,) = await heard(nats_url, EVENT_STREAM, 1)
    event = told.read(WatchlistEvent)
    assert (told.id, told.subject) == (f"event-{event.event_id}-1", EVENT_OPENED)
    assert (event.event_id, event.symbol, event.long_venue, event.short_venue, event.status) == (
        answer["event_id"],
        "SOL",
        "binance",
        "bybit",
        "open",
    )
    assert event.prediction is not None
    assert event.prediction.model_dump() == {
        "pnl_hat": 0.02,
        "win_prob": 0.95,
        "horizon_min": 60,
        "source": "caller",
    }
    (row,) = await service.rows("watch_observation")
    assert (row["triggered"], row["event_id"], row["observed_at"]) == (True, answer["event_id"], MOMENT)
    assert row["observation"]["long"]["price"] == "200"


async def test_the_next_observation_of_the_pair_changes_the_event(service: IngestService, nats_url: str) -> None:
    first = await service.post(posted())
    service.clock.pass_(60)
    second = await service.post(posted())
    assert (second["event_id"], second["version"]) == (first["event_id"], 2)
    assert [told.subject for told in await heard(nats_url, EVENT_STREAM, 2)] == [EVENT_OPENED, EVENT_CHANGED]


async def test_a_gap_that_does_not_trigger_is_stored_with_its_reason_and_not_told(service: IngestService) -> None:
    answer = await service.post(posted(long={"venue": "binance", "price": 200}, short={"venue": "okx", "price": 204}))
    assert (answer["triggered"], answer["refusal"], answer["event_id"]) == (False, "funding_unknown", None)
    (row,) = await service.rows("watch_observation", "id, triggered, refusal")
    assert (row["triggered"], row["refusal"]) == (False, "funding_unknown")
    assert await service.outbox_ids() == []


@pytest.mark.parametrize("type_", ["A", "C"])
async def test_types_a_and_c_are_merged_and_told_on_one_venue_too(service: IngestService, type_: str) -> None:
    leg = {"venue": "binance", "price": "200"}
    answer = await service.post(posted(type=type_, long=leg, short=leg))
    assert answer["event_status"] == "open"


LEG = {"venue": "binance", "price": "200"}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"long": {**LEG, "price": "-1"}}, "long.price"),
        ({"long": {**LEG, "price": 0}}, "long.price"),
        ({"long": {**LEG, "price": "NaN"}}, "long.price"),
        ({"long": {**LEG, "price": "1e40"}}, "long.price"),
        ({"long": {**LEG, "price": "1e-400"}}, "long.price"),
        ({"long": {**LEG, "price": True}}, "long.price"),
        ({"long": {**LEG, "price": ""}}, "long.price"),
        ({"long": {**LEG, "price": "1_87"}}, "long.price"),
        ({"long": {**LEG, "price": 1e-13}}, "long.price"),
        ({"observed_at": "1760130000"}, "observed_at"),
        ({"long": {**LEG, "venue": "nasdaq"}}, "long.venue"),
        ({"long": {**LEG, "venue": "Binance"}}, "long.venue"),
        ({"long": {**LEG, "colour": "red"}}, "long.colour"),
        ({"long": {**LEG, "funding_interval_hours": 0}}, "long.funding_interval_hours"),
        ({"symbol": "sol"}, "symbol"),
        ({"type": "D"}, "type"),
        ({"observed_at": "2025-10-10T21:00:00"}, "observed_at"),
        ({"observed_at": 1760130000}, "observed_at"),
        ({"observed_at": "2025-10-10T21:01:01Z"}, "observed_at"),
        ({"factors": {"depth": "deep"}}, "factors.depth"),
        ({"win_prob": 1.01}, "win_prob"),
        ({"note": "hello"}, "note"),
    ],
)
async def test_a_wrong_field_is_named_with_its_value_and_what_is_allowed(
    service: IngestService, changes: dict[str, Any], field: str
) -> None:
    response = await service.http.post("/signals", json=posted(**changes))
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert [error["field"] for error in problem["errors"]] == [field]
    assert field in problem["detail"]
    assert all(error["allowed"] for error in problem["errors"])
    assert "value" in problem["errors"][0]
    assert await service.rows("watch_observation") == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"short": {**LEG, "price": "204"}}, "two different venues"),
        ({"spread": -0.01}, "sign"),
    ],
)
async def test_fields_must_fit_together(service: IngestService, changes: dict[str, Any], said: str) -> None:
    response = await service.http.post("/signals", json=posted(**changes))
    assert response.status_code == 422
    assert said in response.text


async def test_a_minute_ahead_is_still_now(service: IngestService) -> None:
    assert (await service.post(posted(observed_at="2025-10-10T23:01:00+02:00")))["triggered"]


async def test_an_unlisted_symbol_is_refused_with_the_close_ones(service: IngestService) -> None:
    for venue in ("binance", "bybit"):
        service.parts.listings.learn(venue, ["SOL", "SOLV", "BTC"])
    response = await service.http.post("/signals", json=posted(symbol="SOLS"))
    assert response.status_code == 422
    (error,) = response.json()["errors"]
    assert (error["field"], error["value"]) == ("symbol", "SOLS")
    assert "SOLV" in error["allowed"]
    assert "BTC" not in error["allowed"]


@pytest.mark.parametrize("body", [b"", b"hello", b"{", b"\xff\xfe", b'{"symbol": SOL}'])
async def test_a_body_that_is_not_json_is_a_400(service: IngestService, body: bytes) -> None:
    response = await service.http.post("/signals", content=body)
    assert response.status_code == 400
    assert "not JSON" in response.json()["detail"]


async def test_a_batch_keeps_its_good_lines_and_names_the_bad_ones(service: IngestService) -> None:
    good = json.dumps(posted())
    bad_price = json.dumps(posted(long={**LEG, "price": -5}))
    body = "\n".join([good, "", bad_price, "not json", good, "   "]).encode() + b"\r\n\xff\xfe\n"
    response = await service.http.post("/signals/batch", content=body)
    assert response.status_code == 200
    answer = response.json()
    assert (answer["accepted"], answer["triggered"]) == (2, 2)
    assert [refused["line"] for refused in answer["refused"]] == [3, 4, 7]
    (error,) = answer["refused"][0]["errors"]
    assert (error["field"], error["value"]) == ("long.price", -5)
    assert "from 1E-12" in error["allowed"]
    assert [row["event_id"] is not None for row in await service.rows("watch_observation")] == [True, True]


@pytest.mark.parametrize("body", [b"", b"\n \r\n"])
async def test_a_batch_without_a_line_is_a_422(service: IngestService, body: bytes) -> None:
    response = await service.http.post("/signals/batch", content=body)
    assert (response.status_code, response.headers["content-type"]) == (422, "application/problem+json")
    assert "at least one line" in response.json()["detail"]


@pytest.mark.parametrize("price", ["1E-7", "187.250", 187, 187.25, "1e-12", "999999999.5", 1e9])
async def test_a_price_is_a_number_or_its_text(service: IngestService, price: object) -> None:
    response = await service.http.post("/signals", json=posted(type="A", long={**LEG, "price": price}))
    assert response.status_code == 201


async def test_in_one_batch_an_event_is_told_once_as_opened_with_its_last_version(
    service: IngestService, nats_url: str
) -> None:
    assert await service.post_batch([posted() for _ in range(50)]) == {"accepted": 50, "triggered": 50, "refused": []}
    (told,) = await heard(nats_url, EVENT_STREAM, 1)
    assert (told.subject, told.payload["version"], told.payload["observations"]) == (EVENT_OPENED, 50, 50)
    assert len(await service.outbox_ids()) == 1


async def test_too_many_lines_and_too_many_bytes_are_a_413(service: IngestService) -> None:
    lines = await service.http.post("/signals/batch", content=b"{}\n" * 10_001)
    size = await service.http.post("/signals", content=b" " * 70_000)
    assert (lines.status_code, size.status_code) == (413, 413)
    assert "10000" in lines.text


async def test_a_stale_observation_is_stored_but_opens_nothing(service: IngestService) -> None:
    old = (MOMENT - timedelta(minutes=4)).isoformat()
    answer = await service.post(posted(observed_at=old))
    assert (answer["triggered"], answer["refusal"]) == (False, "stale_observation")


async def test_the_database_being_away_is_a_503_and_stores_nothing(service: IngestService) -> None:
    await service.pool.close()
    response = await service.http.post("/signals", json=posted())
    assert response.status_code == 503
    assert "send it again" in response.json()["detail"]
