"""An operator's page in a real browser over the running stack: what is seen, what is ordered, and who can read it."""

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, Page, Route, expect

from common.persistence.database import connect_pool
from common.runtime.access import Role, new_token
from support.ledger_rows import NOON, LedgerRows
from support.running_stack import RunningStack, eventually

from .conftest import AUDIT, DESK, PHONE, Seat, playing, second_gateway

pytestmark = pytest.mark.timeout(300)

ROUTES = ("#/", "#/signals", "#/watchlist", "#/system", "#/trades/1", "#/nowhere")
MARKUP = '<img src="/nowhere" onerror="window.hurt = true">'


async def order(page: Page, why: str, button: str) -> None:
    """Fills the open dialog and sends it; waits until it says that it is done."""
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Why").fill(why)
    await dialog.get_by_role("button", name=button).click()
    await expect(dialog.get_by_role("status")).to_contain_text("Done")
    await dialog.get_by_role("button", name="Done").click()
    await expect(dialog).to_have_count(0)


async def at_binance(running: RunningStack, path: str, **command: str) -> None:
    """Something happens at the simulated venue."""
    url = f"{running.stack.venue('binance').url}/control/{path}"
    (await running.http.post(url, json=command)).raise_for_status()


async def test_a_trade_opens_scales_in_and_closes_before_the_operators_eyes(seat: Seat, running: RunningStack) -> None:
    page = await seat.open()
    await expect(page.get_by_text("No trade is open.")).to_be_visible()
    await page.evaluate("window.isSamePage = true")
    async with playing(running):
        trade = page.get_by_role("article", name="DEMO")
        await expect(trade).to_be_visible()
        await expect(trade).to_contain_text("long bybit / short binance")
        await expect(trade.locator(".figure", has_text="Spread now")).to_contain_text("%")
        await expect(trade.locator("canvas")).to_be_visible()
        rungs = trade.locator(".ladder tbody tr")
        await expect(rungs.nth(1)).to_contain_text("next")
        await expect(page.get_by_role("article", name="HELD")).to_be_visible()
        await at_binance(running, "price", symbol="DEMO", mid="101.9")
        await expect(rungs.nth(1)).to_contain_text("filled")
        await expect(trade.locator(".rail", has_text="Entries")).to_contain_text("2 of 4")
        await expect(trade.locator(".split")).to_contain_text("USDT")
        await at_binance(running, "price", symbol="DEMO", mid="100.3")
        await expect(trade).to_have_count(0)
    newest = page.get_by_role("row", name=re.compile("DEMO"))
    await expect(newest).to_contain_text("closed")
    await expect(newest).to_contain_text("take profit")
    await expect(newest).to_contain_text("USDT")  # net P&L, once the venues booked everything
    assert await page.evaluate("window.isSamePage") is True
    assert seat.said == []


async def test_the_story_of_a_trade_is_told_with_its_orders_and_its_money(seat: Seat) -> None:
    page = await seat.open()
    await page.get_by_role("row", name=re.compile("DEMO")).get_by_role("link").click()
    await expect(page).to_have_url(re.compile("#/trades/1$"))
    await expect(page.get_by_role("heading", level=1)).to_contain_text("DEMO")
    story = page.locator(".story > li")
    for told in ("recorded signal 1", "entry 2 filled", "asked to close: take profit", "closed the trade"):
        await expect(story.filter(has_text=told)).not_to_have_count(0)
    line = story.filter(has_text="entry 2 filled")
    await line.locator("summary").press("Enter")
    await expect(line.locator(".evidence").first).to_contain_text("notional usdt")
    orders = page.get_by_role("table", name="Orders and fills").locator("tbody tr")
    await expect(orders).to_have_count(6)
    await expect(orders.last).to_contain_text("fee")
    await expect(page.locator(".split")).to_contain_text("final")
    await expect(page.locator("[data-chart=story] canvas")).to_be_visible()
    assert seat.said == []


async def test_a_flatten_names_the_trade_that_goes_with_it(seat: Seat) -> None:
    page = await seat.open("#/system")
    await page.get_by_role("button", name="Flatten HELD on bybit…").click()
    dialog = page.get_by_role("dialog", name="Flatten HELD on bybit")
    closed = re.compile(r"Trade #\d+ is closed as a whole: bybit [\d.]+, binance .[\d.]+")
    await expect(dialog).to_contain_text(closed)
    await expect(dialog.get_by_label("Venue", exact=True)).to_have_js_property("readOnly", True)
    await dialog.get_by_role("button", name="Cancel").click()
    await page.goto(f"{seat.url}/#/")
    await expect(page.get_by_role("article", name="HELD")).to_be_visible()
    assert seat.said == []


async def test_an_operator_closes_a_trade_and_is_told_what_came_of_it(seat: Seat, running: RunningStack) -> None:
    page = await seat.open()
    held = page.get_by_role("article", name="HELD")
    opener = held.get_by_role("button", name="Force close…")
    await opener.press("Enter")
    dialog = page.get_by_role("dialog", name=re.compile("Force close HELD"))
    await expect(dialog.get_by_label("Why")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)
    await expect(opener).to_be_focused()
    await opener.click()
    await dialog.get_by_role("button", name="Close trade").click()
    await expect(dialog).to_be_visible()  # without a reason nothing is sent
    await order(page, "seen enough", "Close trade")
    await expect(held).to_have_count(0)
    closed = await running.first("/api/live_trading/signals?symbol=HELD")
    assert closed is not None
    assert (closed["status"], closed["close_reason"]) == ("closed", "operator")
    asked = await running.first("/api/audit?service=api_gateway")
    assert asked is not None
    assert "seen enough" in str(asked["evidence"])
    assert seat.said == []


async def test_a_position_is_flattened_once_it_is_confirmed_and_the_venues_answer_is_shown(
    seat: Seat, running: RunningStack
) -> None:
    await at_binance(running, "actions", kind="external_open", symbol="HELD", quantity="1.5")
    page = await seat.open("#/system")
    await page.get_by_role("region", name="Positions").get_by_role("button", name="Flatten…").press("Enter")
    dialog = page.get_by_role("dialog", name="Flatten a venue and symbol")
    await expect(dialog.get_by_label("Venue", exact=True)).to_be_focused()
    await dialog.get_by_label("Venue", exact=True).fill("binance")
    await dialog.get_by_label("Symbol").fill("HELD")
    await expect(dialog).to_contain_text("No trade of Tandem has HELD on binance.")
    await dialog.get_by_label("Why").fill("not ours")
    await dialog.get_by_label(re.compile("^Type")).fill("binance DEMO")
    await dialog.get_by_role("button", name="Flatten").click()
    said = dialog.locator(".outcome")
    await expect(said).to_be_empty()  # not without the right words
    await dialog.get_by_label(re.compile("^Type")).fill("binance HELD")
    await page.keyboard.press("Enter")
    await expect(said).to_contain_text("Not flat: no trade holds this position")
    await expect(said).to_contain_text("binance says that it holds 1.5 HELD")

    async def wait_for_nothing(route: Route) -> None:
        wish = route.request.post_data_json
        assert wish is not None
        await route.continue_(post_data={**wish, "wait_seconds": 0})

    # The first answer is "not yet" then, and the page asks on.
    await page.route("**/flatten_position", wait_for_nothing)
    await dialog.get_by_label("Also what no trade").check()
    await dialog.get_by_role("button", name="Flatten").click()
    await expect(said).to_contain_text("Flat: binance says that it holds 0 HELD")
    await expect(dialog.get_by_label("Orders sent")).to_contain_text("sell 1.5: filled, 1.5 at")
    await expect(dialog.get_by_label("Orders sent")).to_contain_text(re.compile(r"1\.5 at [\d.]+, fee 0\.0\d+"))
    await expect(said).to_contain_text(re.compile(r"Fees: 0\.0\d+"))
    ledger = next(ledger for ledger in await running.ledgers() if ledger.venue == "binance")
    assert not [position for position in ledger.positions if position.quantity]
    await dialog.get_by_role("button", name="Done").click()
    await expect(dialog).to_have_count(0)
    assert [text for text in seat.said if "409" not in text] == []  # a browser notes each answer of 400 and more


async def test_a_flatten_says_what_it_waits_for_and_when_it_is_left(seat: Seat) -> None:
    evidence = {"waits_for": "trade 7 is being opened"}
    waiting: dict[str, Any] = {"state": "working", "evidence": evidence, "updated_at": None, "fills": []}
    asked = {"request_id": "flatten-bybit-SOL-1", "venue": "bybit", "symbol": "SOL", "status": waiting}

    async def not_yet(route: Route) -> None:
        await route.fulfill(json={**asked, "see": "/api/live_trading/flattened/flatten-bybit-SOL-1"}, status=202)

    async def still_waiting(route: Route) -> None:
        await route.fulfill(json=waiting)

    page = seat.page
    await page.clock.install()
    await page.route("**/flatten_position", not_yet)
    await page.route("**/flattened/*", still_waiting)
    await seat.open("#/system")
    await page.get_by_role("region", name="Positions").get_by_role("button", name="Flatten…").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Venue", exact=True).fill("bybit")
    await dialog.get_by_label("Symbol").fill("SOL")
    await dialog.get_by_label("Why").fill("moving")
    await dialog.get_by_label(re.compile("^Type")).fill("bybit SOL")
    await page.keyboard.press("Enter")
    said = dialog.locator(".outcome")
    await expect(said).to_contain_text("Not yet: the executor is at it.")
    await expect(said).to_contain_text("It waits: trade 7 is being opened.")
    await page.clock.fast_forward("11:00")
    await expect(said).to_contain_text("Not flat: ten minutes are over, and the executor leaves it as it is.")
    await expect(said).to_contain_text("It waited: trade 7 is being opened.")
    assert seat.said == []


async def test_trading_is_halted_and_resumed_and_what_somebody_wrote_stays_text(seat: Seat) -> None:
    page = await seat.open()
    await page.get_by_role("button", name="Trading is active").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("halted").check()
    await order(page, MARKUP, "Change state")
    await expect(page.get_by_role("button", name="Trading is halted")).to_be_visible()
    await expect(page.locator(".notice")).to_contain_text(MARKUP)
    assert await page.locator("img").count() == 0
    assert await page.evaluate("window.hurt") is None

    await page.get_by_role("button", name="Trading is halted").click()
    await dialog.get_by_label("active", exact=False).first.check()
    await dialog.get_by_label("Why").fill("all is well")
    await dialog.get_by_role("button", name="Change state").click()
    await expect(page.get_by_role("button", name="Trading is halted")).to_be_attached()  # not without the word
    await dialog.get_by_label(re.compile("^Type")).fill("active")
    await order(page, "all is well", "Change state")
    await expect(page.get_by_role("button", name="Trading is active")).to_be_visible()
    told = page.get_by_role("region", name="Errors and alarms").get_by_role("listitem").first
    await expect(told).to_contain_text("◆ trading state changed")
    await expect(told.locator(".loss")).to_have_count(0)
    assert seat.said == []


async def test_filters_are_kept_in_the_address_and_pages_follow_each_other(seat: Seat) -> None:
    page = await seat.open("#/signals")
    panel = page.get_by_role("region", name="Signals")
    signals = page.get_by_role("table", name="Signals").locator("tbody tr")
    await expect(signals).to_have_count(2)
    await panel.get_by_label("Symbol").fill("HELD")
    await panel.get_by_role("button", name="Filter").click()
    await expect(page).to_have_url(re.compile("signals-symbol=HELD"))
    await expect(signals).to_have_count(1)
    await page.reload()
    await expect(signals).to_contain_text(["HELD"])
    await panel.get_by_role("button", name="Clear").click()
    await expect(signals).to_have_count(2)
    await page.goto(f"{seat.url}/#/signals?signals-before=2")
    await expect(signals).to_contain_text(["DEMO"])
    await page.get_by_role("link", name="Newest").click()
    await expect(signals).to_have_count(2)
    assert seat.said == []


async def test_what_was_decided_about_one_symbol_is_listed(seat: Seat) -> None:
    page = await seat.open()
    await page.get_by_role("link", name="All decisions").click()
    panel = page.get_by_role("region", name="Decisions")
    await panel.get_by_label("Symbol").fill("HELD")
    await panel.get_by_role("button", name="Filter").click()
    await expect(page).to_have_url(re.compile("#/system.*decisions-symbol=HELD"))
    decisions = panel.locator("tbody tr")
    await expect(decisions.filter(has_text="event opened")).to_have_count(1)
    await expect(decisions.filter(has_text="orders intended").first).to_contain_text("executor")
    await expect(decisions.filter(has_not_text="HELD")).to_have_count(0)
    assert seat.said == []


@pytest.mark.parametrize("theme", ["dark", "light"])
async def test_every_page_can_be_read_by_ear_by_keyboard_and_in_bad_light(
    browser: Browser, running: RunningStack, theme: str
) -> None:
    context: BrowserContext = await browser.new_context(
        viewport=DESK, color_scheme="dark" if theme == "dark" else "light"
    )
    seat = Seat(await context.new_page(), running.stack.service_url("api_gateway"))
    for route in ROUTES:
        page = await seat.open(route)
        assert await page.evaluate(AUDIT) == [], route
    await page.get_by_role("button", name="Trading is active").click()
    assert await page.evaluate(AUDIT) == [], "dialog"
    await page.keyboard.press("Escape")
    page = await seat.open("#/system")
    await page.get_by_role("button", name="Flatten…").click()
    assert await page.evaluate(AUDIT) == [], "flatten"
    await context.close()


async def test_a_phone_shows_every_page_without_scrolling_sideways(browser: Browser, running: RunningStack) -> None:
    context = await browser.new_context(viewport=PHONE, has_touch=True, is_mobile=True)
    seat = Seat(await context.new_page(), running.stack.service_url("api_gateway"))
    for route in ROUTES:
        page = await seat.open(route)
        assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], route
    await context.close()


async def test_who_may_read_signs_in_sees_everything_and_orders_nothing(
    browser: Browser, running: RunningStack
) -> None:
    token, line = new_token("screen", Role.READ)
    async with second_gateway(running.stack, {"ACCESS_TOKENS": line}) as url:
        context = await browser.new_context(viewport=PHONE)
        page = await Seat(await context.new_page(), url).open("#/trades/1")
        assert await page.evaluate(AUDIT) == []
        await expect(page.get_by_label("Token")).to_be_focused()
        await page.get_by_label("Token").fill("not a token")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("alert")).to_contain_text("the token is not known")
        await page.get_by_label("Token").fill(token)
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", level=1)).to_contain_text("DEMO")
        await expect(page.get_by_role("button", name="Trading is active")).to_be_disabled()
        csrf = (await (await context.request.get(f"{url}/api/session")).json())["csrf_token"]
        ended = await context.request.delete(f"{url}/api/session", headers={"X-CSRF-Token": csrf})
        assert ended.status == 204
        await expect(page.get_by_text("The session has ended")).to_be_visible()
        await expect(page.get_by_text("DEMO")).to_have_count(0)
        await context.close()


async def test_one_service_away_is_named_and_the_rest_goes_on(seat: Seat, running: RunningStack) -> None:
    page = await seat.open()
    parts = running.stack.parts
    await parts.kill("executor")
    notice = page.locator(".notice", has_text="executor is unreachable")
    await expect(notice).to_contain_text("While it is away nothing opens and nothing closes.")
    await expect(page.locator(".freshness")).to_contain_text("live")
    await expect(page.get_by_role("row", name=re.compile("DEMO"))).to_be_visible()
    await page.goto(f"{seat.url}/#/watchlist")
    await expect(page.get_by_text("Not known now: the executor does not answer")).to_be_visible()
    await expect(page.get_by_role("table", name="Watchlist events")).to_be_visible()
    await page.goto(f"{seat.url}/#/system")
    await expect(
        page.get_by_role("table", name="Venues").get_by_role("row", name="bybit position monitor")
    ).to_be_visible()
    await expect(page.get_by_role("table", name="Bus").get_by_role("row", name="executor ✕")).to_be_visible()
    await parts.restart("executor")
    await expect(notice).to_have_count(0)

    async def is_ready() -> bool:
        return (await running.ask("api_gateway", "/api/health")).status_code == 200

    await eventually("all services are ready again", is_ready)


async def test_skipped_signals_judge_the_rule_that_skipped_them(seat: Seat, running: RunningStack) -> None:
    page = await seat.open("#/signals")
    judged = page.get_by_role("region", name="Was it right to skip?")
    await expect(judged).to_contain_text("Nothing was skipped yet.")
    # What position-monitor would have followed for a day: ten that would have lost, and three too few to judge.
    pool = await connect_pool(running.stack.owner_dsn, "test")
    rows = LedgerRows(pool)
    for number in range(10):
        signal = await rows.signal("LOST", at=NOON + timedelta(minutes=number))
        await rows.counterfactual(signal, symbol="LOST", exit_pnl_usdt=Decimal("-0.25"), exit_reason="horizon")
    for _ in range(3):
        won = {"reason": "book_stale", "exit_pnl_usdt": Decimal("1.5"), "exit_reason": "take_profit"}
        await rows.counterfactual(await rows.signal("WON"), symbol="WON", **won)
    missed = {"reason": "unstable", "complete": False, "missed_looks": 7, "exit_pnl_usdt": None}
    await rows.counterfactual(await rows.signal("GONE"), symbol="GONE", **missed)
    await pool.close()

    await page.reload()
    below = judged.get_by_role("row", name=re.compile("below threshold"))
    await expect(below).to_contain_text("LIVE_TRADING_WIN_PROB_THRESHOLD 0.85")
    await expect(below).to_contain_text("the rule saved money")
    await expect(below).to_contain_text("\N{MINUS SIGN}0.25\N{NARROW NO-BREAK SPACE}USDT")
    await expect(judged.get_by_role("row", name=re.compile("book stale"))).to_contain_text("too few to judge")
    await below.get_by_role("link").click()
    skipped = page.get_by_role("table", name="What each skipped signal would have made").locator("tbody tr")
    await expect(skipped).to_have_count(10)
    await expect(skipped.first).to_contain_text("LOST")
    await page.goto(f"{seat.url}/#/signals?skipped-symbol=GONE")
    await expect(skipped).to_have_count(1)
    await expect(skipped).to_contain_text("not counted: 7 looks missed")
    await skipped.get_by_role("link").click()
    story = page.get_by_role("region", name="What it would have made")
    await expect(story).to_contain_text("not counted: 7 looks missed")
    await page.go_back()
    await expect(skipped).to_have_count(1)
    assert await page.evaluate(AUDIT) == []
    await page.set_viewport_size(PHONE)
    assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert seat.said == []
