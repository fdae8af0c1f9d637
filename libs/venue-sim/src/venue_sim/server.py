"""HTTP and WebSocket around a venue: the control interface under /control, all else is the venue's own protocol."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp
from starlette.websockets import WebSocket, WebSocketDisconnect
from uvicorn._types import ASGISendEvent
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request as Handshake

from venue_sim.control import control_routes
from venue_sim.dialects import book_channel
from venue_sim.dialects.order_streams import OrderSession
from venue_sim.dialects.streams import StreamCut, StreamSession
from venue_sim.dialects.wire import Answer, Call, Dialect
from venue_sim.fault_control import fault_routes
from venue_sim.gate import FaultGate
from venue_sim.venue import Venue

HOST = "127.0.0.1"
_KEEP_ALIVE_SECONDS = 75
"""Longer than clients keep idle connections: a connection closed under an order would look like a lost order."""
_GRACE_SECONDS = 1
"""Who stops the venue does not wait for requests that a fault holds."""
_CUT = "venue_sim.cut"


class CuttableProtocol(HttpToolsProtocol):
    """HTTP whose requests carry the means to cut their connection without an answer."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {_CUT: {"abort": self.transport.abort}}


class CuttableStream(WebSocketsSansIOProtocol):
    """The same for WebSocket."""

    def handle_connect(self, event: Handshake) -> None:
        super().handle_connect(event)
        if self.response.status_code == 101:
            self.scope["extensions"] = {**(self.scope["extensions"] or {}), _CUT: {"abort": self.transport.abort}}

    async def send(self, message: ASGISendEvent) -> None:
        await super().send(message)
        if self.close_sent:
            self.handshake_complete = True  # a refusal ends it too; uvicorn would call that an error of ours


def build_app(venue: Venue, dialect: Dialect) -> ASGIApp:
    """The application of one venue process."""
    gate = FaultGate(venue, dialect)

    async def venue_endpoint(request: Request) -> Response:
        received_monotonic_ns = time.monotonic_ns()
        call = Call(
            method=request.method,
            path=request.url.path,
            query=request.scope["query_string"].decode("latin-1"),
            headers=request.headers,
            body=await request.body(),
            received_monotonic_ns=received_monotonic_ns,
        )
        reply = gate.reply(call)
        if reply.wait_seconds:
            await _wait_while_connected(request, reply.wait_seconds)
        if reply.answer is None:
            await _cut(request)
            return Response()
        return _response(reply.answer)

    methods = ["GET", "POST", "PUT", "DELETE"]
    routes = [
        *control_routes(venue),
        *fault_routes(venue),
        Route("/{path:path}", venue_endpoint, methods=methods),
        WebSocketRoute("/{path:path}", _stream_endpoint(venue, dialect, gate)),
    ]
    return Starlette(routes=routes)


def _response(answer: Answer) -> Response:
    return Response(answer.content, answer.status, dict(answer.headers), media_type="application/json")


def _stream_endpoint(venue: Venue, dialect: Dialect, gate: FaultGate) -> Callable[[WebSocket], Awaitable[None]]:
    orders = dialect.own_orders

    async def stream_endpoint(websocket: WebSocket) -> None:
        path, query, refusal = websocket.url.path, websocket.url.query, gate.handshake()
        books = book_channel(venue, websocket.headers)
        begin: list[Callable[[], StreamSession | OrderSession]] = []
        if orders is not None and orders.serves(path) and orders.admits(query):
            begin.append(partial(OrderSession, venue, orders, query))
        if books.serves(path):
            begin.append(partial(StreamSession, venue, books))
        if refusal is not None:
            await websocket.send_denial_response(_response(refusal))
        elif begin:
            await _stream(websocket, begin)
        else:
            await websocket.send_denial_response(Response(status_code=404))

    return stream_endpoint


async def _stream(websocket: WebSocket, begin: Sequence[Callable[[], StreamSession | OrderSession]]) -> None:
    """Serves one connection until either side ends it; the first session that has an answer to a message gives it."""
    await websocket.accept()
    sessions = [session() for session in begin]
    pushing = {asyncio.create_task(_push(websocket, session)) for session in sessions}
    try:
        async for text in websocket.iter_text():
            answers = (session.hear(text) for session in sessions)
            for answer in next((found for found in answers if found is not None), []):
                await websocket.send_text(answer)
    except WebSocketDisconnect:
        return
    finally:
        for task in pushing:
            task.cancel()
        await asyncio.wait(pushing)
        for session in sessions:
            session.close()


async def _push(websocket: WebSocket, session: StreamSession | OrderSession) -> None:
    try:
        while True:
            for message in session.due():
                await websocket.send_text(message)
            await session.rest()
    except StreamCut:
        abort: Callable[[], None] = websocket.scope["extensions"][_CUT]["abort"]
        abort()
    except WebSocketDisconnect:
        return


async def _wait_while_connected(request: Request, seconds: float) -> None:
    """Waits, but not for a client that has hung up."""
    try:
        async with asyncio.timeout(seconds):
            while (await request.receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return


async def _cut(request: Request) -> None:
    """Ends the connection; whatever is answered after that goes nowhere."""
    abort: Callable[[], None] = request.scope["extensions"][_CUT]["abort"]
    abort()
    while (await request.receive())["type"] != "http.disconnect":
        pass


def build_server(app: ASGIApp, port: int, host: str = HOST) -> uvicorn.Server:
    """A server of `app`, on the loopback interface unless told otherwise.

    It does not log requests, for it answers thousands a second.
    """
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=CuttableProtocol,
        ws=CuttableStream,
        ws_per_message_deflate=False,
        lifespan="off",
        access_log=False,
        log_level="warning",
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    return uvicorn.Server(config)
