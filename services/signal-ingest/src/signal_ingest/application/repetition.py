"""How long to wait for an answer before a message is repeated: a minute of strategy time, and a few real seconds.

A replayed market passes a minute in a blink; the other side still needs real time to answer.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

REPEAT_AFTER = timedelta(seconds=60)
REPEAT_AFTER_REAL_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Said:
    """When a message was last published, on both clocks."""

    at: datetime
    monotonic_seconds: float

    def is_overdue(self, now: datetime, monotonic_seconds: float) -> bool:
        """Whether an answer should have come by now."""
        waited_real = monotonic_seconds - self.monotonic_seconds
        return now - self.at >= REPEAT_AFTER and waited_real >= REPEAT_AFTER_REAL_SECONDS


def repetition_mark(now: datetime) -> str:
    """What tells a repetition's message id from the first one's.

    The minute of strategy time: replicas, and a process that was restarted, repeat within one minute once.
    """
    return f"-again-{int(now.timestamp() // 60)}"
