"""`tandem`: runs one command and turns its end into an exit code."""

import sys
from collections.abc import Sequence

from operator_cli.app import app
from operator_cli.exits import CommandFailed
from operator_cli.printing import plain_text


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one command, by default of the process's arguments, and ends with its exit code."""
    try:
        app(arguments, prog_name="tandem")
    except CommandFailed as failure:
        print(plain_text(str(failure)), file=sys.stderr)
        sys.exit(failure.exit_code)


if __name__ == "__main__":
    main()
