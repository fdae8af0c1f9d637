"""HTTP around a venue: the control interface under /control, everything else is the venue's own protocol."""

import asyncio
import time
from collections.abc import Callable

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from venue_sim.control import control_routes
from venue_sim.dialects.wire import Call, Dialect
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
        answer = reply.answer
        return Response(answer.content, answer.status, dict(answer.headers), media_type="application/json")

    methods = ["GET", "POST", "PUT", "DELETE"]
    routes = [
        *control_routes(venue),
        *fault_routes(venue),
        Route("/{path:path}", venue_endpoint, methods=methods),
    ]
    return Starlette(routes=routes)


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
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="warning",
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    return uvicorn.Server(config)
