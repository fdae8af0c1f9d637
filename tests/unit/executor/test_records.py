"""A trade with its entries and orders: numbers are never used twice, and positions are what filled."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from common.domain.identifiers import Leg, Purpose, client_order_id
from executor.domain.order_machine import OrderStatus
from executor.domain.records import WHOLE_TRADE, Entry, Order, TradeBook, new_order
from support.recorded_trade import ENTRY, LONG_ORDER, TRADE


def entry(number: int, status: str = "filled") -> Entry:
    return replace(ENTRY, id=number, entry=number, status=status)


def order(
    number: int,
    leg: Leg,
    purpose: Purpose = Purpose.OPEN,
    *,
    attempt: int = 1,
    filled: str = "1",
    price: str | None = "100",
    status: OrderStatus = OrderStatus.FILLED,
) -> Order:
    wanted = new_order(TRADE, number, leg, purpose, attempt, Decimal(1), Decimal(100))
    return replace(
        LONG_ORDER,
        entry=number,
        leg=leg,
        purpose=purpose,
        attempt=attempt,
        client_order_id=wanted.client_order_id,
        venue=wanted.venue,
        side=wanted.side,
        reduce_only=wanted.reduce_only,
        quantity=wanted.quantity,
        status=status,
        filled_quantity=Decimal(filled),
        average_price=Decimal(price) if price else None,
        booked_quantity=Decimal(0),
    )


def book(entries: Sequence[Entry] = (), orders: Sequence[Order] = ()) -> TradeBook:
    return TradeBook(TRADE, entries, orders)


@pytest.mark.parametrize(
    ("statuses", "number"),
    [([], 1), (["filled"], 2), (["filled", "failed"], 3), (["failed", "failed", "filled"], 4)],
)
def test_the_next_entry_counts_attempts_that_failed_too(statuses: list[str], number: int) -> None:
    assert book([entry(n, status) for n, status in enumerate(statuses, start=1)]).next_entry == number


def test_only_filled_entries_count_and_in_their_order() -> None:
    entries = [entry(3), entry(2, "failed"), entry(1), entry(4, "opening")]
    assert [found.entry for found in book(entries).filled_entries] == [1, 3]


def test_the_next_attempt_is_counted_for_one_leg_and_one_purpose() -> None:
    orders = [
        order(WHOLE_TRADE, Leg.LONG, Purpose.CLOSE, attempt=2),
        order(WHOLE_TRADE, Leg.SHORT, Purpose.CLOSE, attempt=5),
        order(1, Leg.LONG, Purpose.UNWIND, attempt=7),
    ]
    assert book(orders=orders).next_attempt(WHOLE_TRADE, Leg.LONG, Purpose.CLOSE) == 3
    assert book(orders=orders).next_attempt(1, Leg.LONG, Purpose.CLOSE) == 1


def test_a_position_is_what_filled_whatever_the_order_came_to() -> None:
    orders = [
        order(1, Leg.LONG, filled="0.4", status=OrderStatus.PARTLY_FILLED),
        order(1, Leg.LONG, Purpose.UNWIND, filled="0.1"),
        order(2, Leg.LONG, filled="0", price=None, status=OrderStatus.REJECTED),
        order(1, Leg.SHORT, filled="0.3"),
    ]
    assert book(orders=orders).position(Leg.LONG).quantity == Decimal("0.3")
    assert book(orders=orders).position(Leg.SHORT).quantity == Decimal("0.3")


def test_a_fill_whose_price_is_not_known_yet_counts_at_the_price_that_was_swept() -> None:
    held = book(orders=[order(1, Leg.LONG, filled="1", price=None)]).position(Leg.LONG)
    assert (held.quantity, held.average_price) == (Decimal(1), Decimal(100))


@pytest.mark.parametrize("status", [OrderStatus.INTENT, OrderStatus.WORKING, OrderStatus.UNKNOWN])
def test_an_order_without_an_outcome_is_unresolved(status: OrderStatus) -> None:
    waiting = order(1, Leg.LONG, filled="0", price=None, status=status)
    assert book(orders=[waiting, order(1, Leg.SHORT)]).unresolved_orders == [waiting]


def test_an_entry_whose_opening_order_is_missing_is_said() -> None:
    orders = [order(2, Leg.LONG), order(1, Leg.SHORT), order(1, Leg.LONG, Purpose.UNWIND)]
    with pytest.raises(LookupError, match="entry 1 of trade 7 has no opening order on its long leg"):
        book([entry(1)], orders).opening_order(entry(1), Leg.LONG)
    assert book(orders=orders).opening_order(entry(2), Leg.LONG) is orders[0]


@pytest.mark.parametrize("purpose", [Purpose.OPEN, Purpose.UNWIND, Purpose.CLOSE])
def test_only_an_opening_order_may_increase(purpose: Purpose) -> None:
    made = new_order(TRADE, 1, Leg.SHORT, purpose, 1, Decimal(1), Decimal(100))
    assert made.reduce_only is (purpose is not Purpose.OPEN)
    assert made.venue == "binance"
    assert made.client_order_id == client_order_id(TRADE.order_key, 1, Leg.SHORT, purpose, 1)


def test_orders_are_found_by_the_ids_that_were_just_committed() -> None:
    mine, other = order(1, Leg.LONG), replace(order(1, Leg.LONG), client_order_id="left by an earlier process")
    assert book(orders=[other, mine]).orders_named([mine.client_order_id]) == [mine]
