"""ccxt's streaming classes, as safe as the others: for books only, and without keys.

An exchange made here stands beside the one that asks and shares its markets and its gate. It can sign
nothing, so nothing that is private can be followed by mistake, and no order ever passes through ccxt.pro.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import ccxt.pro as ccxt_pro

from common.venues.addresses import VenueAddress
from common.venues.ccxt.exchanges import EXCHANGES, configured, marked
from common.venues.ccxt.facts import facts_of
from common.venues.ccxt.stream_classes import BitgetBooks, BybitBooks, GateBooks, HyperliquidBooks, KeepsLimits


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """How a venue's books are followed. `levels` is asked of the venue (None: all that its channel has), and
    `leaving` is what ccxt must be told to leave the same channel again."""

    levels: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    leaving: Mapping[str, Any] = field(default_factory=dict)
    differences: type | None = None
    """What ccxt's class must do otherwise."""
    checked_levels: int | None = None
    """So many levels of each side are held against what the venue says of them; what lies deeper is not shown."""


STREAMS: Mapping[str, StreamFacts] = {
    # One connection for all symbols, and 500 levels to begin with: ccxt would open one connection a symbol, and ask
    # for 1000, which count twice against the limit.
    "binance": StreamFacts(
        options={
            "watchOrderBookLimit": 500,
            "streamLimits": {"linear": 1},
            "subscriptionLimitByStream": {"linear": 1000},
        }
    ),
    "bybit": StreamFacts(levels=50, leaving={"limit": 50}, differences=BybitBooks),
    # Not the channel of 50 levels: it wants a login.
    "okx": StreamFacts(),
    # It says the sum of its best levels; its numbers only rise. It hears ten messages a second, ccxt would send twenty.
    "bitget": StreamFacts(options={"ws": {"cost": 2}}, differences=BitgetBooks, checked_levels=25),
    "gate": StreamFacts(differences=GateBooks),
    # The whole of its 20 levels each time: nothing can be missing, but they come half a second apart.
    "hyperliquid": StreamFacts(differences=HyperliquidBooks),
}


_CLASSES: dict[str, Callable[..., Any]] = {}


def _streaming_class(protocol: str) -> Callable[..., Any]:
    """ccxt.pro's class of the venue, with our own differences and the marks; made once."""
    if protocol not in _CLASSES:
        ours = EXCHANGES[protocol]
        theirs = getattr(ccxt_pro, ours.__bases__[0].__name__)
        differences = STREAMS[protocol].differences
        bases = (KeepsLimits, *([differences] if differences else []), ours, theirs)
        _CLASSES[protocol] = marked(type(f"Streaming{ours.__name__}", bases, {}))
    return _CLASSES[protocol]


def make_streaming_exchange(address: VenueAddress, asking: Any) -> Any:
    """An exchange that follows books, beside `asking`, which asks the same venue."""
    # Reading the first book anew is for the stream to decide, not for ccxt.
    own = {"watchOrderBook": {"maxRetries": 1}, **STREAMS[address.protocol].options}
    options = {**facts_of(address).options, **own}
    exchange = configured(_streaming_class(address.protocol), address, {}, options, paced=asking.enableRateLimit)
    exchange.gate = asking.gate
    return exchange


async def hang_up(exchange: Any) -> None:
    """Ends every connection; whoever waits for a book is woken up by it."""
    clients = list(exchange.clients.values())
    exchange.clients.clear()
    for client in clients:
        await client.close()
