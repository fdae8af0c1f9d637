"""The settings that decide before, and on, the first look at a book; and what a prediction without a horizon gets."""

from typing import Any

from support.service_group import ServiceGroup

SERVICES = ("signal_ingest", "executor")
SPEED = 1.0
SETTINGS = {
    "LIVE_TRADING_ALLOWED_EXCHANGES": "bybit,binance",
    "LIVE_TRADING_PNL_THRESHOLD": "0.02",
    "LIVE_TRADING_WIN_PROB_THRESHOLD": "0.9",
    "LIVE_TRADING_HORIZON_MIN": "60",
    "LIVE_TRADING_MAX_ABS_FUNDING": "0.0005",
    "LIVE_TRADING_MAX_BOOK_AGE_SEC": "0.000000001",
}


async def refusal(group: ServiceGroup, symbol: str, **changes: Any) -> tuple[str, dict[str, Any]]:
    """The reason and the figures with which an observation of this pair is answered."""
    await group.post(symbol, **{"pnl_hat": 0.021, **changes})
    signal = await group.signal(symbol, "skipped")
    return signal["reason"], signal["reason_evidence"]


async def test_allowed_exchanges_refuses_a_pair_on_any_other_venue(group: ServiceGroup) -> None:
    reason, figures = await refusal(group, group.symbol(), short={"venue": "okx"})
    assert reason == "venue_not_allowed"
    assert figures == {"venues": ["okx"], "allowed": ["bybit", "binance"]}


async def test_pnl_threshold_refuses_a_prediction_that_the_default_would_accept(group: ServiceGroup) -> None:
    reason, figures = await refusal(group, group.symbol(), pnl_hat=0.0199)
    assert reason == "below_threshold"
    assert (figures["pnl_hat"], figures["pnl_threshold"]) == (0.0199, 0.02)


async def test_win_prob_threshold_refuses_a_prediction_that_the_default_would_accept(group: ServiceGroup) -> None:
    reason, figures = await refusal(group, group.symbol(), win_prob=0.899)
    assert reason == "below_threshold"
    assert (figures["win_prob"], figures["win_prob_threshold"]) == (0.899, 0.9)


async def test_max_abs_funding_switches_the_guard_on(group: ServiceGroup) -> None:
    symbol = group.symbol()
    await group.control("bybit", "funding", symbol=symbol, rate="-0.00051")
    reason, figures = await refusal(group, symbol)
    assert reason == "funding_too_high"
    assert figures == {"maximum": 0.0005, "rates": {"binance": 0.0001, "bybit": -0.00051}}


async def test_max_book_age_refuses_a_book_that_is_older(group: ServiceGroup) -> None:
    # What just meets the thresholds and the guard gets as far as the books.
    symbol = group.symbol()
    await group.gap(symbol, "100", "103")
    await group.control("bybit", "funding", symbol=symbol, rate="0.0005")
    reason, figures = await refusal(group, symbol, pnl_hat=0.02, win_prob=0.9)
    assert reason == "book_stale"
    assert figures["maximum_seconds"] == 1e-9
    assert figures["age_seconds"] > 1e-9


async def test_horizon_is_that_of_a_prediction_that_names_none(group: ServiceGroup) -> None:
    silent, explicit = group.symbol(), group.symbol()
    await group.post(silent)
    await group.post(explicit, horizon_min=90)
    sql = "SELECT horizon_min FROM watchlist.watch_signal_event WHERE symbol = $1"
    assert await group.rows.pool.fetchval(sql, silent) == 60
    assert await group.rows.pool.fetchval(sql, explicit) == 90
