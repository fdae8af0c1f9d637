"""What a scenario expects of a run, and which of it did not come true."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from local_stack.recorded import Recorded
from local_stack.trades import Signal
from venue_sim.scenario import Expectations


@dataclass(frozen=True)
class Outcome:
    """What a run has shown so far: its signals as they are now, and what the services recorded."""

    signals: Sequence[Signal]
    recorded: Recorded = field(default_factory=Recorded)

    @property
    def trades(self) -> list[Signal]:
        return [signal for signal in self.signals if signal.opened_at is not None]

    @property
    def closed(self) -> list[Signal]:
        return [signal for signal in self.signals if signal.status == "closed"]

    @property
    def is_settled(self) -> bool:
        """Nothing is open, and fees and funding of everything closed are known."""
        return not any(signal.is_active or signal.awaits_settlement for signal in self.signals)

    @property
    def funding_usdt(self) -> Decimal:
        return sum((signal.funding_usdt for signal in self.closed if signal.funding_usdt is not None), Decimal(0))

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
    return _at_most("trades_opened_max", expected, len(outcome.trades))


def _entries_min(expected: int, outcome: Outcome) -> Unmet | None:
    return _at_least("entries_min", expected, sum(signal.entries_count for signal in outcome.signals))


def _entries_exactly(expected: int, outcome: Outcome) -> Unmet | None:
    found = [signal.entries_count for signal in outcome.closed]
    if expected in found:
        return None
    return Unmet("entries_exactly", f"a closed trade with {expected}", ", ".join(map(str, found)) or "none")


def _close_reasons(expected: list[str], outcome: Outcome) -> Unmet | None:
    return _all_of("close_reasons", expected, {signal.close_reason or "none" for signal in outcome.closed})


def _skipped_reasons(expected: list[str], outcome: Outcome) -> Unmet | None:
    return _all_of("skipped_reasons", expected, outcome.recorded.skipped_reasons)


def _decisions(expected: list[str], outcome: Outcome) -> Unmet | None:
    return _all_of("decisions", expected, outcome.recorded.decisions)


def _verdicts(expected: list[str], outcome: Outcome) -> Unmet | None:
    return _all_of("verdicts", expected, outcome.recorded.verdicts)


def _observations_refused(expected: list[str], outcome: Outcome) -> Unmet | None:
    return _all_of("observations_refused", expected, outcome.recorded.observations_refused)


def _funding_max_usdt(expected: Decimal, outcome: Outcome) -> Unmet | None:
    return _at_most("funding_max_usdt", expected, outcome.funding_usdt)


def _net_pnl_min_usdt(expected: Decimal, outcome: Outcome) -> Unmet | None:
    return _at_least("net_pnl_min_usdt", expected, outcome.net_pnl_usdt)


_CHECKS: dict[str, Callable[[Any, Outcome], Unmet | None]] = {
    "trades_closed_min": _trades_closed_min,
    "trades_opened_max": _trades_opened_max,
    "entries_min": _entries_min,
    "entries_exactly": _entries_exactly,
    "close_reasons": _close_reasons,
    "skipped_reasons": _skipped_reasons,
    "decisions": _decisions,
    "verdicts": _verdicts,
    "observations_refused": _observations_refused,
    "funding_max_usdt": _funding_max_usdt,
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


def _at_most(name: str, expected: int | Decimal, found: int | Decimal) -> Unmet | None:
    return None if found <= expected else Unmet(name, f"at most {expected}", str(found))


def _all_of(name: str, expected: Sequence[str], found: set[str] | frozenset[str]) -> Unmet | None:
    missing = sorted(set(expected) - found)
    seen = ", ".join(sorted(found)) or "none"
    return Unmet(name, ", ".join(missing), seen) if missing else None
