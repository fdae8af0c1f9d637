"""What may be sent in which trading state, and which rail moves it."""

from dataclasses import replace
from decimal import Decimal

import pytest

from common.domain.identifiers import Purpose
from executor.domain.rails import DayPnl, Rails, Standing, rail_hit
from executor.domain.trading_state import Authority, TradingState, may_send

RAILS = Rails(daily_loss_usdt=Decimal(100), unwinds_per_hour=3, clock_offset_seconds=2.0)


def day(final: str, not_final: str = "0") -> DayPnl:
    return DayPnl(Decimal(final), Decimal(not_final))


CALM = Standing(day("0"), 0, {"binance": 0.01, "bybit": None})


@pytest.mark.parametrize(
    ("state", "allowed"),
    [
        (TradingState.ACTIVE, {Purpose.OPEN, Purpose.CLOSE, Purpose.UNWIND}),
        (TradingState.REDUCING, {Purpose.CLOSE, Purpose.UNWIND}),
        (TradingState.HALTED, {Purpose.UNWIND}),
    ],
)
def test_what_the_strategy_may_send(state: TradingState, allowed: set[Purpose]) -> None:
    assert {purpose for purpose in Purpose if may_send(state, purpose, Authority.STRATEGY)} == allowed


@pytest.mark.parametrize("state", TradingState)
def test_an_operator_may_always_reduce_and_never_open(state: TradingState) -> None:
    allowed = {purpose for purpose in Purpose if may_send(state, purpose, Authority.OPERATOR)}
    assert allowed == {Purpose.CLOSE, Purpose.UNWIND}


@pytest.mark.parametrize(
    ("pnl", "unwinds", "offset", "expected"),
    [
        ("-99.99", 2, 1.99, None),
        ("-100", 2, 1.99, "daily_loss_limit"),
        ("-100.01", 2, 1.99, "daily_loss_limit"),
        ("0", 3, 1.99, "repeated_unwinds"),
        ("0", 2, 2.0, "clock_offset"),
        ("0", 2, -2.01, "clock_offset"),
        ("-100", 3, 2.0, "daily_loss_limit"),
        ("500", 0, 0.0, None),
    ],
)
def test_each_rail_at_its_boundary(pnl: str, unwinds: int, offset: float, expected: str | None) -> None:
    hit = rail_hit(Standing(day(pnl), unwinds, {"bybit": offset, "binance": None}), RAILS)
    assert (hit.reason if hit else None) == expected


def test_a_rail_at_zero_is_off() -> None:
    wild = Standing(day("-10000"), 99, {"bybit": 60.0})
    assert rail_hit(wild, Rails(Decimal(0), 0, 0.0)) is None
    assert rail_hit(CALM, RAILS) is None
    assert rail_hit(wild, replace(RAILS, daily_loss_usdt=Decimal(0))) is not None


@pytest.mark.parametrize(("final", "not_final", "is_hit"), [("-60", "-40", True), ("-120", "21", False)])
def test_what_is_not_final_counts_for_the_loss_of_a_day(final: str, not_final: str, is_hit: bool) -> None:
    hit = rail_hit(Standing(day(final, not_final), 0, {}), RAILS)
    assert (hit is not None) is is_hit
    if hit is not None:
        assert hit.evidence == {"net_pnl_usdt": "-100", "of_which_not_final_usdt": "-40", "limit_usdt": "100"}
