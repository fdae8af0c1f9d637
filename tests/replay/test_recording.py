"""The recordings as the replay reads them: funding with its interval from the file, and books around closes."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from common.domain.identifiers import Leg
from support.market_replay import MarketReplay
from support.recorded_market import RECORDINGS, RecordedMarket, load_case

pytestmark = pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recorded markets are not beside this checkout")


def at(hour: int, minute: int = 0, day: int = 6) -> datetime:
    return datetime(2025, 5, day, hour, minute, tzinfo=UTC)


@pytest.fixture(scope="module")
def layer() -> RecordedMarket:
    return RecordedMarket(load_case("e2_layer"))


@pytest.mark.parametrize(
    ("now", "rate", "interval_hours", "next_at"),
    [
        (at(7, 59), -0.02, 4, at(8)),
        (at(8), -0.02, 1, at(9)),
        (at(8, 59), -0.02, 1, at(9)),
        (at(9), -0.01052356, 1, at(10)),
    ],
)
def test_a_venue_shows_its_next_settlement_and_the_interval_changes_when_it_did(
    layer: RecordedMarket, now: datetime, rate: float, interval_hours: float, next_at: datetime
) -> None:
    terms = layer.terms("binance", "LAYER", now)
    assert terms is not None
    assert (terms.rate, terms.interval_hours, terms.next_at) == (rate, interval_hours, next_at)


@pytest.mark.parametrize("now", [at(7, 59, day=4), datetime(2025, 6, 3, 14, tzinfo=UTC)])
def test_before_the_first_and_after_the_last_settlement_nothing_is_known(layer: RecordedMarket, now: datetime) -> None:
    assert layer.terms("binance", "LAYER", now) is None


def test_a_contract_without_funding_in_the_file_has_unknown_terms() -> None:
    assert RecordedMarket(load_case("e9_calm")).terms("binance", "ETH", datetime(2023, 7, 25, tzinfo=UTC)) is None


def test_a_bar_is_seen_when_it_closes_and_its_book_lies_around_the_close(layer: RecordedMarket) -> None:
    """The bar that opens at 07:00 closes at 2.3714: half a spread of 5 bps is 0.0011857, rounded away to a tick."""
    (moment,) = [moment for moment in layer.moments if moment.at == at(7, 5)]
    assert moment.closes["LAYER"]["binance"] == Decimal("2.3714")
    book = layer.book("binance", "LAYER", moment)
    assert book is not None
    assert (book.bids.best, book.asks.best) == (Decimal("2.3702"), Decimal("2.3726"))
    assert not book.is_crossed
    assert all(990 < price * quantity <= 1000 for price, quantity in (*book.bids.levels, *book.asks.levels))
    (quote,) = [quote for quote in layer.quotes(moment)["LAYER"] if quote.venue == "binance"]
    assert (quote.bid, quote.ask) == (book.bids.best, book.asks.best)


async def test_the_funding_of_a_trade_is_what_its_settlements_take_by_hand(layer: RecordedMarket) -> None:
    """42.3 LAYER a leg at the closes of 08:00: 2.2452 on Binance at -2 %, 2.1998 on Hyperliquid at -0.53079824 %."""
    first = (await MarketReplay(layer).run()).trades[0]
    paid = {payment.leg: payment.amount_usdt for payment in first.trade.funding}
    assert [payment.settled_at for payment in first.trade.funding] == [at(8), at(8)]
    assert paid[Leg.SHORT] == Decimal("42.3") * Decimal("2.2452") * Decimal("-0.02")
    assert paid[Leg.LONG] == Decimal("42.3") * Decimal("2.1998") * Decimal("0.0053079824")
