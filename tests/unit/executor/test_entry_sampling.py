"""One look at two books: in which order it refuses, what a larger entry costs, and what its fills are worth."""

from decimal import Decimal
from math import log
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.domain.instruments import Instrument
from common.domain.order_book import BookSide, OrderBook, book_side
from executor.domain.entry_sweep import EntryRules, EntrySweep, Venue, refuse_sample, sample_entry, sweep_direction
from executor.domain.pair import entry_fill
from executor.domain.refusal import Refusal

RULES = EntryRules(per_leg_usdt=Decimal(500), take_profit_ratio=0.7, book_age_max_seconds=2)
PRICES = st.decimals("50", "200", places=2)
SIDE = st.lists(st.tuples(PRICES, st.decimals("1", "50", places=1)), min_size=1, max_size=8, unique_by=lambda x: x[0])


def venue(name: str, bids: Any, asks: Any, at: float = 10.0) -> Venue:
    step = Decimal("0.001")
    instrument = Instrument(name, "SOL", step, step, Decimal(5), Decimal("0.01"))
    return Venue(OrderBook(name, "SOL", bids, asks, at), instrument)


def quoted(name: str, bid: str, ask: str, at: float = 10.0) -> Venue:
    return venue(name, book_side([(bid, 100)]), book_side([(ask, 100)]), at)


CHEAP, DEAR = quoted("bybit", "99.9", "100"), quoted("binance", "102", "102.1")


def sampled(long: Venue, short: Venue, pnl_hat: float = 0.02, *, now: float = 10, fixed: bool = False) -> Any:
    return sample_entry(long, short, pnl_hat, now, RULES, fixed_direction=fixed)


def test_a_stale_book_is_refused_before_a_crossed_one_and_both_before_any_sweep() -> None:
    crossed_and_old = quoted("bybit", "100", "100", at=7.0)
    assert sampled(crossed_and_old, DEAR).reason == "book_stale"
    assert sampled(crossed_and_old, DEAR, now=9).reason == "book_crossed"
    assert sampled(CHEAP, quoted("binance", "102", "102.1", at=7.9)).reason == "book_stale"


def test_a_first_entry_takes_the_direction_with_the_gap_and_a_scale_in_keeps_its_own() -> None:
    assert sampled(DEAR, CHEAP).long_venue == "bybit"
    assert sampled(DEAR, CHEAP, fixed=True).reason == "no_tradable_direction"
    assert sampled(CHEAP, DEAR, fixed=True).long_venue == "bybit"


@pytest.mark.parametrize(
    ("bid", "reason"), [("99.99", "no_tradable_direction"), ("100", "no_tradable_direction"), ("100.01", None)]
)
def test_a_tradable_spread_is_above_zero_whatever_was_predicted(bid: str, reason: str | None) -> None:
    found = sampled(CHEAP, quoted("binance", bid, "102.1"), pnl_hat=0.0)
    assert (found.reason if isinstance(found, Refusal) else None) == reason


def test_one_direction_too_thin_does_not_hide_the_other() -> None:
    thin_above = venue("binance", book_side([("102", 100)]), book_side([("102.1", "0.1")]))
    assert sampled(CHEAP, thin_above).short_venue == "binance"


@given(SIDE, SIDE, st.decimals("0.01", "0.98", places=2))
def test_a_larger_entry_never_locks_in_a_better_spread(
    asks: list[tuple[Decimal, Decimal]], bids: list[tuple[Decimal, Decimal]], share: Decimal
) -> None:
    long = venue("bybit", BookSide(()), BookSide(tuple(sorted(asks))))
    short = venue("binance", BookSide(tuple(sorted(bids, reverse=True))), BookSide(()))
    whole = sum((price * size for price, size in bids), Decimal(0))
    small, large = (
        sweep_direction(long, short, EntryRules(part, 0.7, 2)) for part in (whole * share, whole * Decimal("0.99"))
    )
    if isinstance(small, Refusal):
        assert isinstance(large, Refusal)  # a book too thin for a part is too thin for the whole
    elif isinstance(large, EntrySweep):
        assert large.quantity >= small.quantity
        assert large.metric <= small.metric + 1e-12


@given(PRICES, PRICES, st.decimals("0.001", "1000", places=3), st.floats(-0.2, 0.2))
def test_a_filled_entry_is_the_recomputation_from_its_fills(
    long: Decimal, short: Decimal, quantity: Decimal, swept: float
) -> None:
    """Only the spread that triggers are multiples of may be the swept one, where that is wider."""
    fill = entry_fill(quantity, long, short, swept_pct=swept)
    assert fill.notional_usdt == quantity * short
    assert fill.metric == pytest.approx(log(short) - log(long), abs=1e-12)
    assert fill.pct == pytest.approx(max(swept, float(short) / float(long) - 1), abs=1e-12)


@pytest.mark.parametrize(
    "reason", ["entry_spread_too_small", "book_stale", "insufficient_depth", "no_tradable_direction"]
)
def test_a_later_sample_that_would_be_refused_is_unstable_and_says_why(reason: str) -> None:
    first = sampled(CHEAP, DEAR)
    refusal: Any = refuse_sample(first, Refusal(reason, True, {"figure": 1}), 2)
    assert (refusal.reason, refusal.retryable) == ("unstable", True)
    assert refusal.evidence == {"sample": 2, "because": reason, "figure": 1}
