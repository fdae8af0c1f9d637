"""Playing a scenario on other venues than it names: the same market, prices and fees, another protocol.

A scenario counts base units. A venue that counts contracts gets a contract size from the table here; the sizes are
assumed, and unlike one, so that a quantity that nobody converted shows.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from venue_sim.scenario import Scenario, ScenarioError


@dataclass(frozen=True, slots=True)
class OnVenue:
    """What a venue makes of a scenario's instruments: the size of a contract in base units, and its minimum notional.

    `contract_size` None where it counts base units; `notional_min_usdt` None keeps the scenario's, or takes 5.
    `least_is_the_step`: its least quantity is one lot step.
    """

    contract_size: str | None = None
    notional_min_usdt: str | None = None
    least_is_the_step: bool = False


ON_VENUE: Mapping[str, OnVenue] = {
    "binance": OnVenue(),
    "bybit": OnVenue(),
    "okx": OnVenue(contract_size="0.1", notional_min_usdt="0"),
    "bitget": OnVenue(),
    "gate": OnVenue(contract_size="10", notional_min_usdt="0"),
    "hyperliquid": OnVenue(notional_min_usdt="10", least_is_the_step=True),
}
"""By venue; each speaks its own protocol."""

_USUAL_NOTIONAL_MIN_USDT = "5"


def played_on(scenario: Scenario, names: Sequence[str]) -> Scenario:
    """The scenario with its venues replaced by these, in its order.

    Raises:
        ScenarioError: another number of venues, one named twice, or one that nothing simulates.
    """
    before = list(scenario.venues)
    for name in names:
        if name not in ON_VENUE:
            raise ScenarioError(f"VENUES={','.join(names)}: nothing simulates {name!r}; allowed: {', '.join(ON_VENUE)}")
    if len(names) != len(before) or len(set(names)) != len(names):
        raise ScenarioError(
            f"VENUES={','.join(names)}: allowed are {len(before)} different ones in place of {', '.join(before)}"
        )
    renamed = dict(zip(before, names, strict=True))
    table = scenario.model_dump(exclude_unset=True)
    table["settings"] = _with_names(table.get("settings", {}), renamed)
    table["observations"] = _with_names(table.get("observations", []), renamed)
    table["venues"] = {renamed[name]: _spoken(venue, renamed[name]) for name, venue in table["venues"].items()}
    return Scenario.model_validate(table)


def _spoken(venue: dict[str, Any], name: str) -> dict[str, Any]:
    instruments = {symbol: _listed(rules, ON_VENUE[name]) for symbol, rules in venue["instruments"].items()}
    return {**venue, "protocol": name, "instruments": instruments}


def _listed(rules: dict[str, Any], on_venue: OnVenue) -> dict[str, Any]:
    notional_min = on_venue.notional_min_usdt or rules.get("notional_min") or _USUAL_NOTIONAL_MIN_USDT
    quantity_min = rules["quantity_step"] if on_venue.least_is_the_step else rules["quantity_min"]
    contract_size = on_venue.contract_size or "1"
    return {**rules, "contract_size": contract_size, "notional_min": notional_min, "quantity_min": quantity_min}


def _with_names(content: Any, renamed: Mapping[str, str]) -> Any:
    """Every text in it with the venues' names replaced, all at once: two venues may change places."""
    if isinstance(content, dict):
        return {key: _with_names(value, renamed) for key, value in content.items()}
    if isinstance(content, list):
        return [_with_names(value, renamed) for value in content]
    if isinstance(content, str):
        return re.sub(rf"\b({'|'.join(renamed)})\b", lambda found: renamed[found[1]], content)
    return content
