"""ccxt's streaming classes, as safe as the others.

An exchange that follows books stands beside the one that asks and shares its markets and its gate. It has no keys,
so nothing that is private can be followed by mistake. What follows own orders is made in `own_orders`.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import ccxt.pro as ccxt_pro

from common.venues.addresses import VenueAddress
from common.venues.ccxt.exchanges import EXCHANGES, configured, marked
from common.venues.ccxt.facts import facts_of
from common.venues.ccxt.failures import reading
from common.venues.ccxt.stream_classes import BitgetBooks, BybitBooks, GateBooks, HyperliquidBooks, KeepsLimits
from common.venues.errors import VenueUnreachable


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
    books_max: int = 1000
    """So many may be followed over one connection; whoever reads more of them asks the venue."""


STREAMS: Mapping[str, StreamFacts] = {
    # One connection for all symbols, and 500 levels to begin with: ccxt would open one connection a symbol, and ask
    # for 1000, which count twice against the limit. ccxt counts whatever was ever followed against its own limit.
    "binance": StreamFacts(
        options={
            "watchOrderBookLimit": 500,
            "streamLimits": {"linear": 1},
            "subscriptionLimitByStream": {"linear": 1_000_000},
        },
        books_max=200,
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


_CLASSES: dict[tuple[str, tuple[type, ...]], Callable[..., Any]] = {}


def streaming_class(protocol: str, *own: type) -> Callable[..., Any]:
    """ccxt.pro's class of the venue, with `own` before it, our own differences and the marks; made once."""
    if (protocol, own) not in _CLASSES:
        ours = EXCHANGES[protocol]
        theirs = getattr(ccxt_pro, ours.__bases__[0].__name__)
        made = type(f"Streaming{ours.__name__}", (KeepsLimits, *own, ours, theirs), {})
        _CLASSES[protocol, own] = marked(made)
    return _CLASSES[protocol, own]


def make_streaming_exchange(address: VenueAddress, asking: Any) -> Any:
    """An exchange that follows books, beside `asking`, which asks the same venue."""
    facts = STREAMS[address.protocol]
    # Reading the first book anew is for the stream to decide, not for ccxt.
    own = {"watchOrderBook": {"maxRetries": 1}, **facts.options}
    options = {**facts_of(address).options, **own}
    made = streaming_class(address.protocol, *((facts.differences,) if facts.differences else ()))
    # Also beside one that asks without pauses: who tells a venue too much in a second is cut off. A server that stands
    # in has no such limit.
    exchange = configured(made, address, {}, options, paced=address.url is None)
    exchange.gate = asking.gate
    return exchange


@contextmanager
def hearing(venue: str) -> Iterator[None]:
    """Turns everything that waiting for a stream can end in into the errors of the ports."""
    try:
        with reading(venue):
            yield
    except asyncio.CancelledError as error:
        # ccxt cancels whoever waits when a connection is closed under them.
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise VenueUnreachable(venue, "the connection was closed") from error
    except (aiohttp.ClientError, ConnectionError) as error:
        # What fails while it is sent, ccxt passes on as it is.
        raise VenueUnreachable(venue, type(error).__name__) from error


async def hang_up(exchange: Any) -> None:
    """Ends every connection; whoever waits for something is woken up by it."""
    clients = list(exchange.clients.values())
    exchange.clients.clear()
    for client in clients:
        await client.close()
