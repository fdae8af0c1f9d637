"""Keys from the environment: what each venue needs, and what is missing."""

import pytest

from common.runtime.settings import SettingsError
from common.venues.addresses import venue_addresses
from executor.settings import credentials

PARTS = ("KEY", "SECRET", "PASSPHRASE")
ENVIRONMENT = {f"VENUE_{name}_API_{part}": f"{name}-{part}" for name in ("BYBIT", "OKX") for part in PARTS}


def test_passphrase_is_read_where_the_venues_keys_have_one() -> None:
    found = credentials(venue_addresses(["bybit", "okx"], ENVIRONMENT), ENVIRONMENT)
    assert found["okx"].texts == ("OKX-KEY", "OKX-SECRET", "OKX-PASSPHRASE")
    assert found["bybit"].texts == ("BYBIT-KEY", "BYBIT-SECRET", "")


def test_keys_are_those_of_the_protocol_that_a_venue_speaks() -> None:
    environment = {**ENVIRONMENT, "VENUE_BYBIT_PROTOCOL": "okx"}
    assert credentials(venue_addresses(["bybit"], environment), environment)["bybit"].texts[2] == "BYBIT-PASSPHRASE"


@pytest.mark.parametrize("part", PARTS)
def test_missing_part_is_named(part: str) -> None:
    environment = {name: value for name, value in ENVIRONMENT.items() if name != f"VENUE_OKX_API_{part}"}
    with pytest.raises(SettingsError, match=rf"not set: VENUE_OKX_API_{part} "):
        credentials(venue_addresses(["bybit", "okx"], environment), environment)


WALLET = {"VENUE_HYPERLIQUID_API_KEY": f"0x{'a1' * 20}", "VENUE_HYPERLIQUID_API_SECRET": f"0x{'B2' * 32}"}


def test_wallet_is_an_address_and_a_private_key() -> None:
    found = credentials(venue_addresses(["hyperliquid"], WALLET), WALLET)
    assert found["hyperliquid"].texts == (*WALLET.values(), "")


@pytest.mark.parametrize("name", WALLET)
@pytest.mark.parametrize("value", ["0x1234", "not-hexadecimal", f"{'c3' * 32}", f"0x{'zz' * 32}", f"0x{'c3' * 33}"])
def test_key_in_another_form_is_refused_at_the_start_and_not_told(name: str, value: str) -> None:
    environment = WALLET | {name: value}
    with pytest.raises(SettingsError, match=rf"{name} is not in the form.*0x\[0-9a-fA-F\]") as refused:
        credentials(venue_addresses(["hyperliquid"], environment), environment)
    assert value not in str(refused.value)


def test_keys_are_in_no_representation() -> None:
    assert "OKX-" not in repr(credentials(venue_addresses(["okx"], ENVIRONMENT), ENVIRONMENT))
