"""SPEC 4, steps 5 to 7: which books may be traded on, in which direction, for which quantity."""

from dataclasses import replace
from decimal import Decimal
from math import log
from typing import Any

import pytest

from common.domain.instruments import Instrument
from common.domain.order_book import OrderBook, book_side
from executor.domain.entry_sweep import (
    EntryRules,
    EntrySweep,
    Venue,
    choose_direction,
    refuse_books,
    refuse_old_sweep,
    refuse_sample,
    sweep_direction,
)
from executor.domain.refusal import Refusal

RULES = EntryRules(per_leg_usdt=Decimal(1000), take_profit_ratio=0.7, book_age_max_seconds=2)


def reason_of(refusal: Refusal | None) -> str | None:
    return refusal.reason if refusal else None


def venue(name: str, bid: str, ask: str, *, depth: str = "100", step: str = "0.1", at: float = 10.0) -> Venue:
    book = OrderBook(name, "SOL", book_side([(bid, depth)]), book_side([(ask, depth)]), received_at_seconds=at)
    instrument = Instrument(name, "SOL", Decimal(step), Decimal(step), Decimal(5), Decimal("0.01"))
    return Venue(book, instrument)


CHEAP = venue("bybit", "187.9", "188.0")
DEAR = venue("binance", "192.0", "192.1")


def test_both_legs_are_swept_for_one_base_quantity_from_the_short_price() -> None:
    sweep: Any = sweep_direction(CHEAP, DEAR, RULES)
    assert isinstance(sweep, EntrySweep)
    assert sweep.quantity == Decimal("5.2")  # 1000 / 192 = 5.208, floored to a step of 0.1
    assert sweep.metric == pytest.approx(log(192.0 / 188.0))
    assert sweep.pct == pytest.approx(192.0 / 188.0 - 1)


def test_the_execution_is_kept_down_to_the_levels_that_it_takes() -> None:
    deep = OrderBook("binance", "SOL", book_side([(f"{192 - n}", "0.1") for n in range(60)]), DEAR.book.asks, 10.0)
    sweep: Any = sweep_direction(CHEAP, replace(DEAR, book=deep), replace(RULES, per_leg_usdt=Decimal(500)))
    execution = sweep.as_execution()
    assert execution["long_buy"]["taken"] == ((Decimal("188.0"), sweep.quantity),)
    assert execution["short_sell"]["taken"][:2] == ((Decimal(192), Decimal("0.1")), (Decimal(191), Decimal("0.1")))
    assert execution["short_sell"]["levels"] == 28
    assert len(execution["short_sell"]["taken"]) == 20


def test_the_coarser_lot_step_of_the_two_venues_decides() -> None:
    sweep: Any = sweep_direction(venue("bybit", "187.9", "188", step="0.5"), DEAR, RULES)
    assert sweep.quantity == Decimal(5)


def test_a_thin_book_is_a_refusal_with_its_shortfall_never_a_partial_average() -> None:
    refusal: Any = sweep_direction(venue("bybit", "187.9", "188", depth="2"), DEAR, RULES)
    assert isinstance(refusal, Refusal)
    assert refusal.reason == "insufficient_depth"
    assert refusal.evidence["shortfall"] == Decimal("3.2")


def test_less_than_one_lot_fails_the_preflight_for_good() -> None:
    refusal: Any = sweep_direction(venue("bybit", "187.9", "188", step="10"), DEAR, RULES)
    assert (refusal.reason, refusal.retryable) == ("preflight_failed", False)


def both(cheap: Venue, dear: Venue) -> list[EntrySweep | Refusal]:
    return [sweep_direction(cheap, dear, RULES), sweep_direction(dear, cheap, RULES)]


def test_the_direction_with_the_gap_is_chosen_whatever_the_event_said() -> None:
    for order in (both(CHEAP, DEAR), both(DEAR, CHEAP)):
        chosen: Any = choose_direction(order, 0.0085, RULES)
        assert (chosen.long_venue, chosen.short_venue) == ("bybit", "binance")


def test_no_gap_after_both_spreads_is_no_tradable_direction() -> None:
    refusal: Any = choose_direction(
        both(venue("bybit", "187.9", "188"), venue("binance", "188.0", "188.1")), 0.0085, RULES
    )
    assert refusal.reason == "no_tradable_direction"


@pytest.mark.parametrize(("offset", "reason"), [(0.0, None), (1e-12, "entry_spread_too_small"), (-1e-12, None)])
def test_the_gap_must_reach_the_take_profit_of_its_prediction(offset: Any, reason: Any) -> None:
    metric = log(192.0 / 188.0)
    chosen: Any = choose_direction(both(CHEAP, DEAR), (metric + offset) / 0.7, RULES)
    assert (chosen.reason if isinstance(chosen, Refusal) else None) == reason


@pytest.mark.parametrize(("now", "reason"), [(12.0, None), (12.01, "book_stale")])
def test_a_book_may_be_as_old_as_the_setting_and_no_older(now: Any, reason: Any) -> None:
    refusal: Any = refuse_books([CHEAP.book, DEAR.book], now, RULES)
    assert (refusal.reason if refusal else None) == reason


def test_a_crossed_book_is_no_book() -> None:
    crossed = venue("bybit", "188.0", "188.0")
    assert reason_of(refuse_books([crossed.book, DEAR.book], 10, RULES)) == "book_crossed"


def test_a_later_sample_must_qualify_in_the_same_direction() -> None:
    first: Any = sweep_direction(CHEAP, DEAR, RULES)
    other: Any = sweep_direction(DEAR, CHEAP, RULES)
    assert refuse_sample(first, first, 2) is None
    assert reason_of(refuse_sample(first, other, 2)) == "direction_flap"
    thin = Refusal("insufficient_depth", True, {"shortfall": Decimal(1)})
    unstable: Any = refuse_sample(first, thin, 3)
    assert unstable.reason == "unstable"
    assert unstable.evidence["because"] == "insufficient_depth"


def test_equal_books_sweep_equal() -> None:
    assert sweep_direction(CHEAP, DEAR, RULES) == sweep_direction(replace(CHEAP), DEAR, RULES)


@pytest.mark.parametrize(("now", "reason"), [(11.0, None), (11.5, None), (11.51, "book_stale")])
def test_a_sweep_is_as_old_as_the_older_of_its_books(now: float, reason: str | None) -> None:
    for cheap, dear in (
        (CHEAP, venue("binance", "192.0", "192.1", at=9.5)),
        (venue("bybit", "187.9", "188", at=9.5), DEAR),
    ):
        sweep: Any = sweep_direction(cheap, dear, RULES)
        refusal = refuse_old_sweep(sweep, now, RULES)
        assert reason_of(refusal) == reason
        assert refusal is None or refusal.retryable
