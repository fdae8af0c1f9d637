"""The market has what the cases wait for."""

from pathlib import Path

import pytest

from chaos.market import FUNDED_AT, SYMBOLS, write_scenario
from local_stack.venue_choice import played_on
from venue_sim.funding import FundingSchedule
from venue_sim.scenario import load_scenario


@pytest.mark.parametrize("venues", [(), ("okx", "bitget"), ("gate", "hyperliquid")])
def test_what_is_open_when_the_market_begins_is_settled_at_the_moment_that_is_waited_for(
    venues: tuple[str, ...], tmp_path: Path
) -> None:
    scenario = load_scenario(write_scenario(tmp_path / "chaos.toml"))
    scenario = played_on(scenario, venues) if venues else scenario
    for venue in scenario.venues.values():
        listed = venue.instruments[SYMBOLS[0]]
        shown = FundingSchedule(listed.funding_interval_hours, listed.funding).at(scenario.clock.starts_at)
        assert (shown.next_time, bool(shown.rate)) == (FUNDED_AT, True)
