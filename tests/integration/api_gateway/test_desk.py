"""Commands that are asked for twice, answers that did not change, filters, and what asks the executor."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from support.ledger_rows import NOON, LedgerRows

from .conftest import Gateway

PREFIX = "/api/live_trading"
HALT = {"state": "halted", "who": "ada", "why": "test", "wait_seconds": 0}
FLATTEN = {"venue": "binance", "symbol": "SOL", "who": "ada", "why": "test", "wait_seconds": 0}


async def count(rows: LedgerRows, decision: str) -> int:
    found: int = await rows.pool.fetchval("SELECT count(*) FROM watchlist.audit WHERE decision = $1", decision)
    return found


async def test_a_key_that_comes_again_is_answered_with_what_was_answered_first(
    gateway: Gateway, rows: LedgerRows
) -> None:
    key = {"Idempotency-Key": "once"}
    first = await gateway.http.post(f"{PREFIX}/trading_state", json=HALT, headers=key)
    again = await gateway.http.post(f"{PREFIX}/trading_state", json=HALT, headers=key)
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert await count(rows, "trading_state_requested") == 1


async def test_many_at_once_under_one_key_do_it_once(gateway: Gateway, rows: LedgerRows) -> None:
    key = {"Idempotency-Key": "at-once"}
    body = HALT | {"wait_seconds": 0.3}
    answers = await asyncio.gather(
        *(gateway.http.post(f"{PREFIX}/trading_state", json=body, headers=key) for _ in range(6))
    )
    assert sorted(answer.status_code for answer in answers) == [202, *[409] * 5]
    assert await count(rows, "trading_state_requested") == 1


async def test_a_key_of_another_body_or_another_command_is_refused(gateway: Gateway, rows: LedgerRows) -> None:
    key = {"Idempotency-Key": "mine"}
    await gateway.http.post(f"{PREFIX}/trading_state", json=HALT, headers=key)
    for path, body in (("trading_state", HALT | {"state": "active"}), ("flatten_position", FLATTEN)):
        answer = await gateway.http.post(f"{PREFIX}/{path}", json=body, headers=key)
        assert answer.status_code == 409
        assert answer.json()["errors"][0]["field"] == "header.Idempotency-Key"
    assert await count(rows, "flatten_requested") == 0


async def test_a_command_that_came_to_nothing_leaves_its_key_free(gateway: Gateway, rows: LedgerRows) -> None:
    key = {"Idempotency-Key": "later"}
    body = {"signal_id": 1, "who": "ada", "why": "test", "wait_seconds": 0}
    assert (await gateway.http.post(f"{PREFIX}/force_close", json=body, headers=key)).status_code == 404
    trade = await rows.trade()
    answer = await gateway.http.post(f"{PREFIX}/force_close", json=body | {"signal_id": trade.id}, headers=key)
    assert answer.status_code == 202
    assert answer.json()["see"] == f"{PREFIX}/signals/{trade.id}"


async def test_a_worker_that_died_with_the_key_in_hand_holds_it_for_a_minute(
    gateway: Gateway, rows: LedgerRows
) -> None:
    key = {"Idempotency-Key": "dead"}
    await gateway.http.post(f"{PREFIX}/trading_state", json=HALT, headers=key)
    await rows.pool.execute("UPDATE watchlist.command_answer SET status = NULL, answer = NULL")
    answer = await gateway.http.post(f"{PREFIX}/trading_state", json=HALT, headers=key)
    assert answer.status_code == 409
    await rows.pool.execute("UPDATE watchlist.command_answer SET begun_at_seconds = begun_at_seconds - 61")
    answer = await gateway.http.post(f"{PREFIX}/trading_state", json=HALT, headers=key)
    assert answer.status_code == 202


async def test_a_flatten_that_nobody_takes_up_says_so_and_later_what_the_executor_stored(
    gateway: Gateway, rows: LedgerRows
) -> None:
    answer = await gateway.http.post(f"{PREFIX}/flatten_position", json=FLATTEN)
    assert answer.status_code == 202
    said = answer.json()
    assert said["status"]["state"] == "asked"
    assert "not taken it up" in said["told"]
    assert (await gateway.http.get(said["see"])).json()["state"] == "asked"
    await rows.pool.execute(
        "INSERT INTO watchlist.operator_flatten VALUES ($1, 'k', 'binance', 'SOL', 'operator:ada', 'flat', $2, $3)",
        said["request_id"],
        {"venue_quantity": "0", "read_at": NOON},
        NOON,
    )
    assert (await gateway.http.get(said["see"])).json()["evidence"]["venue_quantity"] == "0"
    order_id = await rows.insert(
        "operator_flatten_order",
        request_id=said["request_id"],
        leg="long",
        attempt=1,
        client_order_id="c-1",
        venue="binance",
        symbol="SOL",
        side="sell",
        quantity=Decimal(1),
        reference_price=Decimal(100),
        status="filled",
        intended_at=NOON,
    )
    fill = {"side": "sell", "price": Decimal("100.1"), "quantity": Decimal(1), "traded_at": NOON}
    place = {"order_id": order_id, "venue": "binance", "symbol": "SOL", "fill_id": "f-1"}
    await rows.insert("operator_flatten_fill", **place, **fill)
    [shown] = (await gateway.http.get(said["see"])).json()["fills"]
    assert (shown["client_order_id"], shown["price"], shown["fee_usdt"]) == ("c-1", "100.1", None)


async def test_a_flatten_is_never_told_what_became_of_one_that_the_audit_has_forgotten(
    gateway: Gateway, rows: LedgerRows
) -> None:
    await rows.pool.execute(
        "INSERT INTO watchlist.operator_flatten VALUES "
        "('flatten-binance-SOL-1', 'k', 'binance', 'SOL', 'operator:ada', 'flat', $1, $2)",
        {"venue_quantity": "0", "read_at": NOON},
        NOON,
    )
    said = (await gateway.http.post(f"{PREFIX}/flatten_position", json=FLATTEN)).json()
    assert (said["request_id"], said["status"]["state"]) == ("flatten-binance-SOL-2", "asked")


@pytest.mark.parametrize("path", ["overview", "signals", "events", "positions", "orders", "errors", "scale_in"])
async def test_who_polls_is_told_that_nothing_changed(gateway: Gateway, rows: LedgerRows, path: str) -> None:
    trade = await rows.trade()
    await rows.entry(trade)
    first = await gateway.http.get(f"{PREFIX}/{path}")
    tag = first.headers["etag"]
    same = await gateway.http.get(f"{PREFIX}/{path}", headers={"If-None-Match": f'"other", {tag}'})
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    assert (await gateway.http.get(f"{PREFIX}/{path}", headers={"If-None-Match": '"other"'})).status_code == 200
    await rows.entry(await rows.trade("ETH"))
    await rows.error()
    changed = await gateway.http.get(f"{PREFIX}/{path}", headers={"If-None-Match": tag})
    assert changed.status_code == 200


async def ids(gateway: Gateway, path: str, **parameters: Any) -> list[int]:
    answer = await gateway.http.get(f"{PREFIX}/{path}", params=parameters)
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


async def test_signals_by_venue_reason_and_time(gateway: Gateway, rows: LedgerRows) -> None:
    made = []
    for number, venues in enumerate([("binance", "bybit"), ("bybit", "okx"), ("okx", "binance")]):
        long_venue, short_venue = venues
        signal = await rows.signal(f"S{number}", at=NOON + timedelta(minutes=number))
        await rows.pool.execute(
            "UPDATE watchlist.live_trade_signal SET long_venue = $2, short_venue = $3, reason = $4 WHERE id = $1",
            signal,
            long_venue,
            short_venue,
            "book_stale" if number else "unstable",
        )
        made.append(signal)
    assert await ids(gateway, "signals", venue="okx") == [made[2], made[1]]
    assert await ids(gateway, "signals", venue="okx", limit=1) == [made[2]]
    assert await ids(gateway, "signals", venue="okx", before=made[2]) == [made[1]]
    assert await ids(gateway, "signals", venue="gate") == []
    assert await ids(gateway, "signals", reason="book_stale", venue="bybit") == [made[1]]
    minute = [(NOON + timedelta(minutes=number)).isoformat() for number in range(4)]
    assert await ids(gateway, "signals", **{"from": minute[1]}) == [made[2], made[1]]
    assert await ids(gateway, "signals", to=minute[1]) == [made[1], made[0]]
    assert await ids(gateway, "signals", **{"from": minute[1], "to": minute[1]}) == [made[1]]
    assert await ids(gateway, "signals", **{"from": minute[3]}) == []
    assert await ids(
        gateway, "signals", **{"from": "0001-01-01T00:00:00+14:00", "to": "9999-12-31T23:59:59-12:00"}
    ) == [*reversed(made)]


@pytest.mark.parametrize("wrong", ["yesterday", "0.5", "2025-10-10T12:00:00", "2025-13-10T12:00:00Z"])
async def test_a_time_that_is_none_or_has_no_offset_is_named(gateway: Gateway, wrong: str) -> None:
    answer = await gateway.http.get(f"{PREFIX}/signals", params={"from": wrong})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "query.from"


async def test_candidates_say_that_the_executor_is_away(gateway: Gateway) -> None:
    answer = await gateway.http.get(f"{PREFIX}/candidates")
    assert answer.status_code == 503
    assert "executor does not answer" in answer.json()["detail"]


async def test_examples_of_the_documentation_are_accepted(gateway: Gateway, rows: LedgerRows) -> None:
    document = (await gateway.http.get("/openapi.json")).json()
    schemas = document["components"]["schemas"]
    for path, schema in (
        ("force_close", "ForceCloseRequest"),
        ("flatten_position", "FlattenRequest"),
        ("trading_state", "TradingStateWish"),
    ):
        example = schemas[schema]["example"] | {"wait_seconds": 0}
        answer = await gateway.http.post(f"{PREFIX}/{path}", json=example)
        assert answer.status_code in (202, 404), answer.text
