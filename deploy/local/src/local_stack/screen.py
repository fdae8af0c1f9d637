"""What the person at the terminal sees: steps, lines of the processes, and one status line that renews itself.

Without a terminal everything becomes plain lines, and the status line is left out.
"""

import json
import re
from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.status import Status

_QUIET_LEVELS = frozenset({"trace", "debug", "info", "notice"})
# How PostgreSQL, NATS and uvicorn open a line that is no warning.
_QUIET_LINE = re.compile(r"^(LOG|INFO|NOTICE|DEBUG\d?):|\[(INF|DBG|TRC)\]|^\s*$")


class Screen:
    """`quiet` keeps lines of processes below a warning off the screen; their log files have them all."""

    def __init__(self, console: Console | None = None, *, quiet: bool = True) -> None:
        self._console = console if console is not None else Console(highlight=False)
        self._quiet = quiet
        self._status: Status | None = None

    @property
    def is_terminal(self) -> bool:
        return self._console.is_terminal

    def say(self, text: str, style: str | None = None) -> None:
        self._console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)

    def show(self, content: RenderableType) -> None:
        self._console.print(content)

    def process_line(self, name: str, line: str) -> None:
        if not self._quiet or is_warning(line):
            self.say(f"{name} | {line}", style="dim")

    def status(self, text: str) -> None:
        """Replaces the status line; nothing without a terminal."""
        if not self.is_terminal:
            return
        if self._status is None:
            self._status = self._console.status(text)
            self._status.start()
        self._status.update(text)

    def end_status(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end_status()


def is_warning(line: str) -> bool:
    """True unless the line says that it is less than a warning: what cannot be told apart is better seen."""
    if line.startswith("{"):
        try:
            level = json.loads(line).get("level", "")
        except ValueError:
            return True
        return str(level).lower() not in _QUIET_LEVELS
    return _QUIET_LINE.search(line) is None
