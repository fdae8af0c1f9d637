"""Brings skipped signals back when they are due, and ends those that are no longer eligible. SPEC 3, Retries.

The executor answers by changing the signal: more attempts, or another status. While it does not, the message is
repeated under another id, so that a lost or quarantined one does not stop a signal for ever.
"""

from datetime import datetime

from common.runtime.clock import Clock
from signal_ingest.application.measures import RETRIES
from signal_ingest.application.ports import RetryVerdict, SkippedSignal, SkippedSignals
from signal_ingest.application.repetition import Said, repetition_mark
from signal_ingest.domain.retry_eligibility import Eligibility, retry_eligibility

POLL_SECONDS = 0.5


class Retries:
    """One round looks at all due signals."""

    def __init__(self, signals: SkippedSignals, clock: Clock, lookback_minutes: float) -> None:
        self._signals = signals
        self._clock = clock
        self._lookback_minutes = lookback_minutes
        self._said: dict[tuple[int, int, bool], Said] = {}

    async def bring_back_due(self) -> int:
        """Publishes what is new or overdue for an answer; returns how many messages that was."""
        now, monotonic_seconds = self._clock.now(), self._clock.monotonic()
        said: dict[tuple[int, int, bool], Said] = {}
        verdicts, outcomes = [], []
        for signal in await self._signals.due(now):
            eligibility = retry_eligibility(signal.event, now, self._lookback_minutes)
            key = (signal.signal_id, signal.attempts, eligibility.eligible)
            before = self._said.get(key)
            if before is not None and not before.is_overdue(now, monotonic_seconds):
                said[key] = before
                continue
            evidence = None if eligibility.eligible else _evidence(signal, now, eligibility)
            verdicts.append(RetryVerdict(signal, _message_id(signal, eligibility.eligible, now, before), evidence))
            said[key] = Said(now, monotonic_seconds)
            outcomes.append(_outcome(eligibility.eligible, before))
        if verdicts:
            await self._signals.publish(verdicts)
        self._said = said
        for outcome in outcomes:
            RETRIES.labels(outcome).inc()
        return len(verdicts)


def _message_id(signal: SkippedSignal, eligible: bool, now: datetime, before: Said | None) -> str:
    kind = "retry" if eligible else "retry-ended"
    mark = "" if before is None else repetition_mark(now)
    return f"{kind}-{signal.signal_id}-{signal.attempts}{mark}"


def _outcome(eligible: bool, before: Said | None) -> str:
    if before is not None:
        return "repeated"
    return "due" if eligible else "ended"


def _evidence(signal: SkippedSignal, now: datetime, eligibility: Eligibility) -> dict[str, object]:
    return {
        "event_id": signal.event.id,
        "event_status": signal.event.status.value,
        "last_observed_at": signal.event.last_observed_at.isoformat(),
        "quiet_minutes": round(eligibility.quiet_minutes, 3),
        "window_minutes": eligibility.window_minutes,
        "attempts": signal.attempts,
        "last_reason": signal.reason,
        "decided_at": now.isoformat(),
    }
