"""What may use the requests that are kept back of a venue's limit: closing, unwinding, and what became of an order."""

import functools
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ParamSpec, TypeVar

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

_urgent: ContextVar[bool] = ContextVar("urgent", default=False)


def is_urgent() -> bool:
    """Whether the running task does something that must not wait for a venue's limit."""
    return _urgent.get()


@contextmanager
def urgently() -> Iterator[None]:
    """What is asked of venues within, by this task and those that it starts, may use what is kept back."""
    token = _urgent.set(True)
    try:
        yield
    finally:
        _urgent.reset(token)


def urgent(
    work: Callable[Parameters, Coroutine[Any, Any, Result]],
) -> Callable[Parameters, Coroutine[Any, Any, Result]]:
    """`urgently` around a coroutine function."""

    @functools.wraps(work)
    async def urgent_work(*arguments: Parameters.args, **named: Parameters.kwargs) -> Result:
        with urgently():
            return await work(*arguments, **named)

    return urgent_work
