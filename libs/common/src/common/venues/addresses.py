"""Where each venue is reached: its own address, or another one that the environment names.

`VENUE_<NAME>_URL` points a venue at another server, `VENUE_<NAME>_PROTOCOL` says which venue's wire protocol is
spoken there (its own unless said otherwise).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from common.runtime.settings import KNOWN_VENUES, SettingsError


@dataclass(frozen=True, slots=True)
class VenueAddress:
    """One venue; `url` is None for the venue's own servers, otherwise the base of a server that stands in."""

    name: str
    protocol: str
    url: str | None


def venue_addresses(names: Iterable[str], environment: Mapping[str, str]) -> dict[str, VenueAddress]:
    """The addresses of the named venues.

    Raises:
        SettingsError: an address is no http URL, or a protocol is unknown.
    """
    addresses = {}
    for name in names:
        prefix = f"VENUE_{name.upper()}"
        url = environment.get(f"{prefix}_URL") or None
        if url is not None and not url.startswith(("http://", "https://")):
            raise SettingsError(f"{prefix}_URL={url!r}: allowed is an address that starts with http:// or https://")
        protocol = environment.get(f"{prefix}_PROTOCOL") or name
        if protocol == name and name not in KNOWN_VENUES:
            known = ", ".join(KNOWN_VENUES)
            raise SettingsError(
                f"{name} is no venue of this version; it knows {known}, and others by {prefix}_PROTOCOL"
            )
        if protocol not in KNOWN_VENUES:
            raise SettingsError(f"{prefix}_PROTOCOL={protocol!r}: allowed are {', '.join(KNOWN_VENUES)}")
        addresses[name] = VenueAddress(name, protocol, url.rstrip("/") if url else None)
    return addresses


def simulated(addresses: Mapping[str, VenueAddress]) -> dict[str, bool]:
    """Which venues stand at another address than their own."""
    return {name: address.url is not None for name, address in addresses.items()}


def in_effect(addresses: Mapping[str, VenueAddress]) -> dict[str, dict[str, Any]]:
    """The variables that move a venue to another address, as `ShownSettings.in_effect` shows settings.

    A venue at its own address has none, and what stands before the `@` of an address is hidden.
    """
    shown = {}
    for address in addresses.values():
        if address.url is not None:
            prefix = f"VENUE_{address.name.upper()}"
            shown[f"{prefix}_URL"] = {"value": _without_password(address.url), "source": "environment"}
            shown[f"{prefix}_PROTOCOL"] = {"value": address.protocol, "source": "environment"}
    return shown


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
