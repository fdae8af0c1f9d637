"""`tandem status` says which venue bans us, and until when at the latest."""

import pytest

from operator_cli.commands.status import _show_bans
from operator_cli.printing import Page


def standing(until: str | None) -> dict[str, object]:
    return {"banned_until": until, "budgets": {}}


def test_the_latest_end_that_any_service_knows_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    services = {
        "executor": {"venues": {"okx": standing("2026-11-22T12:00:05+00:00"), "gate": standing(None)}},
        "position_monitor": {"venues": {"okx": standing("2026-11-22T12:00:09+00:00")}},
        "api_gateway": {"venues": {}},
    }
    _show_bans(Page(), services)
    assert capsys.readouterr().out == "okx bans us until 2026-11-22 12:00:09Z: nothing is asked of it.\n"


def test_without_bans_nothing_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    _show_bans(Page(), {"executor": {"venues": {"okx": standing(None)}}})
    assert capsys.readouterr().out == ""
