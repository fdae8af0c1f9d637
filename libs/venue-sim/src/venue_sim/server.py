"""HTTP around a venue: the control interface under /control, everything else is the venue's own protocol."""

import time

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from venue_sim.control import control_routes
from venue_sim.dialects.wire import Call, Dialect
from venue_sim.venue import Venue

HOST = "127.0.0.1"
_KEEP_ALIVE_SECONDS = 75
"""Longer than clients keep idle connections: a connection closed under an order would look like a lost order."""


def build_app(venue: Venue, dialect: Dialect) -> ASGIApp:
    """The application of one venue process."""

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
        answer = dialect.answer(call)
        return Response(answer.content, answer.status, media_type="application/json")

    methods = ["GET", "POST", "PUT", "DELETE"]
    return Starlette(routes=[*control_routes(venue), Route("/{path:path}", venue_endpoint, methods=methods)])


def build_server(app: ASGIApp, port: int) -> uvicorn.Server:
    """A server of `app` on the loopback interface; it does not log requests, for it answers thousands a second."""
    config = uvicorn.Config(
        app,
        host=HOST,
        port=port,
        http="httptools",
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="warning",
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
    )
    return uvicorn.Server(config)
