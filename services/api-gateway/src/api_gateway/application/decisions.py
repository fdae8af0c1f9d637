"""What the services' decisions are called in a sentence. A decision that has no words of its own goes by its name."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from api_gateway.application.story_line import percent, words
from api_gateway.application.views import AuditRecord

_Sentence = Callable[[AuditRecord, str], str]
"""From the record and what stands after the colon of its name."""


def in_words(record: AuditRecord) -> str:
    """One decision as a sentence without its subject, the service."""
    name, _, reason = record.decision.partition(":")
    sentence = _SENTENCES.get(name)
    return sentence(record, words(reason)) if sentence else f"decided: {words(record.decision)}"


def _skipped(record: AuditRecord, reason: str) -> str:
    attempt, due = record.evidence.get("attempt"), record.evidence.get("next_attempt_at")
    after = "for good" if due is None else f"and tries again at {datetime.fromisoformat(due):%H:%M:%S}"
    return f"did not open at attempt {attempt}, {after}: {reason}"


def _retry_due(record: AuditRecord, _: str) -> str:
    figures = record.evidence
    return (
        f"brought the signal back after attempt {figures.get('attempts')}: its event is {figures.get('event_status')}"
    )


def _retry_ended(record: AuditRecord, _: str) -> str:
    figures = record.evidence
    quiet, window = figures.get("quiet_minutes"), figures.get("window_minutes")
    return f"ended the retries: the event is closed, and quiet for {quiet} of {window} minutes"


def _scale_in_requested(record: AuditRecord, _: str) -> str:
    rule: dict[str, Any] = record.evidence.get("rule", {})
    now, trigger, entries = rule.get("exit_spread_pct_now"), rule.get("trigger_spread_pct"), rule.get("entries")
    if now is None or trigger is None or entries is None:
        return "asked for another entry"
    return (
        f"asked for entry {entries + 1}: an exit spread of {percent(now)} has reached the trigger of {percent(trigger)}"
    )


def _close_requested(record: AuditRecord, _: str) -> str:
    reason = record.evidence.get("reason") or f"operator {record.evidence.get('who')}, {record.evidence.get('why')}"
    return f"asked to close: {words(str(reason))}"


def _account_corrected(record: AuditRecord, _: str) -> str:
    before, after = record.evidence.get("net_pnl_usdt_before"), record.evidence.get("net_pnl_usdt")
    return f"corrected the account for funding that a venue told of late: net P&L {after} USDT, before {before}"


_SENTENCES: dict[str, _Sentence] = {
    "event_opened": lambda record, _: f"opened watchlist event {record.event_id}",
    "event_closed": lambda record, _: f"closed watchlist event {record.event_id}",
    "event_dropped": lambda record, _: f"dropped watchlist event {record.event_id} before it opened",
    "skipped": _skipped,
    "retry_due": _retry_due,
    "retry_ended": _retry_ended,
    "expired": lambda _, reason: f"gave the signal up: {reason}",
    "scale_in_requested": _scale_in_requested,
    "scale_in_refused": lambda _, reason: f"added no entry: {reason}",
    "close_requested": _close_requested,
    "take_profit_rejected": lambda _, __: "did not take the profit: fresh books did not bear it out",
    "account_corrected": _account_corrected,
    "entry_failed": lambda _, __: "the entry failed, and left no position",
    "failed": lambda _, __: "the first entry failed, and left no position",
}
