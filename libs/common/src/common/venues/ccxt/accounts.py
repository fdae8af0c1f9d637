"""Connecting to an account: the reading side."""

from common.runtime.clock import Clock
from common.venues.addresses import VenueAddress
from common.venues.ccxt.account import CcxtAccount
from common.venues.ccxt.account_binance import BinanceAccount
from common.venues.ccxt.account_bybit import BybitAccount
from common.venues.ccxt.exchanges import make_exchange
from common.venues.ccxt.facts import facts_of
from common.venues.ccxt.markets import Markets

_ACCOUNTS: dict[str, type[CcxtAccount]] = {"binance": BinanceAccount, "bybit": BybitAccount}


def connect_account(address: VenueAddress, clock: Clock, *, api_key: str, api_secret: str) -> CcxtAccount:
    """The account of that key at the venue; connects with the first request.

    Raises:
        SettingsError: this version does not speak the venue's protocol.
    """
    exchange = make_exchange(address, clock, api_key=api_key, api_secret=api_secret, paced=False)
    return account_on(address, Markets(address.name, exchange, clock), clock)


def account_on(address: VenueAddress, markets: Markets, clock: Clock) -> CcxtAccount:
    """The account behind an exchange that is there already."""
    return _ACCOUNTS[address.protocol](markets, facts_of(address), clock)
