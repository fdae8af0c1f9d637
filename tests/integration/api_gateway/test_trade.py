"""`/signals/{id}` tells the whole story of one trade, with figures that equal its ledger."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from support.ledger_rows import NOON, LedgerRows, Trade

from .conftest import Gateway

HOUR = timedelta(hours=1)


async def closed_trade(rows: LedgerRows, *, finalised: bool = True) -> Trade:
    """Two entries, one close: 50 + 50 bought and sold, profit taken after two hours."""
    final: dict[str, Any] = {
        "finalised_at": NOON + 3 * HOUR,
        "spread_pnl_usdt": Decimal("1.10"),
        "fees_usdt": Decimal("0.2021"),
        "funding_usdt": Decimal("0.01"),
        "net_pnl_usdt": Decimal("0.9079"),
    }
    trade = await rows.trade(
        status="closed",
        close_reason="take_profit",
        close_requested_at=NOON + 2 * HOUR,
        close_evidence={"pnl_spread": 0.008},
        closed_at=NOON + 2 * HOUR,
        **(final if finalised else {}),
    )
    await rows.entry(trade, 1, long_buy="100", short_sell="101.2", quantity="0.5")
    await rows.entry(trade, 2, long_buy="100", short_sell="102", quantity="0.5", at=NOON + HOUR)
    await rows.close(trade, "100.5", "101", "1.0", NOON + 2 * HOUR)
    await rows.funding(trade, "short", "0.01", NOON + HOUR)
    await rows.audit("confirmed", "executor", trade.id, NOON - timedelta(milliseconds=500))
    await rows.audit("scale_in_requested", "position_monitor", trade.id, NOON + HOUR - timedelta(seconds=2))
    await rows.sample(trade, "hold", at=NOON + HOUR)
    await rows.sample(trade, "take_profit", at=NOON + 2 * HOUR)
    await rows.error("executor", trade.id, NOON + HOUR)
    return trade


async def test_a_trade_is_shown_with_everything_that_belongs_to_it(gateway: Gateway, rows: LedgerRows) -> None:
    trade = await closed_trade(rows)
    other = await rows.trade("ETH")
    await rows.entry(other)
    shown = (await gateway.http.get(f"/api/live_trading/signals/{trade.id}")).json()
    assert shown["signal"]["close_reason"] == "take_profit"
    assert shown["event"]["id"] == trade.event_id
    assert [entry["entry"] for entry in shown["entries"]] == [1, 2]
    assert [order["id"] for order in shown["orders"]] == trade.order_ids
    assert [fill["order_id"] for fill in shown["fills"]] == trade.order_ids
    assert [payment["amount_usdt"] for payment in shown["funding"]] == ["0.01"]
    assert shown["samples"]["count"] == 2
    assert [sample["verdict"] for sample in shown["samples"]["items"]] == ["hold", "take_profit"]
    assert shown["audit"]["count"] == 2
    assert shown["errors"]["count"] == 1


async def test_the_totals_of_a_finalised_trade_are_those_of_the_executor(gateway: Gateway, rows: LedgerRows) -> None:
    trade = await closed_trade(rows)
    totals = (await gateway.http.get(f"/api/live_trading/signals/{trade.id}")).json()["totals"]
    assert totals["net_pnl_usdt"] == "0.9079"
    assert totals["funding_usdt"] == "0.01"
    assert totals["pnl_complete"] is True
    assert totals["legs"]["long"]["open_quantity"] == "0.0"
    assert Decimal(totals["legs"]["long"]["average_entry_price"]) == 100
    assert Decimal(totals["legs"]["short"]["average_entry_price"]) == Decimal("101.6")
    assert totals["legs"]["short"]["funding_booked_usdt"] == "0.01"


async def test_until_it_is_finalised_a_flat_trade_knows_its_spread_and_fees_but_not_its_net(
    gateway: Gateway, rows: LedgerRows
) -> None:
    trade = await closed_trade(rows, finalised=False)
    totals = (await gateway.http.get(f"/api/live_trading/signals/{trade.id}")).json()["totals"]
    assert Decimal(totals["spread_pnl_usdt"]) == Decimal("1.10")
    assert Decimal(totals["fees_usdt"]) == Decimal("0.20155")
    assert totals["funding_usdt"] is None
    assert totals["net_pnl_usdt"] is None
    assert totals["pnl_complete"] is False


async def test_the_story_is_in_order_of_time_and_cause(gateway: Gateway, rows: LedgerRows) -> None:
    trade = await closed_trade(rows)
    story = (await gateway.http.get(f"/api/live_trading/signals/{trade.id}")).json()["story"]
    times = [datetime.fromisoformat(line["at"]) for line in story]
    assert times == sorted(times)
    beginnings = [
        "first saw the gap of SOL long binance / short bybit",
        "opened watchlist event",
        "recorded signal",
        "decided to open entry 1 of 0.5 a leg: the books gave 1.2000%",
        "decided: confirmed",
        "will buy 0.5 SOL on binance to open entry 1",
        "order to buy 0.5 SOL on binance is filled: 0.5 at 100",
        "entry 1 filled (k = 1): a spread of 1.2000%, 50.6 USDT a leg",
        "opened the trade in SOL",
        "asked for another entry",
        "entry 2 filled",
        "received 0.01 USDT of funding on bybit (short leg)",
        "met an error, venue unreachable",
        "will sell 1.0 SOL on binance to close the whole trade",
        "began to close: take profit",
        "closed the trade",
        "finalised the trade: net P&L 0.9079 USDT",
    ]
    told = [line["what"] for line in story]
    places = [next(place for place, what in enumerate(told) if what.startswith(start)) for start in beginnings]
    assert places == sorted(places)


async def test_an_account_that_was_corrected_is_told_as_it_was_and_as_it_is(gateway: Gateway, rows: LedgerRows) -> None:
    trade = await closed_trade(rows)
    final, later = NOON + 3 * HOUR, NOON + 4 * HOUR
    await rows.audit("finalised", "executor", trade.id, final, net_pnl_usdt="0.8979", funding_usdt="0")
    figures = {"net_pnl_usdt": "0.9079", "net_pnl_usdt_before": "0.8979"}
    await rows.audit("account_corrected", "executor", trade.id, later, **figures)
    shown = (await gateway.http.get(f"/api/live_trading/signals/{trade.id}")).json()
    assert [line["what"] for line in shown["story"][-2:]] == [
        "finalised the trade: net P&L 0.8979 USDT",
        "corrected the account for funding that a venue told of late: net P&L 0.9079 USDT, before 0.8979",
    ]
    assert shown["totals"]["net_pnl_usdt"] == "0.9079"


async def test_each_line_carries_the_figures_behind_it_down_to_the_swept_levels(
    gateway: Gateway, rows: LedgerRows
) -> None:
    trade = await closed_trade(rows)
    story = (await gateway.http.get(f"/api/live_trading/signals/{trade.id}")).json()["story"]
    planned = next(line for line in story if line["what"].startswith("decided to open entry 1"))
    assert planned["figures"]["execution"]["long_buy"]["taken"] == [["100", "0.5"]]
    assert (planned["figures"]["pnl_hat"], planned["figures"]["win_prob"]) == (0.01, 0.9)
    filled = next(line for line in story if line["what"].startswith("entry 1 filled"))
    assert filled["figures"]["residual"] == {"long": "0", "short": "0"}
    decision = next(line for line in story if line["what"] == "decided: confirmed")
    assert decision["figures"] == {"threshold": 0.007}


async def test_a_signal_that_was_only_skipped_has_a_story_too(gateway: Gateway, rows: LedgerRows) -> None:
    signal_id = await rows.signal(reason_evidence={"entry_spread_metric": 0.004})
    shown = (await gateway.http.get(f"/api/live_trading/signals/{signal_id}")).json()
    assert shown["signal"]["reason_evidence"] == {"entry_spread_metric": 0.004}
    assert shown["event"] is None
    assert shown["totals"]["fees_usdt"] is None
    assert [line["what"] for line in shown["story"]] == [f"recorded signal {signal_id}"]


async def test_many_samples_are_cut_to_the_newest_and_counted(gateway: Gateway, rows: LedgerRows) -> None:
    trade = await rows.trade()
    last = 0
    for number in range(203):
        last = await rows.sample(trade, at=NOON + timedelta(minutes=number))
    samples = (await gateway.http.get(f"/api/live_trading/signals/{trade.id}")).json()["samples"]
    assert samples["count"] == 203
    assert len(samples["items"]) == 200
    assert samples["items"][-1]["id"] == last


@pytest.mark.parametrize(("signal_id", "status"), [("999", 404), ("0", 422), ("one", 422), (str(2**63), 422)])
async def test_an_id_that_is_none_is_answered_with_a_problem(gateway: Gateway, signal_id: str, status: int) -> None:
    answer = await gateway.http.get(f"/api/live_trading/signals/{signal_id}")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert str(answer.json()["errors"][0]["value"]) == signal_id
