"""The demo on a stack that somebody else keeps up: its clock is started, and it is judged like one of our own."""

from pathlib import Path

import httpx
import pytest

from local_stack import __main__, report, watch
from local_stack.demo import find_scenario
from local_stack.running import StackElsewhere
from local_stack.screen import Screen
from venue_sim.scenario import Scenario, load_scenario

SCENARIO = str(find_scenario("oct-10-2025-sol"))


def arguments(started_file: Path, *more: str) -> list[str]:
    return [
        "watch",
        f"--scenario={SCENARIO}",
        "--gateway=http://api-gateway:4002/",
        "--ingest=http://signal-ingest:4011",
        "--venue=binance=http://venue-binance:4020",
        "--venue=bybit=http://venue-bybit:4020",
        f"--clock-started={started_file}",
        *more,
    ]


def test_it_finds_the_parts_where_it_is_told_and_starts_their_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stacks: list[StackElsewhere] = []

    class Judged:
        passed = False

    class Demo:
        def __init__(
            self, stack: StackElsewhere, scenario: Scenario, name: str, http: httpx.AsyncClient, screen: Screen
        ) -> None:
            stacks.append(stack)

        async def run(self) -> Judged:
            stacks[0].start_clock()
            return Judged()

    monkeypatch.setattr(watch, "Demo", Demo)
    monkeypatch.setattr(report, "show", lambda result, screen: None)
    assert __main__.main(arguments(tmp_path / "started")) == 1
    (stack,) = stacks
    assert stack.service_url("api_gateway") == "http://api-gateway:4002"
    assert {venue.name: venue.url for venue in stack.venues}["bybit"] == "http://venue-bybit:4020"
    assert stack.market_clock().now() > load_scenario(Path(SCENARIO)).clock.starts_at
    assert "SOL on Binance and Bybit" in capsys.readouterr().out


def test_a_venue_without_an_address_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        __main__.main(arguments(tmp_path / "started", "--venue=okx"))
    assert ended.value.code == 2
    assert "'okx': allowed is name=address" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://api-gateway:4002/api/health", "Bearer word"),
        ("http://signal-ingest:4011/signals", "Bearer word"),
        ("http://venue-binance:4020/control/ledger", None),
        ("http://api-gateway:40020/", None),
    ],
)
def test_the_token_is_shown_to_tandem_alone(tmp_path: Path, url: str, shown: str | None) -> None:
    places = ("http://api-gateway:4002", "http://signal-ingest:4011")
    request = watch.WatchRequest(SCENARIO, *places, (), tmp_path, token="word")
    assert request.authorise(httpx.Request("GET", url)).headers.get("Authorization") == shown
    assert "word" not in repr(request)
