"""`python -m local_stack watch`: the demo on a stack that is up already, as the containers of deploy/compose are."""

from dataclasses import dataclass, field
from pathlib import Path

import httpx

from local_stack import report
from local_stack.demo import Demo, find_scenario, introduce
from local_stack.ending import FAILED
from local_stack.running import NamedUrl, StackElsewhere
from local_stack.screen import Screen
from local_stack.services import ReplayTime
from venue_sim.scenario import load_scenario


@dataclass(frozen=True)
class WatchRequest:
    """The scenario that the stack was started for, and where its parts are; addresses without a trailing slash."""

    scenario: str
    gateway_url: str
    ingest_url: str
    venues: tuple[NamedUrl, ...]
    clock_started_file: Path
    token: str = field(default="", repr=False)
    """Shown to the gateway and to signal-ingest, and to nobody else."""

    def authorise(self, asked: httpx.Request) -> httpx.Request:
        """Adds the token to what is asked of Tandem; the venues are other people's."""
        if self.token and str(asked.url).startswith((f"{self.gateway_url}/", f"{self.ingest_url}/")):
            asked.headers["Authorization"] = f"Bearer {self.token}"
        return asked


async def watch(request: WatchRequest, screen: Screen) -> int:
    """Starts the clock of the stack and answers the exit code: 0 when every expectation and every figure held."""
    path = find_scenario(request.scenario)
    scenario = load_scenario(path)
    introduce(scenario, screen)
    stack = StackElsewhere(
        {"api_gateway": request.gateway_url, "signal_ingest": request.ingest_url},
        request.venues,
        ReplayTime(scenario.clock.starts_at, scenario.clock.speed, request.clock_started_file),
    )
    with screen:
        async with httpx.AsyncClient(trust_env=False, timeout=10, auth=request.authorise) as http:
            result = await Demo(stack, scenario, path.stem, http, screen).run()
        report.show(result, screen)
    return 0 if result.passed else FAILED
