"""The rules, the dashboard and the names of the metrics that the services define."""

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser as promql
import yaml
from prometheus_client import REGISTRY

from local_stack.services import SERVICES

DEPLOY = Path(__file__).parents[2] / "deploy"
FOLDER = DEPLOY / "observability"
ALERTS = FOLDER / "alerts.yaml"
FROM_PROMETHEUS = {"up"}


def alert_rules() -> list[dict[str, Any]]:
    """Every rule of every group."""
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


def defined_series() -> set[str]:
    """The names of all series that the services can show; a histogram has several."""
    for service in SERVICES:
        importlib.import_module(f"{service}.bootstrap")  # metrics are defined where they are imported
    suffixes = {
        "counter": ("_total",),
        "gauge": ("",),
        "histogram": ("_bucket", "_count", "_sum"),
    }
    return {
        metric.name + suffix
        for metric in REGISTRY.collect()
        if metric.name.startswith("tandem_")
        for suffix in suffixes[metric.type]
    }


def series_used(expression: str) -> Iterator[Any]:
    """Every selector of an expression; fails where it does not parse."""
    found: list[Any] = []

    def visit(node: Any) -> bool:
        if isinstance(node, promql.VectorSelector):
            found.append(node)
        if isinstance(node, promql.MatrixSelector):
            found.append(node.vector_selector)
        return True

    promql.walk(promql.parse(expression), visit)
    return iter({str(node): node for node in found}.values())


def labels_of(series: str) -> set[str]:
    """The label names of the metric that a series belongs to."""
    collector: Any = REGISTRY._names_to_collectors[series]
    return set(collector._labelnames)
