"""A supervisor of PostgreSQL and NATS in a process of its own, to be interrupted and killed by tests.

Usage: supervised_run.py VAR_DIRECTORY. Prints `ready PID PID ...`, the ids of its children, then waits.
"""

import asyncio
import signal
import sys
from pathlib import Path

from rich.console import Console

from local_stack.ending import run_to_exit_code
from local_stack.ports import Ports
from local_stack.screen import Screen
from local_stack.stack import LocalStack, StackPlan


async def keep_up(var: Path, screen: Screen) -> int:
    plan = StackPlan(migrate=False, ports=Ports.ephemeral(), var=var)
    async with LocalStack(plan, screen) as stack:
        children = (stack.parts.child(name).pid for name in ("postgres", "nats"))
        print("ready", *children, flush=True)
        await stack.guard(asyncio.Event().wait())
    return 0


if __name__ == "__main__":
    # As from a terminal, also where the tests themselves were called deaf to these (nohup, a background job).
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    screen = Screen(Console(stderr=True))
    sys.exit(run_to_exit_code(keep_up(Path(sys.argv[1]), screen), screen))
