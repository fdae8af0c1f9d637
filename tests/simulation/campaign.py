"""Many seeds at once, on all cores, and what they add up to."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing import get_context

from simulation.planted import plant
from simulation.run import Outcome, run

CHUNK = 4


@dataclass
class Summary:
    """The sum of many runs."""

    runs: int = 0
    market_hours: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    checks: Counter[str] = field(default_factory=Counter)
    profiles: Counter[str] = field(default_factory=Counter)
    failed: list[Outcome] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """One more run."""
        self.runs += 1
        self.market_hours += outcome.market_hours
        self.counts.update(outcome.counts)
        self.checks.update(outcome.checks)
        self.profiles[outcome.profile] += 1
        if outcome.violation is not None:
            self.failed.append(outcome)

    def lines(self) -> Iterator[str]:
        """The sum as text."""
        counts = self.counts
        yield f"runs {self.runs}, market hours {self.market_hours:.0f}"
        yield "profiles: " + _listed(self.profiles)
        yield "".join(f"{name} {counts[name]}, " for name in ("trades", "entries", "orders", "flatten orders")) + (
            f"unwinds {counts['unwinds']}"
        )
        for title, prefix in _SECTIONS.items():
            found = {name.removeprefix(prefix): n for name, n in counts.items() if name.startswith(prefix) and n}
            yield f"{title}: {_listed(found)}"
        yield "checks: " + _listed(self.checks)


_SECTIONS = {
    "trades closed for": "closed for ",
    "signals at the end": "signals ",
    "flattens": "flattened ",
    "faults armed": "trouble ",
    "faults met at venues": "met ",
    "requests in trouble": "line ",
    "crashes": "crash ",
    "pauses": "pause ",
    "traps sprung": "trap ",
    "others at the venues": "intervened ",
    "handlers that failed": "handler failed: ",
    "processes that ended by themselves": "ended by ",
}


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {counts[name]}" for name in sorted(counts)) or "none"


def run_all(seeds: Iterable[int], planted: str | None = None, workers: int | None = None) -> Iterator[Outcome]:
    """Runs every seed, in any order."""
    jobs = [(seed, planted) for seed in seeds]
    wanted = workers or os.cpu_count() or 1
    if wanted == 1 or len(jobs) <= 1:
        yield from map(_job, jobs)
        return
    with get_context("spawn").Pool(wanted) as pool:
        yield from pool.imap_unordered(_job, jobs, CHUNK)


def _job(job: tuple[int, str | None]) -> Outcome:
    seed, planted = job
    with plant(planted):
        return run(seed)
