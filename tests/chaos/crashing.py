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

from chaos.points import WATCHED, Side, Target
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
    trade: int | None = None
    """Where it is known already: some calls name nothing else."""

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
        if (armed.target, armed.side) != (target.name, side) or not counts(target.only, armed, arguments):
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


def counts(only: str, armed: Armed, arguments: tuple[Any, ...]) -> bool:
    """Whether a call is one of those that a target means, about the symbol or the trade where it says so.

    `only` is the name of a way to tell, of those in `_TELLING`, or what the subject of a message begins with.
    """
    if only in _TELLING:
        return _TELLING[only](armed, arguments)
    subject, body = _message(arguments)
    # A wish names its trade by number only, and so does the end of a signal's retries.
    return subject.startswith(only) and (subject.endswith((".requested", ".ended")) or armed.symbol.encode() in body)


_TELLING: dict[str, Callable[[Armed, tuple[Any, ...]], bool]] = {
    "any": lambda _armed, _shown: True,
    "symbol": lambda armed, shown: armed.symbol in {_symbol_of(argument) for argument in shown},
    "trade": lambda armed, shown: shown[0] == armed.trade,
    # The ledger itself: what it works on is in no argument.
    "working": lambda armed, shown: armed.trade in shown[0]._working,
    "wish": lambda armed, shown: shown[1] is not None and shown[0].symbol == armed.symbol,
    "sample": lambda armed, shown: shown[1] is None and shown[0].symbol == armed.symbol,
    "fills": lambda armed, shown: bool(shown[1]) and _symbol_of(shown[0]) == armed.symbol,
    "payments": lambda armed, shown: bool(shown[2]) and shown[0].symbol == armed.symbol,
    "held": lambda armed, shown: armed.symbol in shown[1],
    "told": lambda armed, shown: armed.symbol in shown[1],
    "alerts": lambda armed, shown: any(armed.symbol in alert.text for alert in shown[0]),
    "claimed": lambda armed, shown: any(armed.symbol in claimed.alert.text for claimed in shown[-1]),
    "sent": lambda armed, shown: armed.symbol in shown[0].title + shown[0].text,
}
SHOWS_ITSELF, SHOWS_RESULT = frozenset({"working"}), frozenset({"claimed"})
"""Calls that are known by whose method it is, or only afterwards, by what came of it."""


def _symbol_of(value: Any) -> str | None:
    """The symbol that an argument is, or has, or what it is about has."""
    for part in ("trade", "intent", "skipped"):
        value = getattr(value, part, value)
    found = getattr(value, "symbol", value)
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
        shows_itself = class_name == "Msg" or self.target.only in SHOWS_ITSELF

        @functools.wraps(original)
        async def watched(self_: Any, *arguments: Any, **named: Any) -> Any:
            shown = (self_,) if shows_itself else (*arguments, *named.values())
            await self.trap.passed(self.target, Side.BEFORE, shown)
            token = _inside.set(_Call(self, shown, _inside.get()))
            try:
                result = await original(self_, *arguments, **named)
            finally:
                _inside.reset(token)
            if self.target.only in SHOWS_RESULT:
                shown = (*shown, result)
            await self.trap.passed(self.target, Side.AFTER, shown)
            return result

        _replace(owner, method, watched)


@dataclass
class _Call:
    """One call of a watched method. Each side is passed once: an order's lookup is no second send."""

    watched: _Watched
    shown: tuple[Any, ...]
    around: "_Call | None"
    """The watched call that this one is made in."""
    passed: set[Side] = field(default_factory=set)


async def _passed_inside(side: Side) -> None:
    call = _inside.get()
    while call is not None:
        if side not in call.passed:
            call.passed.add(side)
            await call.watched.trap.passed(call.watched.target, side, call.shown)
        call = call.around


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
    by_method = {
        (point.target.module, point.target.method, point.target.only): point.target
        for point in WATCHED
        if point.service == service
    }
    for target in by_method.values():
        _Watched(target, trap).wrap()
    _watch_commits()
    _watch_requests()
    run(service, bootstrap.main)


if __name__ == "__main__":
    main(sys.argv[1])
