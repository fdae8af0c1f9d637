"""Stands before every route: no request reaches one that its caller may not use, and every answer is armoured.

Probes (`/health/live`, `/health/ready`, `/metrics`) and the description of the API are open; everything else needs a
credential, also what does not exist: reading with a safe method, operating with any other.
"""

import hmac
from collections.abc import Callable, Mapping
from typing import Protocol
from urllib.parse import urlsplit

import structlog
from fastapi import FastAPI, Request
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from common.persistence.database import DATABASE_AWAY
from common.runtime.access import Access, Principal, Role, digest_of, is_loopback
from common.runtime.bodies import bounded
from common.runtime.problems import Problem, database_away, problem_response
from common.runtime.rate_limits import RateLimits

log = structlog.get_logger(__name__)

SESSION_COOKIE = "tandem_session"
CSRF_HEADER = "X-CSRF-Token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
OPEN_PATHS = frozenset({"/health/live", "/health/ready", "/metrics", "/docs", "/redoc", "/openapi.json"})
DOCUMENTATION_ASSETS = "/static-offline-docs/"
BURST_SECONDS = 2.0
REFUSALS_PER_SECOND, REFUSALS_AT_ONCE = 1.0, 20.0

_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
# The documentation's own page starts itself with a script of a few lines; it shows nothing that is secret.
_DOCUMENTATION_POLICY = _PAGE_POLICY.replace("script-src 'self'", "script-src 'self' 'unsafe-inline'").replace(
    "style-src 'self'", "style-src 'self' 'unsafe-inline'"
)
_ARMOUR = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
HSTS = "max-age=31536000"

Need = Callable[[str, str], Role | None]
"""The role that a method and a path need; None of what is open."""


class Sessions(Protocol):
    """The sessions of a page's users."""

    async def principal(self, session: str, address: str) -> Principal | None:
        """Whose session it is; None of one that is unknown or over. Raises as the database does."""
        ...


def needed_role(method: str, path: str) -> Role | None:
    """What every service needs, the gateway's own exceptions aside."""
    if path in OPEN_PATHS or path.startswith(DOCUMENTATION_ASSETS):
        return None
    return Role.READ if method in SAFE_METHODS else Role.OPERATE


def csrf_token(session: str) -> str:
    """What an unsafe request of a session must carry: known to who holds the session, and to no other site."""
    return digest_of(f"csrf:{session}")


def principal_of(request: Request) -> Principal:
    """Who asks; set by the guard on every request."""
    principal: Principal = request.state.principal
    return principal


def credential_of(request: Request) -> dict[str, str]:
    """The headers that the request was let in with, to ask another service on its behalf.

    What no header should hold is none; it gets as far as here where access is off.
    """
    authorization, session = request.headers.get("authorization"), request.cookies.get(SESSION_COOKIE)
    if authorization is not None:
        return {"Authorization": authorization} if authorization.isascii() else {}
    return {"Cookie": f"{SESSION_COOKIE}={session}"} if session and principal_of(request).is_named else {}


class Refusals:
    """Counts the wrong credentials of an address: after a few the answer is to wait."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._limits = RateLimits(REFUSALS_PER_SECOND, REFUSALS_AT_ONCE, monotonic)

    def problem(self, address: str, detail: str) -> Problem:
        """The answer to one more wrong credential: 401, or 429 once there were too many."""
        seconds = self._limits.retry_after_seconds(f"refused:{address}")
        if seconds is None:
            log.warning("access.refused", address=address)
            return Problem(401, detail, headers={"WWW-Authenticate": 'Bearer realm="tandem"'})
        return _too_many(seconds)


class Guard:
    """ASGI middleware over one service."""

    def __init__(
        self,
        app: ASGIApp,
        access: Access,
        limits: RateLimits,
        refusals: Refusals,
        need: Need = needed_role,
        sessions: Sessions | None = None,
        body_bytes_max: int | None = None,
    ) -> None:
        self._app = app
        self._access = access
        self._limits = limits
        self._refusals = refusals
        self._need = need
        self._sessions = sessions
        self._body_bytes_max = body_bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        armoured = _armoured(scope, send)
        request = Request(scope)
        try:
            request.state.principal = await self._admit(request)
        except Problem as problem:
            await problem_response(problem.status, problem.detail, problem.errors, problem.headers)(
                scope, receive, armoured
            )
            return
        except DATABASE_AWAY as error:
            await database_away(error)(scope, receive, armoured)
            return
        if self._body_bytes_max is not None:
            receive = bounded(receive, self._body_bytes_max)
        await self._app(scope, receive, armoured)

    async def _admit(self, request: Request) -> Principal:
        address = request.client.host if request.client else "unknown"
        need = self._need(request.method, request.url.path)
        _refuse_other_sites(request)
        if not self._access.is_required:
            _refuse_other_names(request)
            principal = Principal("local", Role.OPERATE, address, is_named=False)
        elif need is None:
            principal = Principal("anybody", Role.READ, address, is_named=False)
        else:
            principal = await self._identify(request, address)
        self._spare(request, principal)
        if need is not None and not principal.role.covers(need):
            raise Problem(403, f"{principal.name} may read; {request.method} needs a credential with the role {need}")
        return principal

    async def _identify(self, request: Request, address: str) -> Principal:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and token:
            credential = self._access.find(token.strip())
            if credential is None:
                raise self._refusals.problem(address, "the token is not known")
            return Principal(credential.name, credential.role, address)
        session = request.cookies.get(SESSION_COOKIE)
        if session and self._sessions is not None:
            principal = await self._sessions.principal(session, address)
            if principal is not None:
                _refuse_forgery(request, session)
                return principal
        raise self._refusals.problem(address, "a credential is needed: Authorization: Bearer TOKEN")

    def _spare(self, request: Request, principal: Principal) -> None:
        if request.url.path in OPEN_PATHS:
            return
        key = f"name:{principal.name}" if principal.is_named else f"address:{principal.address}"
        seconds = self._limits.retry_after_seconds(key)
        if seconds is not None:
            raise _too_many(seconds)


def protect(
    app: FastAPI,
    access: Access,
    requests_per_second: float,
    monotonic: Callable[[], float],
    need: Need = needed_role,
    sessions: Sessions | None = None,
    body_bytes_max: int | None = None,
) -> Refusals:
    """Puts the guard before `app`; what it returns counts the wrong credentials that the app itself is shown.

    A body longer than `body_bytes_max` is answered with 413, before it is there as a whole.
    """
    refusals = Refusals(monotonic)
    limits = RateLimits(requests_per_second, BURST_SECONDS * requests_per_second, monotonic)
    app.add_middleware(
        Guard,
        access=access,
        limits=limits,
        refusals=refusals,
        need=need,
        sessions=sessions,
        body_bytes_max=body_bytes_max,
    )
    return refusals


def _too_many(seconds: int) -> Problem:
    return Problem(429, f"too many requests: ask again in {seconds} s", headers={"Retry-After": str(seconds)})


def _refuse_other_sites(request: Request) -> None:
    """A browser says from which page an unsafe request comes: another site's page has no business here."""
    origin = request.headers.get("origin")
    if request.method in SAFE_METHODS or origin is None:
        return
    if origin.partition("://")[2] != request.headers.get("host", ""):
        raise Problem(403, "the request comes from a page of another site")


def _refuse_other_names(request: Request) -> None:
    """Without credentials only the machine's own name is answered to: a foreign name that was made to point here
    would let that name's page in.
    """
    if not is_loopback(_host_name(request.headers.get("host", ""))):
        raise Problem(403, "access is off, so only requests to localhost or 127.0.0.1 are answered")


def _host_name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _refuse_forgery(request: Request, session: str) -> None:
    if request.method in SAFE_METHODS:
        return
    if not hmac.compare_digest(request.headers.get(CSRF_HEADER, "").encode(), csrf_token(session).encode()):
        raise Problem(403, f"the header {CSRF_HEADER} is missing or wrong; GET /api/session says the right one")


def _armoured(scope: Scope, send: Send) -> Send:
    path: str = scope["path"]
    is_documentation = path in ("/docs", "/redoc") or path.startswith(DOCUMENTATION_ASSETS)
    armour: Mapping[str, str] = {
        **_ARMOUR,
        "Content-Security-Policy": _DOCUMENTATION_POLICY if is_documentation else _PAGE_POLICY,
        **({"Strict-Transport-Security": HSTS} if scope["scheme"] == "https" else {}),
    }

    async def armoured(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in armour.items():
                headers[name] = value
            headers.setdefault("Cache-Control", "private, no-cache")
        await send(message)

    return armoured
