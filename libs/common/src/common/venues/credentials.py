"""The keys of one venue's account."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import SecretStr

from common.runtime.settings import SettingsError
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
    """The venue's credentials, or None where a part of them is missing.

    Raises:
        SettingsError: as `credential_variables`; or a part is not in the form in which the venue's are. Its value is
            not told.
    """
    names = credential_variables(address)
    values = [environment.get(name, "") for name in names]
    if not all(values):
        return None
    for name, value, form in zip(names, values, facts_of(address).credential_forms, strict=False):
        if not re.fullmatch(form, value):
            raise SettingsError(f"{name} is not in the form of a key of {address.protocol}: allowed is {form}")
    return Credentials(*map(SecretStr, values))
