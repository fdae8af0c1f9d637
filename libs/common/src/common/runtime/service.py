"""The skeleton that every service hangs on: one process, its HTTP side, its background work, its end.

A background task that fails ends the process: whoever supervises it starts a new one, which recovers from the
database. What may pass by itself (the database or the bus being away) is answered inside the loops.
"""

import asyncio
import contextlib
import gc
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping
from typing import Annotated, Any

import asyncpg
import prometheus_client
import structlog
import uvicorn
from fastapi import FastAPI, Query, Response
from fastapi.responses import PlainTextResponse
from fastapi_offline import FastAPIOffline
from nats.errors import Error as NatsError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from common.messaging.failures import BUS_ERRORS
from common.persistence.database import DATABASE_AWAY
from common.persistence.journal import Journal
from common.runtime.clock import Clock, ReplayClock
from common.runtime.examples import show_examples
from common.runtime.health import Check, check_all
from common.runtime.http_watch import HttpWatch
from common.runtime.metrics import DEPENDENCY_UP, LOOP_FAILURES
from common.runtime.operations import AuditLine, AuditPage, AuditParameters, Live, Ready, SettingsInEffect
from common.runtime.problems import PROBLEM_RESPONSES, install_problem_handlers, problem_response
from common.runtime.secret_files import with_secret_files
from common.runtime.settings import SettingsError
from common.runtime.tracing import configure_tracing
from common.venues.errors import VenueError

log = structlog.get_logger(__name__)

START_ERRORS = (SettingsError, ValueError)
DEPENDENCY_ERRORS = (OSError, TimeoutError, NatsError, asyncpg.PostgresError)
PASSING_ERRORS = (*DATABASE_AWAY, *BUS_ERRORS, VenueError)
"""What a level-triggered loop survives: the next round finds the same work again."""
ANSWERS_END_WITHIN_SECONDS = 3
"""How long a process that was told to stop waits for the answers that it still gives: a stream of events has no end."""
KEEP_ALIVE_SECONDS = 75
"""Longer than clients keep a connection that is idle: closed under a request, it looks like a service that is away."""
CANCELLED_AGAIN_SECONDS = 5.0


def create_app(
    name: str,
    description: str,
    checks: Mapping[str, Check],
    journal: Journal | None,
    settings: Mapping[str, Mapping[str, Any]],
    venues: Callable[[], Mapping[str, Any]] = dict,
) -> FastAPI:
    """A FastAPI application with the operations endpoints that all services share.

    `settings` are the ones in effect, by their variables' names, with secrets hidden already. `venues` says of each
    venue that the service asks until when it bans and what is left of its limits.
    """
    app: FastAPI = FastAPIOffline(
        title=f"Tandem {name}", description=description, version="0.1.0", responses=PROBLEM_RESPONSES
    )
    show_examples(app)
    install_problem_handlers(app)
    app.add_middleware(HttpWatch)

    @app.get("/health/live", tags=["operations"])
    async def live() -> Live:
        """The process runs and answers."""
        return Live(service=name)

    not_ready = {"model": Ready, "description": "A dependency does not answer"}

    @app.get("/health/ready", tags=["operations"], responses={503: not_ready})
    async def ready(response: Response) -> Ready:
        """All real dependencies answer; 503 names the ones that do not."""
        readiness = await check_all(checks)
        response.status_code = 503 if readiness.problems else 200
        return Ready(
            service=name,
            status="not_ready" if readiness.problems else "ready",
            dependencies={dependency: readiness.problems.get(dependency, "ok") for dependency in readiness.checked},
            venues=dict(venues()),
        )

    @app.get("/metrics", tags=["operations"], response_class=PlainTextResponse)
    async def metrics() -> Response:
        """Prometheus metrics, and with them how each dependency answers now."""
        readiness = await check_all(checks)
        for dependency in readiness.checked:
            DEPENDENCY_UP.labels(dependency).set(dependency not in readiness.problems)
        return Response(prometheus_client.generate_latest(), media_type=prometheus_client.CONTENT_TYPE_LATEST)

    @app.get("/settings", tags=["operations"])
    async def settings_in_effect() -> SettingsInEffect:
        """Every setting in effect with its source; secrets are hidden."""
        return SettingsInEffect(service=name, settings=settings)

    if journal is not None:
        _add_audit(app, name, journal)
    return app


def _add_audit(app: FastAPI, name: str, journal: Journal) -> None:
    @app.get("/audit", tags=["operations"])
    async def audit(wanted: Annotated[AuditParameters, Query()]) -> AuditPage:
        """This service's decisions, newest first, with the figures that made them."""
        items = await journal.page(wanted.before, wanted.limit, signal_id=wanted.signal_id, symbol=wanted.symbol)
        following = items[-1]["id"] if len(items) == wanted.limit else None
        return AuditPage(service=name, items=[AuditLine(**item) for item in items], next=following)


async def every(clock: Clock, seconds: float, work: Callable[[], Awaitable[object]], name: str) -> None:
    """Runs `work` now and then every `seconds` of strategy time; what may pass by itself is logged and tried again."""
    while True:
        await _round(work, name)
        await clock.sleep(seconds)


async def every_real(seconds: float, work: Callable[[], Awaitable[object]], name: str) -> None:
    """As `every`, in real seconds: for polling, and for work that must not wait for the market's clock."""
    while True:
        await _round(work, name)
        await asyncio.sleep(seconds)


async def _round(work: Callable[[], Awaitable[object]], name: str) -> None:
    failures = LOOP_FAILURES.labels(name)
    try:
        await work()
    except PASSING_ERRORS as error:
        failures.inc()
        log.warning("loop.failed", loop=name, error=repr(error))


def _to_the_end(app: ASGIApp) -> ASGIApp:
    """Tells whose answer is not ready when the process ends that it ends; uvicorn would tell them that it failed."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        has_begun = False

        async def noted(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await app(scope, receive, noted)
        except asyncio.CancelledError:
            if scope["type"] != "http" or has_begun:
                raise
            await problem_response(503, "the service ends now: ask again")(scope, receive, send)

    return answer


class _Server(uvicorn.Server):
    """uvicorn without its own signal handling, which would end the process before anything is closed."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop)
        yield

    def _stop(self) -> None:
        self.should_exit = True


def _listen(host: str, port: int) -> socket.socket:
    """The listening socket; bound here because uvicorn ends the process where it cannot bind."""
    try:
        return socket.create_server((host, port), backlog=2048)
    except OSError as error:
        raise SettingsError(f"HTTP_PORT={port}: cannot listen on {host}: {error.strerror}") from error


async def serve(app: FastAPI, host: str, port: int, background: list[Coroutine[Any, Any, None]]) -> None:
    """Serves HTTP and runs the background work until SIGINT or SIGTERM ends it or a task of it fails.

    Raises:
        SettingsError: the port cannot be listened on.
        ExceptionGroup: a background task failed.
    """
    try:
        listener = _listen(host, port)
    except SettingsError:
        for work in background:
            work.close()  # Python would say of each that it never began
        raise
    config = uvicorn.Config(
        _to_the_end(app),
        log_config=None,  # so that uvicorn's lines go where all others go, as JSON
        log_level="warning",
        access_log=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=ANSWERS_END_WITHIN_SECONDS,
    )
    server = _Server(config)
    _spare_modules_from_collection()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(work) for work in background]
        await server.serve([listener])
        await end(tasks)


async def end(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancels tasks until all have ended; a failure that comes just then can swallow a cancellation."""
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=CANCELLED_AGAIN_SECONDS)


def _spare_modules_from_collection() -> None:
    """What is loaded now lives as long as the process: walking it again only makes full collections slow."""
    gc.collect()
    gc.freeze()


def run(name: str, main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Runs a service's `main` and turns its end into an exit code: 2 for wrong settings, 1 for a failure.

    Secrets that stand in files join the environment first, so that settings read them from one place.
    """
    try:
        os.environ.update(with_secret_files(os.environ))
        tracing = configure_tracing(name.replace("_", "-"))
        try:
            _run_loop(main)
        finally:
            tracing.shutdown()
    except START_ERRORS as error:
        print(f"{name} does not start:\n{error}", file=sys.stderr)
        sys.exit(2)
    except DEPENDENCY_ERRORS as error:
        print(f"{name} does not start: {type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _run_loop(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """uvloop where it is installed (it comes with ccxt on CPython), asyncio elsewhere."""
    try:
        import uvloop
    except ImportError:
        asyncio.run(main())
    else:
        uvloop.run(main())


def refuse_replay_on_real_venues(clock: Clock, simulated: Mapping[str, bool]) -> None:
    """A replayed clock is only for simulated venues: real ones live in real time.

    Raises:
        SettingsError: naming the venues that are real.
    """
    real = sorted(name for name, is_simulated in simulated.items() if not is_simulated)
    if isinstance(clock, ReplayClock) and real:
        names = ", ".join(f"VENUE_{name.upper()}_URL" for name in real)
        raise SettingsError(f"CLOCK_EPOCH replays time, which real venues cannot: unset it, or set {names}")


@contextlib.asynccontextmanager
async def closing(*resources: Any) -> AsyncIterator[None]:
    """Closes each resource (`await resource.close()`) in reverse order at the end."""
    try:
        yield
    finally:
        for resource in reversed(resources):
            await resource.close()
