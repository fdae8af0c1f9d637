"""Who may do what: every route and method of the application's own table, with every kind of credential."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import httpx
import pytest_asyncio
from fastapi import FastAPI
from starlette.routing import Mount, Route

from common.runtime.access import Role, new_token
from support.embedded_stack import Database
from support.ledger_rows import LedgerRows

from .conftest import Gateway, gateway_over

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
OPEN = {"/health/live", "/health/ready", "/metrics", "/docs", "/redoc", "/openapi.json"}
READ_TOKEN, READ_LINE = new_token("screen", Role.READ)
OPERATE_TOKEN, OPERATE_LINE = new_token("desk", Role.OPERATE)
NEXT_TOKEN, NEXT_LINE = new_token("desk-next", Role.OPERATE)
BEARER = {
    None: {},
    "read": {"Authorization": f"Bearer {READ_TOKEN}"},
    "operate": {"Authorization": f"Bearer {OPERATE_TOKEN}"},
}
HALT = {"state": "halted", "why": "test", "wait_seconds": 0}
STATE = "/api/live_trading/trading_state"


@pytest_asyncio.fixture(loop_scope="session")
async def guarded(database: Database, nats_url: str) -> AsyncIterator[Gateway]:
    """A gateway with three tokens."""
    tokens = f"{READ_LINE},{OPERATE_LINE},{NEXT_LINE}"
    async with gateway_over(database, nats_url, {"ACCESS_TOKENS": tokens}) as gateway:
        yield gateway


@dataclass(frozen=True)
class Place:
    """One path of the application with the methods that it has."""

    path: str
    methods: frozenset[str]

    @property
    def url(self) -> str:
        """A path that the route matches."""
        return re.sub(r"{[^}]*}", "1", self.path)


def places(app: FastAPI) -> Iterator[Place]:
    """Every route, and one that does not exist."""
    found: dict[str, set[str]] = {}
    for route in _routes(app.routes):
        found.setdefault(route.path, set()).update(route.methods or ())
    assert {"/api/live_trading/overview", "/api/live_trading/stream", STATE, "/api/session", "/metrics"} <= set(found)
    yield from (Place(path, frozenset(methods)) for path, methods in found.items())
    yield Place("/api/nothing", frozenset())


def _routes(routes: object) -> Iterator[Route]:
    for route in routes:  # type: ignore[attr-defined]
        if isinstance(route, Route):
            yield route
        elif not isinstance(route, Mount):
            yield from _routes(route.original_router.routes)


def outcome(place: Place, method: str, role: str | None) -> str:
    """What must become of a request: by the rule, not by the code."""
    needed: str | None = "read" if method in ("GET", "HEAD", "OPTIONS") else "operate"
    if place.path in OPEN or place.path.startswith("/static-offline-docs"):
        needed = None
    if place.path == "/" and needed == "read":
        needed = None
    if place.path == "/api/session":
        needed = None if method == "POST" else "read"
    if needed is not None and role is None:
        return "401"
    if needed == "operate" and role == "read":
        return "403"
    if not place.methods:
        return "404"
    return "let through" if method in place.methods else "405"


async def ask_from(app: FastAPI, address: str, method: str, url: str, headers: dict[str, str]) -> httpx.Response:
    """One request from an address of its own: what is counted for each address does not come between."""
    transport = httpx.ASGITransport(app, client=(address, 1), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        return await http.request(method, url, headers=headers)


async def test_every_route_and_method_lets_in_whom_it_must_and_nobody_else(guarded: Gateway) -> None:
    wrong, asked = [], 0
    for place in places(guarded.app):
        for method in METHODS:
            for role, headers in BEARER.items():
                expected = outcome(place, method, role)
                if expected == "let through" and place.path.endswith(("/stream", "/force_close", "/candidates")):
                    continue  # seen by tests of their own; a stream does not end
                answer = await ask_from(guarded.app, f"10.0.0.{asked % 250}", method, place.url, headers)
                asked += 1
                said = str(answer.status_code)
                if expected == "let through":
                    # Without a body or with an id that nobody has: refused by the handler, not by the guard.
                    good = said not in ("401", "403", "405", "429", "500") or place.path == "/api/session"
                else:
                    good = said == expected
                    if method != "HEAD":
                        good = good and answer.headers["content-type"] == "application/problem+json"
                        good = good and answer.json()["status"] == int(said)
                good = good and answer.headers["x-content-type-options"] == "nosniff"
                if not good:
                    wrong.append(f"{role} {method} {place.path}: {said}, expected {expected}")
    assert wrong == []


async def test_the_name_of_the_credential_stands_in_the_audit_beside_who_it_says_to_be(
    guarded: Gateway, rows: LedgerRows
) -> None:
    answer = await guarded.http.post(STATE, json=HALT | {"who": "ada"}, headers=BEARER["operate"])
    assert answer.status_code == 202
    [evidence] = await rows.pool.fetch("SELECT evidence FROM watchlist.audit")
    shown = evidence["evidence"]
    assert (shown["who"], shown["said"], shown["from"], shown["why"]) == ("desk", "ada", "127.0.0.1", "test")


async def test_an_old_and_a_new_token_are_valid_beside_each_other_and_a_wrong_one_is_told_so(guarded: Gateway) -> None:
    for token in (OPERATE_TOKEN, NEXT_TOKEN):
        answer = await guarded.http.post(STATE, json=HALT, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 202
    for header in (f"Bearer {READ_TOKEN}x", "Bearer ", "Basic YTpi", READ_TOKEN):
        answer = await guarded.http.get("/api/audit", headers={"Authorization": header})
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert READ_TOKEN not in answer.text


async def test_wrong_tokens_are_soon_told_to_wait_and_right_ones_are_not(guarded: Gateway) -> None:
    wrong = {"Authorization": "Bearer guess"}
    answers = await asyncio.gather(*(guarded.http.get("/api/audit", headers=wrong) for _ in range(40)))
    assert answers[0].status_code == 401
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert (await guarded.http.get("/api/audit", headers=BEARER["read"])).status_code == 200


async def sign_in(http: httpx.AsyncClient, token: str) -> dict[str, str]:
    answer = await http.post("/api/session", json={"token": token})
    assert answer.status_code == 200, answer.text
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert token not in answer.text + cookie
    view: dict[str, str] = answer.json()
    return view


async def test_a_session_reads_with_its_cookie_and_operates_only_with_its_csrf_token(guarded: Gateway) -> None:
    view = await sign_in(guarded.http, OPERATE_TOKEN)
    assert (view["name"], view["role"]) == ("desk", "operate")
    assert (await guarded.http.get("/api/live_trading/overview")).status_code == 200
    assert (await guarded.http.post(STATE, json=HALT)).status_code == 403
    wrong = {"X-CSRF-Token": "0" * 64}
    assert (await guarded.http.post(STATE, json=HALT, headers=wrong)).status_code == 403
    right = {"X-CSRF-Token": view["csrf_token"]}
    assert (await guarded.http.post(STATE, json=HALT, headers=right)).status_code == 202
    foreign = right | {"Origin": "http://elsewhere.example"}
    assert (await guarded.http.post(STATE, json=HALT, headers=foreign)).status_code == 403
    kept = dict(guarded.http.cookies)
    assert (await guarded.http.delete("/api/session", headers=right)).status_code == 204
    guarded.http.cookies.update(kept)
    assert (await guarded.http.get("/api/live_trading/overview")).status_code == 401
    guarded.http.cookies.clear()


async def test_a_session_ends_with_the_token_that_began_it_and_is_known_to_other_replicas(
    guarded: Gateway, database: Database, nats_url: str
) -> None:
    await sign_in(guarded.http, READ_TOKEN)
    async with gateway_over(database, nats_url, {"ACCESS_TOKENS": READ_LINE}) as replica:
        replica.http.cookies.update(dict(guarded.http.cookies))
        assert (await replica.http.get("/api/session")).json()["name"] == "screen"
    _, renewed = new_token("screen", Role.READ)
    async with gateway_over(database, nats_url, {"ACCESS_TOKENS": renewed}) as without:
        without.http.cookies.update(dict(guarded.http.cookies))
        assert (await without.http.get("/api/session")).status_code == 401
    guarded.http.cookies.clear()


async def test_neither_token_nor_session_stands_in_the_database(guarded: Gateway, rows: LedgerRows) -> None:
    await sign_in(guarded.http, OPERATE_TOKEN)
    [row] = await rows.pool.fetch("SELECT * FROM watchlist.operator_session")
    stored = " ".join(str(value) for value in row.values())
    assert OPERATE_TOKEN not in stored
    assert guarded.http.cookies["tandem_session"] not in stored
    guarded.http.cookies.clear()


async def test_nobody_makes_the_gateway_read_a_long_body(guarded: Gateway) -> None:
    async def in_parts() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b" " * 30_000

    for path, content in (("/api/session", b" " * 70_000), ("/api/session", in_parts()), (STATE, in_parts())):
        answer = await guarded.http.post(path, content=content, headers=BEARER["operate"])
        assert answer.status_code == 413, answer.text
        assert answer.headers["content-type"] == "application/problem+json"


async def test_many_requests_are_told_to_wait(database: Database, nats_url: str) -> None:
    settings = {"ACCESS_TOKENS": f"{READ_LINE},{OPERATE_LINE}", "ACCESS_REQUESTS_PER_SEC": "2"}
    async with gateway_over(database, nats_url, settings) as gateway:
        # All at once: a slow machine's requests, one after the other, are not many.
        answers = await asyncio.gather(*(gateway.http.get("/api/session", headers=BEARER["read"]) for _ in range(10)))
        assert [answer.status_code for answer in answers[:4]] == [200] * 4
        assert answers[-1].status_code == 429
        assert answers[-1].headers["content-type"] == "application/problem+json"
        assert answers[-1].headers["retry-after"] == "1"
        assert (await gateway.http.get("/api/session", headers=BEARER["operate"])).status_code == 200
        assert [(await gateway.http.get("/health/live")).status_code for _ in range(10)] == [200] * 10


async def test_without_access_only_this_machines_own_name_is_answered(gateway: Gateway) -> None:
    assert (await gateway.http.get("/api/session")).json()["is_required"] is False
    assert (await gateway.http.get("/api/session", headers={"Host": "localhost:4002"})).status_code == 200
    for host in ("rebound.example", "127.0.0.1.rebound.example:4002", "[::1", ""):
        assert (await gateway.http.get("/api/session", headers={"Host": host})).status_code == 403, host
    foreign = {"Origin": "http://elsewhere.example"}
    assert (await gateway.http.post(STATE, json=HALT, headers=foreign)).status_code == 403


async def test_https_is_remembered_and_the_page_runs_no_foreign_script(guarded: Gateway) -> None:
    transport = httpx.ASGITransport(guarded.app)
    async with httpx.AsyncClient(transport=transport, base_url="https://tandem.example") as https:
        answer = await https.post("/api/session", json={"token": OPERATE_TOKEN})
    assert "secure" in answer.headers["set-cookie"].lower()
    assert "max-age" in answer.headers["strict-transport-security"]
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
