"""Quantiles and how a row of the report is written."""

from collections.abc import Sequence


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of all values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, -(-int(share * 10_000) * len(ordered) // 10_000) - 1)]


def row(name: str, values: Sequence[float], unit: str, target: str) -> str:
    """Name, p50, p99, count and the target beside them."""
    p50, p99 = quantile(values, 0.5), quantile(values, 0.99)
    return f"{name:<52} p50 {p50:8.2f} {unit}   p99 {p99:8.2f} {unit}   n {len(values):5}   target {target}"
