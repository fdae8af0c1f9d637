"""The demo watches the gateway until its scenario is over, and then asks the venues whether it is true."""

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console

from common.runtime.clock import ReplayClock
from local_stack import demo, report
from local_stack.demo import Demo, DemoRequest
from local_stack.ending import NoAnswer
from local_stack.screen import Screen
from local_stack.services import SimulatedVenue
from venue_sim.scenario import ClockScenario, Expectations, Scenario, ScenarioError

STARTS_AT = datetime(2025, 10, 10, 21, tzinfo=UTC)
ENDS_AT = datetime(2025, 10, 10, 23, tzinfo=UTC)
GATEWAY = "http://gateway"

SIGNAL = {
    "id": 1,
    "symbol": "SOL",
    "long_venue": "binance",
    "short_venue": "bybit",
    "status": "closed",
    "close_reason": "take_profit",
    "entries_count": 1,
    "opened_at": "2025-10-10T21:20:00Z",
    "closed_at": "2025-10-10T21:30:00Z",
    "finalised_at": "2025-10-10T21:31:00Z",
    "fees_usdt": "0.1",
    "funding_usdt": "0",
    "net_pnl_usdt": "2.9",
}
ORDERS = [
    {
        "id": number,
        "client_order_id": f"t{number}",
        "venue": "binance",
        "leg": "long",
        "purpose": purpose,
        "entry": 1,
        "side": side,
        "status": "filled",
        "filled_quantity": "1",
        "average_price": price,
    }
    for number, purpose, side, price in ((1, "open", "buy", "100"), (2, "close", "sell", "103"))
]
FIGURES = (("buy", "100", 1), ("sell", "103", 2))


class StackThatIsUp:
    """What a demo needs of a stack, without processes."""

    def __init__(self, directory: Path, speed: float) -> None:
        self.venues = (SimulatedVenue("binance", "binance", 1),)
        self._started_file = directory / "started"
        self._speed = speed

    def market_clock(self) -> ReplayClock:
        return ReplayClock(STARTS_AT, self._speed, self._started_file)

    def start_clock(self) -> None:
        self._started_file.write_text(repr(datetime.now(UTC).timestamp()))

    def service_url(self, service: str) -> str:
        return GATEWAY


def ledger(balance: str = "1002.9") -> dict[str, Any]:
    return {
        "venue": "binance",
        "initial_balance_usdt": "1000",
        "balance_usdt": balance,
        "fees_usdt": "0.1",
        "funding_usdt": "0",
        "fills": [
            {
                "fill_id": f"x{n}",
                "client_order_id": f"t{n}",
                "side": side,
                "price": price,
                "quantity": "1",
                "fee": "0.05",
            }
            for side, price, n in FIGURES
        ],
        "funding_payments": [],
        "positions": [],
    }


def story(signal: dict[str, Any]) -> dict[str, Any]:
    fills = [
        {
            "order_id": n,
            "venue": "binance",
            "fill_id": f"x{n}",
            "side": side,
            "price": price,
            "quantity": "1",
            "fee_usdt": "0.05",
        }
        for side, price, n in FIGURES
    ]
    entries = [{"entry": 1, "status": "filled", "quantity": "1"}]
    return {"signal": signal, "entries": entries, "orders": ORDERS, "fills": fills, "funding": []}


def answering(signals: list[dict[str, Any]], venue: dict[str, Any]) -> Callable[[httpx.Request], httpx.Response]:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/overview"):
            return httpx.Response(200, json={"signals": signals})
        if request.url.path in ("/api/audit", "/api/live_trading/observations", "/api/live_trading/samples"):
            return httpx.Response(200, json={"items": [], "next": None})
        if request.url.path == "/control/state":
            return httpx.Response(200, json={"symbols": {"SOL": {"mid": "207.4372604"}}})
        if request.url.path == "/control/ledger":
            return httpx.Response(200, json=venue)
        return httpx.Response(200, json=story(signals[0]))

    return answer


def scenario(speed: float, expectations: Expectations) -> Scenario:
    clock = ClockScenario(starts_at=STARTS_AT, ends_at=ENDS_AT, speed=speed)
    return Scenario.model_construct(
        title="A gap", story="It closes.", clock=clock, observations=[], expect=expectations
    )


async def run(
    directory: Path,
    answer: Callable[[httpx.Request], httpx.Response],
    expectations: Expectations,
    speed: float = 1,
) -> report.Result:
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        stack = StackThatIsUp(directory, speed)
        screen = Screen(Console(quiet=True))
        return await Demo(stack, scenario(speed, expectations), "a-gap", http, screen).run()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "_POLL_PAUSE_SECONDS", 0.005)
    monkeypatch.setattr(demo, "_CLOSING_GRACE_SECONDS", 0.05)
    monkeypatch.setattr(demo, "_ANSWER_PATIENCE_SECONDS", 0.05)


async def test_it_ends_as_soon_as_everything_expected_has_come_true_and_is_settled(tmp_path: Path) -> None:
    result = await run(tmp_path, answering([SIGNAL], ledger()), Expectations(close_reasons=["take_profit"]))
    assert result.passed
    assert result.market_to < ENDS_AT


async def test_it_plays_to_the_end_when_an_expectation_does_not_come_true(tmp_path: Path) -> None:
    answer = answering([SIGNAL], ledger())
    result = await run(tmp_path, answer, Expectations(close_reasons=["max_hold_days"]), speed=72_000)
    assert not result.passed
    assert [miss.name for miss in result.unmet] == ["close_reasons"]
    assert result.market_to >= ENDS_AT


async def test_it_waits_for_an_open_trade_no_longer_than_the_grace(tmp_path: Path) -> None:
    open_trade = SIGNAL | {"status": "open", "finalised_at": None, "net_pnl_usdt": None}
    result = await run(tmp_path, answering([open_trade], ledger()), Expectations(), speed=72_000)
    assert result.trades[0].signal.is_active


async def test_a_balance_that_disagrees_fails_the_run(tmp_path: Path) -> None:
    expected = Expectations(trades_closed_min=1)
    result = await run(tmp_path, answering([SIGNAL], ledger("1002.90000001")), expected)
    assert not result.passed
    assert result.differences == ["net P&L: Tandem has 2.9 USDT, the balances of the venues changed by 2.90000001 USDT"]


@pytest.mark.parametrize("status", [500, 503])
async def test_a_gateway_that_does_not_answer_is_named(tmp_path: Path, status: int) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status)

    with pytest.raises(NoAnswer, match=rf"{status} .* 'http://gateway/api/\S+'"):
        await run(tmp_path, refuse, Expectations())


async def test_a_gateway_that_is_away_for_a_moment_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "_ANSWER_PATIENCE_SECONDS", 20.0)
    answer = answering([SIGNAL], ledger())
    refusals = [httpx.Response(503), httpx.Response(503)]

    def stumble(request: httpx.Request) -> httpx.Response:
        return refusals.pop() if refusals else answer(request)

    assert (await run(tmp_path, stumble, Expectations(trades_closed_min=1))).passed


async def test_the_result_as_json_keeps_every_digit(tmp_path: Path) -> None:
    result = await run(tmp_path, answering([SIGNAL], ledger()), Expectations(trades_closed_min=1))
    path = tmp_path / "result.json"
    report.write(result, path)
    written = json.loads(path.read_text())
    assert written["passed"] is True
    assert written["net_pnl_usdt"] == "2.9"
    assert written["trades"][0]["fills"][1]["price"] == "103"


async def test_the_tables_show_what_was_traded(tmp_path: Path) -> None:
    result = await run(tmp_path, answering([SIGNAL], ledger()), Expectations(trades_closed_min=1))
    with Console(record=True, width=140, quiet=False, file=io.StringIO()) as console:
        report.show(result, Screen(console))
    text = console.export_text()
    for figure in ("take_profit", "long binance / short bybit", "0:10:00", "1000", "1002.9", "2.9"):
        assert figure in text
    assert "Tandem's books equal the venues' own ledgers" in text


@pytest.mark.parametrize("venues", [("okx",), ("okx", "okx"), ("kraken", "binance")])
async def test_what_cannot_be_played_is_not_announced(venues: tuple[str, ...]) -> None:
    told = io.StringIO()
    with pytest.raises(ScenarioError, match=f"VENUES={','.join(venues)}: "):
        await demo.play(DemoRequest("oct-10-2025-sol", venues=venues), Screen(Console(file=told)))
    assert told.getvalue() == ""
