"""No number in the environment can make time overflow or switch a limit off by being none."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from common.runtime.settings import ServiceSettings, SettingsError, TradingSettings, load
from common.venues.addresses import in_effect, venue_addresses

NUMBERS = [name for name, field in TradingSettings.model_fields.items() if field.annotation in (float, int, Decimal)]
TIMES = [name for name in NUMBERS if name.endswith(("_min", "_sec", "_days", "_h")) and "funding_min" not in name]
PLACES = {"HTTP_PORT": "4002", "NATS_URL": "nats://127.0.0.1:4222"}


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", ["inf", "-inf", "nan", "9" * 30, "1e300"])
def test_a_number_without_end_is_refused_by_its_name(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"{name.upper()}="):
        load(TradingSettings, {name.upper(): value})


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("LIVE_TRADING_PER_LEG", "LIVE_TRADING_PER_LEG is not a setting; the nearest one is LIVE_TRADING_PER_LEG_USDT"),
        ("WATCHLIST_X", "WATCHLIST_X is not a setting; the README's table has them all"),
    ],
)
def test_a_misspelt_setting_is_told_the_nearest_one(name: str, told: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load(TradingSettings, {name: "5"})
    assert str(refused.value) == told


@pytest.mark.parametrize("name", TIMES)
def test_the_longest_time_that_is_allowed_can_be_added_to_any_year_of_trading(name: str) -> None:
    unit = {"min": "minutes", "sec": "seconds", "days": "days", "h": "hours"}[name.rsplit("_", 1)[1]]
    (bound,) = [item.le for item in TradingSettings.model_fields[name].metadata if hasattr(item, "le")]
    assert datetime(2100, 1, 1, tzinfo=UTC) + timedelta(**{unit: bound}) > datetime(2100, 1, 1, tzinfo=UTC)
    assert getattr(load(TradingSettings, {name.upper(): str(bound)}), name) == bound


def test_every_time_is_looked_at() -> None:
    assert len(TIMES) == 11


@pytest.mark.parametrize(
    "secret", ["pa/ss", "pa#ss", "pa?ss", "12/34", "12#34", "[pa", "pa]ss", "pa/12@ss", "12?pa/ss"]
)
@pytest.mark.parametrize(("variable", "start"), [("DATABASE_URL", "postgresql://user:"), ("NATS_URL", "nats://user:")])
def test_a_password_that_is_not_encoded_is_refused_without_a_letter_of_it(
    variable: str, start: str, secret: str
) -> None:
    good = {"DATABASE_URL": "postgresql://user:word@127.0.0.1:5432/tandem", **PLACES}
    with pytest.raises(SettingsError, match=f"{variable}=.hidden.*percent-encoded") as refused:
        load(ServiceSettings, {**good, variable: f"{start}{secret}@127.0.0.1:4222/tandem"})
    assert secret not in str(refused.value)
    assert "ss" not in str(refused.value).replace("password", "").replace("such as", "").replace("address", "")


def test_an_encoded_password_is_taken_and_never_shown() -> None:
    database = "postgresql://user:p%2Fa%23ss@127.0.0.1:5432/tandem"
    places = {**PLACES, "DATABASE_URL": database, "NATS_URL": "nats://user:p%40ss@127.0.0.1:4222"}
    settings = load(ServiceSettings, places)
    assert settings.database_url.get_secret_value() == database
    assert "ss@" not in repr(settings) + str(settings.model_dump())


def test_what_is_shown_of_a_moved_venue_hides_what_stands_before_the_at() -> None:
    environment = {"VENUE_BYBIT_URL": "http://ada:secret@127.0.0.1:4022", "VENUE_BYBIT_PROTOCOL": "binance"}
    shown = in_effect(venue_addresses(("binance", "bybit"), environment))
    assert {name: setting["value"] for name, setting in shown.items()} == {
        "VENUE_BYBIT_URL": "http://127.0.0.1:4022",
        "VENUE_BYBIT_PROTOCOL": "binance",
    }


def test_a_venue_that_is_not_known_is_told_by_its_name() -> None:
    with pytest.raises(SettingsError, match=r"^kraken is no venue of this version; it knows binance, "):
        venue_addresses(("binance", "kraken"), {})
    assert venue_addresses(("kraken",), {"VENUE_KRAKEN_PROTOCOL": "binance"})["kraken"].protocol == "binance"
