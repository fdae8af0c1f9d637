"""The outlook shows the trigger, the target and the last scale-in by SPEC 2's own formulas."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import exp, log

import pytest

from api_gateway.domain.closing import may_be_closed
from api_gateway.domain.scale_in_outlook import (
    FilledEntry,
    ScaleInLimits,
    last_scale_in_at,
    next_trigger_spread_pct,
    summarise_entries,
)

NOON = datetime(2025, 10, 10, 12, tzinfo=UTC)
LIMITS = ScaleInLimits(enabled=True, max_entries=4, trigger_mult=1.5)


def entries(count: int) -> list[FilledEntry]:
    return [
        FilledEntry(2 * k + 1, Decimal(50), log(1.02 + k / 100), 0.02 + k / 100, NOON + timedelta(hours=k))
        for k in range(count)
    ]


def test_the_next_trigger_grows_with_each_entry_from_the_first_spread() -> None:
    triggers = [next_trigger_spread_pct(entries(count), LIMITS) for count in (1, 2, 3)]
    assert triggers == pytest.approx([0.03, 0.045, 0.0675])


def test_there_is_no_next_trigger_before_the_first_entry_at_the_maximum_or_when_switched_off() -> None:
    assert next_trigger_spread_pct([], LIMITS) is None
    assert next_trigger_spread_pct(entries(4), LIMITS) is None
    assert next_trigger_spread_pct(entries(1), ScaleInLimits(enabled=False, max_entries=4, trigger_mult=1.5)) is None


def test_numbers_with_gaps_do_not_make_the_first_entry_a_scale_in() -> None:
    only = FilledEntry(3, Decimal(50), 0.02, 0.02, NOON)
    assert last_scale_in_at([only]) is None
    assert last_scale_in_at(entries(3)) == NOON + timedelta(hours=2)


def test_the_target_lies_take_profit_below_the_weighted_entry() -> None:
    summary = summarise_entries(entries(2), 0.007)
    weighted = (log(1.02) + log(1.03)) / 2
    assert summary.entries_count == 2
    assert summary.entry_spread_pct_first == 0.02
    assert summary.entry_metric_weighted == pytest.approx(weighted)
    assert summary.tp_exit_spread_pct == pytest.approx(exp(weighted - 0.007) - 1)


def test_before_the_first_fill_nothing_is_known() -> None:
    summary = summarise_entries([], 0.007)
    assert (summary.entries_count, summary.entry_metric_weighted, summary.tp_exit_spread_pct) == (0, None, None)


def test_without_a_target_there_is_no_target_spread() -> None:
    assert summarise_entries(entries(1), None).tp_exit_spread_pct is None


def test_only_open_and_closing_trades_may_be_closed() -> None:
    states = ("new", "skipped", "expired", "opening", "open", "closing", "closed", "failed")
    assert [state for state in states if may_be_closed(state)] == ["open", "closing"]
