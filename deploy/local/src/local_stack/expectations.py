"""What a scenario expects of a run, and which of it did not come true."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from local_stack.trades import Signal
from venue_sim.scenario import Expectations


@dataclass(frozen=True)
class Outcome:
    """What a run has shown so far: its signals as they are now, and every reason one was ever skipped for."""

    signals: Sequence[Signal]
    skipped_reasons: frozenset[str]

    @property
    def closed(self) -> list[Signal]:
        return [signal for signal in self.signals if signal.status == "closed"]

    @property
    def is_settled(self) -> bool:
        """Nothing is open, and fees and funding of everything closed are known."""
        return not any(signal.is_active or signal.awaits_settlement for signal in self.signals)

    @property
    def net_pnl_usdt(self) -> Decimal:
        return sum((signal.net_pnl_usdt for signal in self.closed if signal.net_pnl_usdt is not None), Decimal(0))


@dataclass(frozen=True)
class Unmet:
    """An expectation by its name in the scenario file, what it asks for and what there was."""

    name: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.name}: expected {self.expected}, found {self.found}"


def _trades_closed_min(expected: int, outcome: Outcome) -> Unmet | None:
    return _at_least("trades_closed_min", expected, len(outcome.closed))


def _trades_opened_max(expected: int, outcome: Outcome) -> Unmet | None:
    opened = sum(signal.opened_at is not None for signal in outcome.signals)
    return None if opened <= expected else Unmet("trades_opened_max", f"at most {expected}", str(opened))


def _entries_min(expected: int, outcome: Outcome) -> Unmet | None:
    return _at_least("entries_min", expected, sum(signal.entries_count for signal in outcome.signals))


def _close_reasons(expected: list[str], outcome: Outcome) -> Unmet | None:
    return _all_of("close_reasons", expected, {signal.close_reason or "none" for signal in outcome.closed})


def _skipped_reasons(expected: list[str], outcome: Outcome) -> Unmet | None:
    return _all_of("skipped_reasons", expected, outcome.skipped_reasons)


def _net_pnl_min_usdt(expected: Decimal, outcome: Outcome) -> Unmet | None:
    return _at_least("net_pnl_min_usdt", expected, outcome.net_pnl_usdt)


_CHECKS: dict[str, Callable[[Any, Outcome], Unmet | None]] = {
    "trades_closed_min": _trades_closed_min,
    "trades_opened_max": _trades_opened_max,
    "entries_min": _entries_min,
    "close_reasons": _close_reasons,
    "skipped_reasons": _skipped_reasons,
    "net_pnl_min_usdt": _net_pnl_min_usdt,
}


def unmet(expectations: Expectations, outcome: Outcome) -> list[Unmet]:
    """Every expectation that the outcome does not meet; those that the scenario leaves out are not asked."""
    asked = expectations.model_dump(exclude_none=True)
    found = (_CHECKS[name](expected, outcome) for name, expected in asked.items())
    return [miss for miss in found if miss is not None]


def can_be_met_early(expectations: Expectations) -> bool:
    """False where only the end of the run can tell: an upper bound holds until it is broken."""
    return expectations.trades_opened_max is None


def _at_least(name: str, expected: int | Decimal, found: int | Decimal) -> Unmet | None:
    return None if found >= expected else Unmet(name, f"at least {expected}", str(found))


def _all_of(name: str, expected: Sequence[str], found: set[str] | frozenset[str]) -> Unmet | None:
    missing = sorted(set(expected) - found)
    seen = ", ".join(sorted(found)) or "none"
    return Unmet(name, ", ".join(missing), seen) if missing else None
