"""What explains a difference between ledger and venue: only fills, only whole stories, and never more than is ours."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from common.domain.identifiers import Leg, Purpose, Side
from executor.domain.reconciliation import (
    DriftKind,
    ExternalPart,
    LegDrift,
    SeenFill,
    explain,
    external_order_id,
    leg_drift,
)
from executor.domain.records import TradeBook
from support.recorded_trade import ENTRY, LONG_ORDER, OPENED_AT, TRADE

HALF_A_LOT = Decimal("0.05")
LOOKED_AT = OPENED_AT - timedelta(seconds=1)
LOOKED = replace(ENTRY, snapshot={"positions_asked_at": {"long": LOOKED_AT.isoformat()}})
OPENED = replace(LONG_ORDER, venue_order_id="ours")
OURS = SeenFill("f-1", "ours", Side.BUY, Decimal(5), Decimal(100), OPENED_AT)


def theirs(fill_id: str, side: Side, quantity: int, seconds: int = 60) -> SeenFill:
    return SeenFill(
        fill_id, f"by-{fill_id}", side, Decimal(quantity), Decimal(101), OPENED_AT + timedelta(seconds=seconds)
    )


def book(*booked: ExternalPart) -> TradeBook:
    """A long leg of 5, less what is booked as somebody else's."""
    external = [
        replace(
            OPENED,
            purpose=Purpose.EXTERNAL,
            side=Side.SELL,
            client_order_id=external_order_id("bybit", "SOL", part.fill.fill_id),
            venue_order_id=part.fill.venue_order_id,
            filled_quantity=part.quantity,
            intended_at=OPENED_AT + timedelta(minutes=5),
        )
        for part in booked
    ]
    return TradeBook(TRADE, [LOOKED], [OPENED, *external])


def drift(held: TradeBook, position: int) -> LegDrift:
    found = leg_drift(held, Leg.LONG, Decimal(position), Decimal(0), HALF_A_LOT)
    assert found is not None
    return found


def parts(held: TradeBook, position: int, fills: Sequence[SeenFill], taken: Sequence[str] = ()) -> dict[str, Decimal]:
    explanation = explain(held, drift(held, position), [OURS, *fills], taken, HALF_A_LOT)
    assert (explanation.kind is DriftKind.EXTERNAL_CLOSE) == bool(explanation.others)
    return {part.fill.fill_id: part.quantity for part in explanation.others}


@pytest.mark.parametrize(
    ("position", "foreign", "missing", "surplus"),
    [(0, 0, 5, 0), (3, 0, 2, 0), (8, 0, 0, 3), (-3, 0, 5, 0), (5, 3, 0, 0), (0, 3, 5, 0)],
)
def test_what_is_missing_is_never_more_than_the_ledger_holds(
    position: int, foreign: int, missing: int, surplus: int
) -> None:
    found = leg_drift(book(), Leg.LONG, Decimal(position), Decimal(foreign), HALF_A_LOT)
    assert found is not None
    assert [found.missing, found.surplus] == [missing, surplus]


@pytest.mark.parametrize(("position", "foreign"), [("5", "0"), ("8", "3"), ("5.05", "0"), ("4.95", "0")])
def test_what_is_known_to_be_theirs_and_less_than_half_a_lot_is_no_drift(position: str, foreign: str) -> None:
    assert leg_drift(book(), Leg.LONG, Decimal(position), Decimal(foreign), HALF_A_LOT) is None


def test_a_close_by_hand_is_its_fill() -> None:
    assert parts(book(), 0, [theirs("a", Side.SELL, 5)]) == {"a": 5}


def test_who_opened_the_other_way_between_our_look_and_our_order_took_what_was_netted() -> None:
    assert parts(book(), 2, [theirs("a", Side.SELL, 3, seconds=-1)]) == {"a": 3}


def test_an_entry_that_does_not_say_when_the_position_was_looked_at_begins_with_its_order() -> None:
    silent = replace(book(), entries=[replace(ENTRY, snapshot={})])
    assert parts(silent, 2, [theirs("a", Side.SELL, 3, seconds=-1)]) == {}
    assert parts(silent, 2, [theirs("a", Side.SELL, 3, seconds=0)]) == {"a": 3}


def test_of_a_fill_that_is_larger_than_the_leg_only_the_leg_is_ours() -> None:
    assert parts(book(), -3, [theirs("a", Side.SELL, 8)]) == {"a": 5}


def test_who_opened_by_hand_and_closed_more_than_that_took_the_rest_from_us() -> None:
    assert parts(book(), 0, [theirs("a", Side.BUY, 3), theirs("b", Side.SELL, 8)]) == {"b": 5}


def test_who_opened_by_hand_and_closed_just_that_took_nothing() -> None:
    assert leg_drift(book(), Leg.LONG, Decimal(5), Decimal(0), HALF_A_LOT) is None


def test_the_newest_fills_explain_first() -> None:
    fills = [theirs("a", Side.SELL, 2), theirs("b", Side.BUY, 2), theirs("c", Side.SELL, 1), theirs("d", Side.SELL, 2)]
    assert parts(book(), 2, fills) == {"c": 1, "d": 2}


def test_what_is_booked_already_explains_nothing_more() -> None:
    first, second = theirs("a", Side.SELL, 2), theirs("b", Side.SELL, 2)
    booked = book(ExternalPart(first, Decimal(2)))
    assert parts(booked, 1, [first, second]) == {"b": 2}
    explanation = explain(booked, drift(booked, 1), [OURS, first], (), HALF_A_LOT)
    assert explanation.kind is DriftKind.UNEXPLAINED


@pytest.mark.parametrize(
    "fills",
    [
        pytest.param([], id="no fill at all"),
        pytest.param([theirs("a", Side.SELL, 4)], id="a part of the story"),
        pytest.param([theirs("a", Side.BUY, 5)], id="the wrong side"),
        pytest.param([theirs("a", Side.SELL, 5, seconds=-2)], id="before we looked at the position"),
    ],
)
def test_what_the_fills_do_not_explain_in_full_is_not_explained(fills: list[SeenFill]) -> None:
    explanation = explain(book(), drift(book(), 0), [OURS, *fills], (), HALF_A_LOT)
    assert (explanation.kind, explanation.others) == (DriftKind.UNEXPLAINED, ())


def test_nothing_is_explained_while_a_fill_of_ours_is_not_shown() -> None:
    explanation = explain(book(), drift(book(), 0), [theirs("a", Side.SELL, 5)], (), HALF_A_LOT)
    assert explanation.kind is DriftKind.UNEXPLAINED


def test_the_fills_of_an_earlier_trade_on_the_symbol_explain_nothing() -> None:
    earlier = theirs("a", Side.SELL, 5)
    explanation = explain(book(), drift(book(), 0), [OURS, earlier], [earlier.venue_order_id], HALF_A_LOT)
    assert explanation.kind is DriftKind.UNEXPLAINED


def test_an_order_of_ours_that_filled_more_than_we_knew_comes_first() -> None:
    held = TradeBook(TRADE, (), [replace(OPENED, filled_quantity=Decimal(2))])
    explanation = explain(held, drift(held, 5), [OURS], (), HALF_A_LOT)
    assert (explanation.kind, explanation.ours) == (DriftKind.MISSED_FILL, {"ours": Decimal(5)})
