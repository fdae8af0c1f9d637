"""The settings of the watchlist with the funding filter `range`, of retries, and of trading switched off."""

import json
from datetime import timedelta
from typing import Any

from support.service_group import ServiceGroup

SERVICES = ("signal_ingest", "executor", "api_gateway")
SPEED = 120.0
COOLDOWN = timedelta(minutes=8)
"""Four real seconds: observations that are posted one after the other are one event also on a busy machine."""
SETTINGS = {
    "LIVE_TRADING_ENABLED": "0",
    "LIVE_TRADING_LOOKBACK_MIN": "20",
    "WATCHLIST_TYPEB_SPREAD": "0.015",
    "WATCHLIST_MAX_PLAUSIBLE_SPREAD": "0.1",
    "WATCHLIST_TYPEB_FUNDING_FILTER_MODE": "range",
    "WATCHLIST_TYPEB_FUNDING_MIN": "-0.0002",
    "WATCHLIST_TYPEB_FUNDING_MAX": "0.0003",
    "WATCHLIST_CONSECUTIVE": "3",
    "WATCHLIST_COOLDOWN_MIN": "8",
}


async def verdict(group: ServiceGroup, **short: Any) -> str | None:
    """Why one observation with this short leg, of a new pair, is not taken into an event; None where it is."""
    refusal: str | None = (await group.post(group.symbol(), short=short))["refusal"]
    return refusal


async def test_typeb_spread_is_the_least_gap_that_triggers(group: ServiceGroup) -> None:
    assert await verdict(group, price="101.5") == "spread_too_small"
    assert await verdict(group, price="101.51") is None


async def test_max_plausible_spread_is_the_widest_gap_of_one_asset(group: ServiceGroup) -> None:
    assert await verdict(group, price="110.01") == "implausible_spread"
    assert await verdict(group, price="110") is None


async def test_funding_filter_range_judges_each_rate_by_itself(group: ServiceGroup) -> None:
    # Income of half a percent, which the filter by net cost welcomes.
    assert await verdict(group, funding_rate=0.005) == "funding_out_of_range"


async def test_funding_min_and_max_are_the_bounds_of_the_range(group: ServiceGroup) -> None:
    assert await verdict(group, funding_rate=-0.00021) == "funding_out_of_range"
    assert await verdict(group, funding_rate=-0.0002) is None
    assert await verdict(group, funding_rate=0.00031) == "funding_out_of_range"
    assert await verdict(group, funding_rate=0.0003) is None


async def test_consecutive_is_how_many_observations_open_an_event(group: ServiceGroup) -> None:
    symbol = group.symbol()
    told = [await group.post(symbol) for _ in range(3)]
    assert [answer["event_status"] for answer in told] == ["forming", "forming", "open"]
    assert len({answer["event_id"] for answer in told}) == 1


async def test_enabled_0_records_a_signal_and_opens_nothing(group: ServiceGroup) -> None:
    symbol = group.symbol()
    await group.gap(symbol, "100", "102")
    for _ in range(3):
        await group.post(symbol)
    signal = await group.signal(symbol, "skipped")
    assert (signal["reason"], signal["reason_evidence"]) == ("trading_disabled", {"LIVE_TRADING_ENABLED": False})
    assert signal["next_attempt_at"] is not None
    overview = await group.get("api_gateway", "/api/live_trading/overview")
    assert overview["live_trading_enabled"] is False
    assert await group.rows.pool.fetchval("SELECT count(*) FROM watchlist.live_trade_order") == 0


async def test_cooldown_closes_a_quiet_event_and_lookback_lets_its_signal_be_retried_on(group: ServiceGroup) -> None:
    symbol = group.symbol()
    # Four minutes old: stale by the default cooldown, current by this one.
    observed_at = group.clock.now() - timedelta(minutes=4)
    body = json.dumps(group.observation(symbol, observed_at=observed_at.isoformat()))
    url = f"{group.service_urls['signal_ingest']}/signals/batch"
    # At once, for the market's minutes are half a second here.
    assert (await group.http.post(url, content="\n".join([body] * 3))).json()["triggered"] == 3
    signal = await group.signal(symbol, "expired")
    sql = "SELECT status, closed_at - last_observed_at AS quiet FROM watchlist.watch_signal_event WHERE symbol = $1"
    row = await group.rows.pool.fetchrow(sql, symbol)
    assert row is not None
    assert row["status"] == "closed"
    assert row["quiet"] >= COOLDOWN
    assert signal["reason"] == "event_closed"
    evidence = signal["reason_evidence"]
    # Of signal-ingest, or of an executor that came to the last retry too late.
    assert evidence.get("window_minutes", evidence.get("lookback_min")) == 20.0
    sql = "SELECT max(decided_at) FROM watchlist.audit WHERE signal_id = $1 AND decision = $2"
    last_retry, end = [
        await group.rows.pool.fetchval(sql, signal["id"], decision)
        for decision in ("retry_due", "expired:event_closed")
    ]
    assert end - observed_at > timedelta(minutes=20)
    # The event was closed by then, and the default window over.
    assert last_retry - observed_at > COOLDOWN
