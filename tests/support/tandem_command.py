"""The command `tandem` run in the test's own process, with what it printed and how it ended."""

import contextlib
import io
import json
from dataclasses import dataclass
from typing import Any

from operator_cli.__main__ import main


@dataclass(frozen=True)
class Ended:
    """One run of the command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def sentence(self) -> str:
        """What it said on stderr, which is one line and no trace."""
        assert "Traceback" not in self.err
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        return lines[0]


def tandem(*arguments: str) -> Ended:
    """Runs one command. Standard output and errors of the whole process are taken while it runs."""
    out, err = io.StringIO(), io.StringIO()
    code: int | str | None = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(arguments)
        except SystemExit as end:
            code = end.code
    assert isinstance(code, int), code
    return Ended(int(code), out.getvalue(), err.getvalue())
