"""The page and its parts come from the gateway itself, to everybody, under the policy that forbids foreign code."""

import re
from collections.abc import AsyncIterator

import pytest_asyncio

from api_gateway.entrypoints.page import FILES
from common.runtime.access import Role, new_token
from support.embedded_stack import Database

from .conftest import Gateway, gateway_over

SOURCE = re.compile(r"""(?:src|href)="(/[^"]*)"|from "\./([^"]+)"|import "\./([^"]+)\"""")


@pytest_asyncio.fixture(loop_scope="session")
async def guarded(database: Database, nats_url: str) -> AsyncIterator[Gateway]:
    """A gateway that wants a token."""
    _, line = new_token("desk", Role.OPERATE)
    async with gateway_over(database, nats_url, {"ACCESS_TOKENS": line}) as gateway:
        yield gateway


async def test_the_page_is_there_without_a_credential_and_everything_it_names_is_too(guarded: Gateway) -> None:
    page = await guarded.http.get("/")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert "unsafe-inline" not in page.headers["content-security-policy"]
    named = [path for path, *_ in SOURCE.findall(page.text) if path.startswith("/assets/")]
    assert "/assets/main.js" in named
    for path in named:
        assert (await guarded.http.get(path)).status_code == 200, path


async def test_every_file_of_the_page_is_served_and_kept_no_longer_than_it_is_true(guarded: Gateway) -> None:
    files = [path for path in (FILES / "assets").rglob("*") if path.is_file()]
    assert {"main.js", "page.css", "uPlot.esm.js", "LICENSE"} <= {path.name for path in files}
    for path in files:
        url = f"/assets/{path.relative_to(FILES / 'assets')}"
        answer = await guarded.http.get(url)
        assert answer.status_code == 200, url
        assert answer.headers["cache-control"] == "private, no-cache"
        again = await guarded.http.get(url, headers={"If-None-Match": answer.headers["etag"]})
        assert again.status_code == 304, url


async def test_what_is_no_file_of_the_page_is_not_served(guarded: Gateway) -> None:
    assert (await guarded.http.get("/assets/nothing.js")).status_code == 404
    assert (await guarded.http.get("/assets/..%2f..%2fsettings.py")).status_code == 404
    assert (await guarded.http.post("/assets/main.js")).status_code == 401
