"""The gap of 10 October 2025 that was refused, followed by the rules of skipped signals; figures worked out by hand."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from common.domain.identifiers import Leg
from common.runtime.settings import TradingSettings, load
from position_monitor.domain.counterfactual import Counterfactual, Skipped, enter, follow
from position_monitor.domain.market import Quote
from position_monitor.settings import MonitorSettings, counterfactual_rules
from support.recorded_market import RECORDINGS, Moment, RecordedMarket, load_case

pytestmark = pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recorded markets are not beside this checkout")

VENUES = {Leg.LONG: "binance", Leg.SHORT: "bybit"}
REFUSED_AT = datetime(2025, 10, 10, 21, 20, tzinfo=UTC)
BAR = timedelta(minutes=5)
MINUTE = timedelta(minutes=1)
TAKE_PROFIT_PNL = 0.021


class MinuteByMinute:
    """Books between two closes: the mid moves in a straight line, as in the scenario of that day."""

    def __init__(self) -> None:
        self._market = RecordedMarket(load_case("e1_crash"))
        closes = {moment.at: moment.closes["SOL"] for moment in self._market.moments if "SOL" in moment.closes}
        self._before, self._after = closes[REFUSED_AT], closes[REFUSED_AT + BAR]

    def quotes(self, at: datetime) -> dict[Leg, Quote]:
        share = Decimal((at - REFUSED_AT) // MINUTE) / 5
        mids = {venue: mid + (self._after[venue] - mid) * share for venue, mid in self._before.items()}
        moment = Moment(at, {"SOL": mids})
        return {leg: Quote(self._market.book(venue, "SOL", moment)) for leg, venue in VENUES.items()}


def test_the_refused_four_percent_would_have_taken_profit_within_three_minutes() -> None:
    rules = counterfactual_rules(
        load(TradingSettings, {}), load(MonitorSettings, {"DATABASE_URL": "postgresql://a@b/tandem"})
    )
    market = MinuteByMinute()
    skipped = Skipped(1, "SOL", VENUES, "funding_net_cost", REFUSED_AT, 0.041, TAKE_PROFIT_PNL)
    one = enter(skipped, market.quotes(REFUSED_AT), rules, REFUSED_AT)
    assert isinstance(one, Counterfactual)
    # Mids 148.52 and 154.73, half a basis point away, to the tick: bought at 148.53, sold at 154.72, for 50 USDT.
    assert (one.long_buy, one.short_sell, one.quantity) == (
        Decimal("148.53"),
        Decimal("154.72"),
        50 / Decimal("148.53"),
    )
    at = REFUSED_AT
    while not one.is_over:
        at += MINUTE
        one = follow(one, market.quotes(at), rules, at)
    assert (at, one.exit_reason, one.is_complete) == (REFUSED_AT + 3 * MINUTE, "take_profit", True)
    assert one.exit is not None
    assert one.worst is not None
    # 21:23: mids 164.75 and 167.246: 16.21 made on the long leg, 12.54 lost on the short one; fees of 635.25 * 0.0006.
    assert (one.exit.long_sell, one.exit.short_buy) == (Decimal("164.74"), Decimal("167.26"))
    assert one.exit.net_pnl_usdt == pytest.approx(one.quantity * Decimal("3.28885"))
    assert one.best == one.exit
    # 21:21: mids 153.93 and 158.902: closed at 153.92 and 158.91, 5.39 made, 4.19 lost; fees of 616.08 * 0.0006.
    assert one.worst.at == REFUSED_AT + MINUTE
    assert one.worst.net_pnl_usdt == pytest.approx(one.quantity * Decimal("0.830352"))
