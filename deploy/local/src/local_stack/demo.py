"""`make demo`: a recorded market traded by the whole of Tandem, watched through the gateway, checked at the venues."""

import asyncio
import contextlib
import json
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx

from common.runtime.clock import ReplayClock
from local_stack import report
from local_stack.chronicle import Chronicle
from local_stack.ending import FAILED, NoAnswer
from local_stack.expectations import Outcome, can_be_met_early, unmet
from local_stack.market_watch import MarketWatch
from local_stack.ports import Ports
from local_stack.posting import post_observations
from local_stack.reconciliation import VenueLedger, differences
from local_stack.recorded import read_recorded
from local_stack.run_directory import CHECKOUT, DEFAULT_VAR
from local_stack.running import RunningStack
from local_stack.screen import Screen
from local_stack.services import SERVICES, title_of
from local_stack.stack import LocalStack, StackPlan
from local_stack.trades import Trade, signals_of, trade_of
from local_stack.venue_choice import played_on
from venue_sim.scenario import Scenario, ScenarioError, load_scenario

SCENARIOS = CHECKOUT / "deploy" / "local" / "scenarios"

_LIVE = {"LIVE_TRADING_MODE": "live", "LIVE_TRADING_CONFIRM_LIVE": "yes"}
_POLL_PAUSE_SECONDS = 0.5
_ANSWER_PATIENCE_SECONDS = 10.0
_AWAY_FOR_A_MOMENT = frozenset({502, 503, 504})
_CLOSING_GRACE_SECONDS = 30.0
_PLAIN_PROGRESS_SECONDS = 10.0


@dataclass(frozen=True)
class DemoRequest:
    """What to play: a scenario by its name, or by the path of its file."""

    scenario: str
    once: bool = False
    ports: Ports = field(default_factory=Ports)
    var: Path = DEFAULT_VAR
    venues: tuple[str, ...] = ()
    """Venues to play it on, in place of its own."""


def find_scenario(name: str) -> Path:
    """The file of a scenario. Raises ScenarioError with the names there are."""
    path = Path(name) if name.endswith(".toml") else SCENARIOS / f"{name}.toml"
    if not path.is_file():
        there_are = ", ".join(sorted(file.stem for file in SCENARIOS.glob("*.toml"))) or "none"
        raise ScenarioError(f"There is no scenario {name!r}. There are: {there_are}.")
    return path.resolve()


async def play(request: DemoRequest, screen: Screen) -> int:
    """Plays the scenario and answers the exit code: 0 when every expectation and every figure held."""
    path = find_scenario(request.scenario)
    recorded = load_scenario(path)
    scenario = played_on(recorded, request.venues) if request.venues else recorded
    introduce(recorded, screen)
    if request.venues:
        screen.say(f"Played on {' and '.join(request.venues)} in place of {' and '.join(recorded.venues)}.\n")
    allowed = scenario.settings.get("LIVE_TRADING_ALLOWED_EXCHANGES", ",".join(scenario.venues))
    plan = StackPlan(
        scenario_path=path,
        scenario_venues=request.venues,
        services=SERVICES,
        settings={**_LIVE, "LIVE_TRADING_ALLOWED_EXCHANGES": allowed},
        ports=request.ports,
        var=request.var,
    )
    with screen:
        async with LocalStack(plan, screen) as stack, httpx.AsyncClient(trust_env=False, timeout=10) as http:
            demo = Demo(stack, scenario, path.stem, http, screen)
            result = await stack.guard(demo.run())
            report.show(result, screen)
            result_path = stack.run.path / "result.json"
            report.write(result, result_path)
            screen.say(f"The same as JSON: {result_path}")
            if not request.once:
                await _stay_up(stack, screen)
    return 0 if result.passed else FAILED


def introduce(scenario: Scenario, screen: Screen) -> None:
    """Says what will be played."""
    screen.say(scenario.title, style="bold")
    screen.say(scenario.story.strip())
    screen.say("")


class Demo:
    """One run of a scenario on a stack that is up."""

    def __init__(
        self, stack: RunningStack, scenario: Scenario, name: str, http: httpx.AsyncClient, screen: Screen
    ) -> None:
        self._stack = stack
        self._scenario = scenario
        self._name = name
        self._http = http
        self._screen = screen
        self._watch = MarketWatch()
        self._chronicle = Chronicle(self._gateway)
        self._clock: ReplayClock = stack.market_clock()
        self._told_progress_at = 0.0

    async def run(self) -> report.Result:
        """Starts the clock, watches until the scenario is over, then gathers what came of it."""
        clock = self._scenario.clock
        self._screen.say(
            f"market time runs from {_day_and_time(clock.starts_at)} UTC, {clock.speed:g} times as fast as real time"
        )
        began = time.monotonic()
        self._screen.say(f"watch it at {self._stack.service_url('api_gateway')}")
        self._stack.start_clock()
        posting = asyncio.create_task(self._post_observations())
        try:
            trades, ledgers = await self._play(posting)
        finally:
            posting.cancel()
        outcome = await self._outcome()
        self._screen.end_status()
        return report.Result(
            scenario=self._name,
            title=self._scenario.title,
            market_from=clock.starts_at,
            market_to=self._clock.now(),
            real_seconds=time.monotonic() - began,
            outcome=outcome,
            trades=trades,
            ledgers=ledgers,
            unmet=unmet(self._scenario.expect, outcome),
            differences=differences(trades, ledgers),
            expected=self._scenario.expect.model_dump(mode="json", exclude_none=True),
        )

    async def _play(self, posting: asyncio.Task[None]) -> tuple[list[Trade], list[VenueLedger]]:
        while True:
            await self._until_over(posting)
            trades, ledgers = await self._trades(), await self._ledgers()
            # A trade may have opened while the figures were gathered: then they tell of two moments.
            self._take(await self._overview())
            if self._watch.outcome.is_settled or self._grace_is_over():
                return trades, ledgers

    async def _until_over(self, posting: asyncio.Task[None]) -> None:
        while not await self._is_over():
            if posting.done():
                posting.result()
            await self._tell_news()
            self._take(await self._overview())
            self._show_progress(await self._prices())
            await asyncio.sleep(_POLL_PAUSE_SECONDS)

    async def _is_over(self) -> bool:
        outcome, expected = self._watch.outcome, self._scenario.expect
        if not outcome.is_settled:
            return self._grace_is_over()
        if self._clock.now() >= self._scenario.clock.ends_at:
            return True
        if not can_be_met_early(expected) or not outcome.closed:
            return False
        return not unmet(expected, await self._outcome())

    async def _outcome(self) -> Outcome:
        """The signals as they were last seen, with what the services recorded of what is expected."""
        outcome = self._watch.outcome
        trade_ids = [signal.id for signal in outcome.trades]
        return replace(outcome, recorded=await read_recorded(self._scenario.expect, trade_ids, self._gateway))

    async def _post_observations(self) -> None:
        ingest = self._stack.service_url("signal_ingest")
        await post_observations(self._scenario.observations, self._clock, self._http, ingest, self._tell_now)

    def _grace_is_over(self) -> bool:
        overdue = self._clock.now() - self._scenario.clock.ends_at
        return overdue.total_seconds() / self._scenario.clock.speed > _CLOSING_GRACE_SECONDS

    def _take(self, overview: dict[str, Any]) -> None:
        for line in self._watch.take(signals_of(overview)):
            self._tell_now(line)

    async def _tell_news(self) -> None:
        for news in await self._chronicle.news(self._watch.outcome.signals):
            self._screen.say(f"{_time(news.at)}  {news.what}", style="cyan")

    def _tell_now(self, line: str) -> None:
        self._screen.say(f"{_time(self._clock.now())}  {line}", style="cyan")

    def _show_progress(self, prices: str) -> None:
        now = self._clock.now()
        clock = self._scenario.clock
        share = min((now - clock.starts_at) / (clock.ends_at - clock.starts_at), 1.0)
        line = f"{_time(now)} UTC, {share:.0%} of the market  {prices}  {self._watch.summary()}"
        self._screen.status(line)
        if not self._screen.is_terminal and time.monotonic() - self._told_progress_at >= _PLAIN_PROGRESS_SECONDS:
            self._told_progress_at = time.monotonic()
            self._screen.say(line)

    async def _overview(self) -> dict[str, Any]:
        return await self._gateway("/api/live_trading/overview?limit=50")

    async def _trades(self) -> list[Trade]:
        """Every signal that has sent an order, oldest first."""
        stories = [
            trade_of(await self._gateway(f"/api/live_trading/signals/{signal.id}"))
            for signal in sorted(self._watch.outcome.signals, key=lambda one: one.id)
        ]
        return [trade for trade in stories if trade.orders]

    async def _prices(self) -> str:
        """What each symbol costs at each venue, as `SOL 207.44 binance 207.41 bybit`."""
        mids: dict[str, list[str]] = {}
        for venue in self._stack.venues:
            state = await self._json(f"{venue.url}/control/state")
            for symbol, market in state["symbols"].items():
                mids.setdefault(symbol, []).append(f"{Decimal(market['mid']):.5g} {venue.name}")
        return ", ".join(f"{symbol} {' '.join(shown_mids)}" for symbol, shown_mids in mids.items())

    async def _ledgers(self) -> list[VenueLedger]:
        return [
            VenueLedger.model_validate(await self._json(f"{venue.url}/control/ledger")) for venue in self._stack.venues
        ]

    async def _gateway(self, path: str) -> dict[str, Any]:
        return await self._json(self._stack.service_url("api_gateway") + path)

    async def _json(self, url: str) -> dict[str, Any]:
        deadline = time.monotonic() + _ANSWER_PATIENCE_SECONDS
        while True:
            try:
                response = await self._http.get(url)
                response.raise_for_status()
            except httpx.HTTPError as error:
                if not _may_pass(error) or time.monotonic() > deadline:
                    raise NoAnswer(f"No answer from a part that runs: {error}".splitlines()[0]) from error
                await asyncio.sleep(_POLL_PAUSE_SECONDS)
            else:
                content: dict[str, Any] = json.loads(response.text, parse_float=Decimal)
                return content


async def _stay_up(stack: LocalStack, screen: Screen) -> None:
    """Says where everything is, and waits for Ctrl-C."""
    screen.say("")
    for service in SERVICES:
        screen.say(f"  {title_of(service):<20}{stack.service_url(service)}/docs")
    for venue in stack.venues:
        screen.say(f"  {venue.name + ' (simulated)':<20}{venue.url}/control/ledger")
    screen.say(f"  {'the page':<20}{stack.service_url('api_gateway')}")
    overview = f"{stack.service_url('api_gateway')}/api/live_trading/overview?limit=5"
    screen.say(f'Everything stays up; try: curl -fsS "{overview}"')
    screen.say("Ctrl-C ends it.")
    # Ctrl-C cancels; here that is the expected end, and the result is already told.
    with contextlib.suppress(asyncio.CancelledError):
        await stack.guard(asyncio.Event().wait())


def _may_pass(error: httpx.HTTPError) -> bool:
    """Whether asking again may help: the part is busy or away for a moment, and has not said no."""
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code in _AWAY_FOR_A_MOMENT
    return isinstance(error, httpx.TransportError)


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%H:%M:%S")


def _day_and_time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M")
