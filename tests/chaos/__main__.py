"""`make chaos`: every process killed at every point on the real stack, and the matrix of what became of it.

`python -m chaos TEXT` plays only the cases whose names contain the text, as `executor opening send`; VENUES=gate,okx
plays them on these venues, the dear one first.
"""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.figures import quantile
from chaos.campaign import Case, killing_cases, paper_cases, play, proxy_cases
from chaos.cases import Result
from chaos.house import Fittings
from local_stack.venue_choice import ON_VENUE

HOUSES = 4
PROXIED_HOUSES = 1
PAPER_HOUSES = 2
"""A settlement comes once, and there are two cases of it."""
TARGET_SECONDS = 2.0
VENUES_PLAYED = 2


def line(result: Result) -> str:
    """One line of the matrix."""
    outcome = "ok" if not result.failures else f"FAILED {'; '.join(result.failures)}"
    seconds = f"{result.resolved_seconds:6.2f} s" if result.resolved_seconds is not None else " " * 8
    return f"{result.group:<46} {result.name:<56} {seconds}  {outcome}"


def summary(results: Sequence[Result], elapsed_seconds: float) -> list[str]:
    """The times, and how much of it held."""
    times = [result.resolved_seconds for result in results if result.resolved_seconds is not None]
    failed = [result for result in results if result.failures]
    lines = []
    if times:
        p50, p99 = quantile(times, 0.5), quantile(times, 0.99)
        figures = f"p50 {p50:.2f} s, p99 {p99:.2f} s, n {len(times)}"
        lines.append(f"restart (ready) -> nothing in flight: {figures}; the target is p99 <= {TARGET_SECONDS:g} s")
    return [*lines, f"{len(results) - len(failed)} of {len(results)} ok, {elapsed_seconds:.0f} s"]


def main(wanted: str, venues: tuple[str, ...] = ()) -> int:
    """Plays the cases whose names contain the text, and prints the matrix.

    The exit code is 1 where anything did not hold, and 2 where there is no such case or no such pair of venues.
    """
    names = [case.name for case in (*killing_cases(), *proxy_cases(), *paper_cases())]
    if not any(wanted in name for name in names):
        print(f"ONLY={wanted!r}: no case's name contains that; one is called {names[0]!r}", file=sys.stderr)
        return 2
    if venues and (len(set(venues)) != VENUES_PLAYED or not set(venues) <= ON_VENUE.keys()):
        allowed = f"{VENUES_PLAYED} different ones of {', '.join(ON_VENUE)}"
        print(f"VENUES={','.join(venues)}: allowed are {allowed}", file=sys.stderr)
        return 2
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        results = asyncio.run(play_all(Path(folder), wanted, venues))
    print("\nthe matrix", flush=True)
    for result in sorted(results, key=lambda result: (result.group, result.name)):
        tell(result)
    print("\n" + "\n".join(summary(results, time.monotonic() - began)))
    return 1 if any(result.failures for result in results) else 0


async def play_all(folder: Path, wanted: str, venues: tuple[str, ...]) -> list[Result]:
    """The houses side by side: what they mostly do is wait. The one on paper takes the place of the proxied one."""
    plain = Fittings(venues=venues)

    async def group(name: str, cases: Sequence[Case], houses: int, fittings: Fittings) -> list[Result]:
        chosen = [case for case in cases if wanted in case.name]
        return await play(folder / name, chosen, tell, houses=min(houses, len(chosen)), fittings=fittings)

    async def proxied_and_on_paper() -> list[Result]:
        proxied = await group("proxied", proxy_cases(), PROXIED_HOUSES, replace(plain, is_proxied=True))
        return proxied + await group("paper", paper_cases(), PAPER_HOUSES, replace(plain, is_on_paper=True))

    killing = group("killing", killing_cases(), HOUSES, replace(plain, is_told=True))
    played = await asyncio.gather(killing, proxied_and_on_paper())
    return [result for results in played for result in results]


def tell(result: Result) -> None:
    print(line(result), flush=True)


if __name__ == "__main__":
    sys.exit(main(" ".join(sys.argv[1:]), tuple(filter(None, os.environ.get("VENUES", "").split(",")))))
