"""How the simulated venues, the migrations and the four services are called: their commands and environments.

A process is given what it needs and no more: each service its own database role, the executor alone the keys.
"""

import os
import secrets
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

import httpx

from common.persistence.logins import ROLE_OF_SERVICE
from common.runtime.clock import ReplayClock
from local_stack.nats import answers
from local_stack.ports import LOOPBACK
from local_stack.processes import Command, Part
from venue_sim.scenario import Scenario

SERVICES = ("signal_ingest", "executor", "position_monitor", "api_gateway")
_HOLDS_KEYS = "executor"
_KNOWS_THE_OTHERS = "api_gateway"


def role_of(service: str) -> str:
    """The database role that a service connects as; the migration makes it."""
    return ROLE_OF_SERVICE[service]


def title_of(service: str) -> str:
    return service.replace("_", "-")


def url_at(port: int) -> str:
    return f"http://{LOOPBACK}:{port}"


@dataclass(frozen=True)
class ReplayTime:
    """The market clock of a run: it stands at `epoch` until `started_file` exists."""

    epoch: datetime
    speed: float
    started_file: Path

    def clock(self) -> ReplayClock:
        return ReplayClock(self.epoch, self.speed, self.started_file)

    def start(self) -> None:
        """Lets market time run, in every process at the same moment."""
        written = self.started_file.with_suffix(".new")
        written.write_text(repr(time.time()))
        # Renamed, so that no process reads half of the number.
        written.rename(self.started_file)

    def environment(self) -> dict[str, str]:
        return {
            "CLOCK_EPOCH": self.epoch.isoformat(),
            "CLOCK_SPEED": f"{self.speed:g}",
            "CLOCK_STARTED_FILE": str(self.started_file),
        }


@dataclass(frozen=True)
class SimulatedVenue:
    """One venue process and the keys of the run's account on it."""

    name: str
    protocol: str
    port: int
    key: str = field(default_factory=lambda: f"0x{secrets.token_hex(20)}", repr=False)
    secret: str = field(default_factory=lambda: f"0x{secrets.token_hex(32)}", repr=False)
    """In the form of an address, and of the private key of a wallet that signs for it; other protocols do not mind."""
    passphrase: str = field(default_factory=lambda: secrets.token_hex(8), repr=False)
    """For protocols that have one; the others do not look at it."""

    @property
    def url(self) -> str:
        return url_at(self.port)

    def address(self) -> dict[str, str]:
        return {self._variable("URL"): self.url, self._variable("PROTOCOL"): self.protocol}

    def keys(self) -> dict[str, str]:
        return {
            self._variable("API_KEY"): self.key,
            self._variable("API_SECRET"): self.secret,
            self._variable("API_PASSPHRASE"): self.passphrase,
        }

    def _variable(self, what: str) -> str:
        return f"VENUE_{self.name.upper()}_{what}"

    def part(self, scenario_path: Path, clock: Mapping[str, str], http: httpx.AsyncClient) -> Part:
        arguments = ("--venue", self.name, "--scenario", str(scenario_path), "--port", str(self.port))
        command = Command(
            f"venue-{self.name}",
            (sys.executable, "-m", "venue_sim", *arguments),
            {**self.keys(), **clock},
        )

        async def shows_its_state() -> str | None:
            return await answers(http, f"{self.url}/control/state")

        return Part(f"simulated {self.name}", command, shows_its_state)


def simulated_venues(scenario: Scenario, ports: Mapping[str, int]) -> tuple[SimulatedVenue, ...]:
    """The venues of a scenario; `ports` by venue name."""
    return tuple(SimulatedVenue(name, venue.protocol, ports[name]) for name, venue in scenario.venues.items())


def migration(owner_dsn: str) -> Command:
    return Command("migrate", (sys.executable, "-m", "common.persistence.migrate"), {"DATABASE_URL": owner_dsn})


def _tracing() -> dict[str, str]:
    """Where the caller wants traces to go: OpenTelemetry's own variables."""
    return {name: value for name, value in os.environ.items() if name.startswith("OTEL_")}


@dataclass(frozen=True)
class ServiceEnvironment:
    """What the services of one run have in common."""

    dsns: Mapping[str, str] = field(repr=False)
    """By service."""
    nats_url: str
    ports: Mapping[str, int]
    """By service."""
    venues: tuple[SimulatedVenue, ...] = ()
    settings: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    clock: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def of(self, service: str) -> dict[str, str]:
        environment = {
            "DATABASE_URL": self.dsns[service],
            "NATS_URL": self.nats_url,
            "HTTP_HOST": LOOPBACK,
            "HTTP_PORT": str(self.ports[service]),
            "LOG_LEVEL": "info",
            **_tracing(),
            # Everything here listens on loopback, and is for whoever sits at this machine.
            "ACCESS_REQUIRED": "0",
            **self.clock,
            **self.settings,
        }
        for venue in self.venues:
            environment |= venue.address()
            if service == _HOLDS_KEYS:
                environment |= venue.keys()
        if service == _KNOWS_THE_OTHERS:
            others = (other for other in self.ports if other != service)
            environment |= {f"{other.upper()}_URL": url_at(self.ports[other]) for other in others}
        return environment

    def part(self, service: str, http: httpx.AsyncClient) -> Part:
        command = Command(title_of(service), (sys.executable, "-m", service), self.of(service))
        ready = f"{url_at(self.ports[service])}/health/ready"

        async def is_ready() -> str | None:
            return await answers(http, ready)

        return Part(title_of(service), command, is_ready)
