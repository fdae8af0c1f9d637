"""An operator's close is committed with its audit, sent to the executor, and waited for."""

import asyncio
from typing import Any

import pytest

from common.messages.contracts import CloseRequested
from common.messages.envelope import Envelope
from support.ledger_rows import NOON, LedgerRows

from .conftest import Gateway, until

PATH = "/api/live_trading/force_close"


def wish(signal_id: int, **changes: Any) -> dict[str, Any]:
    return {"signal_id": signal_id, "who": "ada", "why": "venue maintenance", "wait_seconds": 0} | changes


async def requests_of(rows: LedgerRows) -> list[Envelope]:
    records = await rows.pool.fetch("SELECT body FROM watchlist.outbox ORDER BY id")
    return [Envelope.model_validate_json(record["body"]) for record in records]


async def test_an_open_trade_is_asked_to_close_with_who_and_why(gateway: Gateway, rows: LedgerRows) -> None:
    trade = await rows.trade()
    answer = await gateway.http.post(PATH, json=wish(trade.id))
    assert answer.status_code == 202
    assert answer.json()["request_id"] == f"close-{trade.id}-operator-1"
    assert answer.json()["trade"]["status"] == "open"
    [envelope] = await requests_of(rows)
    assert envelope.id == f"close-{trade.id}-operator-1"
    assert envelope.subject == "trade.close.requested"
    request = envelope.read(CloseRequested)
    assert (request.signal_id, request.reason, request.requested_by) == (trade.id, "operator", "operator:ada")
    [decision] = (await gateway.http.get("/audit")).json()["items"]
    assert decision["decision"] == "close_requested"
    assert decision["evidence"]["why"] == "venue maintenance"


async def test_the_request_reaches_the_bus(gateway: Gateway, rows: LedgerRows) -> None:
    trade = await rows.trade()
    publishing = asyncio.create_task(gateway.outbox.run())
    await gateway.http.post(PATH, json=wish(trade.id))

    async def is_published() -> bool:
        return not await rows.pool.fetchval("SELECT count(*) FROM watchlist.outbox WHERE published_at IS NULL")

    await until(is_published)
    publishing.cancel()


async def test_asking_again_makes_another_request(gateway: Gateway, rows: LedgerRows) -> None:
    trade = await rows.trade(status="closing")
    answers = await asyncio.gather(*(gateway.http.post(PATH, json=wish(trade.id)) for _ in range(4)))
    assert {answer.status_code for answer in answers} == {202}
    expected = {f"close-{trade.id}-operator-{number}" for number in range(1, 5)}
    assert {answer.json()["request_id"] for answer in answers} == expected
    assert {envelope.id for envelope in await requests_of(rows)} == expected


async def test_an_id_that_another_service_took_is_passed_over(gateway: Gateway, rows: LedgerRows) -> None:
    trade = await rows.trade(status="closing")
    taken = f"close-{trade.id}-operator-1"
    await rows.insert(
        "outbox",
        service="position_monitor",
        message_id=taken,
        subject="trade.close.requested",
        body=b"{}",
        created_at=NOON,
    )
    answer = await gateway.http.post(PATH, json=wish(trade.id))
    assert answer.json()["request_id"] == f"close-{trade.id}-operator-2"


async def test_the_answer_waits_for_the_close(gateway: Gateway, rows: LedgerRows) -> None:
    trade = await rows.trade()

    async def executor() -> None:
        await until(lambda: requests_of(rows))
        await rows.set_status(trade.id, "closed", close_reason="operator", closed_at=NOON)

    answer, _ = await asyncio.gather(gateway.http.post(PATH, json=wish(trade.id, wait_seconds=30)), executor())
    assert answer.status_code == 200
    assert answer.json()["trade"] == {
        "signal_id": trade.id,
        "symbol": "SOL",
        "status": "closed",
        "close_reason": "operator",
        "closed_at": "2025-10-10T12:00:00Z",
    }
    assert answer.json()["waited_seconds"] < 30


@pytest.mark.parametrize("status", ["new", "skipped", "expired", "opening", "closed", "failed"])
async def test_what_has_nothing_to_close_is_a_conflict(gateway: Gateway, rows: LedgerRows, status: str) -> None:
    signal_id = await rows.signal(status=status)
    answer = await gateway.http.post(PATH, json=wish(signal_id))
    assert answer.status_code == 409
    [error] = answer.json()["errors"]
    assert error["value"] == signal_id
    assert error["allowed"] == f"a signal whose status is one of open, closing; this one is {status}"
    assert await requests_of(rows) == []


async def test_an_unknown_signal_is_not_found(gateway: Gateway) -> None:
    answer = await gateway.http.post(PATH, json=wish(4711))
    assert answer.status_code == 404
    assert answer.json()["errors"][0]["value"] == 4711


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"signal_id": "1"}, "body.signal_id"),
        ({"signal_id": 0}, "body.signal_id"),
        ({"who": ""}, "body.who"),
        ({"who": "  "}, "body.who"),
        ({"why": "line\x00"}, "body.why"),
        ({"why": "x" * 501}, "body.why"),
        ({"wait_seconds": 30.1}, "body.wait_seconds"),
        ({"wait_seconds": -1}, "body.wait_seconds"),
        ({"force": True}, "body.force"),
    ],
)
async def test_a_wrong_request_is_refused_by_field(gateway: Gateway, changes: dict[str, Any], field: str) -> None:
    answer = await gateway.http.post(PATH, json={**wish(1), **changes})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_a_body_that_is_no_json_is_said_to_be_none(gateway: Gateway) -> None:
    answer = await gateway.http.post(PATH, content=b"close it", headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("body", "field", "value"),
    [
        (b'{"signal_id": 1, "who": "\\ud800", "why": "test"}', "body.who", "\\ud800"),
        (b'{"signal_id": 1, "who": "ada", "why": "test", "\\ud800": 1}', "body", "\\ud800"),
        (b'{"signal_id": 1, "who": "ada", "why": "test", "wait_seconds": NaN}', "body.wait_seconds", "nan"),
    ],
)
async def test_what_json_cannot_carry_back_is_refused_without_a_crash(
    gateway: Gateway, body: bytes, field: str, value: object
) -> None:
    answer = await gateway.http.post(PATH, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    [error] = answer.json()["errors"]
    assert (error["field"], error["value"]) == (field, value)
