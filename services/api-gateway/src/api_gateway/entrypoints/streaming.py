"""Server-sent events: what happens, as it happens, with ids that any replica resumes from."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

import structlog
from fastapi import APIRouter, Header, Query
from pydantic import WithJsonSchema
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api_gateway.application.event_hub import EventHub, Listener, News, NewsAway, TooManyListeners
from common.runtime.inputs import ID_MAX
from common.runtime.problems import Problem

log = structlog.get_logger(__name__)

HEARTBEAT_SECONDS = 15.0
SEND_SECONDS_MAX = 20.0
"""A listener whose connection takes nothing for so long is let go."""
LIVES_SECONDS = 3600.0
"""Then the listener comes again, and its credential is looked at again."""

Position = Annotated[int | None, WithJsonSchema({"type": "integer", "minimum": 0, "maximum": ID_MAX})]
"""It may be left out, and is never null: a header has no null."""

_EVENT_SCHEMA = {
    "type": "object",
    "required": ["id", "event", "data"],
    "properties": {
        "id": {"type": "string", "pattern": "^[0-9]+$"},
        "event": {"type": "string"},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
}
_EXAMPLE = """retry: 2000

id: 41
event: hello
data: {"position": 41}

id: 42
event: trade.changed
data: {"id": "trade-7-3", "subject": "trade.changed", "producer": "executor", "sent_at": "2025-10-10T21:55:03Z", \
"trace": {}, "payload": {"signal_id": 7, "version": 3, "symbol": "SOL", "status": "open", "reason": "opened", \
"changed_at": "2025-10-10T21:55:03Z", "detail": {"entry": 1}}}
"""


def stream_routes(hub: EventHub) -> APIRouter:
    """`stream`."""
    router = APIRouter(prefix="/api/live_trading", tags=["trading"])
    content = {"schema": _EVENT_SCHEMA, "example": _EXAMPLE}
    documented = {"description": "Events without end", "content": {"text/event-stream": content}}

    @router.get("/stream", status_code=200, response_class=EventStream, responses={200: documented})
    async def stream(
        last_event_id: Annotated[Position, Header(ge=0, le=ID_MAX)] = None,
        after: Annotated[Position, Query(ge=0, le=ID_MAX, description="as Last-Event-ID")] = None,
    ) -> Response:
        """Events as they happen, each with its message's subject as `event` and its envelope as `data`.

        `hello` says the position at the start, `reset` that what came behind Last-Event-ID is not kept any more: read
        the lists. A comment comes every 15 s, and before the connection is ended.
        """
        if hub.position is None:
            raise Problem(503, "the bus does not answer now: no event can be told")
        try:
            listener = hub.listen()
        except TooManyListeners:
            raise Problem(503, "this gateway has as many listeners as it takes: ask again later") from None
        return EventStream(hub, listener, after if last_event_id is None else last_event_id)

    return router


class EventStream(Response):
    """One listener's answer: ends when it goes away, is too slow, or has lived long enough."""

    media_type = "text/event-stream"

    def __init__(self, hub: EventHub, listener: Listener, last_event_id: int | None) -> None:
        super().__init__(headers={"X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._hub = hub
        self._listener = listener
        self._position = hub.position or 0
        self._last_event_id = last_event_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        telling = asyncio.ensure_future(self._tell(send))
        leaving = asyncio.ensure_future(_gone(receive))
        try:
            await asyncio.wait({telling, leaving}, timeout=LIVES_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._hub.leave(self._listener)
            for task in (telling, leaving):
                task.cancel()
            await asyncio.gather(telling, leaving, return_exceptions=True)

    async def _tell(self, send: Send) -> None:
        async def push(body: bytes, *, more: bool = True) -> None:
            async with asyncio.timeout(SEND_SECONDS_MAX):
                await send({"type": "http.response.body", "body": body, "more_body": more})

        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        try:
            async with aclosing(self._lines()) as lines:
                async for line in lines:
                    await push(line)
            await push(b"", more=False)
        except TimeoutError:
            log.info("stream.listener_stuck")

    async def _lines(self) -> AsyncGenerator[bytes, None]:
        """What is missed first, then what comes: a message that both have is told once."""
        yield b"retry: 2000\n\n"
        told = self._position
        try:
            async with aclosing(self._beginning()) as beginning:
                async for sequence, text in beginning:
                    told = sequence
                    yield text
        except NewsAway:
            yield b": the bus went away; come again with the last id\n\n"
            return
        while not self._listener.is_too_slow:
            try:
                message = await asyncio.wait_for(self._listener.queue.get(), HEARTBEAT_SECONDS)
            except TimeoutError:
                yield b": nothing new\n\n"
                continue
            if message.sequence > told and not self._listener.is_too_slow:
                told = message.sequence
                yield _line(message)
        yield b": too slow; come again with the last id\n\n"

    async def _beginning(self) -> AsyncGenerator[tuple[int, bytes], None]:
        """Sequences with their lines, up to the position at which this listener joined."""
        position, since = self._position, self._last_event_id
        if since is None:
            yield position, _event(position, "hello", b'{"position": %d}' % position)
        elif not await self._hub.is_kept(since):
            yield position, _event(position, "reset", b'{"position": %d}' % position)
        else:
            async with aclosing(self._hub.missed(since, position)) as missed:
                async for message in missed:
                    yield message.sequence, _line(message)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _line(message: News) -> bytes:
    return _event(message.sequence, message.subject, message.body)


def _event(sequence: int, name: str, data: bytes) -> bytes:
    # A line break inside of JSON text is always escaped, so one `data` line holds all of it.
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (sequence, name.encode(), data)
