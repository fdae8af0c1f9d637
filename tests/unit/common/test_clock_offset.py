"""A venue's clock counts as wrong only by what the duration of asking it cannot explain."""

import pytest
from ccxt.async_support.base.exchange import Exchange

from common.runtime.clock import SystemClock
from common.venues.ccxt.facts import FACTS
from common.venues.ccxt.funding_terms import FUNDING_READERS
from common.venues.ccxt.market_data import CcxtMarketData
from common.venues.ccxt.markets import Markets

ASKED = 1_760_000_000.0


class ShownClock(SystemClock):
    """Shows what it is set to."""

    unix = ASKED

    def unix_seconds(self) -> float:
        return self.unix


class TellingExchange(Exchange):  # type: ignore[misc]
    """ccxt, of a venue that tells its time `ahead` seconds of ours, after the one wait and before the other."""

    def __init__(self, clock: ShownClock, ahead: float, before: float, after: float) -> None:
        super().__init__()
        self.clock, self.ahead, self.before, self.after = clock, ahead, before, after

    async def fetch_time(self, params: object = None) -> int:
        self.clock.unix += self.before
        told = self.clock.unix + self.ahead
        self.clock.unix += self.after
        return round(told * 1000)


@pytest.mark.parametrize(
    ("ahead", "before", "after", "offset"),
    [
        (0.0, 0.0, 0.0, 0.0),
        # The request waits for its turn, or the answer for us: half of either would look like a wrong clock.
        (0.0, 4.0, 0.0, 0.0),
        (0.0, 0.0, 4.0, 0.0),
        (0.75, 0.0, 0.0, 0.75),
        (-0.75, 0.0, 0.0, -0.75),
        (0.75, 4.0, 0.125, 0.625),
        (-0.75, 0.125, 4.0, -0.625),
    ],
)
async def test_an_offset_is_what_the_time_of_asking_does_not_explain(
    ahead: float, before: float, after: float, offset: float
) -> None:
    clock = ShownClock()
    exchange = TellingExchange(clock, ahead, before, after)
    market = CcxtMarketData(Markets("telling", exchange, clock), FACTS["binance"], FUNDING_READERS["binance"], clock)
    assert await market.server_time_offset_seconds() == pytest.approx(offset, abs=0.001)
    await market.close()
