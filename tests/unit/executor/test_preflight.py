"""SPEC 4, step 8: both legs are checked before either is sent, and a failure names the leg and the limit."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from common.domain.identifiers import Leg
from common.domain.instruments import Instrument
from executor.domain.preflight import LegReadiness, refuse_leg

SOL = Instrument(
    "bybit",
    "SOL",
    quantity_step=Decimal("0.1"),
    quantity_min=Decimal("0.1"),
    notional_min=Decimal(5),
    price_tick=Decimal("0.01"),
    quantity_max=Decimal(100),
    leverage_max=Decimal(10),
)
READY = LegReadiness(Leg.LONG, SOL, Decimal("102"), True, held=Decimal(0), expected=Decimal(0))


def limit(leg: LegReadiness = READY, quantity: str = "1", price: str = "200", leverage: int = 2) -> str | None:
    refusal = refuse_leg(leg, Decimal(quantity), Decimal(price), leverage)
    if refusal is None:
        return None
    assert refusal.reason == "preflight_failed"
    assert refusal.evidence["leg"] == "long"
    assert refusal.evidence["venue"] == "bybit"
    return str(refusal.evidence["limit"])


@pytest.mark.parametrize("for_now", [True, False])
def test_a_halted_contract_is_not_opened_and_tried_again_where_that_may_pass(for_now: bool) -> None:
    halted = replace(READY, instrument=replace(SOL, halted="the venue says so", halted_for_now=for_now))
    assert limit(halted) == "halted"
    refusal = refuse_leg(halted, Decimal(1), Decimal(200), 2)
    assert refusal is not None
    assert refusal.retryable == for_now


def test_a_leg_with_exactly_the_margin_it_needs_is_ready() -> None:
    assert limit() is None


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"quantity": "0"}, "lot"),
        ({"quantity": "0.05"}, "lot"),
        ({"quantity": "1.05"}, "lot"),
        ({"quantity": "100.1"}, "lot"),
        ({"quantity": "0.1", "price": "49"}, "lot"),
        ({"leverage": 11}, "leverage"),
        ({"leg": replace(READY, is_one_way=False)}, "position_mode"),
        ({"leg": replace(READY, free_usdt=Decimal("101.99"))}, "margin"),
        ({"leg": replace(READY, held=Decimal("0.1"))}, "position"),
        ({"leg": replace(READY, expected=Decimal(1))}, "position"),
    ],
)
def test_each_limit_is_named(change: Any, expected: Any) -> None:
    assert limit(**change) == expected


def test_a_position_that_the_ledger_expects_is_no_hindrance() -> None:
    assert limit(replace(READY, held=Decimal(-2), expected=Decimal(-2))) is None
