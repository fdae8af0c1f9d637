"""Everything that Tandem needs, on one machine: `async with LocalStack(plan) as stack`.

PostgreSQL, NATS and the simulated venues start together, then the migrations run, then the services start.
Leaving the block, however it is left, stops every process and removes the data of the run.
"""

import secrets
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self, TypeVar

import httpx

from common.persistence.logins import set_passwords
from common.runtime.clock import ReplayClock
from local_stack.nats import nats_server, nats_url
from local_stack.ports import Ports, claimed
from local_stack.postgres import DATABASE, Cluster
from local_stack.processes import Command, Part
from local_stack.run_directory import DEFAULT_VAR, RunDirectory
from local_stack.screen import Screen
from local_stack.services import (
    SERVICES,
    ReplayTime,
    ServiceEnvironment,
    SimulatedVenue,
    migration,
    role_of,
    simulated_venues,
    title_of,
    url_at,
)
from local_stack.supervision import Supervisor
from local_stack.venue_choice import played_on
from venue_sim.scenario import Scenario, load_scenario

T = TypeVar("T")


@dataclass(frozen=True)
class StackPlan:
    """Which parts to start, and where. The services need all the others."""

    postgres: bool = True
    nats: bool = True
    migrate: bool = True
    scenario_path: Path | None = None
    """The scenario whose venues, clock and settings to use; without it there are no simulated venues."""
    scenario_venues: tuple[str, ...] = ()
    """Venues to play it on, in place of its own."""
    services: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Environment of every service, over the settings of the scenario."""
    call: Callable[[str, Command], Command] = lambda _service, command: command
    """How a service is called in the end: for tests that put something between it and its surroundings."""
    ports: Ports = field(default_factory=Ports)
    var: Path = DEFAULT_VAR


class LocalStack:
    """The running stack. Addresses are known inside of the block; `guard` ties work to the parts being alive."""

    def __init__(self, plan: StackPlan, screen: Screen | None = None) -> None:
        self.plan = plan
        self.scenario: Scenario | None = load_scenario(plan.scenario_path) if plan.scenario_path else None
        if self.scenario and plan.scenario_venues:
            self.scenario = played_on(self.scenario, plan.scenario_venues)
        self.venues: tuple[SimulatedVenue, ...] = ()
        self.parts: Supervisor
        self.run: RunDirectory
        self._screen = screen if screen is not None else Screen()
        self._ports: dict[str, int] = {}
        self._cluster: Cluster | None = None
        self._clock: ReplayTime | None = None
        self._role_passwords: dict[str, str] = {}
        self._http: httpx.AsyncClient
        self._exits = AsyncExitStack()

    @property
    def owner_dsn(self) -> str:
        """The database as its owner, who may do everything."""
        return self.cluster.dsn()

    def service_dsn(self, service: str, database: str = DATABASE) -> str:
        """The database as the role of one service."""
        return self.cluster.dsn(database, role_of(service), self._role_passwords[service])

    @property
    def cluster(self) -> Cluster:
        if self._cluster is None:
            raise LookupError("this stack has no PostgreSQL")
        return self._cluster

    @property
    def nats_url(self) -> str:
        return nats_url(self._ports["NATS"])

    def service_url(self, service: str) -> str:
        return url_at(self._ports[title_of(service)])

    def venue(self, name: str) -> SimulatedVenue:
        return next(venue for venue in self.venues if venue.name == name)

    async def guard(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs work; raises PartFailed as soon as a part ends by itself."""
        return await self.parts.guard(work)

    async def start_replica(self, service: str) -> str:
        """Starts one more process of a service, beside the first, and waits until it is ready; its name in `parts`.

        `service_url` goes on to mean the first one.

        Raises:
            PartFailed: it does not become ready.
        """
        name = f"{title_of(service)}-replica"
        environment = self._service_environment()
        ports = {**environment.ports, service: self._exits.enter_context(claimed({name: 0}))[name]}
        part = replace(environment, ports=ports).part(service, self._http)
        command = self.plan.call(service, replace(part.command, name=name))
        await self.parts.start_group([replace(part, title=name, command=command)])
        return name

    def market_clock(self) -> ReplayClock:
        """The clock that every process of the run has; it stands still until `start_clock`."""
        return self._replay.clock()

    def start_clock(self) -> None:
        """Lets market time run, in every process at the same moment."""
        self._replay.start()

    @property
    def _replay(self) -> ReplayTime:
        if self._clock is None:
            raise LookupError("this stack has no market clock: its plan names no scenario")
        return self._clock

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as exits:
            # Before anything else: a run that cannot have its ports leaves no trace.
            self._ports = exits.enter_context(claimed(self._wanted_ports()))
            self.run = RunDirectory.create(self.plan.var)
            exits.callback(self.run.close)
            self._http = await exits.enter_async_context(httpx.AsyncClient(trust_env=False))
            self.parts = Supervisor(self.run.logs, self._screen)
            exits.push_async_callback(self.parts.stop_all)
            await self.parts.guard(self._start())
            self._exits = exits.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._exits.aclose()

    def _wanted_ports(self) -> dict[str, int]:
        plan, wanted = self.plan, {}
        if plan.postgres:
            wanted["PostgreSQL"] = plan.ports.postgres
        if plan.nats:
            wanted |= {"NATS": plan.ports.nats, "NATS monitoring": plan.ports.nats_monitor}
        for position, name in enumerate(self.scenario.venues if self.scenario else ()):
            wanted[f"simulated {name}"] = plan.ports.of_venue(position)
        return wanted | {title_of(service): plan.ports.services[service] for service in plan.services}

    async def _start(self) -> None:
        self._set_clock()
        foundation = await self._foundation()
        self._say_starting(foundation)
        await self.parts.start_group(foundation)
        if self._cluster and self.plan.migrate:
            await self._cluster.create_database()
            await self.parts.run("migrations", migration(self.owner_dsn))
            await self._set_role_passwords()
        if self.plan.services:
            services = self._services()
            self._say_starting(services)
            await self.parts.start_group(services)

    def _set_clock(self) -> None:
        if self.scenario:
            clock = self.scenario.clock
            started_file = self.run.path / "clock-started"
            self._clock = ReplayTime(clock.starts_at, clock.speed, started_file)

    async def _foundation(self) -> list[Part]:
        parts: list[Part] = []
        if self.plan.postgres:
            self._cluster = Cluster(self.run, self._ports["PostgreSQL"])
            self._screen.say("making a PostgreSQL cluster")
            await self.parts.run("PostgreSQL cluster", self._cluster.creation())
            parts.append(self._cluster.server())
        if self.plan.nats:
            ports = (self._ports["NATS"], self._ports["NATS monitoring"])
            parts.append(nats_server(self.run.data, *ports, self._http))
        if self.scenario:
            ports_by_name = {name: self._ports[f"simulated {name}"] for name in self.scenario.venues}
            self.venues = simulated_venues(self.scenario, ports_by_name)
            path = self.run.path / "scenario.json"
            path.write_text(self.scenario.model_dump_json(exclude_unset=True), encoding="utf-8")
            parts += [venue.part(path, self._clock_environment(), self._http) for venue in self.venues]
        return parts

    def _services(self) -> list[Part]:
        environment = self._service_environment()
        parts = {service: environment.part(service, self._http) for service in self.plan.services}
        return [replace(part, command=self.plan.call(service, part.command)) for service, part in parts.items()]

    def _service_environment(self) -> ServiceEnvironment:
        return ServiceEnvironment(
            dsns={service: self.service_dsn(service) for service in self.plan.services},
            nats_url=self.nats_url,
            ports={service: self._ports[title_of(service)] for service in self.plan.services},
            venues=self.venues,
            settings={**(self.scenario.settings if self.scenario else {}), **self.plan.settings},
            clock=self._clock_environment(),
        )

    def _clock_environment(self) -> dict[str, str]:
        return self._clock.environment() if self._clock else {}

    async def _set_role_passwords(self) -> None:
        self._role_passwords = {service: secrets.token_urlsafe(24) for service in SERVICES}
        await set_passwords(self.owner_dsn, {role_of(name): word for name, word in self._role_passwords.items()})

    def _say_starting(self, parts: list[Part]) -> None:
        self._screen.say(f"starting {', '.join(part.title for part in parts)}")
