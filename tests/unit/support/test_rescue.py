"""What would show a part that acted twice: each kind of doubling is named."""

from datetime import UTC, datetime, timedelta
from typing import Any

from support.rescue import named_twice, too_close, with_two_signals

START = datetime(2025, 10, 10, 21, tzinfo=UTC)
APART = timedelta(seconds=18)


def moments(*seconds: float) -> dict[str, list[datetime]]:
    return {"bybit": [START + timedelta(seconds=at) for at in seconds]}


def test_looks_of_two_scanners_lie_too_close_together_and_those_of_one_do_not() -> None:
    one = moments(0, 18, 36, 54, 72)
    two = moments(0, 7, 18, 25, 36, 43, 54, 61)
    assert too_close("observations", one, APART, handovers=0) == []
    assert len(too_close("observations", two, APART, handovers=1)) == 7


def test_a_handover_may_bring_two_looks_together_once() -> None:
    handed_over = moments(0, 18, 20, 38, 56)
    assert too_close("observations", handed_over, APART, handovers=1) == []
    assert len(too_close("observations", handed_over, APART, handovers=0)) == 1


def test_an_event_with_two_signals_is_named() -> None:
    assert with_two_signals([{"event_id": 1}, {"event_id": 2}]) == []
    assert with_two_signals([{"event_id": 1}, {"event_id": 1}]) == ["event 1 has 2 signals"]


def test_an_attempt_or_a_request_that_was_decided_twice_is_named() -> None:
    def line(decision: str, **evidence: Any) -> dict[str, Any]:
        return {"decision": decision, "evidence": evidence}

    requested = line("close_requested", message_id="close-1-take_profit-1")
    skipped = line("skipped:book_stale", attempt=1)
    assert named_twice([requested, skipped, line("skipped:book_stale", attempt=2), line("orders_intended")]) == []
    assert len(named_twice([requested, skipped, requested, skipped])) == 2
