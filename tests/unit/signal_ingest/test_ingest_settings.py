"""A wrong setting stops the service with a sentence that names it, its value, and what is allowed."""

from pathlib import Path

import pytest

from common.runtime.settings import SettingsError
from signal_ingest.bootstrap import read_configuration

NEEDED = {"DATABASE_URL": "postgresql://somebody:hidden@127.0.0.1:1/tandem", "ACCESS_REQUIRED": "0"}


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("SCANNER_INTERVAL_SEC", "0", "greater than 0"),
        ("SCANNER_ENABLED", "maybe", "0 or 1"),
        ("SCANNER_SYMBOLS", "SOL,eth", "pattern"),
        ("SCANNER_FUNDING_REFRESH_SEC", "-1", "greater than 0"),
        ("PREDICTION_MODEL", "oracle", "'reversion' or 'linear'"),
        ("PREDICTION_TAKER_FEE", "0.5", "less than or equal to 0.01"),
        ("PREDICTION_TAKER_FEES", "binance:0.0004", "venue=fee"),
        ("PREDICTION_TAKER_FEES", "binance=free", "venue=fee"),
        ("WATCHLIST_CONSECUTIVE", "0", "greater than or equal to 1"),
        ("HTTP_PORT", "70000", "less than or equal to 65535"),
    ],
)
def test_a_wrong_value_is_named(variable: str, value: str, said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_configuration({**NEEDED, variable: value})
    assert variable in str(caught.value)
    assert said in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_the_linear_model_needs_its_file() -> None:
    with pytest.raises(SettingsError, match="PREDICTION_LINEAR_FILE"):
        read_configuration({**NEEDED, "PREDICTION_MODEL": "linear"})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file"),
        ("{", "JSON"),
        ('{"intercept": 0, "coefficients": {"spread": 1}}', "residual_std"),
        ('{"intercept": 0, "coefficients": {"spread": 1}, "residual_std": 0}', "greater than 0"),
        ('{"intercept": 0, "coefficients": {}, "residual_std": 1}', "coefficients"),
        ('{"intercept": NaN, "coefficients": {"spread": 1}, "residual_std": 1}', "intercept"),
        ('{"intercept": 0, "coefficients": {"spread": 1}, "residual_std": 1, "more": 1}', "more"),
    ],
)
def test_a_wrong_model_file_is_named_with_what_is_wrong(tmp_path: Path, content: str | None, said: str) -> None:
    path = tmp_path / "model.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(SettingsError) as caught:
        read_configuration({**NEEDED, "PREDICTION_MODEL": "linear", "PREDICTION_LINEAR_FILE": str(path)})
    assert "PREDICTION_LINEAR_FILE" in str(caught.value)
    assert said in str(caught.value)


def test_defaults_are_what_the_readme_says() -> None:
    own = read_configuration(NEEDED).own
    assert (own.http_port, own.scanner_interval_sec, own.scanner_enabled, own.prediction_model) == (
        4011,
        5,
        True,
        "reversion",
    )


def test_fees_by_venue_outweigh_the_general_one() -> None:
    fees = read_configuration({**NEEDED, "PREDICTION_TAKER_FEES": "binance=0.0004, bybit=0.00055"}).own.taker_fees
    assert (fees.by_venue, fees.otherwise) == ({"binance": 0.0004, "bybit": 0.00055}, 0.0005)


def test_a_replayed_clock_is_refused_where_the_scanner_would_read_real_venues() -> None:
    replay = {"CLOCK_EPOCH": "2025-10-10T20:30:00Z", "CLOCK_STARTED_FILE": "started"}
    with pytest.raises(SettingsError, match="VENUE_BINANCE_URL"):
        read_configuration({**NEEDED, **replay})
    assert read_configuration({**NEEDED, **replay, "SCANNER_ENABLED": "0"}).clock.now().year == 2025
