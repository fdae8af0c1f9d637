"""What this service counts for Prometheus. Names and labels as in `common.runtime.metrics`."""

from prometheus_client import Counter, Gauge, Histogram

from common.runtime.metrics import FAST_SECONDS

OBSERVATIONS = Counter("tandem_observations_total", "Observations stored, by what became of them", ["outcome"])
BATCH_SECONDS = Histogram(
    "tandem_observation_accept_seconds",
    "From a batch of observations at hand to its commit, real seconds",
    buckets=FAST_SECONDS,
)
SCAN_SECONDS = Histogram("tandem_scan_seconds", "One round of the scanner over all venues, real seconds")
VENUE_FAILURES = Counter("tandem_scanner_venue_failures_total", "Reads of a venue that failed", ["venue", "reason"])
LIVE_EVENTS = Gauge("tandem_watchlist_events", "Events that are not closed", ["status"])
EVENT_CHANGES = Counter("tandem_watchlist_event_changes_total", "Events opened and closed", ["change"])
RETRIES = Counter("tandem_signal_retries_total", "Skipped signals brought back, repeated, or ended", ["outcome"])
UNSIGNALLED = Counter("tandem_events_announced_again_total", "Open events without a signal, published once more")
