"""ccxt's streaming classes, as safe as the others: for books only, and without keys.

An exchange made here stands beside the one that asks and shares its markets and its gate. It can sign
nothing, so nothing that is private can be followed by mistake, and no order ever passes through ccxt.pro.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import ccxt.pro as ccxt_pro
from ccxt.base import errors as ccxt_errors

from common.venues.addresses import VenueAddress
from common.venues.ccxt.exchanges import EXCHANGES, configured, marked
from common.venues.ccxt.facts import facts_of

_BANNING_STATUSES = (403, 418, 429)


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """How a venue's books are followed. `levels` is asked of the venue (None: all that its channel has), and
    `leaving` is what ccxt must be told to leave the same channel again."""

    levels: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    leaving: Mapping[str, Any] = field(default_factory=dict)
    numbers_updates: bool = False
    """The venue numbers updates one by one, and ccxt does not look at the numbers."""


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
    "bybit": StreamFacts(levels=50, leaving={"limit": 50}, numbers_updates=True),
    # Not the channel of 50 levels: it wants a login.
    "okx": StreamFacts(),
}
"""What is not here is read by requests only."""


class _HearsBans:
    """A handshake that is refused for a limit is a ban like any other."""

    def on_error(self, client: Any, error: Exception) -> None:
        refused = error.args[0] if error.args else None
        if isinstance(refused, aiohttp.WSServerHandshakeError) and refused.status in _BANNING_STATUSES:
            self.gate.ban(refused.status, refused.headers or {}, "", None)  # type: ignore[attr-defined]
        super().on_error(client, error)  # type: ignore[misc]  # what it is mixed into has it


class _LooksAtNumbers:
    """Every update but a snapshot must follow the one before: ccxt applies whatever comes."""

    def handle_order_book(self, client: Any, message: Mapping[str, Any]) -> None:
        exchange: Any = self
        update = message["data"]
        symbol = exchange.safe_market(update["s"], None, None, "contract")["symbol"]
        if message["type"] != "snapshot":
            known = exchange.orderbooks.get(symbol)
            if known is None:
                return  # the rest of a book that is lost already
            if update["u"] != known["nonce"] + 1:
                del exchange.orderbooks[symbol]
                client.reject(ccxt_errors.InvalidNonce(f"{exchange.id}: updates are missing"), f"orderbook:{symbol}")
                return
        super().handle_order_book(client, message)  # type: ignore[misc]
        exchange.orderbooks[symbol]["nonce"] = update["u"]


_CLASSES: dict[str, Callable[..., Any]] = {}


def _streaming_class(protocol: str) -> Callable[..., Any]:
    """ccxt.pro's class of the venue, with our own differences and the marks; made once."""
    if protocol not in _CLASSES:
        ours = EXCHANGES[protocol]
        theirs = getattr(ccxt_pro, ours.__bases__[0].__name__)
        looking = (_LooksAtNumbers,) if STREAMS[protocol].numbers_updates else ()
        _CLASSES[protocol] = marked(type(f"Streaming{ours.__name__}", (_HearsBans, *looking, ours, theirs), {}))
    return _CLASSES[protocol]


def make_streaming_exchange(address: VenueAddress, asking: Any) -> Any:
    """An exchange that follows books, beside `asking`, which asks the same venue; of a venue that is in `STREAMS`."""
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
