"""A short campaign, and the same run twice: the long campaign is `make simulate`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from simulation.campaign import Summary, run_all
from simulation.plan import plan
from simulation.run import run

SEEDS = range(1, 41)
BUSY_SEED = 6


@pytest.mark.timeout(600)
def test_no_invariant_fails_in_a_short_campaign() -> None:
    summary = Summary()
    for outcome in run_all(SEEDS):
        summary.add(outcome)
    assert [f"seed {failed.seed}: {failed.violation}" for failed in summary.failed] == []
    assert summary.counts["trades"] > len(SEEDS)
    assert summary.counts["unwinds"] > 0
    assert summary.counts["flatten orders"] > 0
    assert all(summary.checks[name] > 0 for name in (*"abcdefgh", "flatten"))


def test_the_same_seed_is_the_same_run_in_another_process_with_other_hashes() -> None:
    here = run(BUSY_SEED).digest
    script = f"from simulation.run import run; print(run({BUSY_SEED}).digest)"
    tests = Path(__file__).resolve().parents[1]
    environment = {**os.environ, "PYTHONHASHSEED": "1", "PYTHONPATH": str(tests)}
    command = [sys.executable, "-c", script]
    there = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=110, check=True)
    assert there.stdout.strip() == here


def test_another_seed_is_another_run() -> None:
    assert plan(1) != plan(2)
    assert run(1).digest != run(2).digest
