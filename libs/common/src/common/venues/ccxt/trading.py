"""Everything that can be done on one venue, over one connection pool. For the executor alone."""

from common.runtime.clock import Clock
from common.venues.addresses import VenueAddress
from common.venues.ccxt.account import CcxtAccount
from common.venues.ccxt.accounts import account_on
from common.venues.ccxt.exchanges import make_exchange
from common.venues.ccxt.facts import facts_of
from common.venues.ccxt.limits import VenueLimits
from common.venues.ccxt.market_data import CcxtMarketData, market_data_on
from common.venues.ccxt.markets import Markets
from common.venues.ccxt.orders import CcxtOrderDesk
from common.venues.credentials import Credentials


async def connect_trading_venue(
    address: VenueAddress, keys: Credentials, clock: Clock, limits: VenueLimits | None = None
) -> tuple[CcxtMarketData, CcxtAccount, CcxtOrderDesk]:
    """Market data, account and order desk of one venue. Connects on first use; closing the account closes all.

    Raises:
        SettingsError: this version does not speak the venue's protocol.
    """
    exchange = make_exchange(address, limits or VenueLimits(clock), keys, paced=False)
    markets = Markets(address.name, exchange, clock)
    account = account_on(address, markets, clock)
    desk = CcxtOrderDesk(markets, facts_of(address), account)
    return market_data_on(address, markets, clock), account, desk
