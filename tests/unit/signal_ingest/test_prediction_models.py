"""The built-in models against examples worked out by hand, and the history against a plain list."""

from datetime import timedelta
from math import inf
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signal_ingest.domain.prediction.history import OBSERVATIONS_MAX, WINDOW, PairHistory, pair_name
from signal_ingest.domain.prediction.linear import LinearModel, linear_forecast
from signal_ingest.domain.prediction.reversion import reversion_forecast, round_trip_fees
from support.observed_pairs import MOMENT, at

FEES = round_trip_fees(0.0005, 0.0005)


def history_of(*spreads: float) -> PairHistory:
    history = PairHistory(pair_name("SOL", "binance", "bybit"))
    for second, spread in enumerate(spreads):
        history.add(at(second), "binance", spread)
    return history


def test_fees_pay_for_both_legs_in_and_out() -> None:
    assert round_trip_fees(0.0004, 0.0006) == pytest.approx(0.002)


def test_reversion_by_hand() -> None:
    """Median 0.003; leaving at 0.001, 0.002, 0.003 and 0.018 of five would not lose: (4 + 4) / (5 + 8)."""
    history = history_of(0.001, 0.03, 0.002, 0.018, 0.003)
    forecast = reversion_forecast(history, "binance", 0.020, FEES)
    assert forecast is not None
    assert forecast.pnl_hat == pytest.approx(0.020 - 0.003 - 0.002)
    assert forecast.win_prob == pytest.approx(8 / 13)


def test_the_other_direction_sees_the_same_history_with_the_opposite_sign() -> None:
    """Seen from bybit the history is -0.030, -0.001, 0.004: median -0.001; 2 of 3 not above 0.003."""
    history = history_of(0.030, 0.001, -0.004)
    forecast = reversion_forecast(history, "bybit", 0.005, FEES)
    assert forecast is not None
    assert forecast.pnl_hat == pytest.approx(0.005 + 0.001 - 0.002)
    assert forecast.win_prob == pytest.approx((2 + 4) / (3 + 8))


def test_without_history_nothing_is_predicted() -> None:
    assert reversion_forecast(history_of(), "binance", 0.02, FEES) is None


def test_a_short_history_is_drawn_towards_one_half() -> None:
    shares = []
    for count in (1, 8, 100, 2000):
        forecast = reversion_forecast(history_of(*[0.0] * count), "binance", 0.02, FEES)
        assert forecast is not None
        shares.append(forecast.win_prob)
    assert shares == pytest.approx([5 / 9, 12 / 16, 104 / 108, 2004 / 2008])


@given(st.lists(st.tuples(st.floats(-0.1, 0.1), st.booleans()), min_size=1, max_size=60), st.floats(-0.1, 0.1))
def test_the_history_agrees_with_a_plain_list(seen: list[tuple[float, bool]], bound: float) -> None:
    history = PairHistory(pair_name("SOL", "bybit", "binance"))
    for spread, mirrored in seen:
        history.add(MOMENT, "bybit" if mirrored else "binance", spread)
    for venue, sign in (("binance", 1), ("bybit", -1)):
        plain = [sign * (-spread if mirrored else spread) for spread, mirrored in seen]
        assert history.median(venue) == pytest.approx(median(plain))
        assert history.count_at_most(bound, venue) == sum(spread <= bound for spread in plain)


def test_the_history_forgets_the_oldest_beyond_its_size() -> None:
    history = history_of(*[1.0] * 10, *[0.0] * OBSERVATIONS_MAX)
    assert len(history) == OBSERVATIONS_MAX
    assert history.count_at_most(0.5, "binance") == OBSERVATIONS_MAX


def test_the_history_forgets_what_is_older_than_its_window() -> None:
    history = history_of(1.0, 2.0)
    history.add(at(1) + WINDOW, "binance", 3.0)
    assert len(history) == 2
    history.add(at(1) + WINDOW + timedelta(milliseconds=1), "binance", 4.0)
    assert (len(history), history.count_at_most(inf, "binance"), history.median("binance")) == (2, 2, 3.5)


def test_linear_by_hand() -> None:
    """0.001 + 0.5 * 0.02 - 2 * 0.001 = 0.009, one deviation of 0.007 above the fees: Phi(1) = 0.841345."""
    model = LinearModel(0.001, {"spread": 0.5, "depth": -2.0}, residual_std=0.007)
    forecast = linear_forecast(model, {"spread": 0.02, "depth": 0.001, "unused": 1.0}, FEES)
    assert forecast is not None
    assert forecast.pnl_hat == pytest.approx(0.009)
    assert forecast.win_prob == pytest.approx(0.841345, abs=1e-6)


def test_linear_predicts_nothing_while_a_factor_is_missing() -> None:
    assert linear_forecast(LinearModel(0.0, {"depth": 1.0}, 0.01), {"spread": 0.02}, FEES) is None
