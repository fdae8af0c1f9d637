"""A browser of this machine over the whole stack. Nothing is downloaded: without a Chromium these tests are skipped."""

import asyncio
import contextlib
import shutil
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
import uvicorn
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, ViewportSize, async_playwright, expect

from api_gateway.bootstrap import SERVICE, assemble, read_configuration
from common.messaging.bus import Bus
from common.persistence.database import connect_pool
from common.runtime.service import closing
from local_stack.ports import Ports
from local_stack.posting import post_observations
from local_stack.services import SERVICES
from local_stack.stack import LocalStack, StackPlan
from support.embedded_stack import quiet_screen
from support.running_stack import RunningStack

AUDIT = (Path(__file__).parent / "audit.js").read_text()
SCENARIO = Path(__file__).parent / "desk.toml"
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")
ALONE = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""No sandbox, which root may not have; and nothing that a browser asks of the world by itself."""
DESK, PHONE = ViewportSize(width=1440, height=900), ViewportSize(width=360, height=780)

PATIENCE_MS = 60_000
expect.set_options(timeout=PATIENCE_MS)
"""What is waited for comes within a second, on a machine that has nothing else to do."""


class Seat:
    """A page with what its console said."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.page.set_default_timeout(PATIENCE_MS)
        self.url = url
        self.said: list[str] = []
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.said.append(str(error)))

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.said.append(message.text)

    async def open(self, route: str = "#/") -> Page:
        """The page at that place, once it shows something."""
        await self.page.goto(f"{self.url}/{route}")
        await expect(self.page.locator("#main")).not_to_contain_text("Loading…")
        return self.page


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """A headless Chromium."""
    found = next((path for path in map(shutil.which, CHROMIUMS) if path), None)
    if found is None:
        pytest.skip(f"no browser: none of {', '.join(CHROMIUMS)} is on the PATH (Debian: apt-get install chromium)")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=found, args=list(ALONE))
        yield browser
        await browser.close()


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def running(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningStack]:
    """The stack with its market; market time stands still until a test starts it."""
    plan = StackPlan(
        scenario_path=SCENARIO, services=SERVICES, ports=Ports.ephemeral(), var=tmp_path_factory.mktemp("page")
    )
    async with (
        LocalStack(plan, quiet_screen()) as stack,
        httpx.AsyncClient(trust_env=False, timeout=60) as http,
    ):
        yield RunningStack(stack, http)


@pytest_asyncio.fixture(loop_scope="session")
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    """A browser of its own, at the size of a desk."""
    context = await browser.new_context(viewport=DESK)
    context.set_default_timeout(PATIENCE_MS)
    yield context
    await context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def seat(context: BrowserContext, running: RunningStack) -> Seat:
    """A fresh page."""
    return Seat(await context.new_page(), running.stack.service_url("api_gateway"))


@contextlib.asynccontextmanager
async def playing(running: RunningStack) -> AsyncIterator[None]:
    """Lets the market run and posts its observations."""
    stack = running.stack
    assert stack.scenario is not None
    stack.start_clock()
    ingest = stack.service_url("signal_ingest")
    posting = asyncio.create_task(
        post_observations(stack.scenario.observations, stack.market_clock(), running.http, ingest, print)
    )
    try:
        yield
    finally:
        posting.cancel()
        await asyncio.gather(posting, return_exceptions=True)


@contextlib.asynccontextmanager
async def second_gateway(stack: LocalStack, settings: dict[str, str]) -> AsyncIterator[str]:
    """The address of one more gateway over the same database and bus, with settings of its own."""
    dsn = stack.service_dsn(SERVICE)
    urls = {f"{name.upper()}_URL": stack.service_url(name) for name in SERVICES if name != SERVICE}
    configuration = read_configuration({"DATABASE_URL": dsn, "NATS_URL": stack.nats_url, **urls, **settings})
    pool, bus = await connect_pool(dsn, "test"), await Bus.connect(stack.nats_url, "test")
    parts = assemble(configuration, pool, bus)
    server = uvicorn.Server(uvicorn.Config(parts.app, log_level="warning", lifespan="off", timeout_graceful_shutdown=1))
    listening = socket.create_server(("127.0.0.1", 0))
    async with closing(pool, bus, parts):
        hub = asyncio.create_task(parts.hub.run())
        serving = asyncio.create_task(server.serve([listening]))
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving
            hub.cancel()
            await asyncio.gather(hub, return_exceptions=True)
