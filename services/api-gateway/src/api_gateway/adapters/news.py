"""What happens, read from the bus's feed."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from api_gateway.application.event_hub import News, NewsAway
from common.messaging.failures import BUS_ERRORS
from common.messaging.feed import Feed


class BusNews:
    """`NewsReader` over the bus."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    async def ensure(self) -> None:
        try:
            await self._feed.ensure()
        except BUS_ERRORS as error:
            raise NewsAway(repr(error)) from error

    async def bounds(self) -> tuple[int, int]:
        try:
            return await self._feed.bounds()
        except BUS_ERRORS as error:
            raise NewsAway(repr(error)) from error

    async def after(self, sequence: int) -> AsyncGenerator[News, None]:
        try:
            async with aclosing(self._feed.after(sequence)) as messages:
                async for message in messages:
                    yield News(message.sequence, message.subject, message.body)
        except BUS_ERRORS as error:
            raise NewsAway(repr(error)) from error
