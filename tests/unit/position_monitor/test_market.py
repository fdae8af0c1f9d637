"""A book that is missing, stale, crossed or thin is no book, and the reason is kept."""

from decimal import Decimal
from math import log

import pytest

from common.domain.identifiers import Leg, Purpose
from common.domain.order_book import OrderBook, book_side
from common.domain.position import LegFill
from position_monitor.domain.market import NoPrices, Quote, look
from support.watched_trades import book, books_at, fills_of, flat_terms, market, trade


def why_not(quotes: dict[Leg, Quote]) -> NoPrices:
    seen = look(trade(), quotes, flat_terms(), Decimal(0), 2.0)
    assert seen.valuation is None
    assert seen.no_prices is not None
    return seen.no_prices


def quotes() -> dict[Leg, Quote]:
    return {leg: Quote(found) for leg, found in books_at("101", "102.5").items()}


def test_both_legs_are_swept_for_the_whole_open_quantity() -> None:
    deep_enough = trade(fills=fills_of(Decimal(3)))
    long = OrderBook("binance", "SOL", book_side([("101", "1"), ("100", "2")]), book_side([("102", "9")]), 0.0)
    found = {**quotes(), Leg.LONG: Quote(long)}
    seen = look(deep_enough, found, flat_terms(), Decimal(0), 2.0)
    assert seen.valuation is not None
    assert seen.valuation.long_sell == Decimal(301) / 3
    assert (seen.sweeps[Leg.LONG].levels, seen.sweeps[Leg.LONG].worst_price) == (2, Decimal(100))


@pytest.mark.parametrize(("age_seconds", "stale"), [(1.999, False), (2.0, False), (2.001, True)])
def test_a_book_is_stale_beyond_its_maximum_age(age_seconds: float, stale: bool) -> None:
    seen = market(trade(), age_seconds=age_seconds)
    assert (seen.no_prices is not None and seen.no_prices.reason == "book_stale") is stale


def test_a_crossed_book_is_no_book() -> None:
    refused = why_not({**quotes(), Leg.SHORT: Quote(book("bybit", "103", "102"))})
    assert (refused.reason, refused.figures["venue"]) == ("book_crossed", "bybit")


def test_a_thin_book_names_the_shortfall() -> None:
    refused = why_not({**quotes(), Leg.LONG: Quote(book("binance", "101", "102", size="0.2"))})
    assert refused.reason == "insufficient_depth"
    assert refused.figures["shortfall"] == "0.3"


@pytest.mark.parametrize(("failure", "reason"), [("venue_banned", "venue_banned"), (None, "book_missing")])
def test_a_missing_book_names_the_failure(failure: str | None, reason: str) -> None:
    assert why_not({**quotes(), Leg.LONG: Quote(None, failure=failure)}).reason == reason


def test_a_leg_that_is_gone_has_no_price() -> None:
    sold = LegFill(Leg.LONG, Purpose.CLOSE, Decimal("0.5"), Decimal(100))
    seen = market(trade(fills=(*fills_of(), sold)))
    assert seen.no_prices is not None
    assert seen.no_prices.reason == "leg_missing"


def test_a_trade_without_a_filled_entry_has_no_valuation() -> None:
    seen = market(trade(entries=()))
    assert seen.no_prices is not None
    assert seen.no_prices.reason == "no_filled_entry"


def test_the_figures_are_those_of_the_specification() -> None:
    seen = market(trade(), "101", "102.5")
    assert seen.valuation is not None
    assert seen.valuation.pnl_spread == pytest.approx(log(1.02) - log(102.5 / 101))
    assert seen.valuation.position_pnl_usdt == Decimal("0.25")
    assert seen.valuation.total_pnl_usdt == Decimal("0.20")
