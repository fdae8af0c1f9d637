"""Measurements as Prometheus metrics, served at /metrics. Names and labels as in `common.runtime.metrics`."""

from collections.abc import Callable, Iterable

from prometheus_client import Counter, Gauge, Histogram

from common.runtime.metrics import FAST_SECONDS
from position_monitor.application.watch import Judgement

_VERDICTS = Counter("tandem_verdicts_total", "Verdicts reached, by what they ask for", ["verdict"])
_VALUATION = Histogram(
    "tandem_valuation_seconds",
    "Real seconds from the books at hand to a verdict",
    buckets=(0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.1),
)
_REACTION = Histogram(
    "tandem_exit_decision_seconds", "Real seconds from a book's change to the verdict on it", buckets=FAST_SECONDS
)
_WATCHED = Gauge("tandem_watched_trades", "Trades that are open or closing")
_BOOK_AGE = Histogram(
    "tandem_book_age_seconds",
    "Age in real seconds of the books that verdicts looked at",
    ["venue"],
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 15),
)
_NO_PRICE = Gauge("tandem_unpriced_trades", "Watched trades without an exit price: a book is missing, stale or thin")
_OPEN_PNL_USDT = Gauge("tandem_open_pnl_usdt", "What the watched trades would make if they were closed now")
_FUNDING_COST = Gauge("tandem_funding_cost_per_hour_max", "The worst watched trade's funding, share of notional paid")
_FUNDING_STOP = Gauge("tandem_funding_stop_per_hour", "The funding cost per hour that closes a trade")


class PrometheusMeasurements:
    """See `Measurements`."""

    def judged(self, action: str, seconds: float) -> None:
        _VERDICTS.labels(action).inc()
        _VALUATION.observe(seconds)

    def reacted(self, seconds: float) -> None:
        _REACTION.observe(seconds)

    def book_used(self, venue: str, age_seconds: float) -> None:
        _BOOK_AGE.labels(venue).observe(age_seconds)

    def trades_open(self, count: int) -> None:
        _WATCHED.set(count)


def show_standing(judgements: Callable[[], Iterable[Judgement]], funding_stop_per_hour: float) -> None:
    """Has the gauges tell, whenever they are read, what the latest judgements say."""

    def unpriced() -> float:
        return sum(judgement.market.valuation is None for judgement in judgements())

    def open_pnl_usdt() -> float:
        valued = (judgement.market.valuation for judgement in judgements())
        return sum(float(valuation.total_pnl_usdt) for valuation in valued if valuation is not None)

    def funding_cost() -> float:
        rates = (judgement.market.funding_per_hour for judgement in judgements())
        return max((-rate for rate in rates if rate is not None), default=0.0)

    _NO_PRICE.set_function(unpriced)
    _OPEN_PNL_USDT.set_function(open_pnl_usdt)
    _FUNDING_COST.set_function(funding_cost)
    _FUNDING_STOP.set(funding_stop_per_hour)
