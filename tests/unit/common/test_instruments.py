"""One quantity that both venues can trade, and why a venue would refuse one."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.domain.instruments import Instrument, common_step, floor_to_step, lot_violation, pair_quantity

STEPS = st.sampled_from([Decimal(text) for text in ("0.001", "0.01", "0.025", "0.1", "0.2", "0.3", "1", "10")])


def instrument(step: str = "0.01", **changes: Any) -> Instrument:
    plain = Instrument("binance", "SOL", Decimal(step), Decimal(step), Decimal(5), Decimal("0.01"))
    return replace(plain, **changes)


@given(STEPS, STEPS)
def test_the_common_step_is_the_smallest_multiple_of_both(first: Decimal, second: Decimal) -> None:
    step = common_step(first, second)
    assert step % first == 0
    assert step % second == 0
    smaller = [n * first for n in range(1, int(step / first))]
    assert not any(candidate % second == 0 for candidate in smaller)


@given(st.decimals("1", "10000", places=2), st.decimals("0.01", "1000", places=2), STEPS, STEPS)
def test_both_legs_can_trade_the_pair_quantity_and_it_stays_within_the_notional(
    usdt: Decimal, price: Decimal, long_step: Decimal, short_step: Decimal
) -> None:
    quantity = pair_quantity(usdt, price, instrument(str(long_step)), instrument(str(short_step)))
    assert quantity % long_step == 0
    assert quantity % short_step == 0
    assert quantity * price <= usdt * (1 + Decimal("1e-24"))
    assert (quantity + common_step(long_step, short_step)) * price > usdt * (1 - Decimal("1e-24"))


@pytest.mark.parametrize(("quantity", "floored"), [("0.099", "0"), ("0.1", "0.1"), ("0.19", "0.1"), ("0.2", "0.2")])
def test_flooring_at_the_edges_of_a_step(quantity: str, floored: str) -> None:
    assert floor_to_step(Decimal(quantity), Decimal("0.1")) == Decimal(floored)


@pytest.mark.parametrize(
    ("quantity", "price", "refused_for"),
    [
        ("0.05", "100", None),
        ("0.04", "100", "notional"),
        ("0", "100", "minimum"),
        ("0.009", "1000", "minimum"),
        ("0.055", "100", "lot step"),
        ("10", "100", None),
        ("10.01", "100", "maximum"),
    ],
)
def test_a_venue_would_refuse_for_a_named_limit(quantity: str, price: str, refused_for: str | None) -> None:
    refusal = lot_violation(instrument(quantity_max=Decimal(10)), Decimal(quantity), Decimal(price))
    assert refusal is None if refused_for is None else refused_for in (refusal or "")
