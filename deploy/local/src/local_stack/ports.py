"""Which port each part listens on, and the proof, before anything starts, that every one of them is free."""

import os
import secrets
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

LOOPBACK = "127.0.0.1"

SERVICE_PORTS: Mapping[str, int] = MappingProxyType(
    {"api_gateway": 4002, "signal_ingest": 4011, "executor": 4012, "position_monitor": 4013}
)

FREE_PORTS = range(10_240, 32_768)
FREE_PORT_TRIES = 200

_LISTENING = "0A"  # the state column of /proc/net/tcp


class PortTaken(Exception):
    """Another process listens where a part of the stack has to."""


@dataclass(frozen=True)
class Ports:
    """Wanted ports; 0 means any free one. Venues take `first_venue` and the ports after it."""

    postgres: int = 4041
    nats: int = 4042
    nats_monitor: int = 4043
    first_venue: int = 4021
    services: Mapping[str, int] = field(default_factory=lambda: SERVICE_PORTS)

    @classmethod
    def ephemeral(cls) -> "Ports":
        """Free ports chosen by the system: for tests, which must not disturb a running stack or each other."""
        return cls(0, 0, 0, 0, dict.fromkeys(SERVICE_PORTS, 0))

    def of_venue(self, position: int) -> int:
        return self.first_venue + position if self.first_venue else 0


@contextmanager
def claimed(wanted: Mapping[str, int]) -> Iterator[dict[str, int]]:
    """Resolves {what wants it: port} to free ports, distinct from each other; chosen ones stay ours during the block.

    Raises PortTaken with one sentence that names the port, what wanted it and who holds it, if that is known.
    """
    ports: dict[str, int] = {}
    with ExitStack() as kept:
        for owner, port in wanted.items():
            if port in ports.values():
                raise PortTaken(f"Port {port} is wanted twice, the second time by {owner}.")
            ports[owner] = _checked(owner, port) if port else kept.enter_context(_any_free(owner)).getsockname()[1]
        yield ports


def _checked(owner: str, port: int) -> int:
    error = _refusal(port)
    if error is not None:
        raise PortTaken(_sentence(owner, port, error)) from error
    return port


def _any_free(owner: str) -> socket.socket:
    """A socket on a port below those that the system gives to outgoing connections.

    It is bound before it allows others beside it: nobody else who chooses a port can have this one, and who comes to
    listen on it, as servers do with SO_REUSEADDR, still may, as often as it starts.
    """
    for _ in range(FREE_PORT_TRIES):
        keeper = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            keeper.bind((LOOPBACK, secrets.choice(FREE_PORTS)))
        except OSError:
            keeper.close()
            continue
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return keeper
    raise PortTaken(f"No free port on {LOOPBACK} for {owner} between {FREE_PORTS.start} and {FREE_PORTS.stop - 1}.")


def _refusal(port: int) -> OSError | None:
    """Why nobody could listen on a port now; None where it is free."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            return error
    return None


def _sentence(owner: str, port: int, error: OSError) -> str:
    if isinstance(error, PermissionError):
        return f"Port {port} on {LOOPBACK}, wanted by {owner}, is not allowed for this user: {error.strerror}."
    holder = holder_of(port)
    held = f"is held by process {holder}" if holder else "is already in use, by a process that this user cannot see"
    return f"Port {port} on {LOOPBACK}, wanted by {owner}, {held}. Stop that process and start again."


def holder_of(port: int) -> str | None:
    """`pid (command name)` of the listener on a port, or None where the system does not tell."""
    inodes = _listening_inodes(port)
    for process in Path("/proc").glob("[0-9]*") if inodes else ():
        # A process may end while we look, or belong to another user.
        with suppress(OSError):
            for descriptor in os.listdir(process / "fd"):
                if _target(process / "fd" / descriptor) in inodes:
                    return f"{process.name} ({(process / 'comm').read_text().strip()})"
    return None


def _target(descriptor: Path) -> str:
    try:
        return os.readlink(descriptor)
    except FileNotFoundError:  # closed meanwhile
        return ""


def _listening_inodes(port: int) -> set[str]:
    found: set[str] = set()
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        if not table.exists():
            continue
        for row in table.read_text().splitlines()[1:]:
            columns = row.split()
            if columns[3] == _LISTENING and int(columns[1].rpartition(":")[2], 16) == port:
                found.add(f"socket:[{columns[9]}]")
    return found
