"""The settings by which a trade ends, with scale-in disabled."""

from datetime import timedelta
from itertools import pairwise

from support.service_group import ServiceGroup

SERVICES = ("signal_ingest", "executor", "position_monitor", "api_gateway")
SPEED = 15.0
MAX_HOLD = timedelta(days=0.1)
SETTINGS = {
    "LIVE_TRADING_SCALE_IN_ENABLED": "0",
    "LIVE_TRADING_MAX_HOLD_DAYS": "0.1",
    "LIVE_TRADING_STOP_LOSS_TOTAL_PCT": "0.008",
    "LIVE_TRADING_STOP_LOSS_FUNDING_PER_HOUR_PCT": "0.001",
    "LIVE_TRADING_CLOSE_RETRY_COOLDOWN_SEC": "30",
}


async def test_stop_loss_total_pct_closes_at_a_loss_that_the_default_would_bear(group: ServiceGroup) -> None:
    trade = await group.open_trade(group.symbol())
    await group.gap(trade["symbol"], "98.3", "102")
    closed = await group.signal(trade["symbol"], "closed")
    assert closed["close_reason"] == "stop_loss_total_pnl"
    rule = closed["close_evidence"]["rule"]
    assert rule["limit"] == -0.008
    assert -0.01 < rule["total_pnl_pct"] <= -0.008


async def test_scale_in_enabled_0_asks_for_no_entry_however_wide_the_gap(group: ServiceGroup) -> None:
    trade = await group.open_trade(group.symbol())
    # Past the first trigger of 3 %, and no loss for the stop yet.
    await group.gap(trade["symbol"], "100", "103.2")
    await group.sample(trade["id"], "hold", "scale_in_disabled")
    [state] = [
        state
        for state in (await group.get("api_gateway", "/api/live_trading/scale_in"))["items"]
        if state["signal_id"] == trade["id"]
    ]
    assert (state["enabled"], state["next_trigger_spread_pct"], state["entries_count"]) == (False, None, 1)
    assert state["recorded"]["enabled"] is False


async def test_stop_loss_funding_closes_at_a_rate_that_the_default_would_bear(group: ServiceGroup) -> None:
    trade = await group.open_trade(group.symbol())
    await group.control("bybit", "funding", symbol=trade["symbol"], rate="-0.016")
    closed = await group.signal(trade["symbol"], "closed")
    assert closed["close_reason"] == "stop_loss_funding_rate"
    rule = closed["close_evidence"]["rule"]
    assert rule["limit"] == -0.001
    assert -0.003 < rule["funding_per_hour"] <= -0.001


async def test_close_retry_cooldown_is_the_pause_between_two_rounds_of_a_close_that_fails(group: ServiceGroup) -> None:
    trade = await group.open_trade(group.symbol())
    await group.control("binance", "book", symbol=trade["symbol"], bids=[], asks=[["100.1", "5"]])
    request = {"signal_id": trade["id"], "who": "a test", "why": "the cooldown", "wait_seconds": 0}
    url = f"{group.service_urls['api_gateway']}/api/live_trading/force_close"
    assert (await group.http.post(url, json=request)).status_code == 202
    # Every one who asks gets a few attempts at once, then the cooldown holds; the default one is never over so soon.
    await group.until(lambda: paused_for_the_cooldown(group, trade["id"]), lambda: "no attempt came after such a pause")
    await group.control("binance", "book", symbol=trade["symbol"], bids=None, asks=None)
    closed = await group.signal(trade["symbol"], "closed")
    assert closed["close_reason"] == "operator"


async def paused_for_the_cooldown(group: ServiceGroup, signal_id: int) -> bool:
    """Whether a closing order of the long leg came about as long after the one before as the cooldown asks.

    Who closes counts from the last round's end, who asks for it again from asking: a little more or less than 30 s,
    and than the 120 s of the default.
    """
    sql = """
    SELECT intended_at FROM watchlist.live_trade_order
    WHERE signal_id = $1 AND purpose = 'close' AND leg = 'long' ORDER BY id
    """
    intended = [row["intended_at"] for row in await group.rows.pool.fetch(sql, signal_id)]
    pauses = [(after - before).total_seconds() for before, after in pairwise(intended)]
    return any(20 <= pause < 75 for pause in pauses)


async def test_max_hold_days_closes_a_trade_in_a_still_market_once_it_is_so_old(group: ServiceGroup) -> None:
    trade = await group.open_trade(group.symbol())
    assert trade["force_close_at"] == trade["opened_at"] + MAX_HOLD
    # As if it had been opened so long ago; minutes that really pass would end the other tests' trades, too.
    sql = """
    UPDATE watchlist.live_trade_signal
    SET opened_at = opened_at - $2::interval, force_close_at = force_close_at - $2::interval WHERE id = $1
    """
    await group.rows.pool.execute(sql, trade["id"], MAX_HOLD)
    closed = await group.signal(trade["symbol"], "closed")
    assert closed["close_reason"] == "max_hold_days"
    assert closed["closed_at"] - closed["opened_at"] >= MAX_HOLD
