"""What the services wrote down themselves, asked for by name once the run may be over.

Nothing is taken from what a look every half second happened to see: a decision that came and went between two looks
is in the audit, a verdict in the samples, a refused observation among the observations.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from venue_sim.scenario import Expectations

Gateway = Callable[[str], Awaitable[dict[str, Any]]]
"""Reads one path of the gateway."""

_API = "/api/live_trading"
_SKIPPED = "skipped:"


@dataclass(frozen=True)
class Recorded:
    """Of the names that a scenario asks for, those that occurred."""

    decisions: frozenset[str] = frozenset()
    verdicts: frozenset[str] = frozenset()
    observations_refused: frozenset[str] = frozenset()

    @property
    def skipped_reasons(self) -> frozenset[str]:
        return frozenset(name.removeprefix(_SKIPPED) for name in self.decisions if name.startswith(_SKIPPED))


async def read_recorded(expected: Expectations, trade_ids: Iterable[int], gateway: Gateway) -> Recorded:
    """Looks up every name that `expected` has; verdicts among the samples of the trades `trade_ids`."""
    decisions = [*expected.decisions, *(_SKIPPED + reason for reason in expected.skipped_reasons)]
    found_decisions = [name for name in decisions if await _occurs(gateway, "/api/audit", decision=name)]
    refused = [
        name for name in expected.observations_refused if await _occurs(gateway, f"{_API}/observations", refusal=name)
    ]
    verdicts: set[str] = set()
    if expected.verdicts:
        for trade_id in trade_ids:
            verdicts |= await _verdicts(gateway, trade_id)
    return Recorded(frozenset(found_decisions), frozenset(verdicts), frozenset(refused))


async def _occurs(gateway: Gateway, path: str, **filters: str) -> bool:
    page = await gateway(f"{path}?{urlencode({**filters, 'limit': 1})}")
    return bool(page["items"])


async def _verdicts(gateway: Gateway, trade_id: int) -> set[str]:
    found: set[str] = set()
    wanted: dict[str, object] = {"signal_id": trade_id, "limit": 200}
    while True:
        page = await gateway(f"{_API}/samples?{urlencode(wanted)}")
        found |= {f"{sample['verdict']}:{sample['evidence']['reason']}" for sample in page["items"]}
        if page["next"] is None:
            return found
        wanted["before"] = page["next"]
