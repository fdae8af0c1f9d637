"""Tandem's books must equal the venues' ledgers in every figure; each disagreement is told in a sentence."""

from typing import Any

from common.domain.identifiers import Leg, Purpose, client_order_id
from local_stack.reconciliation import VenueLedger, differences
from local_stack.trades import Trade, trade_of


def story() -> dict[str, Any]:
    """Bought 1 at 100 on binance and sold it at 103; sold 1 at 104 on bybit and bought it at 103.5."""
    orders = [
        order(1, "binance", "buy", "long"),
        order(2, "bybit", "sell", "short"),
        order(3, "binance", "sell", "long"),
        order(4, "bybit", "buy", "short"),
    ]
    fills = [
        fill(1, "binance", "buy", "100"),
        fill(2, "bybit", "sell", "104"),
        fill(3, "binance", "sell", "103"),
        fill(4, "bybit", "buy", "103.5"),
    ]
    signal = {
        "id": 7,
        "symbol": "SOL",
        "status": "closed",
        "long_venue": "binance",
        "short_venue": "bybit",
        "close_reason": "take_profit",
        "finalised_at": "2025-10-10T22:00:00Z",
        "fees_usdt": "0.4",
        "funding_usdt": "0.05",
        "net_pnl_usdt": "3.15",
    }
    funding = [{"venue": "bybit", "payment_id": "f-1", "amount_usdt": "0.05"}]
    return {"signal": signal, "entries": [], "orders": orders, "fills": fills, "funding": funding}


def order(number: int, venue: str, side: str, leg: str) -> dict[str, Any]:
    return {
        "id": number,
        "client_order_id": f"t{number}",
        "venue": venue,
        "leg": leg,
        "purpose": "open",
        "entry": 1,
        "side": side,
        "status": "filled",
        "filled_quantity": "1",
        "average_price": None,
    }


def fill(number: int, venue: str, side: str, price: str) -> dict[str, Any]:
    return {
        "order_id": number,
        "venue": venue,
        "fill_id": f"x{number}",
        "side": side,
        "price": price,
        "quantity": "1",
        "fee_usdt": "0.1",
    }


def ledger(venue: str, balance: str, fills: list[dict[str, Any]], payments: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "venue": venue,
        "initial_balance_usdt": "1000",
        "balance_usdt": balance,
        "fees_usdt": "0.2",
        "funding_usdt": "0",
        "fills": fills,
        "funding_payments": payments,
        "positions": [],
    }


def venue_fill(number: int, side: str, price: str) -> dict[str, Any]:
    return {
        "fill_id": f"x{number}",
        "client_order_id": f"t{number}",
        "side": side,
        "price": price,
        "quantity": "1",
        "fee": "0.1",
    }


def ledgers() -> dict[str, dict[str, Any]]:
    bought_cheap = [venue_fill(1, "buy", "100"), venue_fill(3, "sell", "103")]
    sold_dear = [venue_fill(2, "sell", "104"), venue_fill(4, "buy", "103.5")]
    payment = {"payment_id": "f-1", "amount_usdt": "0.05"}
    return {
        "binance": ledger("binance", "1002.8", bought_cheap, []),
        "bybit": ledger("bybit", "1000.35", sold_dear, [payment]),
    }


def compared(told: dict[str, Any], venues: dict[str, dict[str, Any]]) -> list[str]:
    trades: list[Trade] = [trade_of(told)]
    return differences(trades, [VenueLedger.model_validate(one) for one in venues.values()])


def test_equal_books_have_no_difference() -> None:
    assert compared(story(), ledgers()) == []


def test_equal_figures_may_be_written_differently() -> None:
    told = story()
    told["fills"][0]["price"] = "100.000"
    assert compared(told, ledgers()) == []


def test_an_id_that_the_venue_spells_in_its_own_way_is_still_ours() -> None:
    told, venues = story(), ledgers()
    ours = client_order_id("0123456789abcdef", 1, Leg.LONG, Purpose.OPEN, 1)
    told["orders"][0]["client_order_id"] = ours
    venues["binance"]["fills"][0]["client_order_id"] = f"0x0000{ours}"
    assert compared(told, venues) == []


def test_a_fee_that_differs_in_the_last_digit_is_found() -> None:
    venues = ledgers()
    venues["binance"]["fills"][0]["fee"] = "0.10000001"
    (difference,) = compared(story(), venues)
    assert difference.startswith("fill binance t1 x1: Tandem has")


def test_a_fee_that_tandem_does_not_know_is_a_difference() -> None:
    told = story()
    told["fills"][0]["fee_usdt"] = None
    assert any(line.startswith("fill binance t1 x1") for line in compared(told, ledgers()))


def test_a_fill_that_only_one_side_has_is_found() -> None:
    venues = ledgers()
    venues["bybit"]["fills"].append(venue_fill(9, "buy", "1"))
    assert "fill bybit t9 x9: the venue has it, Tandem does not" in compared(story(), venues)
    venues["bybit"]["fills"] = venues["bybit"]["fills"][:1]
    assert "fill bybit t4 x4: Tandem has it, the venue does not" in compared(story(), venues)


def test_a_funding_payment_that_was_not_booked_is_found() -> None:
    told = story()
    told["funding"] = []
    assert "funding payment bybit f-1: the venue has it, Tandem does not" in compared(told, ledgers())


def test_a_position_that_is_left_at_a_venue_is_found() -> None:
    venues = ledgers()
    venues["bybit"]["positions"] = [{"symbol": "SOL", "quantity": "-0.1"}]
    assert compared(story(), venues) == ["bybit still holds -0.1 SOL"]


def test_a_stored_total_must_be_the_sum_of_its_rows_and_of_the_balances() -> None:
    told = story()
    told["signal"]["net_pnl_usdt"] = "3.16"
    assert compared(told, ledgers()) == [
        "trade 7: net P&L is stored as 3.16, its rows sum to 3.15",
        "net P&L: Tandem has 3.16 USDT, the balances of the venues changed by 3.15 USDT",
    ]


def test_an_open_trade_is_compared_by_its_fills_alone() -> None:
    told = story()
    told["signal"] |= {"status": "open", "finalised_at": None, "net_pnl_usdt": None}
    venues = ledgers()
    venues["bybit"]["positions"] = [{"symbol": "SOL", "quantity": "-1"}]
    assert compared(told, venues) == []
