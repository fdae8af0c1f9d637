"""What every test of the executor's desk takes for granted."""

import pytest

from executor.application import orders, planning

PATIENCE_SECONDS = 20.0


@pytest.fixture(autouse=True)
def _patient_desk(monkeypatch: pytest.MonkeyPatch) -> None:
    """How soon a busy machine's database commits decides nothing: who is late is late because the test says so."""
    monkeypatch.setattr(planning, "BEGIN_WITHIN_SECONDS", PATIENCE_SECONDS)
    monkeypatch.setattr(orders, "SEND_WITHIN_SECONDS", PATIENCE_SECONDS)
