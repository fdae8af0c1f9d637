"""The alert rules: what they ask for exists, each fires when it should and only then, and each has its runbook."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from support.observability import ALERTS, DEPLOY, FROM_PROMETHEUS, alert_rules, defined_series, labels_of, series_used
from support.promql import Evaluation, Series

RULES = {rule["alert"]: rule for rule in alert_rules()}
RUNBOOK = DEPLOY / "RUNBOOK.md"
NOW = 1_760_000_000.0
PROMETHEUS_LABELS = {"job", "service", "instance", "le"}


def buckets(name: str, labels: str, slow: int) -> Series:
    """A histogram whose last minutes saw 100 quick observations and so many slow ones."""
    listed = f"{labels}, " if labels else ""
    counts = {"0.05": 100, "10": 100, "60": 100 + slow, "+Inf": 100 + slow}
    return {f'{name}_bucket{{{listed}le="{bound}"}}': [0, count] for bound, count in counts.items()}


def unreachable(count: int) -> Series:
    name = "tandem_venue_request_seconds_count"
    return {
        f'{name}{{venue="bybit", outcome="answered"}}': [0, 80],
        f'{name}{{venue="bybit", outcome="unreachable"}}': [0, count],
    }


def up(name: str, value: int) -> Series:
    return {f'tandem_dependency_up{{service="executor", dependency="{name}"}}': [value]}


OPENING = 'request="watchlist.event.opened", until="sent"'
CASES: dict[str, tuple[Series, Series]] = {
    "TandemUnhedged": ({"tandem_one_legged_seconds": [15.1]}, {"tandem_one_legged_seconds": [15]}),
    "TandemOrderOutcomeUnknown": (
        {"tandem_unresolved_order_oldest_seconds": [61]},
        {"tandem_unresolved_order_oldest_seconds": [60]},
    ),
    "TandemUnwindNotDone": (
        {'tandem_alarms_total{kind="unwind_loss"}': [0, 0, 1]},
        {'tandem_alarms_total{kind="unwind_loss"}': [1] * 12, 'tandem_alarms_total{kind="drift_x"}': [0, 1]},
    ),
    "TandemRepeatedUnwinds": (
        {"tandem_unwound_entries_last_hour": [2]},
        {"tandem_unwound_entries_last_hour": [1]},
    ),
    "TandemDrift": (
        {'tandem_alarms_total{kind="drift_external_close"}': [0, 1]},
        {'tandem_alarms_total{kind="drift_external_close"}': [0, 1, *[1] * 11]},
    ),
    "TandemPositionWithoutTrade": (
        {'tandem_alarms_total{kind="position_without_trade"}': [3, 4]},
        {'tandem_alarms_total{kind="position_without_trade"}': [4, 4]},
    ),
    "TandemTradesLeftAlone": (
        {'tandem_left_alone_trades{instance="a"}': [1], 'tandem_left_alone_trades{instance="b"}': [2]},
        {'tandem_left_alone_trades{instance="a"}': [1], 'tandem_left_alone_trades{instance="b"}': [0]},
    ),
    "TandemCloseNotFinished": ({"tandem_closing_oldest_seconds": [301]}, {"tandem_closing_oldest_seconds": [300]}),
    "TandemTradeNotFinalised": (
        {"tandem_unfinalised_oldest_seconds": [1801]},
        {"tandem_unfinalised_oldest_seconds": [1800]},
    ),
    "TandemTradingNotActive": (
        {'tandem_trading_state{state="active"}': [0], 'tandem_trading_state{state="halted"}': [1]},
        {'tandem_trading_state{state="active"}': [1], 'tandem_trading_state{state="halted"}': [0]},
    ),
    "TandemDailyLossNearLimit": (
        {"tandem_day_net_pnl_usdt": [-80], "tandem_daily_loss_limit_usdt": [100]},
        {"tandem_day_net_pnl_usdt": [-800], "tandem_daily_loss_limit_usdt": [0]},
    ),
    "TandemFundingNearHardStop": (
        {"tandem_funding_cost_per_hour_max": [0.0025], "tandem_funding_stop_per_hour": [0.003]},
        {"tandem_funding_cost_per_hour_max": [0.0023], "tandem_funding_stop_per_hour": [0.003]},
    ),
    "TandemVenueBanned": (
        {'tandem_venue_banned_until_timestamp_seconds{venue="bybit"}': [NOW + 1]},
        {'tandem_venue_banned_until_timestamp_seconds{venue="bybit"}': [NOW - 1]},
    ),
    "TandemVenueFailing": (unreachable(21), unreachable(20)),
    "TandemClockOffset": (
        {'tandem_venue_clock_offset_seconds{venue="bybit"}': [-0.3]},
        {'tandem_venue_clock_offset_seconds{venue="bybit"}': [0.2]},
    ),
    "TandemBooksStale": ({"tandem_unpriced_trades": [1]}, {"tandem_unpriced_trades": [0]}),
    "TandemOrderStreamDown": (
        {'tandem_order_stream_up{venue="okx"}': [0], 'tandem_order_stream_up{venue="bybit"}': [1]},
        {'tandem_order_stream_up{venue="okx"}': [1]},
    ),
    "TandemServiceDown": ({'up{job="tandem", service="executor"}': [0]}, {'up{job="tandem"}': [1]}),
    "TandemNotReady": (up("outbox", 0), up("outbox", 1)),
    "TandemDatabaseAway": (up("postgres", 0), {**up("postgres", 1), **up("nats", 0)}),
    "TandemBusAway": (up("nats", 0), {**up("nats", 1), **up("postgres", 0)}),
    "TandemOutboxStuck": ({"tandem_outbox_oldest_seconds": [11]}, {"tandem_outbox_oldest_seconds": [10]}),
    "TandemConsumerLag": (
        {'tandem_consumer_waiting_messages{consumer="executor-events"}': [0, 40, 11, 11]},
        {
            'tandem_consumer_waiting_messages{consumer="executor-events"}': [40, 10, 11, 11],
            'tandem_consumer_unanswered_messages{consumer="executor-events"}': [0, *[1] * 10],
        },
    ),
    "TandemMessageQuarantined": (
        {'tandem_messages_total{consumer="executor-events", outcome="quarantined"}': [0, 1]},
        {'tandem_messages_total{consumer="executor-events", outcome="failed"}': [0, 1]},
    ),
    "TandemLoopFailing": (
        {'tandem_loop_failures_total{service="executor", loop="rails"}': [0, 6]},
        {'tandem_loop_failures_total{service="executor", loop="rails"}': [0, 5]},
    ),
    "TandemOpeningSlow": (
        buckets("tandem_opening_seconds", OPENING, 20),
        buckets("tandem_opening_seconds", OPENING, 0),
    ),
    "TandemExitDecisionSlow": (
        buckets("tandem_exit_decision_seconds", "", 20),
        buckets("tandem_exit_decision_seconds", "", 0),
    ),
    "TandemRecoverySlow": (buckets("tandem_recovery_seconds", "", 20), buckets("tandem_recovery_seconds", "", 0)),
}
"""For each alert series that make it fire, and series that just do not."""


def selectors() -> Iterator[tuple[str, Any]]:
    for name, rule in RULES.items():
        for selector in series_used(rule["expr"]):
            yield name, selector


def test_every_series_asked_for_is_one_that_a_service_shows() -> None:
    known = defined_series() | FROM_PROMETHEUS
    assert [(alert, selector.name) for alert, selector in selectors() if selector.name not in known] == []


def test_every_label_asked_for_is_one_of_its_series() -> None:
    wrong = [
        (alert, selector.name, matcher.name)
        for alert, selector in selectors()
        if selector.name not in FROM_PROMETHEUS
        for matcher in selector.matchers.matchers
        if matcher.name not in labels_of(selector.name) | PROMETHEUS_LABELS
    ]
    assert wrong == []


def test_every_alert_says_how_bad_it_is_what_it_means_and_where_to_read_on() -> None:
    for name, rule in RULES.items():
        assert re.fullmatch(r"Tandem[A-Za-z]+", name)
        assert rule["labels"]["severity"] in ("critical", "warning"), name
        assert {"summary", "description", "runbook_url"} == set(rule["annotations"]), name
        assert rule["annotations"]["runbook_url"] == f"RUNBOOK.md#{name.lower()}"


def test_every_name_is_used_once() -> None:
    assert len(alert_rules()) == len(RULES)
    assert set(CASES) == set(RULES)


@pytest.mark.parametrize("name", CASES)
def test_an_alert_fires_when_it_should_and_not_a_little_before(name: str) -> None:
    fires, does_not = CASES[name]
    expression = RULES[name]["expr"]
    assert Evaluation(fires, NOW).of(expression)
    assert not Evaluation(does_not, NOW).of(expression)


def test_services_that_nobody_scrapes_are_down() -> None:
    assert Evaluation({}, NOW).of(RULES["TandemServiceDown"]["expr"])


def test_every_alert_has_its_heading_in_the_runbook() -> None:
    headings = re.findall(r"^#+ +(\S+) *$", RUNBOOK.read_text(), re.MULTILINE)
    assert [name for name in RULES if headings.count(name) != 1] == []
    assert [heading for heading in headings if heading.startswith("Tandem") and heading not in {"Tandem", *RULES}] == []


def test_no_rule_is_shown_by_a_template_that_does_not_exist() -> None:
    """The labels that a summary names are ones that the expression keeps."""
    for name, rule in RULES.items():
        fires = Evaluation(CASES[name][0], NOW).of(rule["expr"])
        wanted = set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"])))
        kept = {label for labels in fires for label, _ in labels} | {"service"}
        assert wanted <= kept, (name, ALERTS)
