"""What somebody is told: the kinds of alerts, when one is tried again, and how many become one message."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class AlertKind(StrEnum):
    """What an alert is about; the names are those of ALERT_KINDS."""

    OPENED = "opened"
    SCALED_IN = "scaled_in"
    CLOSED = "closed"
    FINALISED = "finalised"
    ENTRY_FAILED = "entry_failed"
    UNWOUND = "unwound"
    UNHEDGED = "unhedged"
    VENUE_BANNED = "venue_banned"
    SERVICE_DOWN = "service_down"
    SERVICE_UP = "service_up"
    STATE_CHANGED = "state_changed"
    ALARM = "alarm"
    TEST = "test"


URGENT = frozenset(
    {AlertKind.UNWOUND, AlertKind.UNHEDGED, AlertKind.VENUE_BANNED, AlertKind.SERVICE_DOWN, AlertKind.ALARM}
)
SINGLE_MESSAGES_MAX = 3
"""More alerts than this at once are one message."""
LINES_MAX = 10
BACK_OFF_FIRST_SECONDS, BACK_OFF_LONGEST_SECONDS = 5.0, 300.0


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing to tell. `key` is the fact's own: whoever finds it, and however often, it is told once.

    `about` is what it concerns: the same kind about the same thing is not told twice within the throttle's window.
    """

    key: str
    kind: AlertKind
    about: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class AlertMessage:
    """What is sent to one address."""

    title: str
    text: str
    is_urgent: bool


def messages_of(alerts: Sequence[Alert]) -> list[AlertMessage]:
    """One message an alert, or one for all of them where they are many."""
    if len(alerts) <= SINGLE_MESSAGES_MAX:
        return [AlertMessage(alert.title, alert.text, alert.kind in URGENT) for alert in alerts]
    counts = Counter(alert.kind for alert in alerts)
    summary = ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in counts.most_common())
    urgent_first = sorted(alerts, key=lambda alert: alert.kind not in URGENT)
    lines = [alert.title for alert in urgent_first[:LINES_MAX]]
    left = len(alerts) - len(lines)
    lines += [f"and {left} more"] if left else []
    is_urgent = any(alert.kind in URGENT for alert in alerts)
    return [AlertMessage(f"Tandem: {len(alerts)} alerts ({summary})", "\n".join(lines), is_urgent)]


def back_off_seconds(attempts: int) -> float:
    """How long to wait after that many attempts (at least one) that failed."""
    return float(min(BACK_OFF_FIRST_SECONDS * 2 ** min(attempts - 1, 20), BACK_OFF_LONGEST_SECONDS))
