"""The children of a run: started until each is ready, watched for as long as they run, stopped in order.

A child that ends by itself ends the run: `guard` raises what happened wherever the run is at that moment.
"""

import asyncio
import time
from collections.abc import Coroutine, Iterable
from pathlib import Path
from typing import Any, TypeVar

from local_stack.processes import Child, Command, Part, PartFailed, describe_exit, run_to_end, wait_until_ready
from local_stack.screen import Screen

T = TypeVar("T")


class Supervisor:
    """Stops what it started in the reverse order of groups: the last group started is the first to end."""

    def __init__(self, logs: Path, screen: Screen) -> None:
        self._logs = logs
        self._screen = screen
        self._groups: list[list[Part]] = []
        self._children: dict[str, Child] = {}
        self._watchers: set[asyncio.Task[None]] = set()
        self._failed: asyncio.Future[PartFailed] = asyncio.get_running_loop().create_future()

    async def start_group(self, parts: Iterable[Part]) -> None:
        """Starts parts that do not need each other, at the same time, and waits until all are ready."""
        group = list(parts)
        self._groups.append(group)
        await _all_or_first_failure([self.start(part) for part in group])

    async def start(self, part: Part) -> None:
        child = await Child.start(part.command, self._logs, self._screen)
        self._children[part.name] = child
        elapsed_seconds = await wait_until_ready(child, part)
        self._watch(child)
        self._screen.say(f"  {part.title:<20} ready in {elapsed_seconds:.1f} s")

    async def run(self, title: str, command: Command) -> None:
        """Runs a command to its end."""
        began = time.monotonic()
        await run_to_end(command, self._logs, self._screen)
        self._screen.say(f"  {title:<20} done in {time.monotonic() - began:.1f} s")

    def child(self, name: str) -> Child:
        return self._children[name]

    async def stop(self, name: str) -> None:
        """Stops one part on purpose; the run goes on. `restart` brings it back."""
        await self._children[name].stop()

    async def kill(self, name: str) -> None:
        """Ends one part on purpose and without warning; the run goes on. `restart` brings it back."""
        child = self._children[name]
        child.is_stopping = True
        child.kill()
        await child.wait()

    async def restart(self, name: str) -> None:
        """Starts a part that was stopped again, with the same command, and waits until it is ready."""
        await self.stop(name)
        await self.start(next(part for group in self._groups for part in group if part.name == name))

    async def guard(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs work, unless a part ends before it: then the work is cancelled and PartFailed raised."""
        task = asyncio.create_task(work)
        try:
            either: set[asyncio.Future[Any]] = {task, self._failed}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if self._failed.done() and not task.done():
                raise self._failed.result()
            return await task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def stop_all(self) -> None:
        for child in self._children.values():
            child.is_stopping = True
        for group in reversed(self._groups):
            started = [self._children[part.name] for part in group if part.name in self._children]
            await asyncio.gather(*(child.stop() for child in started))
        await asyncio.gather(*self._watchers)

    def _watch(self, child: Child) -> None:
        watcher = asyncio.create_task(self._report_end(child))
        self._watchers.add(watcher)
        watcher.add_done_callback(self._watchers.discard)

    async def _report_end(self, child: Child) -> None:
        code = await child.wait()
        if not child.is_stopping and not self._failed.done():
            self._failed.set_result(child.failure(f"{describe_exit(code)} while it was needed"))


async def _all_or_first_failure(work: list[Coroutine[Any, Any, None]]) -> None:
    tasks = [asyncio.create_task(one) for one in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
