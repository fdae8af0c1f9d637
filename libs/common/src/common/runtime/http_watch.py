"""Every HTTP request is measured, and traced as a part of its caller's trace where it names one."""

import time
from collections.abc import MutableMapping
from contextlib import nullcontext
from typing import Any

from opentelemetry.trace import INVALID_SPAN, SpanKind
from starlette.types import ASGIApp, Receive, Scope, Send

from common.runtime.metrics import HTTP_SECONDS
from common.runtime.tracing import span

UNKNOWN_ROUTE = "unknown"
PROBES = ("/health/", "/metrics")
"""Asked every few seconds by machines: measured, not traced."""
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class HttpWatch:
    """ASGI middleware. Requests are told apart by the route's template, so that ids do not multiply the series."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500

        async def noted(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        method = scope["method"] if scope["method"] in METHODS else "other"
        started = time.perf_counter()
        parent = dict(scope["headers"]).get(b"traceparent", b"").decode("latin-1")
        is_probe = scope["path"].startswith(PROBES)
        with nullcontext(INVALID_SPAN) if is_probe else span(method, kind=SpanKind.SERVER, parent=parent) as shown:
            try:
                await self._app(scope, receive, noted)
            finally:
                route = getattr(scope.get("route"), "path", UNKNOWN_ROUTE)
                shown.update_name(f"{method} {route}")
                shown.set_attribute("http.response.status_code", status)
                HTTP_SECONDS.labels(method, route, str(status)).observe(time.perf_counter() - started)
