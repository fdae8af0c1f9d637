"""Wrong arguments end with 2, ask nothing, and are named with their value and what is allowed."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.tandem_command import tandem

from .conftest import Answering

WRONG = {
    "status --gateway 4002": ("--gateway", "'4002'", "http://127.0.0.1:4002"),
    "status --gateway http://ada:secret@host": ("--gateway", "without a password"),
    "trades --status opne": ("--status", "'opne'", "skipped"),
    "trades --limit 0": ("--limit", "'0'", "1 to 10000"),
    "trades --limit ten": ("--limit", "'ten'", "1 to 10000"),
    "trades --all": ("--all",),
    "explain": ("ID",),
    "explain SOL": ("ID", "'SOL'", "from 1"),
    "halt --why x --wait 31": ("--wait", "'31'", "0 to 30"),
    "halt --why x --wait nan": ("--wait", "'nan'", "0 to 30"),
    "reduce --why": ("--why",),
    "resume --who \n --why x": ("--who", "one line"),
    "close --why x": ("ID", "--all"),
    "close 1 --all --why x": ("ID", "--all"),
    "errors --trade x": ("--trade", "'x'", "from 1"),
    "errors --service exec": ("--service", "'exec'", "executor"),
    "close 0 --why x": ("ID", "'0'", "from 1"),
    "close 1": ("--why",),
    "flatten bybit": ("SYMBOL",),
    "flatten Bybit SOL --why x": ("VENUE", "'Bybit'", "small letters"),
    "flatten bybit sol --why x": ("SYMBOL", "'sol'", "capital letters"),
    "flatten bybit SOL": ("--why",),
    "config --service exec": ("--service", "'exec'", "position-monitor"),
    "migrate upgrade 9999": ("REVISION", "'9999'", "0001", "head"),
    "migrate downgrade": ("REVISION",),
    "migrate downgrade head --yes": ("REVISION", "'head'", "base"),
    "migrate current": ("DATABASE_URL", "postgresql://"),
    "halt": ("--why",),
    "stop": ("stop",),
}


@pytest.mark.parametrize("arguments", WRONG)
def test_a_wrong_argument_is_named_with_its_value_and_what_is_allowed(arguments: str) -> None:
    ended = tandem(*arguments.split(" "))
    assert (ended.code, ended.out) == (2, "")
    assert "Traceback" not in ended.err
    for part in WRONG[arguments]:
        assert part in ended.err


def test_nothing_is_asked_for_without_a_confirmation(answering: Answering) -> None:
    answering.answers({"trading_state": {"state": "halted", "changed_by": "operator:ada", "reason": "a test"}})
    ended = tandem("resume", "--why", "over", "--gateway", answering.url)
    assert ended.code == 2
    assert "operator:ada" in ended.sentence
    assert "--yes" in ended.sentence
    assert answering.bodies == []


def test_a_gateway_from_the_environment_is_checked_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANDEM_GATEWAY", "4002")
    ended = tandem("status")
    assert ended.code == 2
    assert "TANDEM_GATEWAY" in ended.err


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The installed command as a process of its own."""
    program = str(Path(sys.executable).parent / "tandem")
    inherited = {"PATH": os.environ["PATH"]}
    return subprocess.run(
        [program, *arguments], env=inherited | environment, capture_output=True, text=True, timeout=110, check=False
    )


def test_the_installed_command_helps_fails_and_completes() -> None:
    helped = command("--help")
    assert helped.returncode == 0
    assert all(name in helped.stdout for name in ("status", "halt", "migrate", "Exit codes"))
    wrong = command("trades", "--limit", "0")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    alone = command("status", "--gateway", "http://127.0.0.1:1")
    assert (alone.returncode, alone.stdout, len(alone.stderr.splitlines())) == (3, "", 1)
    wish = {"_TANDEM_COMPLETE": "complete_bash", "COMP_WORDS": "tandem trades --status c", "COMP_CWORD": "3"}
    assert command(**wish).stdout.split() == ["closing", "closed"]


def test_a_venue_is_checked_where_the_executor_is(monkeypatch: pytest.MonkeyPatch) -> None:
    checked = command("venues", "check", "--venue", "okx", "--json", VENUE_OKX_URL="http://127.0.0.1:1")
    told = json.loads(checked.stdout)
    assert (checked.returncode, told["venue"], told["passed"]) == (1, "okx", False)
    assert "VENUE_OKX_API_KEY" in next(card["said"] for card in told["cards"] if card["capability"] == "balance")
    assert command("venues", "check", "--venue", "kraken").returncode == 2

    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    ended = tandem("venues", "check", "--venue", "okx")
    assert ended.code == 2
    assert "docker compose exec executor python -m executor.venue_check --venue okx" in ended.err
