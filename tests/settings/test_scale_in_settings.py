"""The rails of scale-in rescue, each set tighter than its default.

A contract with lots of 1 takes 100 USDT of the 150 that an entry may have, so that its third entry stays below the
cap at which a contract with fine lots stops after its second.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import pytest

from support.service_group import COARSE, ServiceGroup

SERVICES = ("signal_ingest", "executor", "position_monitor")
SPEED = 30.0
MIN_INTERVAL = timedelta(minutes=1.5)
SETTINGS = {
    "LIVE_TRADING_PER_LEG_USDT": "150",
    "LIVE_TRADING_SCALE_IN_MAX_ENTRIES": "3",
    "LIVE_TRADING_SCALE_IN_TRIGGER_MULT": "1.2",
    "LIVE_TRADING_SCALE_IN_MIN_INTERVAL_MIN": "1.5",
    "LIVE_TRADING_SCALE_IN_SIGNAL_MAX_AGE_MIN": "2",
    "LIVE_TRADING_SCALE_IN_MAX_TOTAL_NOTIONAL": "370",
}


@asynccontextmanager
async def observed(group: ServiceGroup, symbol: str, short: str = "104") -> AsyncIterator[None]:
    """Somebody sees the gap again and again, every 24 seconds of market time."""

    async def look_again() -> None:
        while True:
            await group.post(symbol, "100", short)
            await group.clock.sleep(24)

    looking = asyncio.create_task(look_again())
    try:
        yield
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


async def test_trigger_mult_interval_and_entries_rule_a_rescue(group: ServiceGroup) -> None:
    trade = await group.open_trade(COARSE)
    # 1.2 times the first 2 % is passed, 1.5 times is not.
    await group.gap(COARSE, "100", "102.6")
    async with observed(group, COARSE, "102.6"):
        await group.entries(trade["id"], 2)
    await group.gap(COARSE, "100", "104")
    async with observed(group, COARSE):
        entries = await group.entries(trade["id"], 3)
    assert MIN_INTERVAL <= entries[2]["filled_at"] - entries[1]["filled_at"] < timedelta(minutes=30)
    full = await group.sample(trade["id"], "hold", "max_entries")
    assert full["evidence"]["rule"] == {"entries": 3, "max_entries": 3}
    recorded = (await group.signal(COARSE, "open"))["payload"]["scale_in"]
    assert (recorded["max_entries"], recorded["trigger_mult"], recorded["entries_count"]) == (3, 1.2, 3)
    assert recorded["next_trigger_spread_pct"] == pytest.approx(recorded["entry_spread_pct_first"] * 1.2**3)


async def test_max_total_notional_refuses_the_entry_that_would_exceed_it(group: ServiceGroup) -> None:
    trade = await group.open_trade(group.symbol())
    symbol = trade["symbol"]
    await group.gap(symbol, "100", "104")
    async with observed(group, symbol):
        [_, second] = await group.entries(trade["id"], 2)
        # Every trigger is passed already: whenever the trade is looked at within the interval, that is the reason.
        cooling = await group.sample(trade["id"], "hold", "cooldown")
        assert cooling["evidence"]["rule"]["min_interval_minutes"] == 1.5
        capped = await group.sample(trade["id"], "hold", "notional_cap")
    figures = capped["evidence"]["rule"]
    assert (figures["notional_cap_usdt"], figures["next_entry_notional_usdt"]) == ("370", "150")
    assert 220 < float(figures["per_leg_notional_usdt"]) <= 300
    assert capped["sampled_at"] - second["filled_at"] >= MIN_INTERVAL


async def test_signal_max_age_wants_evidence_that_is_fresh(group: ServiceGroup) -> None:
    trade = await group.open_trade(group.symbol())
    symbol = trade["symbol"]
    posted_at = trade["created_at"]

    async def three_minutes_later() -> datetime | None:
        now = group.clock.now()
        return now if now - posted_at > timedelta(minutes=3) else None

    await group.until(three_minutes_later, lambda: "the clock stands still")
    await group.gap(symbol, "100", "104")
    stale = await group.sample(trade["id"], "hold", "no_fresh_signal")
    figures = stale["evidence"]["rule"]
    assert (figures["failed"], figures["signal_max_age_minutes"]) == ("too_old", 2.0)
    async with observed(group, symbol):
        await group.entries(trade["id"], 2)
