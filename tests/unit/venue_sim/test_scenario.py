"""Scenario files: what they hold, and that a wrong one says where, what and what is allowed."""

from decimal import Decimal
from pathlib import Path

import pytest

from venue_sim.__main__ import main
from venue_sim.scenario import ScenarioError, load_scenario

SCENARIOS = Path(__file__).parents[3] / "deploy" / "local" / "scenarios"

GOOD = """
title = "A title"
story = "A story"
[clock]
starts_at = 2025-10-10T20:30:00Z
ends_at = 2025-10-10T23:00:00Z
speed = 120
[settings]
LIVE_TRADING_PER_LEG_USDT = "500"
[expect]
trades_closed_min = 1
[venues.binance]
protocol = "binance"
taker_fee = 0.0005
balance_usdt = 10000
[venues.binance.instruments.SOL]
price_tick = 0.01
quantity_step = 0.1
quantity_min = 0.1
notional_min = 5
max_leverage = 50
funding_interval_hours = 8
path = [[2025-10-10T20:30:00Z, 207.44], ["2025-10-10T20:35:00Z", 207.17]]
funding = [[2025-10-11T00:00:00Z, -0.00302761], [2025-10-11T08:00:00Z, 0.001, 4]]
[venues.binance.instruments.SOL.book]
half_spread_bps = 0.5
levels = 20
step_bps = 1
notional_per_level_usdt = 20_000
"""


def load(tmp_path: Path, text: str) -> str:
    """The error of a scenario with this text."""
    file = tmp_path / "broken.toml"
    file.write_text(text)
    with pytest.raises(ScenarioError) as caught:
        load_scenario(file)
    assert str(file) in str(caught.value)
    return str(caught.value)


def test_figures_are_read_exactly(tmp_path: Path) -> None:
    file = tmp_path / "good.toml"
    file.write_text(GOOD)
    sol = load_scenario(file).venues["binance"].instruments["SOL"]
    assert [point.mid for point in sol.path] == [Decimal("207.44"), Decimal("207.17")]
    assert (sol.funding[0].rate, sol.funding[1].interval_hours) == (Decimal("-0.00302761"), 4)


def test_scripts_of_a_venue_are_read(tmp_path: Path) -> None:
    script = """
[[venues.binance.faults]]
at = 2025-10-10T21:00:00Z
kind = "lag"
endpoint = "positions"
seconds = 2.5
for_seconds = 60
clock = "market"
[[venues.binance.interventions]]
at = 2025-10-10T21:05:00Z
kind = "liquidate"
symbol = "SOL"
quantity = 1.5
"""
    file = tmp_path / "scripted.toml"
    file.write_text(GOOD + script)
    venue = load_scenario(file).venues["binance"]
    assert (venue.faults[0].kind, venue.faults[0].seconds, venue.faults[0].times_max) == ("lag", 2.5, None)
    assert (venue.interventions[0].kind, venue.interventions[0].quantity) == ("liquidate", Decimal("1.5"))


@pytest.mark.parametrize("file", sorted(SCENARIOS.glob("*.toml")), ids=lambda file: file.stem)
def test_every_scenario_of_the_project_can_be_played(file: Path) -> None:
    scenario = load_scenario(file)
    for venue in scenario.venues.values():
        for instrument in venue.instruments.values():
            assert instrument.path[0].time <= scenario.clock.starts_at
            assert instrument.path[-1].time >= scenario.clock.ends_at


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("taker_fee = 0.0005", "taker_fee = 1.5", ["venues.binance.taker_fee = 1.5", "less than 1"]),
        ("taker_fee = 0.0005", 'taker_fee = "x"', ["venues.binance.taker_fee = 'x'", "decimal"]),
        (
            "taker_fee = 0.0005",
            "taker_fees = 0.1",
            ["taker_fees: is not a field", "taker_fee: is missing"],
        ),
        ("levels = 20", "levels = 0", ["SOL.book.levels = 0", "greater than or equal to 1"]),
        ("levels = 20", "lvls = 20", ["SOL.book.lvls: is not a field; allowed here: half_spread_bps, levels"]),
        ("207.17", "-1", ["path.1.mid = -1", "greater than 0"]),
        ("207.17", "1, 2, 3", ["SOL.path.1", "allowed is [time, mid]"]),
        ("20:35:00Z", "20:25:00Z", ["SOL", "path goes back in time at 2025-10-10T20:25:00", "a later time"]),
        ("2025-10-10T23:00:00Z", "2025-10-10T20:00:00Z", ["clock", "ends_at", "not after starts_at"]),
        ("2025-10-10T23:00:00Z", "2025-10-10T23:00:00", ["clock.ends_at", "timezone"]),
        ('protocol = "binance"', 'protocol = "kraken"', ["venues.binance.protocol = 'kraken'", "'binance', 'bybit'"]),
        ("[venues.binance]", "[venues.Binance]", ["venues"]),
        (
            "notional_min = 5",
            "notional_min = 5\ncontract_size = 10",
            ["venues.binance", "SOL.contract_size", "binance counts base units", "allowed is 1"],
        ),
        (
            'protocol = "binance"',
            'protocol = "okx"',
            ["venues.binance", "SOL.notional_min: okx has none", "allowed is 0"],
        ),
        (
            'protocol = "binance"',
            'protocol = "hyperliquid"',
            ["venues.binance", "SOL.notional_min 5: allowed is 10"],
        ),
        ("[settings]", "[setting]", ["setting: is not a field; allowed here: clock, expect, observations, settings"]),
        ("trades_closed_min = 1", "trades_closed_min = -1", ["expect.trades_closed_min = -1"]),
        (
            "[expect]",
            "[[observations]]\nat = 2025-10-10T23:00:00Z\nbody = {}\n[expect]",
            ["observations.at 2025-10-10T23:00:00+00:00", "outside of the clock's run"],
        ),
        ('= "500"', "= 500", ["settings.LIVE_TRADING_PER_LEG_USDT = 500", "string"]),
        (
            "[venues.binance.instruments.SOL]",
            '[[venues.binance.faults]]\nat = 2025-10-10T21:00:00Z\nkind = "explode"\n[venues.binance.instruments.SOL]',
            ["venues.binance.faults.0.kind = 'explode'", "'stuck'"],
        ),
        (
            "[venues.binance.instruments.SOL]",
            '[[venues.binance.faults]]\nkind = "drop"\ntypo = 1\n[venues.binance.instruments.SOL]',
            ["faults.0.typo: is not a field; allowed here: accepted, at, cancel_fills", "faults.0.at: is missing"],
        ),
        (
            "[venues.binance.instruments.SOL]",
            '[[venues.binance.faults]]\nat = 2025-10-10T21:00:00Z\nkind = "drop"\nsymbol = "NOPE"\n'
            "[venues.binance.instruments.SOL]",
            ["venues.binance", "faults.0.symbol NOPE is not listed; allowed: SOL"],
        ),
        (
            "[venues.binance.instruments.SOL]",
            '[[venues.binance.interventions]]\nat = 2025-10-10T21:00:00Z\nkind = "external_open"\nsymbol = "SOL"\n'
            "[venues.binance.instruments.SOL]",
            ["interventions.0", "quantity: is missing; external_open needs it"],
        ),
        ("speed = 120", "speed = ", ["is no TOML", "line"]),
    ],
)
def test_wrong_field_is_named_with_what_is_allowed(tmp_path: Path, old: str, new: str, parts: list[str]) -> None:
    assert old in GOOD
    error = load(tmp_path, GOOD.replace(old, new))
    for part in parts:
        assert part in error


def test_gates_lot_is_a_contract_or_the_minimum(tmp_path: Path) -> None:
    gate = GOOD.replace('protocol = "binance"', 'protocol = "gate"').replace("notional_min = 5", "contract_size = 10")
    error = load(tmp_path, gate.replace("quantity_min = 0.1", "quantity_min = 0.2"))
    assert "SOL.quantity_step: gate's lot is one contract, or the minimum; allowed are 10 and 0.2" in error


def test_missing_file_is_named_with_the_ones_that_are_there(tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text(GOOD)
    with pytest.raises(ScenarioError, match=r"no-such\.toml: no such scenario file; there are: other"):
        load_scenario(tmp_path / "no-such.toml")


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        (["--venue", "kraken"], {}, "--venue kraken"),
        (["--venue", "binance"], {}, "VENUE_BINANCE_API_KEY is empty"),
        (
            ["--venue", "binance"],
            {"VENUE_BINANCE_API_KEY": "k", "VENUE_BINANCE_API_SECRET": "s", "CLOCK_EPOCH": "noon"},
            "CLOCK_EPOCH='noon'",
        ),
    ],
)
def test_process_says_what_is_wrong_and_exits_2(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    environment: dict[str, str],
    said: str,
) -> None:
    file = tmp_path / "good.toml"
    file.write_text(GOOD)
    assert main([*arguments, "--scenario", str(file), "--port", "1"], environment) == 2
    assert said in capsys.readouterr().err
