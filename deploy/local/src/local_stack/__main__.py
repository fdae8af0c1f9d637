"""`python -m local_stack demo --scenario NAME [--once]`, from any directory; `watch` for a stack that is up already."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from common.runtime.secret_files import with_secret_files
from local_stack.demo import DemoRequest, play
from local_stack.ending import run_to_exit_code
from local_stack.ports import Ports
from local_stack.run_directory import DEFAULT_VAR
from local_stack.running import NamedUrl
from local_stack.screen import Screen
from local_stack.watch import WatchRequest, watch

_PLAIN_WIDTH = 140


def main(arguments: Sequence[str]) -> int:
    """Runs the command and answers the exit code."""
    options = _parser().parse_args(arguments)
    console = Console(highlight=False)
    if not console.is_terminal:
        # Nobody resizes a file: wide enough for the tables.
        console = Console(highlight=False, width=_PLAIN_WIDTH)
    if options.command == "watch":
        screen = Screen(console)
        token = with_secret_files(os.environ).get("TANDEM_TOKEN", "")
        return run_to_exit_code(watch(_watch_request(options, token), screen), screen)
    screen = Screen(console, quiet=not options.verbose)
    ports = Ports.ephemeral() if options.any_ports else Ports()
    venues = tuple(name.strip() for name in options.venues.split(",") if name.strip())
    request = DemoRequest(options.scenario, options.once, ports, options.var, venues)
    return run_to_exit_code(play(request, screen), screen)


def _watch_request(options: argparse.Namespace, token: str) -> WatchRequest:
    return WatchRequest(
        options.scenario, options.gateway, options.ingest, tuple(options.venue), options.clock_started, token
    )


def _url(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise argparse.ArgumentTypeError(f"{text!r}: allowed is an address, as http://venue-binance:4020")
    return text.rstrip("/")


def _named_url(text: str) -> NamedUrl:
    name, equals, url = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r}: allowed is name=address, as binance=http://venue-binance:4020")
    return NamedUrl(name, _url(url))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="local_stack", description="All of Tandem on this machine.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    demo = commands.add_parser("demo", help="trade a recorded market and check the result")
    demo.add_argument("--scenario", default="oct-10-2025-sol", help="its name, or the path of a .toml file")
    demo.add_argument("--venues", default="", help="play it on these venues, as in okx,binance, in place of its own")
    demo.add_argument("--once", action="store_true", help="exit after the result instead of staying up")
    demo.add_argument("--verbose", action="store_true", help="show every line of every process, not warnings alone")
    demo.add_argument("--any-ports", action="store_true", help="take free ports instead of the usual ones")
    demo.add_argument("--var", type=Path, default=DEFAULT_VAR, help="where runs keep their files")
    watching = commands.add_parser("watch", help="start the clock of a stack that is up, and check what comes of it")
    watching.add_argument("--scenario", required=True, help="the scenario that the stack was started for")
    watching.add_argument("--gateway", required=True, type=_url, metavar="URL")
    watching.add_argument("--ingest", required=True, type=_url, metavar="URL", help="signal-ingest")
    watching.add_argument("--venue", required=True, action="append", type=_named_url, metavar="NAME=URL")
    watching.add_argument("--clock-started", required=True, type=Path, metavar="FILE", help="CLOCK_STARTED_FILE")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
