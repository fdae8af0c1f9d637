"""The story of trades that real services made: whole, in order, each figure once, down to the swept levels."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from local_stack.services import SERVICES
from local_stack.stack import LocalStack
from support.alert_receiver import Receiver, receiving
from support.service_group import ServiceGroup, service_group
from support.simulated_venues import KEY, SECRET
from support.tandem_command import tandem

from .test_process import SCRIPT, run

SPEED = 300.0
SETTINGS = {
    "LIVE_TRADING_PER_LEG_USDT": "15000",
    "LIVE_TRADING_OB_CONFIRM_SAMPLES": "2",
    "LIVE_TRADING_SCALE_IN_MIN_INTERVAL_MIN": "1",
    "LIVE_TRADING_SCALE_IN_MAX_ENTRIES": "2",
    # However slow the machine is beside this clock: one close is asked for once.
    "LIVE_TRADING_CLOSE_RETRY_COOLDOWN_SEC": "7200",
    "ALERT_KINDS": "opened,scaled_in,closed",
}
ALERTS_SECONDS_MAX = 60.0

Story = list[dict[str, Any]]
Told = dict[str, Any]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as started:
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def group(
    postgres_server: LocalStack, nats_server: LocalStack, receiver: Receiver, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ServiceGroup]:
    directory: Path = tmp_path_factory.mktemp("story")
    settings = SETTINGS | {"ALERT_URLS": receiver.url}
    running = service_group(postgres_server, nats_server, directory, SERVICES, speed=SPEED, settings=settings)
    async with running as started:
        yield started


async def told_of(group: ServiceGroup, signal_id: int) -> Told:
    return await group.get("api_gateway", f"/api/live_trading/signals/{signal_id}")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def told(group: ServiceGroup) -> Told:
    """A signal that was skipped once, opened, was scaled in, paid funding, took its profit and was finalised."""
    symbol = group.symbol()
    for venue, rate in (("binance", "0.0001"), ("bybit", "-0.0002")):
        await group.control(venue, "funding", symbol=symbol, rate=rate, interval_hours=1)
    await group.gap(symbol, "100", "102")
    await group.post(symbol, win_prob=0.5)
    await group.signal(symbol, "skipped")
    await group.post(symbol)
    trade = await group.signal(symbol, "open")
    await group.sample(trade["id"], "hold", "not_triggered")
    await group.gap(symbol, "100", "104")
    await group.entries(trade["id"], 2)

    async def funding_of_both_legs() -> bool | None:
        legs = {payment["leg"] for payment in (await told_of(group, trade["id"]))["funding"]}
        return legs == {"long", "short"} or None

    await group.until(funding_of_both_legs, lambda: "no funding was booked")
    await group.gap(symbol, "100", "100.5")

    async def finalised() -> Told | None:
        found = await told_of(group, trade["id"])
        return found if found["signal"]["finalised_at"] else None

    return await group.until(finalised, lambda: "the trade was not finalised")


def line(story: Story, beginning: str) -> dict[str, Any]:
    return next(line for line in story if line["what"].startswith(beginning))


def test_it_tells_what_happened_in_order(told: Told) -> None:
    story, symbol = told["story"], told["signal"]["symbol"]
    times = [datetime.fromisoformat(line["at"]) for line in story]
    assert times == sorted(times)
    beginnings = [
        ("signal_ingest", f"first saw the gap of {symbol} long binance / short bybit"),
        ("signal_ingest", "opened watchlist event"),
        ("executor", "recorded signal"),
        ("executor", "did not open at attempt 1, and tries again at"),
        ("signal_ingest", "brought the signal back after attempt 1"),
        ("executor", "decided to open entry 1 of 147.09 a leg: the books gave 1.96"),
        ("executor", f"will buy 147.09 {symbol} on binance to open entry 1"),
        ("executor", "entry 1 filled (k = 1): a spread of 1.96"),
        ("executor", f"opened the trade in {symbol}"),
        ("position_monitor", "valued the trade at an exit spread of 2.0"),
        ("position_monitor", "asked for entry 2: an exit spread of 4.0"),
        ("executor", "decided to open entry 2"),
        ("executor", "entry 2 filled (k = 2): a spread of 3.96"),
        ("position_monitor", "asked to close: take profit"),
        ("executor", "began to close: take profit"),
        ("executor", f"will sell 291.350 {symbol} on binance to close the whole trade"),
        ("executor", "closed the trade: both venues are flat"),
        ("executor", "finalised the trade: net P&L"),
    ]
    told_so_far = 0
    for service, beginning in beginnings:
        rest = [(line["service"], line["what"]) for line in story[told_so_far:]]
        place = next((n for n, (who, what) in enumerate(rest) if who == service and what.startswith(beginning)), None)
        assert place is not None, f"no {beginning!r} of {service} in {rest}"
        told_so_far += place + 1


def test_it_tells_nothing_twice(told: Told) -> None:
    story: Story = told["story"]
    assert [what for what, times in Counter(line["what"] for line in story).items() if times > 1] == []
    assert [line["what"] for line in story if line["what"].startswith("decided: ")] == []
    # Evidence of any size stands in one line.
    heavy = Counter(
        json.dumps(value, sort_keys=True)
        for line in story
        for value in line["figures"].values()
        if isinstance(value, dict | list) and len(json.dumps(value)) > 100
    )
    assert [value for value, times in heavy.items() if times > 1] == []


def test_each_entry_shows_the_levels_that_its_sweep_took(told: Told) -> None:
    for number in (1, 2):
        figures = line(told["story"], f"decided to open entry {number}")["figures"]
        quantity = Decimal(figures["execution"]["quantity"])
        for leg in ("long_buy", "short_sell"):
            swept = figures["execution"][leg]
            taken = [(Decimal(price), Decimal(size)) for price, size in swept["taken"]]
            assert len(taken) == swept["levels"] == 2
            assert sum(size for _, size in taken) == quantity
            assert sum(price * size for price, size in taken) / quantity == Decimal(swept["price"])
            assert taken[-1][0] == Decimal(swept["worst_price"])
        assert len(figures["confirmation"]) == 2
        assert (figures["pnl_hat"], figures["win_prob"]) == (0.016, 0.95)


def test_the_close_shows_the_samples_that_confirmed_it(told: Told) -> None:
    confirmation = line(told["story"], "asked to close")["figures"]["confirmation"]
    assert confirmation["wanted"] == len(confirmation["samples"]) == 2
    assert all(sample["pnl_spread"] >= sample["take_profit_pnl"] for sample in confirmation["samples"])


def test_every_order_shows_its_fills_with_their_fees(told: Told) -> None:
    orders = [line for line in told["story"] if line["what"].startswith("order to ")]
    assert len(orders) == 6
    for order in orders:
        fills = order["figures"]["fills"]
        assert len(fills) >= 2
        assert all(Decimal(fill["fee_usdt"]) > 0 for fill in fills)


def test_funding_and_fees_of_the_story_add_up_to_the_final_account(told: Told) -> None:
    story: Story = told["story"]
    final = {name: Decimal(value) for name, value in line(story, "finalised")["figures"].items()}
    fees = sum(
        Decimal(fill["fee_usdt"])
        for line in story
        if line["what"].startswith("order to ")
        for fill in line["figures"]["fills"]
    )
    assert fees == final["fees_usdt"]
    settlements = [told_line["what"].split() for told_line in story if " USDT of funding on " in told_line["what"]]
    assert len(settlements) >= 2
    funding = sum(Decimal(amount) * (1 if verb == "received" else -1) for verb, amount, *_ in settlements)
    assert funding == final["funding_usdt"]
    assert final["net_pnl_usdt"] == final["spread_pnl_usdt"] + funding - fees


async def test_people_are_told_once_of_each_thing_that_happened_to_the_trade(
    group: ServiceGroup, told: Told, receiver: Receiver
) -> None:
    trade = f"{told['signal']['symbol']} trade {told['signal']['id']}"

    async def delivered() -> bool | None:
        alerts = (await group.get("api_gateway", "/api/alerts"))["items"]
        states = {alert["kind"]: alert["state"] for alert in alerts if alert["title"].startswith(trade)}
        return (
            states == dict.fromkeys(("opened", "scaled_in", "closed"), "delivered") | {"finalised": "unwanted"} or None
        )

    await group.until(delivered, lambda: f"delivered was {receiver.titles}", ALERTS_SECONDS_MAX)
    # Several at once may be one message; each has its sentence in it.
    lines = "\n".join(message["message"] for message in receiver.got)
    for happened in ("opened: ", "scaled in, entry 2: ", "closed: take_profit. "):
        assert lines.count(f"{trade} {happened}") == 1, receiver.got


async def test_a_skipped_signal_shows_the_evidence_of_each_attempt(group: ServiceGroup) -> None:
    symbol = group.symbol()
    await group.gap(symbol, "100", "100.2")
    await group.post(symbol)
    signal = await group.signal(symbol, "expired")
    story: Story = (await told_of(group, signal["id"]))["story"]
    attempts = [line for line in story if line["what"].startswith("did not open at attempt ")]
    assert len(attempts) == signal["attempts"] >= 2
    for number, attempt in enumerate(attempts, start=1):
        figures = attempt["figures"]
        assert attempt["what"].endswith(": entry spread too small")
        assert figures["attempt"] == number
        assert datetime.fromisoformat(figures["next_attempt_at"]) > datetime.fromisoformat(attempt["at"])
        best = max(figures["swept"], key=lambda swept: swept["entry_spread_metric"])
        assert 0 < best["entry_spread_metric"] < figures["needed_metric"]
        assert Decimal(best["long_buy"]["price"]) > 100
    *_, ended, expired = story
    assert ended["what"].startswith("ended the retries: the event is closed, and quiet for ")
    assert ended["figures"]["window_minutes"] == 5.0
    assert (expired["service"], expired["what"]) == ("executor", "gave the signal up: event closed")


async def test_the_scale_in_view_and_the_script_show_the_rescue(group: ServiceGroup, told: Told) -> None:
    signal = told["signal"]
    page = await group.get("api_gateway", "/api/live_trading/scale_in", status="closed")
    [state] = [item for item in page["items"] if item["signal_id"] == signal["id"]]
    first, second = state["entries"]
    assert (state["entries_count"], state["max_entries"], state["enabled"]) == (2, 2, True)
    assert state["entry_spread_pct_first"] == first["entry_spread_pct"]
    assert state["last_scale_in_at"] == second["filled_at"]
    assert state["take_profit_pnl"] == signal["take_profit_pnl"] == pytest.approx(0.7 * 0.016)
    assert state["force_close_at"] == signal["force_close_at"]
    recorded = state["recorded"]
    assert set(recorded) == {
        "enabled",
        "entries",
        "entries_count",
        "max_entries",
        "trigger_mult",
        "entry_spread_pct_first",
        "next_trigger_spread_pct",
        "last_scale_in_at",
        "used_evidence",
    }
    assert [entry["k"] for entry in recorded["entries"]] == [1, 2]
    assert {"opened_at", "notional", "metric", "pct", "execution", "event_id", "prediction", "confirmation"} <= set(
        recorded["entries"][1]
    )
    [used] = recorded["used_evidence"]
    assert used["asked"]["rule"]["exit_spread_pct_now"] >= used["asked"]["rule"]["trigger_spread_pct"]

    code, output, errors = await run(
        str(SCRIPT), "--status", "closed", "--json", "--gateway", group.service_urls["api_gateway"]
    )
    assert (code, errors) == (0, "")
    assert signal["id"] in [item["signal_id"] for item in json.loads(output)]


async def test_every_service_says_what_it_runs_with_and_hides_what_is_secret(group: ServiceGroup) -> None:
    answer = await group.get("api_gateway", "/api/settings")
    assert (sorted(answer["services"]), answer["problems"]) == (sorted(SERVICES), [])
    for service, said in answer["services"].items():
        assert said["settings"]["LIVE_TRADING_PER_LEG_USDT"] == {"value": "15000", "source": "environment"}, service
        assert said["settings"]["DATABASE_URL"]["value"] == "**********"
    executor = answer["services"]["executor"]["settings"]
    assert executor["EXECUTOR_UNWINDS_PER_HOUR_MAX"] == {"value": 3, "source": "default"}
    assert executor["VENUE_BYBIT_URL"]["value"] == group.venues["bybit"].url
    assert KEY not in json.dumps(answer)
    assert SECRET not in json.dumps(answer)


async def test_the_command_explains_the_trade_and_what_it_earned(group: ServiceGroup, told: Told) -> None:
    gateway = group.service_urls["api_gateway"]
    ended = await asyncio.to_thread(tandem, "explain", str(told["signal"]["id"]), "--gateway", gateway)
    assert (ended.code, ended.err) == (0, "")
    words = " ".join(ended.out.split())
    for line in told["story"]:
        assert " ".join(line["what"].split()) in words
    net = next(line.split() for line in ended.out.splitlines() if line.startswith("net "))
    assert Decimal(net[1]) == round(Decimal(told["totals"]["net_pnl_usdt"]), 8)
