"""The page when something is away: its own modules, scripts at all, the stream, or a venue that bans us."""

import asyncio

import pytest
from playwright.async_api import Browser, BrowserContext, Page, Route, expect

from support.running_stack import RunningStack

from .conftest import AUDIT, DESK, Seat

pytestmark = pytest.mark.timeout(300)


async def away(route: Route) -> None:
    """Nothing answers."""
    await route.abort()


@pytest.mark.parametrize("module", ["main.js", "stream.js", "uplot/uPlot.esm.js"])
async def test_a_module_that_does_not_arrive_is_said_with_what_to_do(
    context: BrowserContext, running: RunningStack, module: str
) -> None:
    page = await context.new_page()
    await page.route(f"**/assets/{module}", away)
    await page.goto(running.stack.service_url("api_gateway"))
    await _says_that_it_is_broken(page)


@pytest.mark.parametrize(
    "body", ["import {", "throw new Error('a fault of its own')", "Promise.reject(new Error('later'))"]
)
async def test_a_module_that_fails_is_said_too(context: BrowserContext, running: RunningStack, body: str) -> None:
    page = await context.new_page()
    await page.route("**/assets/main.js", lambda route: route.fulfill(body=body, content_type="text/javascript"))
    await page.goto(running.stack.service_url("api_gateway"))
    await _says_that_it_is_broken(page)


async def _says_that_it_is_broken(page: Page) -> None:
    alert = page.get_by_role("alert")
    await expect(alert).to_contain_text("This page is broken")
    await expect(alert).to_contain_text("tandem status")
    await expect(page.get_by_text("Loading…")).to_be_hidden()


async def test_a_module_that_hangs_is_said_after_a_while(context: BrowserContext, running: RunningStack) -> None:
    page = await context.new_page()
    arrives = asyncio.Event()

    async def late(route: Route) -> None:
        await arrives.wait()
        await route.continue_()

    await page.route("**/assets/stream.js", late)
    await page.goto(running.stack.service_url("api_gateway"), wait_until="commit")
    alert = page.locator("#fault")
    await expect(page.get_by_text("Loading…")).to_be_visible()
    # However long it took to get here, the wait of a quarter of a minute begins now.
    await page.evaluate("document.getAnimations().forEach((one) => { one.pause(); one.currentTime = 0; })")
    await expect(alert).to_be_hidden()
    await page.evaluate("document.getAnimations().forEach((one) => one.finish())")
    await expect(alert).to_be_visible()
    arrives.set()
    await expect(page.get_by_role("heading", name="Open trades")).to_be_visible()
    await expect(alert).to_be_hidden()


async def test_without_scripts_the_page_says_what_else_there_is(browser: Browser, running: RunningStack) -> None:
    context = await browser.new_context(viewport=DESK, java_script_enabled=False)
    page = await context.new_page()
    await page.goto(running.stack.service_url("api_gateway"))
    said = page.locator("noscript p")
    await expect(said).to_be_visible()
    await expect(said).to_contain_text("tandem status")
    await expect(page.locator(".loading")).to_be_hidden()
    await context.close()


async def test_without_the_stream_the_page_asks_and_comes_back_to_it(seat: Seat) -> None:
    page = await seat.open()
    await expect(page.locator(".freshness")).to_contain_text("live")
    await page.route("**/api/live_trading/stream*", away)
    await page.reload()
    await expect(page.locator(".freshness")).to_contain_text("polling")
    await expect(page.locator(".notice", has_text="The stream of events is away")).to_be_visible()
    assert await page.evaluate(AUDIT) == []
    await page.unroute("**/api/live_trading/stream*")
    await expect(page.locator(".freshness")).to_contain_text("live")


async def test_a_venue_that_bans_us_is_named_on_every_page(seat: Seat) -> None:
    async def banned(route: Route) -> None:
        answer = await route.fetch()
        health = await answer.json()
        health["services"]["executor"]["venues"]["bybit"] = {"banned_until": "2099-01-01T00:00:00Z", "budgets": {}}
        await route.fulfill(response=answer, json=health)

    await seat.page.route("**/api/health", banned)
    for place in ("#/", "#/watchlist"):
        page = await seat.open(place)
        notice = page.locator(".notice", has_text="bybit bans us until")
        await expect(notice).to_contain_text("nothing is asked of it")
