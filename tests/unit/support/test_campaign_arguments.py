"""What a campaign cannot play is said in a sentence, with exit code 2: nothing that was not played counts as held."""

import pytest

from chaos.__main__ import main as chaos
from simulation.__main__ import main as simulate


@pytest.mark.parametrize(
    ("wanted", "venues", "told"),
    [
        ("executor opnening", (), "ONLY='executor opnening'"),
        ("", ("gate",), "VENUES=gate: allowed are 2 different ones"),
        ("", ("gate", "gate"), "VENUES=gate,gate"),
        ("", ("gate", "kraken"), "VENUES=gate,kraken"),
    ],
)
def test_chaos_refuses_what_it_cannot_play(
    wanted: str, venues: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert chaos(wanted, venues) == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("argument", ["SEEDS=many", "FIRST=1.5", "SEED=-3", "SEDS=1", "PLANTED=nobody", "1855"])
def test_the_simulation_refuses_what_it_cannot_play(argument: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate([argument]) == 2
    assert capsys.readouterr().err.startswith(f"{argument}: allowed is SEEDS=n")
