"""The settings of an entry, of the number of trades, and of how often an open one is valued."""

from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest_asyncio

from support.service_group import ServiceGroup

SERVICES = ("signal_ingest", "executor", "position_monitor")
SPEED = 30.0
SETTINGS = {
    "LIVE_TRADING_MAX_CONCURRENT": "1",
    "LIVE_TRADING_PER_LEG_USDT": "212",
    "LIVE_TRADING_LEVERAGE": "3",
    "LIVE_TRADING_TP_RATIO": "0.5",
    "LIVE_TRADING_OB_CONFIRM_SAMPLES": "4",
    "LIVE_TRADING_OB_CONFIRM_SLEEP_SEC": "0.9",
    "LIVE_TRADING_MONITOR_SEC": "20",
}
PNL_HAT = 0.016

Trade = dict[str, Any]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def trade(group: ServiceGroup) -> Trade:
    """The one trade that these settings allow; its market stands still."""
    return await group.open_trade(group.symbol(), pnl_hat=PNL_HAT)


async def test_mode_live_is_what_a_trade_is_recorded_as(trade: Trade) -> None:
    assert trade["mode"] == "live"


async def test_per_leg_usdt_sizes_both_orders(group: ServiceGroup, trade: Trade) -> None:
    orders = await group.rows.pool.fetch(
        "SELECT quantity FROM watchlist.live_trade_order WHERE signal_id = $1", trade["id"]
    )
    # 212 / 101.98, the best bid of a mid of 102, floored to a lot of 0.01.
    assert [order["quantity"] for order in orders] == [Decimal("2.07"), Decimal("2.07")]


async def test_leverage_is_set_at_both_venues(group: ServiceGroup, trade: Trade) -> None:
    assert trade["status"] == "open"
    assert {running.venue.account.leverage[trade["symbol"]] for running in group.venues.values()} == {3}


async def test_tp_ratio_is_the_share_of_the_predicted_pnl_that_is_taken(trade: Trade) -> None:
    assert trade["take_profit_pnl"] == 0.5 * PNL_HAT


async def test_confirmation_takes_as_many_samples_so_far_apart(group: ServiceGroup, trade: Trade) -> None:
    [entry] = await group.entries(trade["id"], 1)
    samples = entry["snapshot"]["confirmation"]
    assert [sample["sample"] for sample in samples] == [1, 2, 3, 4]
    times = [datetime.fromisoformat(sample["at"]) for sample in samples]
    pauses = [(after - before).total_seconds() / SPEED for before, after in pairwise(times)]
    # Longer than by default, for a busy machine may add to a pause whatever it likes, and takes nothing away.
    assert min(pauses) > 0.89, pauses


async def test_max_concurrent_refuses_one_more_trade(group: ServiceGroup, trade: Trade) -> None:
    assert trade["status"] == "open"
    other = group.symbol()
    await group.gap(other, "100", "102")
    await group.post(other)
    refused = await group.signal(other, "skipped")
    assert refused["reason"] == "concurrency_limit"
    assert refused["reason_evidence"] == {"active_trades": 1, "maximum": 1}


async def test_monitor_sec_is_how_often_a_trade_in_a_still_market_is_valued(group: ServiceGroup, trade: Trade) -> None:
    sql = """
    SELECT sampled_at, verdict, evidence ->> 'reason' AS reason
    FROM watchlist.live_trade_spread_sample WHERE signal_id = $1 ORDER BY id
    """

    async def pauses() -> list[float]:
        """Market seconds from each sample to a next one that says the same; another verdict is stored at once."""
        rows = await group.rows.pool.fetch(sql, trade["id"])
        return [
            (after["sampled_at"] - before["sampled_at"]).total_seconds()
            for before, after in pairwise(rows)
            if (before["verdict"], before["reason"]) == (after["verdict"], after["reason"])
        ]

    async def one_is_shorter_than_by_default() -> bool | None:
        return any(pause < 60 for pause in await pauses()) or None

    await group.until(one_is_shorter_than_by_default, lambda: "the trade is not valued more often than by default")
    assert min(await pauses()) >= 20
