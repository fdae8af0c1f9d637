"""Every scenario, played end to end by the demo itself: what it promises is shown, and the books are the venues' own.

Three play at a time, for most of a play is waiting for the market; the longest begin first.
"""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from rich.console import Console

from local_stack.demo import SCENARIOS, DemoRequest, play
from local_stack.ports import Ports
from local_stack.screen import Screen
from venue_sim.scenario import ClockScenario, load_scenario

AT_A_TIME = 3
NAMES = sorted(path.stem for path in SCENARIOS.glob("*.toml"))


@dataclass(frozen=True)
class Played:
    """How a play ended and what it showed."""

    exit_code: int
    shown: str
    result: dict[str, Any]


async def played(name: str, var: Path, seats: asyncio.Semaphore) -> Played:
    async with seats:
        output = io.StringIO()
        request = DemoRequest(name, once=True, ports=Ports.ephemeral(), var=var)
        exit_code = await play(request, Screen(Console(file=output, width=140)))
        return Played(exit_code, output.getvalue(), written_in(var))


def written_in(var: Path) -> dict[str, Any]:
    (path,) = var.glob("run-*/result.json")
    result: dict[str, Any] = json.loads(path.read_text())
    return result


def real_seconds(name: str) -> float:
    clock: ClockScenario = load_scenario(SCENARIOS / f"{name}.toml").clock
    return (clock.ends_at - clock.starts_at).total_seconds() / clock.speed


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def plays(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[dict[str, asyncio.Task[Played]]]:
    """The play of each scenario that the selected tests ask for."""
    parameters = [item.callspec.params for item in request.session.items if hasattr(item, "callspec")]
    wanted = {found["name"] for found in parameters if found.get("name") in NAMES}
    seats = asyncio.Semaphore(AT_A_TIME)
    tasks = {
        name: asyncio.create_task(played(name, tmp_path_factory.mktemp(name), seats))
        for name in sorted(wanted, key=real_seconds, reverse=True)
    }
    yield tasks
    for task in tasks.values():
        task.cancel()
    await asyncio.gather(*tasks.values(), return_exceptions=True)


@pytest.mark.timeout(280)
@pytest.mark.parametrize("name", NAMES)
async def test_a_scenario_shows_what_it_promises(name: str, plays: dict[str, asyncio.Task[Played]]) -> None:
    play_of_it = await plays[name]
    assert play_of_it.result["unmet"] == [], play_of_it.shown
    assert play_of_it.result["differences"] == [], play_of_it.shown
    assert play_of_it.exit_code == 0
    assert "Tandem's books equal the venues' own ledgers, to the last digit." in play_of_it.shown


@pytest.mark.timeout(280)
async def test_the_rescue_is_told_as_it_happens(plays: dict[str, asyncio.Task[Played]]) -> None:
    if "oct-10-2025-sol" not in plays:
        pytest.skip("the scenario is not among the selected tests")
    shown = (await plays["oct-10-2025-sol"]).shown
    moments = [
        "long binance / short bybit refused: funding_net_cost",
        "SOL opened: long bybit / short binance",
        "SOL scaled in: entry 2",
        "SOL scaled in: entry 3",
        "SOL closed: take_profit",
        "SOL settled: fees",
    ]
    places = [shown.find(moment) for moment in moments]
    assert -1 not in places, shown
    assert places == sorted(places), shown
