"""How a run ends: by itself, by a signal, or by a failure that is told in a sentence; and with which exit code.

0 all went well, 1 a part or an expectation failed, 2 what was asked for does not exist, 128 + signal otherwise.
Ctrl-C, SIGTERM and a closed terminal cancel the work, so that everything it started is stopped in order.
"""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any

from local_stack.ports import PortTaken
from local_stack.postgres import PostgresUnavailable
from local_stack.processes import PartFailed
from local_stack.screen import Screen
from venue_sim.scenario import ScenarioError

FAILED = 1
WRONG_REQUEST = 2
_ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class NoAnswer(Exception):
    """A part that runs does not answer what it is asked."""


def run_to_exit_code(work: Coroutine[Any, Any, int], screen: Screen) -> int:
    """Runs work and answers its exit code, or that of what ended it, which it explains on the screen."""
    try:
        return asyncio.run(_interruptible(work, screen))
    except PartFailed as failure:
        screen.say(failure.explanation(), style="red")
        return FAILED
    except (PortTaken, PostgresUnavailable, NoAnswer) as failure:
        screen.say(str(failure), style="red")
        return FAILED
    except ScenarioError as failure:
        screen.say(str(failure), style="red")
        return WRONG_REQUEST
    except BrokenPipeError:
        # Whoever read our output has gone; there is nobody to tell.
        return FAILED


async def _interruptible(work: Coroutine[Any, Any, int], screen: Screen) -> int:
    received: list[signal.Signals] = []
    task = asyncio.create_task(work)

    def end(number: signal.Signals) -> None:
        # Once is enough: a second one would interrupt the stopping.
        if not received:
            received.append(number)
            screen.say(f"{number.name}: stopping everything")
            task.cancel()

    for number in _ENDING_SIGNALS:
        # A caller that made us deaf to a signal (nohup, a background job) meant it.
        if signal.getsignal(number) is not signal.SIG_IGN:
            asyncio.get_running_loop().add_signal_handler(number, end, number)
    try:
        return await task
    except asyncio.CancelledError:
        if not received:
            raise
        return 128 + received[0]
