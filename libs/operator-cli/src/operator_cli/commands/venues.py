"""`tandem venues check`: what a venue can do for us, tried where its keys are.

Keys are in the executor's environment only, so this starts the executor's own check there. On a machine without the
executor it says how to reach one that has it.
"""

import importlib.util
import subprocess
import sys
from typing import Annotated

import typer

from operator_cli.exits import WrongUsage

CHECK = "executor.venue_check"
app = typer.Typer(no_args_is_help=True, help="Venues, as they are reached with our keys.")


@app.callback()
def venues() -> None:
    """Venues, as they are reached with our keys."""


@app.command()
def check(
    venue: Annotated[str, typer.Option("--venue", help="its name, as okx")],
    symbol: Annotated[str, typer.Option("--symbol", help="the contract to try")] = "SOL",
    trade_min: Annotated[bool, typer.Option("--trade-min", help="also open and close the smallest position")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """A card for each capability: pass or fail, in the venue's own words.

    Runs in the executor's environment: its settings and keys, nothing of the gateway. Ends with 1 when a card fails.
    """
    if importlib.util.find_spec("executor") is None:
        raise WrongUsage(
            f"The executor is not installed here, and its keys are not either. Run where it is: python -m {CHECK}, "
            f"as in `docker compose exec executor python -m {CHECK} --venue {venue}`."
        )
    flags = [flag for flag, wanted in (("--trade-min", trade_min), ("--json", as_json)) if wanted]
    command = [sys.executable, "-m", CHECK, f"--venue={venue}", f"--symbol={symbol}", *flags]
    raise typer.Exit(subprocess.run(command, check=False).returncode)  # noqa: S603  # no shell, our own module
