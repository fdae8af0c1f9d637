"""A service that ends without warning, or stands still, at a named point: `python -m chaos.crashing SERVICE`.

The services have no hooks. This wraps their methods from outside and then runs the service's own `main`. Nothing
happens at any point until the file `<service>.armed` appears in the directory CHAOS_DIRECTORY; it is taken away (to
`<service>.reached`) by the process that reaches its point, so that the one started after it runs undisturbed.
"""

import asyncio
import contextvars
import functools
import importlib
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import orjson
from aiohttp.client_reqrep import ClientResponse
from aiohttp.connector import Connection
from asyncpg.transaction import Transaction

from chaos.points import NATS_TROUBLE, PAUSES, POINTS, POSTGRES_TROUBLE, Side, Target
from common.runtime.service import run

DIRECTORY = "CHAOS_DIRECTORY"
HOLD_POLL_SECONDS = 0.01

_inside: contextvars.ContextVar["_Call | None"] = contextvars.ContextVar("inside", default=None)


class End(StrEnum):
    """What becomes of who reaches the armed point."""

    DIES = "dies"
    HOLDS = "holds"
    """The one task stands still until the file `<service>.released` appears."""
    STOPS = "stops"
    """The whole process stands still until it is told to go on (SIGCONT)."""


@dataclass(frozen=True)
class Armed:
    """What a service is to do where."""

    target: str
    side: str
    nth: int
    symbol: str
    end: str

    def write(self, directory: Path, service: str) -> None:
        """Arms the service, at once for every process of it."""
        written = directory / f"{service}.arming"
        written.write_bytes(orjson.dumps(asdict(self)))
        written.rename(directory / f"{service}.armed")


class Trap:
    """Looks for the armed point at every call of every watched method, and counts."""

    def __init__(self, directory: Path, service: str) -> None:
        self._armed = directory / f"{service}.armed"
        self._reached = directory / f"{service}.reached"
        self._released = directory / f"{service}.released"
        self._calls = 0

    async def passed(self, target: Target, side: Side, arguments: tuple[Any, ...]) -> None:
        """Ends the process, or holds the caller, where this is the armed point."""
        try:
            armed = Armed(**orjson.loads(self._armed.read_bytes()))
        except FileNotFoundError:
            self._calls = 0
            return
        if (armed.target, armed.side) != (target.name, side) or not counts(target.only, armed.symbol, arguments):
            return
        self._calls += 1
        if self._calls < armed.nth:
            return
        self._armed.rename(self._reached)
        if armed.end != End.HOLDS:
            os.kill(os.getpid(), signal.SIGKILL if armed.end == End.DIES else signal.SIGSTOP)
            return
        while not self._released.exists():  # noqa: ASYNC110  who releases it is another process
            await asyncio.sleep(HOLD_POLL_SECONDS)


def counts(only: str, symbol: str, arguments: tuple[Any, ...]) -> bool:
    """Whether a call is one of those that a target means, about the symbol where it says so."""
    match only:
        case "any":
            return True
        case "wish":
            return arguments[1] is not None and arguments[0].symbol == symbol
        case "fills":
            return bool(arguments[1]) and _symbol_of(arguments[0]) == symbol
        case "symbol":
            return symbol in {_symbol_of(argument) for argument in arguments}
    subject, body = _message(arguments)
    # A wish names its trade by number only, and so does the end of a signal's retries.
    return subject.startswith(only) and (subject.endswith((".requested", ".ended")) or symbol.encode() in body)


def _symbol_of(value: Any) -> str | None:
    found = getattr(getattr(value, "trade", value), "symbol", None)
    return found if isinstance(found, str) else None


def _message(arguments: tuple[Any, ...]) -> tuple[str, bytes]:
    """Subject and body of `Bus.publish(subject, body, id)` or of a message that acknowledges itself."""
    if isinstance(arguments[0], str):
        return arguments[0], arguments[1]
    return arguments[0].subject, arguments[0].data


@dataclass(frozen=True)
class _Watched:
    """One method under watch."""

    target: Target
    trap: Trap

    def wrap(self) -> None:
        owner = importlib.import_module(self.target.module)
        class_name, method = self.target.method.split(".")
        owner = getattr(owner, class_name)
        original: Callable[..., Awaitable[Any]] = getattr(owner, method)
        shows_itself = class_name == "Msg"

        @functools.wraps(original)
        async def watched(self_: Any, *arguments: Any, **named: Any) -> Any:
            shown = (self_,) if shows_itself else (*arguments, *named.values())
            await self.trap.passed(self.target, Side.BEFORE, shown)
            token = _inside.set(_Call(self, shown))
            try:
                result = await original(self_, *arguments, **named)
            finally:
                _inside.reset(token)
            await self.trap.passed(self.target, Side.AFTER, shown)
            return result

        _replace(owner, method, watched)


@dataclass
class _Call:
    """One call of a watched method. Each side is passed once: an order's lookup is no second send."""

    watched: _Watched
    shown: tuple[Any, ...]
    passed: set[Side] = field(default_factory=set)


async def _passed_inside(side: Side) -> None:
    call = _inside.get()
    if call is not None and side not in call.passed:
        call.passed.add(side)
        await call.watched.trap.passed(call.watched.target, side, call.shown)


def _watch_commits() -> None:
    leave = Transaction.__aexit__

    async def left(self: Transaction, kind: object, error: object, trace: object) -> None:
        if kind is None:
            await _passed_inside(Side.UNCOMMITTED)
        await leave(self, kind, error, trace)
        if kind is None:
            await _passed_inside(Side.COMMITTED)

    _replace(Transaction, "__aexit__", left)


def _watch_requests() -> None:
    start = ClientResponse.start

    async def started(self: ClientResponse, connection: Connection) -> ClientResponse:
        # The body is written by a task of its own, which gets its turn first.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await _passed_inside(Side.SENT)
        return await start(self, connection)

    _replace(ClientResponse, "start", started)


def _replace(owner: type, method: str, wrapper: Callable[..., Awaitable[Any]]) -> None:
    setattr(owner, method, wrapper)


def main(service: str) -> None:
    """Runs the service with its points under watch."""
    bootstrap = importlib.import_module(f"{service}.bootstrap")
    trap = Trap(Path(os.environ[DIRECTORY]), service)
    points = (*POINTS, *NATS_TROUBLE, *POSTGRES_TROUBLE, *PAUSES)
    by_method = {
        (point.target.module, point.target.method, point.target.only): point.target
        for point in points
        if point.service == service
    }
    for target in by_method.values():
        _Watched(target, trap).wrap()
    _watch_commits()
    _watch_requests()
    run(service, bootstrap.main)


if __name__ == "__main__":
    main(sys.argv[1])
