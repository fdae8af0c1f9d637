"""One child process of the stack: started, listened to, asked whether it is ready, and ended by its id.

A child is in a session of its own, so that Ctrl-C reaches the supervisor alone, which then stops the children in
order; and it is tethered to the supervisor, so that it ends even when the supervisor had no time to stop it.
"""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from local_stack.screen import Screen

Probe = Callable[[], Awaitable[str | None]]
"""Answers None when the part is ready, otherwise the reason why it is not."""

_TETHER = Path(__file__).with_name("tether.py")
_TAIL_LINES = 30
_PROBE_PAUSE_SECONDS = 0.1
_OUTPUT_PATIENCE_SECONDS = 1.0
_INHERITED = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "SYSTEMROOT")


@dataclass(frozen=True)
class Account:
    """A user that a process runs as, by its numbers."""

    user: int
    group: int


@dataclass(frozen=True)
class Command:
    """A program to run. Its environment may hold secrets, so that it is in no representation."""

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    account: Account | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL
    stop_patience_seconds: float = 5.0
    is_shown: bool = True
    """Whether its lines go to the screen; its log has them either way."""


@dataclass(frozen=True)
class Part:
    """A command that keeps running, and how to tell that it is ready."""

    title: str
    command: Command
    probe: Probe
    deadline_seconds: float = 60.0

    @property
    def name(self) -> str:
        return self.command.name


class PartFailed(Exception):
    """A part of the stack did not start, or ended by itself."""

    def __init__(self, name: str, reason: str, tail: Sequence[str], log: Path) -> None:
        self.name = name
        self.reason = reason
        self.tail = tuple(tail)
        self.log = log
        super().__init__(f"{name} {reason}")
        self.add_note(self.explanation())

    def explanation(self) -> str:
        """The reason, the last lines of the log and where the rest is."""
        lines = [f"  {self.name} | {line}" for line in self.tail] or ["  (it wrote nothing)"]
        return "\n".join([f"{self.name} {self.reason}. Its last lines:", *lines, f"The whole log: {self.log}"])


def inherited_environment() -> dict[str, str]:
    """What a child may take over from the caller: no setting of Tandem, no secret, no proxy for loopback."""
    taken = {name: value for name, value in os.environ.items() if name in _INHERITED or name.startswith("LC_")}
    return taken | {"PYTHONUNBUFFERED": "1"}


class Child:
    """A running process; made by `Child.start`."""

    def __init__(self, command: Command, process: asyncio.subprocess.Process, log: Path) -> None:
        self.command = command
        self.log = log
        self.is_stopping = False
        self.tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._process = process
        self._output: asyncio.Task[None] | None = None

    @classmethod
    async def start(cls, command: Command, logs: Path, screen: Screen) -> "Child":
        """Starts the program; its output goes to `<logs>/<name>.log` and to the screen."""
        # A pipe of our own: asyncio's would keep wait() from returning while a grandchild holds it open.
        reading, writing = os.pipe()
        reader = asyncio.StreamReader()
        try:
            transport, _ = await asyncio.get_running_loop().connect_read_pipe(
                lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(reading, "rb", 0)
            )
            process = await _spawn(command, writing)
        finally:
            os.close(writing)
        # Nothing is awaited from here on, so that no process is started and forgotten.
        child = cls(command, process, logs / f"{command.name}.log")
        child._output = asyncio.create_task(child._copy_output(reader, transport, screen))
        return child

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative: the signal that ended it."""
        return self._process.returncode

    async def wait(self) -> int:
        """The exit code, once the process has ended and its last lines are read."""
        code = await self._process.wait()
        if self._output is not None:
            await asyncio.wait({self._output}, timeout=_OUTPUT_PATIENCE_SECONDS)
            self._output.cancel()
        return code

    async def stop(self) -> None:
        """Asks the process to end, and ends it together with its own children when it takes too long."""
        self.is_stopping = True
        if self.exit_code is None:
            self.send_signal(self.command.stop_signal)
            try:
                await asyncio.wait_for(self._process.wait(), self.command.stop_patience_seconds)
            except TimeoutError:
                self.kill()
        await self.wait()

    def kill(self) -> None:
        """Ends the process and its own children without warning."""
        if self.exit_code is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)

    def send_signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    def failure(self, reason: str) -> PartFailed:
        return PartFailed(self.command.name, reason, list(self.tail), self.log)

    async def _copy_output(
        self, reader: asyncio.StreamReader, transport: asyncio.BaseTransport, screen: Screen
    ) -> None:
        rest = b""
        try:
            with self.log.open("ab", buffering=0) as log:
                while chunk := await reader.read(65536):
                    log.write(chunk)
                    *lines, rest = (rest + chunk).split(b"\n")
                    for line in lines:
                        self._take_line(line, screen)
                if rest:
                    self._take_line(rest, screen)
        finally:
            transport.close()

    def _take_line(self, raw: bytes, screen: Screen) -> None:
        line = raw.decode(errors="replace").rstrip()
        self.tail.append(line)
        # What a process says about being stopped is no news.
        if self.command.is_shown and not self.is_stopping:
            screen.process_line(self.command.name, line)


async def _spawn(command: Command, output: int) -> asyncio.subprocess.Process:
    account = command.account or Account(-1, -1)
    identity = (str(os.getpid()), str(int(command.death_signal)), str(account.user), str(account.group))
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", str(_TETHER), *identity, *command.arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        env=inherited_environment() | dict(command.environment),
        cwd="/",
        start_new_session=True,
    )


async def run_to_end(command: Command, logs: Path, screen: Screen) -> None:
    """Runs a program that ends by itself. Raises PartFailed when it ends with an error."""
    child = await Child.start(command, logs, screen)
    try:
        code = await child.wait()
    finally:
        await child.stop()
    if code != 0:
        raise child.failure(describe_exit(code))


async def wait_until_ready(child: Child, part: Part) -> float:
    """Seconds until the part was ready. Raises PartFailed when it ended or the deadline passed."""
    began = time.monotonic()
    while True:
        reason = await part.probe()
        elapsed = time.monotonic() - began
        if child.exit_code is not None:
            raise child.failure(f"{describe_exit(await child.wait())} before it was ready")
        if reason is None:
            return elapsed
        if elapsed > part.deadline_seconds:
            raise child.failure(f"was not ready after {part.deadline_seconds:g} s ({reason})")
        await asyncio.sleep(_PROBE_PAUSE_SECONDS)


def describe_exit(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    return f"was ended by signal {signal.Signals(-code).name}"
