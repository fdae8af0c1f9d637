"""A request that cannot be played is answered in a sentence, with exit code 2, before anything starts."""

import subprocess
import sys
from pathlib import Path

import pytest

from local_stack.demo import SCENARIOS


def demo(scenario: str, var: Path) -> subprocess.CompletedProcess[str]:
    # From another directory, as nothing may depend on the one we are in.
    return subprocess.run(
        (sys.executable, "-m", "local_stack", "demo", "--once", "--scenario", scenario, "--var", str(var)),
        capture_output=True,
        text=True,
        cwd="/",
        timeout=110,
        check=False,
    )


def test_an_unknown_scenario_is_answered_with_those_there_are(tmp_path: Path) -> None:
    answer = demo("no-such", tmp_path / "var")
    assert answer.returncode == 2
    assert answer.stdout.startswith("There is no scenario 'no-such'. There are: ")
    assert "oct-10-2025-sol" in answer.stdout
    assert not (tmp_path / "var").exists()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("speed = ", "speed = -"), "clock.speed"),
        (("[clock]", "[clock]\nspeeed = 1"), "clock.speeed: is not a field"),
        (("[clock]", "[clock"), "is no TOML"),
    ],
)
def test_a_malformed_scenario_is_answered_with_what_is_wrong_in_it(
    tmp_path: Path, change: tuple[str, str], sentence: str
) -> None:
    file = tmp_path / "malformed.toml"
    file.write_text((SCENARIOS / "oct-10-2025-sol.toml").read_text().replace(*change, 1))
    answer = demo(str(file), tmp_path / "var")
    assert answer.returncode == 2
    assert sentence in answer.stdout
    assert "Traceback" not in answer.stdout + answer.stderr
    assert not (tmp_path / "var").exists()
