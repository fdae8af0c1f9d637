"""Where a trade stands on its way to the next scale-in and to its profit, for an operator's eyes.

It decides nothing: position-monitor asks for scale-ins and the executor opens them, by the same formulas of SPEC 2.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from common.domain.spread import scale_in_trigger_pct, take_profit_exit_spread_pct, weighted_entry_metric


@dataclass(frozen=True, slots=True)
class FilledEntry:
    """One filled entry: `entry` its number (k is its rank), `notional_usdt` of one leg, spreads as in SPEC 2."""

    entry: int
    notional_usdt: Decimal
    entry_spread_metric: float
    entry_spread_pct: float
    filled_at: datetime | None


@dataclass(frozen=True, slots=True)
class ScaleInLimits:
    """The limits in force for a trade."""

    enabled: bool
    max_entries: int
    trigger_mult: float


@dataclass(frozen=True, slots=True)
class EntrySummary:
    """Filled entries added up. Spread figures are None before the first fill."""

    entries_count: int
    entry_spread_pct_first: float | None
    entry_metric_weighted: float | None
    tp_exit_spread_pct: float | None


def summarise_entries(entries: Sequence[FilledEntry], take_profit_pnl: float | None) -> EntrySummary:
    """Count, first spread, weighted metric, and the exit spread at which profit would be taken."""
    if not entries:
        return EntrySummary(0, None, None, None)
    weighted = weighted_entry_metric((entry.notional_usdt, entry.entry_spread_metric) for entry in entries)
    target = None if take_profit_pnl is None else take_profit_exit_spread_pct(weighted, take_profit_pnl)
    return EntrySummary(len(entries), _first(entries).entry_spread_pct, weighted, target)


def next_trigger_spread_pct(entries: Sequence[FilledEntry], limits: ScaleInLimits) -> float | None:
    """The exit spread that would trigger the next entry; None where there can be no next one."""
    if not entries or not limits.enabled or len(entries) >= limits.max_entries:
        return None
    return scale_in_trigger_pct(_first(entries).entry_spread_pct, limits.trigger_mult, len(entries))


def last_scale_in_at(entries: Sequence[FilledEntry]) -> datetime | None:
    """When the newest entry beyond the first was filled; None of a trade that was never scaled in."""
    beyond_the_first = sorted(entries, key=lambda entry: entry.entry)[1:]
    added = [entry.filled_at for entry in beyond_the_first if entry.filled_at is not None]
    return max(added, default=None)


def _first(entries: Sequence[FilledEntry]) -> FilledEntry:
    return min(entries, key=lambda entry: entry.entry)
