"""The keys of one venue's account."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import SecretStr

from common.venues.addresses import VenueAddress
from common.venues.ccxt.facts import facts_of

_NO_PASSPHRASE = SecretStr("")
_PARTS = ("KEY", "SECRET", "PASSPHRASE")


@dataclass(frozen=True, slots=True)
class Credentials:
    """Key and secret, and the passphrase where the venue's keys have one. Their text appears in no representation."""

    api_key: SecretStr
    api_secret: SecretStr
    api_passphrase: SecretStr = _NO_PASSPHRASE

    @property
    def texts(self) -> tuple[str, str, str]:
        """The three in plain text, for who signs with them."""
        key, secret = self.api_key.get_secret_value(), self.api_secret.get_secret_value()
        return key, secret, self.api_passphrase.get_secret_value()


def credential_variables(address: VenueAddress) -> list[str]:
    """The environment variables that hold a venue's credentials, in the order of `Credentials`.

    Raises:
        SettingsError: this version does not speak the venue's protocol.
    """
    parts = _PARTS[: len(facts_of(address).credential_fields)]
    return [f"VENUE_{address.name.upper()}_API_{part}" for part in parts]


def credentials_from(address: VenueAddress, environment: Mapping[str, str]) -> Credentials | None:
    """The venue's credentials, or None where a part of them is missing; raises as `credential_variables`."""
    values = [environment.get(name, "") for name in credential_variables(address)]
    return Credentials(*map(SecretStr, values)) if all(values) else None
