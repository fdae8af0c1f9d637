"""What is different at each venue, as data. A venue that is not here cannot be reached by this version."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from common.runtime.settings import SettingsError
from common.venues.addresses import VenueAddress

RECEIVE_WINDOW_MS = 5000
"""A venue refuses a signed request that is older."""

ORDER_RECEIVE_WINDOW_MS = 1500
"""The same for orders, counted from the moment at which they were allowed. An order that nobody knows is given up
only when it can no longer take effect, so this bounds how long a trade may be in doubt.
"""


@dataclass(frozen=True, slots=True)
class VenueFacts:
    """How ccxt has to be set up for one wire protocol, and how it names things.

    `duplicate_codes` are answers to an order that was sent before; `unknown_codes` those that ccxt takes for a
    refusal although the venue does not know whether the order took effect; `unchanged_codes` say that a setting
    is what it was asked to be; `unlisted_interval_hours` is the funding interval that the venue documents for
    contracts missing from its list of intervals.
    """

    exchange_id: str
    options: Mapping[str, Any]
    client_order_id_parameter: str
    duplicate_codes: frozenset[str]
    unknown_codes: frozenset[str]
    unchanged_codes: frozenset[str]
    unlisted_interval_hours: float | None


FACTS: Mapping[str, VenueFacts] = {
    "binance": VenueFacts(
        exchange_id="binanceusdm",
        options={"fetchCurrencies": False, "fetchMargins": False, "recvWindow": RECEIVE_WINDOW_MS},
        client_order_id_parameter="origClientOrderId",
        duplicate_codes=frozenset({"-4116"}),
        unknown_codes=frozenset(),
        unchanged_codes=frozenset({"-4046", "-4059"}),
        unlisted_interval_hours=8,
    ),
    "bybit": VenueFacts(
        exchange_id="bybit",
        options={
            "recvWindow": RECEIVE_WINDOW_MS,
            "enableUnifiedAccount": True,
            "enableUnifiedMargin": False,
            "unifiedMarginStatus": 6,
            "fetchMarkets": {"types": ["linear"]},
        },
        client_order_id_parameter="orderLinkId",
        duplicate_codes=frozenset({"110072", "110030", "10014"}),
        unknown_codes=frozenset({"5004", "10000", "10016", "10019"}),
        unchanged_codes=frozenset({"110025", "110026", "110043"}),
        unlisted_interval_hours=None,
    ),
}


def facts_of(address: VenueAddress) -> VenueFacts:
    """The facts of the wire protocol that is spoken at an address.

    Raises:
        SettingsError: this version does not speak it.
    """
    facts = FACTS.get(address.protocol)
    if facts is None:
        raise SettingsError(
            f"venue {address.name!r} speaks {address.protocol!r}, which this version does not: allowed in "
            f"LIVE_TRADING_ALLOWED_EXCHANGES are venues that speak {' or '.join(FACTS)}"
        )
    return facts
