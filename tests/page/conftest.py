"""A browser of this machine over the whole stack. Nothing is downloaded: without a Chromium these tests are skipped."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from local_stack.ports import Ports
from local_stack.posting import post_observations
from local_stack.services import SERVICES
from local_stack.stack import LocalStack, StackPlan
from support.embedded_stack import quiet_screen
from support.running_stack import RunningStack

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


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """A headless Chromium."""
    found = next((path for path in map(shutil.which, CHROMIUMS) if path), None)
    if found is None:
        pytest.skip(f"no browser: none of {', '.join(CHROMIUMS)} is on the PATH (Debian: apt-get install chromium)")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=found, args=list(ALONE))
        yield browser
        await browser.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def running(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningStack]:
    """The stack with its market; market time stands still until a test starts it."""
    plan = StackPlan(
        scenario_path=SCENARIO, services=SERVICES, ports=Ports.ephemeral(), var=tmp_path_factory.mktemp("page")
    )
    async with (
        LocalStack(plan, quiet_screen()) as stack,
        httpx.AsyncClient(trust_env=False, timeout=10) as http,
    ):
        yield RunningStack(stack, http)


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
