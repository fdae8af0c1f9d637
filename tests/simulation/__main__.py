"""`make simulate SEEDS=n [FIRST=n]`, `make simulate SEED=n [PLANTED=name]`; exit code 1 where an invariant fails."""

import sys
import time
from collections.abc import Iterator, Mapping

from simulation.campaign import Summary, run_all
from simulation.planted import PLANTED, plant
from simulation.run import Outcome, run

SEEDS_DEFAULT = 300
NUMBERS = ("SEEDS", "FIRST", "SEED")
USAGE = f"allowed is SEEDS=n FIRST=n SEED=n PLANTED=name|all, with a name of: {', '.join(PLANTED)}"


def main(arguments: list[str]) -> int:
    """Runs what the arguments ask for; the exit code."""
    given = dict(argument.split("=", 1) for argument in arguments if "=" in argument)
    strange = [a for a in arguments if "=" not in a] + sorted(given.keys() - {*NUMBERS, "PLANTED"})
    planted = given.get("PLANTED") or None
    no_numbers = [name for name in NUMBERS if not (given.get(name) or "1").isdecimal()]
    if strange or no_numbers or (planted is not None and planted not in (*PLANTED, "all")):
        print(f"{' '.join(arguments)}: {USAGE}", file=sys.stderr)
        return 2
    if given.get("SEED"):
        return _replay(int(given["SEED"]), planted)
    if planted is not None:
        return _find_planted(given, list(PLANTED) if planted == "all" else [planted])
    return _campaign(range(int(given.get("FIRST") or 1), _end(given)))


def _end(given: Mapping[str, str]) -> int:
    return int(given.get("FIRST") or 1) + int(given.get("SEEDS") or SEEDS_DEFAULT)


def _replay(seed: int, planted: str | None) -> int:
    """One run, step by step."""
    with plant(planted):
        outcome = run(seed, show=print)
    summary = Summary()
    summary.add(outcome)
    print("\n".join(summary.lines()))
    print(f"digest {outcome.digest}")
    print(f"seed {seed}: {outcome.violation or 'every invariant holds'}")
    return 1 if outcome.violation else 0


def _campaign(seeds: range) -> int:
    started, summary = time.monotonic(), Summary()
    for outcome in run_all(seeds):
        summary.add(outcome)
        if outcome.violation is not None:
            print(f"seed {outcome.seed}: {outcome.violation}\n  replay: make simulate SEED={outcome.seed}", flush=True)
    print("\n".join(summary.lines()))
    print(f"{len(summary.failed)} of {summary.runs} runs failed, {time.monotonic() - started:.0f} s")
    return 1 if summary.failed else 0


def _find_planted(given: Mapping[str, str], names: list[str]) -> int:
    """For each planted bug the first seed that finds it and is sound without it; 1 where none does."""
    missed = 0
    for name in names:
        found = next((o for o in _failing(given, name) if run(o.seed).violation is None), None)
        missed += found is None
        told = f"seed {found.seed}: {found.violation}" if found else "not found"
        print(f"{name} ({PLANTED[name].story}): {told}", flush=True)
    return 1 if missed else 0


def _failing(given: Mapping[str, str], name: str) -> Iterator[Outcome]:
    seeds = range(int(given.get("FIRST") or 1), _end(given))
    return (outcome for outcome in run_all(seeds, name) if outcome.violation is not None)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
