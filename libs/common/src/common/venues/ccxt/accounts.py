"""Which class reads the account at which venue."""

from common.runtime.clock import Clock
from common.venues.addresses import VenueAddress
from common.venues.ccxt.account import CcxtAccount
from common.venues.ccxt.account_binance import BinanceAccount
from common.venues.ccxt.account_bitget import BitgetAccount
from common.venues.ccxt.account_bybit import BybitAccount
from common.venues.ccxt.account_gate import GateAccount
from common.venues.ccxt.account_hyperliquid import HyperliquidAccount
from common.venues.ccxt.account_okx import OkxAccount
from common.venues.ccxt.facts import facts_of
from common.venues.ccxt.markets import Markets

_ACCOUNTS: dict[str, type[CcxtAccount]] = {
    "binance": BinanceAccount,
    "bybit": BybitAccount,
    "okx": OkxAccount,
    "bitget": BitgetAccount,
    "gate": GateAccount,
    "hyperliquid": HyperliquidAccount,
}


def account_on(address: VenueAddress, markets: Markets, clock: Clock) -> CcxtAccount:
    """The account behind an exchange that is there already."""
    return _ACCOUNTS[address.protocol](markets, facts_of(address), clock)
