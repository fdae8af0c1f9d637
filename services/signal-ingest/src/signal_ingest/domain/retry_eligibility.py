"""Whether a skipped signal may be tried again. SPEC 3, Retries.

While its event is open it may, however old the event's timestamps are: a merged event whose timestamps stand still
must never age out silently. Once the event is closed, only its last activity counts.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from signal_ingest.domain.watchlist_event import EventStatus, WatchlistEvent

WINDOW_MINUTES_MIN = 5.0


@dataclass(frozen=True, slots=True)
class Eligibility:
    """The verdict with the figures that made it, both in minutes."""

    eligible: bool
    quiet_minutes: float
    window_minutes: float


def retry_eligibility(event: WatchlistEvent, now: datetime, lookback_minutes: float) -> Eligibility:
    """Eligible while the event is open; once closed, up to and including max(5, lookback) minutes of quiet."""
    window = max(WINDOW_MINUTES_MIN, lookback_minutes)
    quiet = (now - event.last_observed_at) / timedelta(minutes=1)
    return Eligibility(event.status is EventStatus.OPEN or quiet <= window, quiet, window)
