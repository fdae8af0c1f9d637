"""What every contract takes for granted."""

import pytest

from common.messaging import bus
from common.venues.ccxt import exchanges

PATIENCE_SECONDS = 20.0


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """How soon a busy machine's venues and bus answer decides nothing where a test is not about that."""
    monkeypatch.setattr(bus, "PUBLISH_TIMEOUT_SECONDS", PATIENCE_SECONDS)
    monkeypatch.setattr(bus, "API_TIMEOUT_SECONDS", PATIENCE_SECONDS)
    monkeypatch.setattr(exchanges, "REQUEST_TIMEOUT_MS", 1000 * PATIENCE_SECONDS)
