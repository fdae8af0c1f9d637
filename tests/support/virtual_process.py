"""Processes that can be killed and paused at any step, and the lines over which they reach servers.

A killed process does nothing any more: its tasks end, and whatever they still try to send goes nowhere. What it had
sent before may arrive all the same. A paused one does nothing for a while and then goes on as if nothing had been.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from random import Random
from typing import Any, Generic, TypeVar

from support.virtual_time import Standstill, VirtualLoop, belongs_to

Answer = TypeVar("Answer")

UNWINDING_STEPS_MAX = 50
CUT_SECONDS = 0.01


@dataclass(eq=False)
class Life(Standstill):
    """One life of one process, from its start to its end."""

    name: str = ""
    alive: bool = True
    tasks: dict[asyncio.Task[Any], None] = field(default_factory=dict)
    in_flight: dict[asyncio.TimerHandle, None] = field(default_factory=dict)
    at_death: list[Callable[[], None]] = field(default_factory=list)

    def die(self, random: Random) -> None:
        """Ends here. Of the requests under way, some arrive and some do not."""
        self.alive = False
        for handle in self.in_flight:
            if random.random() < 0.5:
                handle.cancel()
        self.in_flight.clear()
        for ended in self.at_death:
            ended()
        for task in self.tasks:
            task.cancel()

    async def ended(self) -> None:
        """Waits until no task of it is left."""
        for _ in range(UNWINDING_STEPS_MAX):
            left = [task for task in self.tasks if not task.done()]
            if not left:
                return
            for task in left:
                task.cancel()
            await asyncio.sleep(0)
        raise AssertionError(f"{self.name} does not die: {left}")


def keep_tasks(loop: VirtualLoop) -> None:
    """Has every task known to the life that it belongs to."""

    def create(
        loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any], context: Context | None = None
    ) -> asyncio.Task[Any]:
        task = asyncio.Task(work, loop=loop, context=context)
        owner = context.get(belongs_to) if context is not None else belongs_to.get()
        if isinstance(owner, Life):
            owner.tasks[task] = None
            task.add_done_callback(lambda done: owner.tasks.pop(done, None))
        return task

    loop.set_task_factory(create)  # type: ignore[arg-type]  # a factory may take the context since Python 3.11


def begin(loop: VirtualLoop, life: Life, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Runs `work` as a part of that life."""
    context = copy_context()
    context.run(belongs_to.set, life)
    return loop.create_task(work, context=context)


@dataclass(eq=False)
class Reply(Generic[Answer]):
    """What a server gives back, on its way to whoever asked; the second answer to one question is dropped."""

    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Answer]
    seconds: float
    context: Context
    is_lost: bool = False

    def give(self, answer: Answer) -> None:
        """Sends an answer."""
        self._after(lambda: self.future.set_result(answer))

    def refuse(self, error: BaseException) -> None:
        """Sends an error."""
        self._after(lambda: self.future.set_exception(error))

    def _after(self, deliver: Callable[[], None]) -> None:
        def arrive() -> None:
            if not self.future.done():
                deliver()

        if not self.is_lost:
            self.loop.call_later(self.seconds, arrive, context=self.context)


@dataclass(frozen=True, slots=True)
class Journey:
    """How one request and its answer travel: seconds there and back, and which of the two is lost on the way.

    With `is_cut` the client's connection breaks at once, while the request still travels.
    """

    there_seconds: float
    back_seconds: float
    request_lost: bool = False
    answer_lost: bool = False
    is_cut: bool = False


async def ask(
    loop: asyncio.AbstractEventLoop,
    life: Life,
    serve: Callable[[Reply[Answer]], None],
    journey: Journey,
    outside: Context,
) -> Answer:
    """Sends a request from `life` to a server and waits for its answer, for ever where something is lost.

    `serve` runs at the server when the request arrives, also when `life` has ended meanwhile.

    Raises:
        TimeoutError: the connection broke; the request may arrive all the same.
    """
    if not life.alive:
        raise asyncio.CancelledError
    future: asyncio.Future[Answer] = loop.create_future()
    reply = Reply(loop, future, journey.back_seconds, outside, journey.answer_lost)
    if not journey.request_lost:

        def arrive() -> None:
            life.in_flight.pop(handle, None)
            serve(reply)

        handle = loop.call_later(journey.there_seconds, arrive, context=outside)
        life.in_flight[handle] = None
    if journey.is_cut:
        future.cancel()
        await asyncio.sleep(CUT_SECONDS)
        raise TimeoutError("the connection broke")
    return await future
