"""Every command that the runbook tells an operator to type exists, with its options."""

import re
import shlex
from pathlib import Path

import pytest

from support.tandem_command import tandem

RUNBOOK = (Path(__file__).parents[3] / "deploy" / "RUNBOOK.md").read_text()
IN_TEXT = re.findall(r"`(tandem [^`]+)`", RUNBOOK)
IN_BLOCKS = re.findall(r"^(tandem .*?)(?:  .*)?$", RUNBOOK, re.MULTILINE)
COMMANDS = sorted({" ".join(command.split()) for command in (*IN_TEXT, *IN_BLOCKS)})


def test_the_runbook_has_commands() -> None:
    assert len(COMMANDS) > 20


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_runbook_exists(command: str) -> None:
    # Help comes before values are looked at, but after names of commands and options are.
    ended = tandem(*(word.replace("COMMAND", "status") for word in shlex.split(command)[1:]), "--help")
    assert ended.code == 0, ended.err
