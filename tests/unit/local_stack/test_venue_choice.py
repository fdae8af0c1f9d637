"""A scenario played on other venues: what changes, what stays, and what is refused."""

from decimal import Decimal
from pathlib import Path

import pytest

from local_stack.demo import SCENARIOS, find_scenario
from local_stack.venue_choice import ON_VENUE, played_on
from venue_sim.scenario import ScenarioError, load_scenario

SOL = load_scenario(find_scenario("oct-10-2025-sol"))


def test_venues_take_each_others_place_by_order_and_keep_the_market() -> None:
    played = played_on(SOL, ["okx", "binance"])
    assert [(name, venue.protocol) for name, venue in played.venues.items()] == [("okx", "okx"), ("binance", "binance")]
    before, after = SOL.venues["bybit"].instruments["SOL"], played.venues["binance"].instruments["SOL"]
    assert (after.path, after.funding, after.quantity_step) == (before.path, before.funding, before.quantity_step)
    assert played.venues["binance"].taker_fee == SOL.venues["bybit"].taker_fee


def test_contracts_have_a_size_where_the_venue_counts_them() -> None:
    played = played_on(SOL, ["okx", "bybit"])
    assert played.venues["okx"].instruments["SOL"].contract_size == Decimal("0.1")
    assert played.venues["okx"].instruments["SOL"].notional_min == 0
    assert played.venues["bybit"].instruments["SOL"].contract_size == 1


def test_settings_and_observations_name_the_new_venues_even_when_they_change_places() -> None:
    played = played_on(SOL, ["bybit", "binance"])
    assert played.settings["LIVE_TRADING_ALLOWED_EXCHANGES"] == "bybit,binance"
    assert played.settings["PREDICTION_TAKER_FEES"] == "bybit=0.0005,binance=0.00055"
    cooldown = load_scenario(find_scenario("cooldown"))
    sides = [(posted.body["long"]["venue"], posted.body["short"]["venue"]) for posted in cooldown.observations]
    moved = played_on(cooldown, [{"binance": "okx"}.get(name, name) for name in cooldown.venues])
    assert [(posted.body["long"]["venue"], posted.body["short"]["venue"]) for posted in moved.observations] == [
        (long.replace("binance", "okx"), short.replace("binance", "okx")) for long, short in sides
    ]
    figures = [posted.body | {"long": None, "short": None} for posted in cooldown.observations]
    assert [posted.body | {"long": None, "short": None} for posted in moved.observations] == figures


@pytest.mark.parametrize("names", [["okx"], ["okx", "okx"], ["okx", "kraken"], ["okx", "binance", "bybit"]])
def test_other_venues_are_refused_with_what_is_allowed(names: list[str]) -> None:
    with pytest.raises(ScenarioError, match=r"VENUES=.*allowed"):
        played_on(SOL, names)


@pytest.mark.parametrize("name", sorted(file.stem for file in SCENARIOS.glob("*.toml")))
def test_every_scenario_can_be_played_anywhere_and_read_again(name: str, tmp_path: Path) -> None:
    scenario = load_scenario(find_scenario(name))
    for other in ON_VENUE:
        partner = "binance" if other != "binance" else "bybit"
        played = played_on(scenario, [other, partner])
        written = tmp_path / f"{other}.json"
        written.write_text(played.model_dump_json(exclude_unset=True))
        assert load_scenario(written).venues == played.venues
