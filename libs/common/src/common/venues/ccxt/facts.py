"""What is different at each venue, as data. A venue that is not here cannot be reached by this version."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from common.runtime.settings import SettingsError
from common.venues.addresses import VenueAddress
from common.venues.ccxt.bans import BAN_SECONDS_UNSAID
from common.venues.ports import ORDER_VALID_SECONDS

RECEIVE_WINDOW_MS = 5000
"""A venue refuses a signed request that is older."""

ORDER_RECEIVE_WINDOW_MS = int(ORDER_VALID_SECONDS * 1000)
"""The same for orders, counted from the moment at which they were allowed."""

BITGET_TIMESTAMP_LIVES_MS = 30_000
"""Bitget has no deadline for requests; it refuses those whose timestamp is not within 30 seconds of its own time
(bitget.com/api-doc, REST API introduction, "timestamp"). So its orders are signed with a time that is so far back
(`signEarlyMs`) that this tolerance ends with the order's window. Were it ever shortened, every order would be refused;
were it lengthened, an order would live longer by the difference.
"""


@dataclass(frozen=True, slots=True)
class VenueFacts:
    """How ccxt has to be set up for one wire protocol, and how it names things.

    `credential_fields` are ccxt's names of key, secret and passphrase, as far as the venue has them; where they have a
    form, `credential_forms` are regular expressions of them.
    `client_order_id_form` writes one of our ids in the venue's alphabet; `client_order_id_parameter` is how orders are
    looked up by it. `duplicate_codes` are answers to an order that was sent before; `unknown_codes` those that ccxt
    takes for a refusal although the venue only could not answer: an order may have taken effect, and what was asked may
    be asked again; `unchanged_codes` say that a setting is what it was asked to be. `best_prices` is ccxt's method that
    has the best prices of all symbols.
    `says_quote_volume`: orders tell what their fills cost, which is more exact than their average price.
    `unlisted_interval_hours` is the funding interval that the venue documents for contracts missing from its list of
    intervals. `market_order_slippage` is for venues without market orders: how far beyond the swept price, as a
    fraction of it, an order may trade. `unsaid_seconds` is how long the venue is left alone where it refuses everything
    and does not say until when, by HTTP status.
    """

    options: Mapping[str, Any]
    client_order_id_parameter: str
    duplicate_codes: frozenset[str]
    best_prices: Literal["fetch_bids_asks", "fetch_tickers"]
    says_quote_volume: bool
    unknown_codes: frozenset[str] = frozenset()
    unchanged_codes: frozenset[str] = frozenset()
    unlisted_interval_hours: float | None = None
    credential_fields: tuple[str, ...] = ("apiKey", "secret")
    credential_forms: tuple[str, ...] = ()
    client_order_id_form: str = "{}"
    market_order_slippage: str | None = None
    unsaid_seconds: Mapping[int, float] = field(default_factory=lambda: BAN_SECONDS_UNSAID)


FACTS: Mapping[str, VenueFacts] = {
    "binance": VenueFacts(
        options={"fetchCurrencies": False, "fetchMargins": False, "recvWindow": RECEIVE_WINDOW_MS},
        client_order_id_parameter="origClientOrderId",
        duplicate_codes=frozenset({"-4116"}),
        unchanged_codes=frozenset({"-4046", "-4059"}),
        best_prices="fetch_bids_asks",
        says_quote_volume=True,
        unlisted_interval_hours=8,
    ),
    "bybit": VenueFacts(
        options={
            "recvWindow": RECEIVE_WINDOW_MS,
            "enableUnifiedAccount": True,
            "enableUnifiedMargin": False,
            "unifiedMarginStatus": 6,
            "fetchMarkets": {"types": ["linear"]},
        },
        client_order_id_parameter="orderLinkId",
        # "403, access too frequent": it asks to be left alone for ten minutes.
        unsaid_seconds={**BAN_SECONDS_UNSAID, 403: 600.0},
        duplicate_codes=frozenset({"110072", "110030", "10014"}),
        unknown_codes=frozenset({"429", "5004", "10000", "10016", "10019"}),
        unchanged_codes=frozenset({"110025", "110026", "110043"}),
        best_prices="fetch_bids_asks",
        says_quote_volume=True,
    ),
    "okx": VenueFacts(
        options={
            "recvWindow": RECEIVE_WINDOW_MS,
            "brokerId": None,
            "createOrder": "privatePostTradeOrder",
            "defaultType": "swap",
            "fetchMarkets": {"types": ["swap"]},
        },
        client_order_id_parameter="clOrdId",
        duplicate_codes=frozenset({"51016"}),
        unknown_codes=frozenset({"50004", "51054", "51149"}),
        best_prices="fetch_tickers",
        says_quote_volume=False,
        credential_fields=("apiKey", "secret", "password"),
        # It says 50011 with 429, and counts in windows of 2 s.
        unsaid_seconds={**BAN_SECONDS_UNSAID, 429: 2.0},
    ),
    "bitget": VenueFacts(
        options={
            "recvWindow": RECEIVE_WINDOW_MS,
            "signEarlyMs": BITGET_TIMESTAMP_LIVES_MS - ORDER_RECEIVE_WINDOW_MS,
            "broker": None,
            "uta": False,
            "defaultType": "swap",
            "fetchMarkets": {"types": ["swap"]},
        },
        client_order_id_parameter="clientOid",
        duplicate_codes=frozenset({"40786", "43118", "45034"}),
        unknown_codes=frozenset({"40010", "40015", "40725", "45001"}),
        best_prices="fetch_tickers",
        says_quote_volume=True,
        credential_fields=("apiKey", "secret", "password"),
    ),
    "gate": VenueFacts(
        options={
            "recvWindow": RECEIVE_WINDOW_MS,
            "unifiedAccount": False,
            "defaultType": "swap",
            "fetchMarkets": {"types": ["swap"]},
            "swap": {"fetchMarkets": {"settlementCurrencies": ["usdt"]}},
        },
        client_order_id_parameter="text",
        client_order_id_form="t-{}",
        duplicate_codes=frozenset({"REPEATED_CREATION"}),
        best_prices="fetch_tickers",
        says_quote_volume=False,
    ),
    "hyperliquid": VenueFacts(
        options={
            "recvWindow": RECEIVE_WINDOW_MS,
            "builderFee": False,
            "enableUnifiedMargin": False,
            "fetchMarkets": {"types": ["swap"]},
            # Tables of other markets, which are not read: ccxt cannot share markets without them otherwise.
            "marketHelperProps": [],
        },
        client_order_id_parameter="clientOrderId",
        client_order_id_form="0x{:0>32}",
        duplicate_codes=frozenset({"Duplicate cloid"}),
        # What was signed with that nonce before may have been this very order.
        unknown_codes=frozenset({"Invalid nonce: duplicate nonce"}),
        best_prices="fetch_tickers",
        says_quote_volume=True,
        unlisted_interval_hours=1,
        credential_fields=("walletAddress", "privateKey"),
        credential_forms=("0x[0-9a-fA-F]{40}", "0x[0-9a-fA-F]{64}"),
        market_order_slippage="0.05",
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
