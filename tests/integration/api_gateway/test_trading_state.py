"""An operator's change of the trading state is committed with its audit, sent to the executor, and waited for."""

import asyncio

import pytest

from common.messages.contracts import TradingStateRequested
from common.messages.envelope import Envelope
from support.ledger_rows import LedgerRows

from .conftest import Gateway, until

PATH = "/api/live_trading/trading_state"
WISH = {"state": "halted", "who": "ada", "why": "venue maintenance", "wait_seconds": 0}


async def test_the_wish_is_recorded_and_told_with_who_and_why(gateway: Gateway, rows: LedgerRows) -> None:
    answer = await gateway.http.post(PATH, json=WISH)
    assert answer.status_code == 202
    assert answer.json()["trading_state"]["state"] == "active"
    [body] = [row["body"] for row in await rows.pool.fetch("SELECT body FROM watchlist.outbox")]
    request = Envelope.model_validate_json(body).read(TradingStateRequested)
    assert (request.state, request.requested_by, request.why) == ("halted", "operator:ada", "venue maintenance")
    [decision] = (await gateway.http.get("/audit")).json()["items"]
    assert (decision["decision"], decision["evidence"]["who"]) == ("trading_state_requested", "ada")


async def test_the_answer_waits_for_the_state(gateway: Gateway, rows: LedgerRows) -> None:
    asking = asyncio.create_task(gateway.http.post(PATH, json=WISH | {"wait_seconds": 30}))
    await until(lambda: rows.pool.fetchval("SELECT count(*) FROM watchlist.outbox"))
    await rows.pool.execute("UPDATE watchlist.trading_state SET state = 'halted'")
    answer = await asking
    assert answer.status_code == 200
    assert answer.json()["trading_state"]["state"] == "halted"


async def test_asking_twice_makes_two_wishes(gateway: Gateway, rows: LedgerRows) -> None:
    first, second = [(await gateway.http.post(PATH, json=WISH)).json()["request_id"] for _ in range(2)]
    assert first != second


@pytest.mark.parametrize(("change", "field"), [({"state": "paused"}, "state"), ({"who": ""}, "who"), ({"x": 1}, "x")])
async def test_a_wrong_wish_names_its_field(gateway: Gateway, change: dict[str, object], field: str) -> None:
    answer = await gateway.http.post(PATH, json=WISH | change)
    assert answer.status_code == 422
    assert field in answer.text
    assert answer.headers["content-type"] == "application/problem+json"
