"""The control interface over HTTP: moving a venue, and reading its ledger."""

from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from support.simulated_venues import NOON, RunningVenue, control_client, running_venue
from venue_sim.matching import Side
from venue_sim.venue import OrderRequest


@pytest.fixture
async def simulated() -> AsyncIterator[RunningVenue]:
    async with running_venue("bybit") as running:
        yield running


@pytest.fixture
async def control(simulated: RunningVenue) -> AsyncIterator[httpx.AsyncClient]:
    async with control_client(simulated) as client:
        yield client


def place(simulated: RunningVenue, side: Side, quantity: int, client_id: str) -> None:
    simulated.venue.place(OrderRequest("SOL", side, Decimal(quantity), client_id, False, received_monotonic_ns=7))


async def test_state_shows_prices_funding_and_time(control: httpx.AsyncClient) -> None:
    state = (await control.get("/state")).json()
    assert (state["venue"], state["protocol"], state["now"]) == ("bybit", "bybit", NOON.isoformat())
    assert (state["symbols"]["SOL"]["bid"], state["symbols"]["SOL"]["ask"]) == ("199.98", "200.02")
    assert state["symbols"]["SOL"]["overridden"] == []


async def test_price_is_held_until_it_is_given_back(control: httpx.AsyncClient) -> None:
    held = (await control.post("/price", json={"symbol": "SOL", "mid": "250.5"})).json()
    assert held["symbols"]["SOL"]["mid"] == "250.5"
    assert held["symbols"]["SOL"]["overridden"] == ["mid"]
    released = (await control.post("/price", json={"symbol": "SOL", "mid": None})).json()
    assert released["symbols"]["SOL"]["mid"] == "200"


async def test_book_is_shown_exactly_even_crossed(control: httpx.AsyncClient) -> None:
    book = {"symbol": "SOL", "bids": [["201", "1"], ["200", "2"]], "asks": [["200.5", "1"]]}
    state = (await control.post("/book", json=book)).json()
    assert (state["symbols"]["SOL"]["bid"], state["symbols"]["SOL"]["ask"]) == ("201", "200.5")
    state = (await control.post("/book", json={"symbol": "SOL", "bids": None, "asks": None})).json()
    assert state["symbols"]["SOL"]["bid"] == "199.98"


async def test_funding_and_interval_are_replaced(control: httpx.AsyncClient) -> None:
    state = (await control.post("/funding", json={"symbol": "SOL", "rate": "-0.02", "interval_hours": 1})).json()
    assert (state["symbols"]["SOL"]["funding_rate"], state["symbols"]["SOL"]["funding_interval_hours"]) == ("-0.02", 1)
    state = (await control.post("/funding", json={"symbol": "SOL", "rate": None})).json()
    assert (state["symbols"]["SOL"]["funding_rate"], state["symbols"]["SOL"]["funding_interval_hours"]) == ("0.0001", 8)


async def test_time_is_held_and_given_back(control: httpx.AsyncClient) -> None:
    held = (await control.post("/time", json={"now": "2025-10-10T18:00:00Z"})).json()
    assert (held["now"], held["time_is_manual"]) == ("2025-10-10T18:00:00+00:00", True)
    released = (await control.post("/time", json={"now": None})).json()
    assert (released["now"], released["time_is_manual"]) == (NOON.isoformat(), False)


async def test_ledger_balances_to_the_last_digit(simulated: RunningVenue, control: httpx.AsyncClient) -> None:
    place(simulated, Side.SELL, 60, "open")
    simulated.clock.moment = NOON + timedelta(hours=5)
    place(simulated, Side.BUY, 60, "close")
    ledger = (await control.get("/ledger")).json()
    figures = {name: Decimal(ledger[f"{name}_usdt"]) for name in ("realised_pnl", "fees", "funding")}
    assert Decimal(ledger["balance_usdt"]) - Decimal(ledger["initial_balance_usdt"]) == (
        figures["realised_pnl"] - figures["fees"] + figures["funding"]
    )
    cash = sum(
        (1 if fill["side"] == "sell" else -1) * Decimal(fill["price"]) * Decimal(fill["quantity"])
        for fill in ledger["fills"]
    )
    assert cash == figures["realised_pnl"]
    assert ledger["positions"] == []
    assert [payment["amount_usdt"] for payment in ledger["funding_payments"]] == ["1.20000000"]


async def test_ledger_names_orders_by_both_ids_and_when_they_arrived(
    simulated: RunningVenue, control: httpx.AsyncClient
) -> None:
    place(simulated, Side.BUY, 1, "mine")
    (order,) = (await control.get("/ledger")).json()["orders"]
    assert order["client_order_id"] == "mine"
    assert order["venue_order_id"] == simulated.venue.account.orders[0].order_id
    assert (order["received_monotonic_ns"], order["time"]) == (7, NOON.isoformat())
    assert (order["status"], order["filled_quantity"], order["average_price"]) == ("filled", "1", "200.02")


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/price", {"symbol": "SOL", "mid": "-1"}, "mid"),
        ("/price", {"symbol": "SOL"}, "mid"),
        ("/price", {"symbol": "NOPE", "mid": "1"}, "symbol = 'NOPE': is not listed; allowed: SOL, ETH"),
        ("/price", {"symbol": "SOL", "mid": "1", "typo": 1}, "typo"),
        ("/price", ["not", "a", "table"], "the body"),
        ("/book", {"symbol": "SOL", "bids": [["1", "1"], ["2", "1"]], "asks": []}, "bids must be ordered"),
        ("/book", {"symbol": "SOL", "bids": [], "asks": None}, "bids and asks"),
        ("/book", {"symbol": "SOL", "bids": [["1", "0"]], "asks": []}, "bids.0.1"),
        ("/funding", {"symbol": "SOL", "rate": "0.1", "interval_hours": 0}, "interval_hours"),
        ("/time", {"now": "2025-10-10T18:00:00"}, "now"),
    ],
)
async def test_wrong_command_is_a_problem_that_names_the_field(
    control: httpx.AsyncClient, path: str, body: Any, field: str
) -> None:
    answer = await control.post(path, json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert field in answer.json()["detail"]


async def test_body_that_is_not_json_is_a_problem(control: httpx.AsyncClient) -> None:
    answer = await control.post("/price", content=b"{not json")
    assert answer.status_code == 422
    assert "Invalid JSON" in answer.json()["detail"]
