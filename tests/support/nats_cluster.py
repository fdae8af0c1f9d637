"""A cluster of NATS servers with JetStream on loopback, each of which can be killed and brought back."""

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from local_stack.nats import answers
from local_stack.ports import LOOPBACK, claimed
from local_stack.processes import Command, Part
from local_stack.supervision import Supervisor
from support.embedded_stack import quiet_screen

SERVERS = ("nats-0", "nats-1", "nats-2")


@dataclass(frozen=True)
class NatsCluster:
    """The running servers; `urls` by name."""

    parts: Supervisor
    urls: dict[str, str]


@asynccontextmanager
async def nats_cluster(directory: Path) -> AsyncIterator[NatsCluster]:
    """Three servers that know each other."""
    wanted = {f"{name} {what}": 0 for name in SERVERS for what in ("clients", "routes", "monitoring")}
    with claimed(wanted) as ports:
        async with _servers(directory, ports) as cluster:
            yield cluster


@asynccontextmanager
async def _servers(directory: Path, ports: dict[str, int]) -> AsyncIterator[NatsCluster]:
    routes = [f"nats://{LOOPBACK}:{ports[f'{name} routes']}" for name in SERVERS]
    async with httpx.AsyncClient(trust_env=False) as http:
        parts = Supervisor(directory, quiet_screen())
        try:
            await parts.start_group([_server(name, directory, ports, routes, http) for name in SERVERS])
            yield NatsCluster(parts, {name: f"nats://{LOOPBACK}:{ports[f'{name} clients']}" for name in SERVERS})
        finally:
            await parts.stop_all()


def _server(name: str, directory: Path, ports: dict[str, int], routes: list[str], http: httpx.AsyncClient) -> Part:
    configuration = {
        "server_name": name,
        "listen": f"{LOOPBACK}:{ports[f'{name} clients']}",
        "http": f"{LOOPBACK}:{ports[f'{name} monitoring']}",
        "jetstream": {"store_dir": str(directory / name)},
        "cluster": {"name": "tandem", "listen": f"{LOOPBACK}:{ports[f'{name} routes']}", "routes": routes},
    }
    file = directory / f"{name}.conf"
    file.write_text(json.dumps(configuration))  # the server reads JSON as well
    health = f"http://{LOOPBACK}:{ports[f'{name} monitoring']}/healthz?js-server-only=true"

    async def is_healthy() -> str | None:
        return await answers(http, health)

    program = str(Path(sys.executable).with_name("nats-server"))
    return Part(name, Command(name, (program, "-c", str(file))), is_healthy)
