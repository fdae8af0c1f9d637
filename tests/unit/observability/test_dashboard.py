"""The Grafana dashboard and the scrape configuration: everything that they ask for exists."""

import json
import runpy
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from local_stack.ports import Ports
from support.observability import FOLDER, FROM_PROMETHEUS, defined_series, series_used

MAKER = FOLDER.parents[1] / "scripts" / "make_dashboard.py"
FILE = FOLDER / "grafana" / "tandem.json"
WANTED = {
    "tandem_one_legged_seconds",
    "tandem_notional_usdt",
    "tandem_signals_skipped_total",
    "tandem_orders_total",
    "tandem_venue_banned_until_timestamp_seconds",
    "tandem_outbox_oldest_seconds",
    "tandem_consumer_waiting_messages",
    "tandem_day_net_pnl_usdt",
    "tandem_observation_accept_seconds_bucket",
    "tandem_opening_seconds_bucket",
    "tandem_leg_skew_seconds_bucket",
    "tandem_exit_decision_seconds_bucket",
    "tandem_recovery_seconds_bucket",
}


@pytest.fixture(scope="module")
def dashboard() -> Any:
    return json.loads(FILE.read_text())


def expressions(dashboard: Any) -> Iterator[str]:
    """The queries as Prometheus gets them."""
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield target["expr"].replace("$__rate_interval", "5m")


def test_the_file_is_what_the_script_makes(dashboard: Any) -> None:
    assert runpy.run_path(str(MAKER))["dashboard"]() == dashboard


def test_every_query_parses_and_asks_for_what_services_show(dashboard: Any) -> None:
    known = defined_series() | FROM_PROMETHEUS
    used = {selector.name for expression in expressions(dashboard) for selector in series_used(expression)}
    assert used - known == set()
    assert used >= WANTED


def test_panels_do_not_overlap_and_ask_the_datasource_that_is_chosen(dashboard: Any) -> None:
    places: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        box = panel["gridPos"]
        own = {(box["x"] + x, box["y"] + y) for x in range(box["w"]) for y in range(box["h"])}
        assert not own & places, panel["title"]
        assert box["x"] + box["w"] <= 24
        places |= own
        assert {target["datasource"]["uid"] for target in panel.get("targets", [])} <= {"${datasource}"}
    assert [variable["name"] for variable in dashboard["templating"]["list"]] == ["datasource"]


def test_prometheus_scrapes_each_service_where_it_listens_and_reads_the_rules() -> None:
    configuration = yaml.safe_load((FOLDER / "prometheus.yaml").read_text())
    [job] = configuration["scrape_configs"]
    assert job["job_name"] == "tandem"
    ports = {entry["labels"]["service"]: int(entry["targets"][0].split(":")[1]) for entry in job["static_configs"]}
    assert ports == {name.replace("_", "-"): port for name, port in Ports().services.items()}
    assert all((FOLDER / name).exists() for name in configuration["rule_files"])
