"""The overview tells what is true now, and its totals what was counted last."""

from datetime import timedelta
from decimal import Decimal

import pytest

from support.ledger_rows import NOON, LedgerRows

from .conftest import Gateway

OVERVIEW = "/api/live_trading/overview"


async def test_an_empty_ledger_has_an_overview_with_everything_the_operator_expects(gateway: Gateway) -> None:
    answer = await gateway.http.get(OVERVIEW, params={"limit": 5})
    assert answer.status_code == 200
    overview = answer.json()
    assert overview["timestamp"] == "2025-10-10T12:00:00Z"
    assert overview["live_trading_enabled"] is True
    assert overview["live_trading_config"]["LIVE_TRADING_TP_RATIO"] == {"value": 0.7, "source": "default"}
    assert overview["trading_state"]["state"] == "active"
    assert overview["signals"] == []
    assert overview["errors"] == []


async def test_signals_come_newest_first_and_as_many_as_asked_for(gateway: Gateway, rows: LedgerRows) -> None:
    ids = [await rows.signal(f"SYM{number}") for number in range(4)]
    overview = (await gateway.http.get(OVERVIEW, params={"limit": 3})).json()
    assert [signal["id"] for signal in overview["signals"]] == ids[:0:-1]


async def test_an_open_trade_shows_its_entries_added_up_and_its_latest_sample(
    gateway: Gateway, rows: LedgerRows
) -> None:
    trade = await rows.trade()
    await rows.entry(trade, 1, long_buy="100", short_sell="101.2", quantity="0.5")
    await rows.entry(trade, 2, long_buy="100", short_sell="102", quantity="0.5", at=NOON + timedelta(hours=1))
    await rows.sample(trade, total_pnl_usdt=Decimal("-0.9"))
    await rows.sample(trade, "take_profit_rejected", total_pnl_usdt=Decimal("0.30"))
    signal = (await gateway.http.get(OVERVIEW)).json()["signals"][0]
    assert signal["entries_count"] == 2
    assert signal["entry_spread_pct_first"] == pytest.approx(0.012)
    assert 0.0119 < signal["entry_metric_weighted"] < 0.0199
    assert signal["tp_exit_spread_pct"] < signal["entry_metric_weighted"]
    assert signal["latest_sample"]["verdict"] == "take_profit_rejected"
    assert signal["latest_sample"]["total_pnl_usdt"] == "0.30"
    assert signal["pnl_complete"] is False
    assert signal["net_pnl_usdt"] is None


async def test_a_finalised_trade_shows_its_exact_figures_as_text(gateway: Gateway, rows: LedgerRows) -> None:
    await rows.trade(
        status="closed",
        closed_at=NOON + timedelta(hours=1),
        finalised_at=NOON + timedelta(hours=1),
        fees_usdt=Decimal("0.00000001"),
        funding_usdt=Decimal("-0.010"),
        net_pnl_usdt=Decimal("0.48999999"),
    )
    signal = (await gateway.http.get(OVERVIEW)).json()["signals"][0]
    assert (signal["fees_usdt"], signal["funding_usdt"], signal["net_pnl_usdt"]) == (
        "0.00000001",
        "-0.010",
        "0.48999999",
    )
    assert signal["pnl_complete"] is True
    assert signal["finalised_at"] == "2025-10-10T13:00:00Z"


async def test_a_signal_that_never_opened_has_no_pnl_to_complete(gateway: Gateway, rows: LedgerRows) -> None:
    await rows.signal()
    signal = (await gateway.http.get(OVERVIEW)).json()["signals"][0]
    assert signal["pnl_complete"] is None
    assert signal["entries_count"] == 0
    assert signal["latest_sample"] is None


async def test_totals_are_exact_for_active_trades_before_anything_was_counted(
    gateway: Gateway, rows: LedgerRows
) -> None:
    await rows.entry(await rows.trade("SOL"), short_sell="101.2", quantity="0.5")
    await rows.entry(await rows.trade("ETH", status="closing"), short_sell="200", quantity="0.5")
    await rows.signal("BTC")
    totals = (await gateway.http.get(OVERVIEW)).json()["totals"]
    assert totals["by_status"] == {"opening": 0, "open": 1, "closing": 1}
    assert Decimal(totals["open_notional_usdt"]) == Decimal("150.6")
    assert totals["counted_at"] is None


async def test_totals_of_the_history_are_those_of_the_last_count(gateway: Gateway, rows: LedgerRows) -> None:
    await rows.signal("BTC")
    await rows.trade("SOL")
    for net in ("0.5", "-0.2"):
        await rows.trade("ETH", status="closed", finalised_at=NOON, net_pnl_usdt=Decimal(net))
    await rows.trade("ADA", status="closed")
    await gateway.history.refresh_when_due()
    totals = (await gateway.http.get(OVERVIEW)).json()["totals"]
    assert totals["by_status"] == {"skipped": 1, "open": 1, "opening": 0, "closing": 0, "closed": 3}
    assert totals["finalised_trades"] == 2
    assert totals["finalised_net_pnl_usdt"] == "0.3"
    assert totals["counted_at"] == "2025-10-10T12:00:00Z"


async def test_errors_are_listed_without_their_bulk(gateway: Gateway, rows: LedgerRows) -> None:
    first, second = await rows.error(), await rows.error("signal_ingest")
    errors = (await gateway.http.get(OVERVIEW)).json()["errors"]
    assert [error["id"] for error in errors] == [second, first]
    assert "detail" not in errors[0]


@pytest.mark.parametrize("limit", ["0", "201", "-1", "many", ""])
async def test_a_limit_out_of_bounds_is_named(gateway: Gateway, limit: str) -> None:
    answer = await gateway.http.get(OVERVIEW, params={"limit": limit})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"][0]["field"] == "query.limit"
    assert answer.json()["errors"][0]["value"] == limit


async def test_the_limits_of_the_limit_are_allowed(gateway: Gateway) -> None:
    for limit in (1, 200):
        assert (await gateway.http.get(OVERVIEW, params={"limit": limit})).status_code == 200
