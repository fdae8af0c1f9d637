"""What every test of a service inside the test's own process takes for granted."""

import pytest

from common.messaging import bus
from common.persistence import database
from common.runtime import health

PATIENCE_SECONDS = 20.0


@pytest.fixture(autouse=True)
def _patient_services(monkeypatch: pytest.MonkeyPatch) -> None:
    """How soon a busy machine's bus and database answer decides nothing where a test is not about that."""
    monkeypatch.setattr(bus, "PUBLISH_TIMEOUT_SECONDS", PATIENCE_SECONDS)
    monkeypatch.setattr(bus, "API_TIMEOUT_SECONDS", PATIENCE_SECONDS)
    monkeypatch.setattr(database, "ANSWER_SECONDS", PATIENCE_SECONDS)
    monkeypatch.setattr(health, "CHECK_TIMEOUT_SECONDS", PATIENCE_SECONDS)
    monkeypatch.setattr(health, "POSTGRES_TIMEOUT_SECONDS", PATIENCE_SECONDS)
