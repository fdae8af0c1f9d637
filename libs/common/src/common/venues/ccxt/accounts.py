"""Connecting to an account: the reading side."""

from common.runtime.clock import Clock
from common.venues.addresses import VenueAddress
from common.venues.ccxt.account import CcxtAccount
from common.venues.ccxt.account_binance import BinanceAccount
from common.venues.ccxt.account_bitget import BitgetAccount
from common.venues.ccxt.account_bybit import BybitAccount
from common.venues.ccxt.account_gate import GateAccount
from common.venues.ccxt.account_hyperliquid import HyperliquidAccount
from common.venues.ccxt.account_okx import OkxAccount
from common.venues.ccxt.exchanges import make_exchange
from common.venues.ccxt.facts import facts_of
from common.venues.ccxt.limits import VenueLimits
from common.venues.ccxt.markets import Markets
from common.venues.credentials import Credentials

_ACCOUNTS: dict[str, type[CcxtAccount]] = {
    "binance": BinanceAccount,
    "bybit": BybitAccount,
    "okx": OkxAccount,
    "bitget": BitgetAccount,
    "gate": GateAccount,
    "hyperliquid": HyperliquidAccount,
}


def connect_account(
    address: VenueAddress, clock: Clock, keys: Credentials, limits: VenueLimits | None = None
) -> CcxtAccount:
    """The account of these keys at the venue; connects with the first request.

    Raises:
        SettingsError: this version does not speak the venue's protocol.
    """
    exchange = make_exchange(address, limits or VenueLimits(clock), keys, paced=False)
    return account_on(address, Markets(address.name, exchange, clock), clock)


def account_on(address: VenueAddress, markets: Markets, clock: Clock) -> CcxtAccount:
    """The account behind an exchange that is there already."""
    return _ACCOUNTS[address.protocol](markets, facts_of(address), clock)
