"""`python -m local_stack demo --scenario NAME [--once]`, from any directory."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from local_stack.demo import DemoRequest, play
from local_stack.ending import run_to_exit_code
from local_stack.ports import Ports
from local_stack.run_directory import DEFAULT_VAR
from local_stack.screen import Screen

_PLAIN_WIDTH = 140


def main(arguments: Sequence[str]) -> int:
    """Runs the command and answers the exit code."""
    options = _parser().parse_args(arguments)
    console = Console(highlight=False)
    if not console.is_terminal:
        # Nobody resizes a file: wide enough for the tables.
        console = Console(highlight=False, width=_PLAIN_WIDTH)
    screen = Screen(console, quiet=not options.verbose)
    ports = Ports.ephemeral() if options.any_ports else Ports()
    venues = tuple(name.strip() for name in options.venues.split(",") if name.strip())
    request = DemoRequest(options.scenario, options.once, ports, options.var, venues)
    return run_to_exit_code(play(request, screen), screen)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="local_stack", description="All of Tandem on this machine.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    demo = commands.add_parser("demo", help="trade a recorded market and check the result")
    demo.add_argument("--scenario", default="oct-10-2025-sol", help="its name, or the path of a .toml file")
    demo.add_argument("--venues", default="", help="play it on these venues, as in okx,binance, in place of its own")
    demo.add_argument("--once", action="store_true", help="exit after the result instead of staying up")
    demo.add_argument("--verbose", action="store_true", help="show every line of every process, not warnings alone")
    demo.add_argument("--any-ports", action="store_true", help="take free ports instead of the usual ones")
    demo.add_argument("--var", type=Path, default=DEFAULT_VAR, help="where runs keep their files")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
