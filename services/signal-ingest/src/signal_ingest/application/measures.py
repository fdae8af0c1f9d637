"""What this service counts for Prometheus."""

from prometheus_client import Counter, Gauge, Histogram

OBSERVATIONS = Counter("observations_total", "Observations stored, by what became of them", ["outcome"])
BATCH_SECONDS = Histogram("observation_batch_seconds", "From a batch received to its commit, real seconds")
SCAN_SECONDS = Histogram("scan_seconds", "One round of the scanner over all venues, real seconds")
VENUE_FAILURES = Counter("scanner_venue_failures_total", "Reads of a venue that failed", ["venue", "reason"])
LIVE_EVENTS = Gauge("watchlist_events", "Events that are not closed", ["status"])
EVENT_CHANGES = Counter("watchlist_event_changes_total", "Events opened and closed", ["change"])
RETRIES = Counter("retries_total", "Skipped signals brought back, repeated, or ended", ["outcome"])
UNSIGNALLED = Counter("events_announced_again_total", "Open events without a signal, published once more")
OUTBOX_BACKLOG = Gauge("outbox_backlog", "Committed messages that the bus has not acknowledged")
OUTBOX_AGE_SECONDS = Gauge("outbox_oldest_seconds", "Age of the oldest of them, strategy seconds")
