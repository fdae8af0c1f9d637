"""Each invariant speaks up about the one thing that breaks it, and says nothing of books that agree."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from chaos import invariants

NOON = datetime(2025, 10, 10, 12, tzinfo=UTC)


def intended(
    name: str, venue: str, side: str, quantity: str = "1", trade: int = 1, status: str = "open"
) -> dict[str, Any]:
    return {
        "client_order_id": name,
        "venue": venue,
        "symbol": "X",
        "side": side,
        "filled_quantity": Decimal(quantity),
        "signal_id": trade,
        "trade_status": status,
    }


def taken(name: str, quantity: str = "1", quote: str = "50", *, reduce_only: bool = False) -> dict[str, Any]:
    return {
        "client_order_id": name,
        "venue_order_id": f"order-{name}",
        "filled_quantity": quantity,
        "quote_usdt": quote,
        "reduce_only": reduce_only,
    }


def ledger(venue: str, held: str, *orders: dict[str, Any]) -> dict[str, Any]:
    positions = [{"symbol": "X", "quantity": held}] if held != "0" else []
    return {"venue": venue, "orders": list(orders), "positions": positions, "fills": []}


HEDGED = [intended("a", "bybit", "buy"), intended("b", "binance", "sell")]


def test_books_that_agree_break_nothing() -> None:
    ledgers = [ledger("bybit", "1", taken("a")), ledger("binance", "-1", taken("b"))]
    assert invariants.positions(ledgers, HEDGED) == []
    assert invariants.effects(ledgers, HEDGED) == []
    assert invariants.limits(ledgers, HEDGED) == []


def test_a_venue_that_holds_more_than_the_ledger_is_told_and_so_is_the_leg_it_stands_on() -> None:
    found = invariants.positions([ledger("bybit", "2"), ledger("binance", "-1")], HEDGED)
    assert [line[:3] for line in found] == ["(a)", "(a)"]
    assert "bybit holds 2 X, the ledger 1" in found[0]
    assert "stands on one leg" in found[1]


def test_a_trade_that_is_over_and_not_flat_is_told() -> None:
    over = [intended("a", "bybit", "buy", status="failed"), intended("b", "binance", "sell", "0", status="failed")]
    found = invariants.positions([ledger("bybit", "1"), ledger("binance", "0")], over)
    assert "(a) trade 1 is over and has 1 on bybit" in found


def test_an_order_that_took_effect_twice_is_told() -> None:
    ledgers = [ledger("bybit", "1", taken("a"), taken("a")), ledger("binance", "-1", taken("b"))]
    assert invariants.effects(ledgers, HEDGED) == ["(b) bybit took a 2 times"]


def test_an_order_without_an_intent_and_one_with_another_fill_are_told() -> None:
    ledgers = [ledger("bybit", "1", taken("z")), ledger("binance", "-1", taken("b", "3"))]
    unintended, differs = invariants.effects(ledgers, HEDGED)
    assert "z, which nobody intended" in unintended
    assert "filled b with 3, the ledger has 1" in differs


def test_an_order_of_somebody_else_is_right_once_its_fill_is_booked_by_its_id() -> None:
    by_hand = ledger("bybit", "0", taken("a"), taken("by-hand", reduce_only=True))
    by_hand["fills"] = [
        {"client_order_id": "by-hand", "venue_order_id": "order-by-hand", "symbol": "X", "fill_id": "7"},
        {"client_order_id": "a", "venue_order_id": "order-a", "symbol": "X", "fill_id": "6"},
    ]
    booked = [*HEDGED, intended("external-bybit-X-7", "bybit", "sell")]
    assert invariants.effects([by_hand], booked) == []
    assert len(invariants.effects([by_hand], HEDGED)) == 1
    named = invariants.as_booked(by_hand, {"a"})["fills"]
    assert [fill["client_order_id"] for fill in named] == ["external-bybit-X-7", "a"]


def test_two_trades_of_a_symbol_at_once_are_told() -> None:
    first = {"symbol": "X", "id": 1, "opened_at": NOON, "closed_at": NOON + timedelta(hours=1)}
    after = {"symbol": "X", "id": 2, "opened_at": NOON + timedelta(hours=1), "closed_at": NOON + timedelta(hours=2)}
    assert invariants.overlaps([first, after]) == []
    within = {**after, "opened_at": NOON + timedelta(minutes=59)}
    assert invariants.overlaps([first, within]) == ["(c) trades 1 and 2 of X were open at once"]


def test_more_than_the_cap_on_a_leg_is_told_at_its_highest() -> None:
    entries = [taken("a", quote="50"), taken("a2", quote="50"), taken("a3", quote="50")]
    closed = [*entries, taken("c", quote="150", reduce_only=True)]
    orders = [intended(name, "bybit", "buy") for name in ("a", "a2", "a3", "c")]
    (found,) = invariants.limits([ledger("bybit", "0", *closed)], orders)
    assert found.startswith("(d) trade 1 reached 150 USDT on bybit")
