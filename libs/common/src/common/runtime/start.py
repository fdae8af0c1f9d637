"""Waiting for what a service cannot start without, and saying in a sentence what did not come."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from common.messaging.failures import BUS_ERRORS
from common.persistence.database import DATABASE_AWAY

START_PATIENCE_SECONDS = 10.0
RETRY_SECONDS = 0.25

Resource = TypeVar("Resource")


async def within_patience(
    what: str, connect: Callable[[], Awaitable[Resource]], patience_seconds: float = START_PATIENCE_SECONDS
) -> Resource:
    """What `connect` gives, tried again while the other side is away.

    Raises:
        TimeoutError: naming `what` and the last failure; real seconds.
    """
    failure = "no answer"
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience_seconds
    with suppress(TimeoutError):
        async with asyncio.timeout_at(deadline):
            # Looked at as well: an attempt that fails while it is cancelled swallows that.
            while loop.time() < deadline:
                try:
                    return await connect()
                except (*DATABASE_AWAY, *BUS_ERRORS) as error:
                    failure = f"{type(error).__name__}: {error}"
                await asyncio.sleep(RETRY_SECONDS)
    raise TimeoutError(f"{what} could not be reached within {patience_seconds:g} s; the last answer: {failure}")
