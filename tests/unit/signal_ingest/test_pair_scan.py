"""The scanner looks at both directions of each two venues and keeps the better one."""

from decimal import Decimal
from math import log

import pytest

from common.domain.funding import FundingTerms
from signal_ingest.domain.observation import Observation
from signal_ingest.domain.pair_scan import VenueQuote, pair_observations
from support.observed_pairs import MOMENT


def quote(venue: str, bid: str, ask: str, rate: float | None = None) -> VenueQuote:
    funding = None if rate is None else FundingTerms(venue, "SOL", rate, 8, None)
    return VenueQuote(venue, Decimal(bid), Decimal(ask), funding)


def seen(*quotes: VenueQuote) -> list[Observation]:
    return pair_observations({"SOL": quotes}, MOMENT)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_cheap_ask_is_bought_and_the_dear_bid_is_sold(order: tuple[int, int]) -> None:
    venues = [quote("binance", "199", "200"), quote("bybit", "204", "205")]
    (observation,) = seen(*(venues[place] for place in order))
    assert (observation.long.venue, observation.long.price) == ("binance", Decimal(200))
    assert (observation.short.venue, observation.short.price) == ("bybit", Decimal(204))
    assert observation.spread == pytest.approx(log(1.02))


def test_a_pair_without_a_gap_is_observed_too_with_a_negative_spread() -> None:
    (observation,) = seen(quote("binance", "199.9", "200.1"), quote("bybit", "199.9", "200.1"))
    assert observation.spread < 0


def test_each_two_venues_make_one_observation() -> None:
    assert len(seen(*(quote(venue, "1", "2") for venue in ("binance", "bybit", "okx", "gate")))) == 6


@pytest.mark.parametrize(("bid", "ask"), [("201", "200"), ("200", "200")])
def test_a_crossed_or_locked_book_is_left_out(bid: str, ask: str) -> None:
    assert seen(quote("binance", bid, ask), quote("bybit", "204", "205")) == []


def test_funding_travels_with_the_prices_and_unknown_stays_unknown() -> None:
    (known,) = seen(quote("binance", "199", "200", 0.0001), quote("bybit", "204", "205", 0.0005))
    assert (known.long.funding_rate, known.short.funding_rate) == (0.0001, 0.0005)
    assert known.factors["funding_per_hour"] == pytest.approx(0.00005)
    (unknown,) = seen(quote("binance", "199", "200"), quote("bybit", "204", "205", 0.0005))
    assert unknown.long.funding_rate is None
    assert "funding_per_hour" not in unknown.factors
