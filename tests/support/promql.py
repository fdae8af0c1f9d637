"""As much of PromQL as the alert rules use, evaluated over series that a test writes down.

A series has one sample a minute, the last of them now. What is not known here fails loudly.
"""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import promql_parser as promql

Labels = frozenset[tuple[str, str]]
Vector = dict[Labels, float]
Series = Mapping[str, Sequence[float]]
"""Samples by `name{label="value"}`, as Prometheus writes it."""

SCRAPE_SECONDS = 60
NAME = "__name__"

_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}
_ARITHMETIC: Mapping[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
_AGGREGATIONS: Mapping[str, Callable[[list[float]], float]] = {"max": max, "min": min, "sum": sum}
_MATCHES: Mapping[str, Callable[[str, str], bool]] = {
    "MatchOp.Equal": lambda found, wanted: found == wanted,
    "MatchOp.NotEqual": lambda found, wanted: found != wanted,
    "MatchOp.Re": lambda found, wanted: re.fullmatch(wanted, found) is not None,
    "MatchOp.NotRe": lambda found, wanted: re.fullmatch(wanted, found) is None,
}
_OVER_TIME: Mapping[str, Callable[[Sequence[float], float], float]] = {
    "increase": lambda samples, _: samples[-1] - samples[0],
    "rate": lambda samples, seconds: (samples[-1] - samples[0]) / seconds,
    "min_over_time": lambda samples, _: min(samples),
}


class Evaluation:
    """Evaluates expressions over some series, at the unix time `now`."""

    def __init__(self, series: Series, now: float = 0.0) -> None:
        self._now = now
        self._series = [(_labels_of(promql.parse(name)), samples) for name, samples in series.items()]

    def of(self, expression: str) -> Vector:
        """The instant vector that a rule's expression gives; a rule fires for each element."""
        value = self._value(promql.parse(expression))
        assert isinstance(value, dict), f"{expression} is a number"
        return value

    def _value(self, node: Any) -> Vector | float:
        match node:
            case promql.NumberLiteral():
                return float(node.val)
            case promql.ParenExpr():
                return self._value(node.expr)
            case promql.UnaryExpr():
                value = self._value(node.expr)
                return -value if isinstance(value, float) else {labels: -one for labels, one in value.items()}
            case promql.VectorSelector():
                return {labels: samples[-1] for labels, samples in self._selected(node)}
            case promql.AggregateExpr():
                return self._aggregated(node)
            case promql.Call():
                return self._called(node.func.name, node.args)
            case promql.BinaryExpr():
                return _combined(str(node.op), self._value(node.lhs), self._value(node.rhs))
        raise NotImplementedError(type(node).__name__)

    def _selected(self, node: Any) -> list[tuple[Labels, Sequence[float]]]:
        def fits(labels: Labels) -> bool:
            found = dict(labels)
            return found[NAME] == node.name and all(
                _MATCHES[str(m.op)](found.get(m.name, ""), m.value) for m in node.matchers.matchers
            )

        return [(_without(labels, {NAME}), samples) for labels, samples in self._series if fits(labels)]

    def _aggregated(self, node: Any) -> Vector:
        kept = set(node.modifier.labels) if node.modifier else set()
        groups: dict[Labels, list[float]] = {}
        for labels, value in self._vector(node.expr).items():
            key = frozenset(item for item in labels if item[0] in kept)
            groups.setdefault(key, []).append(value)
        return {labels: _AGGREGATIONS[str(node.op)](values) for labels, values in groups.items()}

    def _called(self, name: str, arguments: Sequence[Any]) -> Vector | float:
        if name == "time":
            return self._now
        if name == "abs":
            return {labels: abs(value) for labels, value in self._vector(arguments[0]).items()}
        if name == "absent":
            return {} if self._vector(arguments[0]) else {frozenset(): 1.0}
        if name == "histogram_quantile":
            return _quantiles(float(arguments[0].val), self._vector(arguments[1]))
        [matrix] = arguments
        steps = int(matrix.range.total_seconds() // SCRAPE_SECONDS)
        seconds = matrix.range.total_seconds()
        return {
            labels: _OVER_TIME[name](samples[-steps - 1 :], seconds)
            for labels, samples in self._selected(matrix.vector_selector)
        }

    def _vector(self, node: Any) -> Vector:
        value = self._value(node)
        assert isinstance(value, dict)
        return value


def _labels_of(selector: Any) -> Labels:
    return frozenset({(NAME, selector.name), *((m.name, m.value) for m in selector.matchers.matchers)})


def _without(labels: Labels, names: set[str]) -> Labels:
    return frozenset(item for item in labels if item[0] not in names)


def _combined(operation: str, left: Vector | float, right: Vector | float) -> Vector | float:
    if operation in ("and", "or"):
        assert isinstance(left, dict)
        assert isinstance(right, dict)
        return {**right, **left} if operation == "or" else {key: left[key] for key in left if key in right}
    if isinstance(left, float) and isinstance(right, float):
        return float(_ARITHMETIC[operation](left, right))
    keys = set(left if isinstance(left, dict) else right if isinstance(right, dict) else ())
    if isinstance(left, dict) and isinstance(right, dict):
        keys &= set(right)
    pairs = {
        key: (left[key] if isinstance(left, dict) else left, right[key] if isinstance(right, dict) else right)
        for key in keys
    }
    if operation in _COMPARISONS:
        return {key: one for key, (one, other) in pairs.items() if _COMPARISONS[operation](one, other)}
    return {key: _ARITHMETIC[operation](one, other) for key, (one, other) in pairs.items()}


def _quantiles(quantile: float, buckets: Vector) -> Vector:
    """Interpolated within the bucket, as Prometheus does; nothing of a histogram without observations."""
    histograms: dict[Labels, list[tuple[float, float]]] = {}
    for labels, count in buckets.items():
        histograms.setdefault(_without(labels, {"le"}), []).append((float(dict(labels)["le"]), count))
    found: Vector = {}
    for labels, bounds in histograms.items():
        bounds.sort()
        wanted = quantile * bounds[-1][1]
        if not wanted:
            continue
        index = next(number for number, (_, count) in enumerate(bounds) if count >= wanted)
        low, below = bounds[index - 1] if index else (0.0, 0.0)
        high, count = bounds[index]
        found[labels] = low if high == float("inf") else low + (high - low) * (wanted - below) / (count - below)
    return found
