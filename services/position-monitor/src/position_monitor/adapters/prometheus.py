"""Measurements as Prometheus metrics, served at /metrics."""

from prometheus_client import Counter, Gauge, Histogram

_VERDICTS = Counter("position_monitor_verdicts_total", "Verdicts reached, by what they ask for", ["verdict"])
_VALUATION = Histogram(
    "position_monitor_valuation_seconds",
    "Real seconds from the books at hand to a verdict",
    buckets=(0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.1),
)
_OPEN_TRADES = Gauge("position_monitor_open_trades", "Trades that are open or closing")
_BOOK_AGE = Histogram(
    "position_monitor_book_age_seconds",
    "Age in real seconds of the books that verdicts looked at",
    ["venue"],
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 15),
)


class PrometheusMeasurements:
    """See `Measurements`."""

    def judged(self, action: str, seconds: float) -> None:
        _VERDICTS.labels(action).inc()
        _VALUATION.observe(seconds)

    def book_used(self, venue: str, age_seconds: float) -> None:
        _BOOK_AGE.labels(venue).observe(age_seconds)

    def trades_open(self, count: int) -> None:
        _OPEN_TRADES.set(count)
