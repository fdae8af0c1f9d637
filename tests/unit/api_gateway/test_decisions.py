"""Each decision has its sentence; one that has none goes by its name, and nothing of the evidence can break it."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from api_gateway.application.decisions import in_words
from api_gateway.application.story_line import plain
from api_gateway.application.views import AuditRecord

NOON = datetime(2025, 10, 10, 12, tzinfo=UTC)


def record(decision: str, **evidence: Any) -> AuditRecord:
    return AuditRecord(
        id=1,
        service="executor",
        decided_at=NOON,
        decision=decision,
        symbol="SOL",
        event_id=4,
        signal_id=7,
        evidence=evidence,
    )


@pytest.mark.parametrize(
    ("decided", "sentence"),
    [
        (record("event_opened"), "opened watchlist event 4"),
        (record("event_closed"), "closed watchlist event 4"),
        (record("event_dropped"), "dropped watchlist event 4 before it opened"),
        (
            record("skipped:below_threshold", attempt=2, next_attempt_at="2025-10-10T12:00:30Z"),
            "did not open at attempt 2, and tries again at 12:00:30: below threshold",
        ),
        (
            record("skipped:type_not_traded", attempt=1, next_attempt_at=None),
            "did not open at attempt 1, for good: type not traded",
        ),
        (
            record("retry_due", attempts=3, event_status="open"),
            "brought the signal back after attempt 3: its event is open",
        ),
        (
            record("retry_ended", quiet_minutes=5.6, window_minutes=5.0),
            "ended the retries: the event is closed, and quiet for 5.6 of 5.0 minutes",
        ),
        (record("expired:event_closed"), "gave the signal up: event closed"),
        (
            record(
                "scale_in_requested", rule={"entries": 1, "exit_spread_pct_now": 0.0404, "trigger_spread_pct": 0.0294}
            ),
            "asked for entry 2: an exit spread of 4.0400% has reached the trigger of 2.9400%",
        ),
        (
            record("account_corrected", net_pnl_usdt="1.25", net_pnl_usdt_before="1.5"),
            "corrected the account for funding that a venue told of late: net P&L 1.25 USDT, before 1.5",
        ),
        (record("scale_in_refused:notional_cap"), "added no entry: notional cap"),
        (record("close_requested", reason="take_profit"), "asked to close: take profit"),
        (record("close_requested", who="ada", why="maintenance"), "asked to close: operator ada, maintenance"),
        (record("take_profit_rejected"), "did not take the profit: fresh books did not bear it out"),
        (record("funding_interval_changed"), "decided: funding interval changed"),
    ],
)
def test_a_decision_in_words(decided: AuditRecord, sentence: str) -> None:
    assert in_words(decided) == sentence


@pytest.mark.parametrize(
    "decision",
    [
        "skipped:unstable",
        "retry_due",
        "retry_ended",
        "expired:",
        "scale_in_requested",
        "close_requested",
        "strange:one",
    ],
)
def test_a_decision_without_its_evidence_is_told_all_the_same(decision: str) -> None:
    assert in_words(record(decision))


def test_figures_are_read_to_eight_decimals_without_empty_ones() -> None:
    assert plain(Decimal("14999.74780000000000000000000")) == "14999.7478"
    assert plain(Decimal("100.0132021211503161")) == "100.01320212"
    assert plain(Decimal(200)) == "200"
    assert plain(None) is None
