"""Each invariant speaks up about the one thing that breaks it, and says nothing of books that agree."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from chaos import invariants
from chaos.paper_books import paper_ledgers
from local_stack.reconciliation import VenueLedger

NOON = datetime(2025, 10, 10, 12, tzinfo=UTC)


def intended(
    name: str,
    venue: str,
    side: str,
    quantity: str = "1",
    trade: int | None = 1,
    status: str | None = "open",
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


def test_what_is_closed_by_hand_twice_is_no_order_of_ours_that_took_effect_twice() -> None:
    by_hand = ledger("bybit", "0", taken("a"), taken("", reduce_only=True), taken("", reduce_only=True))
    by_hand["fills"] = [
        {"client_order_id": "", "venue_order_id": "order-", "symbol": "X", "fill_id": "7"},
    ]
    booked = [*HEDGED, intended("external-bybit-X-7", "bybit", "sell")]
    assert invariants.effects([by_hand], booked) == []


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


def filled(name: str, fee: str = "0.05", profit: str = "0") -> dict[str, Any]:
    return {
        "client_order_id": name,
        "fill_id": f"fill-{name}",
        "side": "sell",
        "price": "50",
        "quantity": "1",
        "fee": fee,
        "realised_pnl_usdt": profit,
    }


def test_what_is_opened_by_hand_and_flattened_counts_like_any_order() -> None:
    by_hand = intended("by-hand-1", "bybit", "buy", trade=None, status=None)
    flatten = intended("f", "bybit", "sell", trade=None, status=None)
    venue = ledger("bybit", "0", taken("by-hand-1"), taken("f"))
    assert invariants.positions([venue], [by_hand, flatten]) == []
    assert invariants.effects([venue], [by_hand, flatten]) == []
    assert invariants.positions([venue], [by_hand]) == ["(a) bybit holds 0 X, the ledger 1"]
    assert invariants.effects([venue], [by_hand]) == ["(b) bybit took f, which nobody intended"]


def test_a_fill_of_a_flatten_that_is_not_booked_or_booked_otherwise_is_told() -> None:
    venue = {"venue": "bybit", "fills": [filled("f"), filled("of a trade")]}
    booked = {"venue": "bybit", **filled("f")}
    assert invariants.flattened([venue], {"f"}, [booked]) == []
    assert "Tandem has None" in invariants.flattened([venue], {"f"}, [])[0]
    assert len(invariants.flattened([venue], {"f"}, [{**booked, "fee": None}])) == 1
    assert "the venue None" in invariants.flattened([{**venue, "fills": []}], {"f"}, [booked])[0]


def test_what_no_trade_held_is_taken_out_of_the_accounts_with_all_that_it_earned() -> None:
    venue = {"venue": "bybit", "fills": [filled("f", "0.05", "-1"), filled("a", "0.05", "3")], "balance_usdt": "101.9"}
    kept = invariants.without(venue, {"f"})
    assert (kept["balance_usdt"], [fill["client_order_id"] for fill in kept["fills"]]) == (Decimal("102.95"), ["a"])


def test_a_trading_state_that_was_not_asked_for_or_not_told_is_told() -> None:
    asked = ["active", "reducing", "reducing", "active"]
    assert invariants.states(asked, ["reducing", "active"], ["reducing", "active"], "active") == []
    assert invariants.states([], [], [], "active") == []
    (lost,) = invariants.states(asked, ["reducing", "active"], ["active"], "active")
    assert "the operators were told ['active']" in lost
    twice = invariants.states(asked, ["reducing", "active", "reducing"], ["reducing", "active", "reducing"], "reducing")
    assert [line[:3] for line in twice] == ["(h)", "(h)"]


def test_an_alert_that_is_in_no_message_is_told_unless_one_of_the_unnamed_may_be_it() -> None:
    heard = [
        {"title": "X trade 1 opened", "message": "X trade 1 opened. See: tandem explain 1"},
        {"title": "Tandem: 5 alerts (5 opened)", "message": "X trade 2 opened\nX trade 3 opened\nand 3 more"},
    ]
    assert invariants.unheard(["X trade 1 opened", "X trade 3 opened"], heard) == []
    assert invariants.unheard(["X trade 4 opened"], heard) == []
    (lost,) = invariants.unheard(["X trade 4 opened"], heard[:1])
    assert lost.startswith("(j) 1 alerts were delivered to nobody, and 0 not named")


def test_a_paper_account_is_a_ledger_like_a_venues() -> None:
    fee, price, quantity = Decimal("0.05"), Decimal(50), Decimal(1)
    account = {"venue": "bybit", "balance_usdt": Decimal("9999.98")}
    order = {"id": 7, "venue": "bybit", "symbol": "X", "side": "buy", "reduce_only": False, "client_order_id": "a"}
    fill = {"id": 8, "venue": "bybit", "symbol": "X", "side": "buy", "order_id": 7, "client_order_id": "a"}
    payment = {"id": 9, "venue": "bybit", "symbol": "X", "amount_usdt": Decimal("0.03")}
    (shown,) = paper_ledgers(
        {
            "accounts": [account],
            "orders": [{**order, "filled_quantity": quantity, "average_price": price}],
            "fills": [{**fill, "price": price, "quantity": quantity, "fee_usdt": fee}],
            "positions": [{"venue": "bybit", "symbol": "X", "quantity": quantity}],
            "funding": [payment],
        }
    )
    bought = [intended("a", "bybit", "buy")]
    assert invariants.effects([shown], bought) == []
    assert invariants.limits([shown], bought) == []
    assert invariants.positions([shown], []) != []
    compared = VenueLedger.model_validate(shown)
    assert (compared.fees_usdt, compared.funding_usdt) == (fee, Decimal("0.03"))
    assert compared.earned_usdt == compared.funding_usdt - fee
    assert (compared.fills[0].fill_id, compared.funding_payments[0].payment_id) == ("8", "9")


def test_an_unfilled_order_of_a_paper_account_cost_nothing() -> None:
    order = {"id": 7, "venue": "bybit", "symbol": "X", "side": "buy", "reduce_only": False, "client_order_id": "a"}
    unfilled = {**order, "filled_quantity": Decimal(0), "average_price": None}
    (shown,) = paper_ledgers({"accounts": [{"venue": "bybit", "balance_usdt": Decimal(1)}], "orders": [unfilled]})
    assert (shown["orders"][0]["quote_usdt"], shown["fills"], shown["positions"]) == (Decimal(0), [], [])
