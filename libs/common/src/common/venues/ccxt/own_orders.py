"""Own orders as their venue tells of them: that one has ended, and nothing else of it.

What a stream says only wakes whoever waits for that order, and they ask the venue. So there is one source of what
became of an order, and a stream that is late, broken, repeats itself or lies changes nothing but how soon it is asked.

The exchange object here has keys, for a venue tells nobody else; it asks for the right to listen and for nothing more.
No error is logged in words: an address may have a key in it, and some venues repeat a login in their refusal.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import structlog
from ccxt.async_support.base.ws.cache import ArrayCacheBySymbolById
from ccxt.base import errors as ccxt_errors

from common.runtime.clock import Clock
from common.runtime.metrics import RENEWAL, OrderStreamMeasures
from common.venues.addresses import VenueAddress
from common.venues.ccxt.exchanges import configured, signed_with
from common.venues.ccxt.facts import facts_of
from common.venues.ccxt.failures import UNREADABLE
from common.venues.ccxt.markets import Markets
from common.venues.ccxt.streaming import hang_up, hearing, streaming_class
from common.venues.credentials import Credentials
from common.venues.errors import VenueError

log = structlog.get_logger(__name__)

RENEW_SECONDS = 1800.0
"""A connection may have died without a word, and Binance's right to listen ends after an hour."""
PAUSE_SECONDS_MIN, PAUSE_SECONDS_MAX = 0.25, 60.0
SETTLED_SECONDS = 60.0
"""After so long the next loss is taken for a first one."""

_RIGHT_TO_LISTEN = "/listenKey"

Ended = Callable[[], None]


class _Listens:
    """`confirmed` is called when the venue has agreed to tell us of our orders."""

    confirmed: Callable[[], None]

    async def fetch(self, url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
        if not urlsplit(url).path.endswith(_RIGHT_TO_LISTEN):
            raise ValueError("who listens asks for the right to listen, and for nothing else")
        return await super().fetch(url, method, headers, body)  # type: ignore[misc]  # what it is mixed into has it

    def handle_message(self, client: Any, message: Any) -> None:
        """What cannot be read ends the stream; ccxt would only stop to read."""
        try:
            super().handle_message(client, message)  # type: ignore[misc]  # as above
        except (ccxt_errors.BaseError, *UNREADABLE) as error:
            client.reject(error)

    async def introduce(self, asking: Any) -> None:
        """Learns from the exchange that asks what has to be said of the account."""

    def forget(self) -> None:
        """Drops what the venue gave for one connection."""


class ListensByKey(_Listens):
    """Who has the key may listen: it is a part of the address."""

    def on_connected(self, client: Any, message: Any = None) -> None:
        super().on_connected(client, message)  # type: ignore[misc]  # as above
        self.confirmed()

    def handle_message(self, client: Any, message: Any) -> None:
        if isinstance(message, Mapping) and message.get("e") == "listenKeyExpired":
            client.reject(ccxt_errors.AuthenticationError("the right to listen has ended"))
        super().handle_message(client, message)

    def forget(self) -> None:
        self.options.pop("linear", None)  # type: ignore[attr-defined]  # as above


class ListensOnRequest(_Listens):
    """Who has logged in may ask for what it wants to hear."""

    def handle_subscription_status(self, client: Any, message: Any) -> Any:
        self.confirmed()
        return super().handle_subscription_status(client, message)  # type: ignore[misc]  # as above


class ListensByNumber(ListensOnRequest):
    """The request names the account by its number, which is in none of the keys."""

    uid: str

    async def introduce(self, asking: Any) -> None:
        account = await asking.privateFuturesGetSettleAccounts({"settle": "usdt"})
        self.uid = str(account["user"])


class ListensToAnybody(_Listens):
    """What is on a chain is told to whoever asks."""

    def handle_subscription_response(self, client: Any, message: Any) -> None:
        super().handle_subscription_response(client, message)  # type: ignore[misc]  # as above
        self.confirmed()

    def handle_error_message(self, client: Any, message: Mapping[str, Any]) -> bool:
        """What is told is no answer to a request: ccxt looks for a request's error in it."""
        return message.get("channel") == "error" and bool(super().handle_error_message(client, message))  # type: ignore[misc]


@dataclass(frozen=True, slots=True)
class OrderStreamFacts:
    """How a venue's listeners are made."""

    listens: type[_Listens]
    options: Mapping[str, Any] = field(default_factory=dict)


ORDER_STREAMS: Mapping[str, OrderStreamFacts] = {
    "binance": OrderStreamFacts(
        ListensByKey,
        {
            # The right is asked for anew with every connection: ccxt would renew it once, and then no more.
            "listenKeyRefreshRate": int(4 * RENEW_SECONDS * 1000),
            "watchPositions": {"fetchPositionsSnapshot": False},
        },
    ),
    "bybit": OrderStreamFacts(ListensOnRequest),
    "okx": OrderStreamFacts(ListensOnRequest, {"watchOrders": {"type": "SWAP"}}),
    "bitget": OrderStreamFacts(ListensOnRequest),
    "gate": OrderStreamFacts(ListensByNumber),
    "hyperliquid": OrderStreamFacts(ListensToAnybody),
}


class OwnOrders:
    """`FollowsOrders` over one venue's stream, from the making until it is closed."""

    def __init__(self, markets: Markets, address: VenueAddress, keys: Credentials, clock: Clock) -> None:
        self.is_up = False
        self._markets = markets
        self._clock = clock
        self._measures = OrderStreamMeasures(address.name)
        self._facts = facts_of(address)
        self._followers: dict[str, list[Ended]] = {}
        stream = ORDER_STREAMS[address.protocol]
        self._exchange = configured(
            streaming_class(address.protocol, stream.listens),
            address,
            signed_with(self._facts, keys),
            {**self._facts.options, **stream.options},
            paced=False,
        )
        self._exchange.gate = markets.exchange.gate
        self._exchange.confirmed = self._confirmed
        self._exchange.orders = _Orders(self._hear)
        self._listening = asyncio.create_task(self._run())

    def follow(self, client_order_id: str, ended: Ended) -> Callable[[], None]:
        """See `FollowsOrders.follow`."""
        spelled = self._facts.client_order_id_form.format(client_order_id)
        self._followers.setdefault(spelled, []).append(ended)

        def stop() -> None:
            left = [other for other in self._followers.pop(spelled, []) if other is not ended]
            if left:
                self._followers[spelled] = left

        return stop

    async def close(self) -> None:
        """Hears no more. The exchange that asks is closed by whoever made it."""
        self._listening.cancel()
        await asyncio.wait({self._listening})
        await self._exchange.close()

    async def _run(self) -> None:
        pause_seconds = 0.0
        while True:
            began_at_seconds = self._clock.monotonic()
            try:
                why = await self._listen()
            finally:
                self._stand(is_up=False)
                await hang_up(self._exchange)
                self._exchange.forget()
            self._measures.lost(why)
            log.info("order_stream.lost", venue=self._markets.venue, why=why)
            if self._clock.monotonic() - began_at_seconds >= SETTLED_SECONDS:
                pause_seconds = 0.0
            await asyncio.sleep(pause_seconds)
            pause_seconds = min(max(2 * pause_seconds, PAUSE_SECONDS_MIN), PAUSE_SECONDS_MAX)

    async def _listen(self) -> str:
        """Listens until that ends: why."""
        try:
            with hearing(self._markets.venue):
                self._exchange.gate.bans.check()
                await self._markets.load()
                self._exchange.set_markets_from_exchange(self._markets.exchange)
                await self._exchange.introduce(self._markets.exchange)
                async with asyncio.timeout(RENEW_SECONDS):
                    while True:
                        await self._exchange.watch_orders()
        except TimeoutError:
            return RENEWAL
        except VenueError as error:
            return error.reason

    def _confirmed(self) -> None:
        self._stand(is_up=True)

    def _stand(self, *, is_up: bool) -> None:
        if is_up and not self.is_up:
            log.info("order_stream.up", venue=self._markets.venue)
        self.is_up = is_up
        self._measures.up(is_up)

    def _hear(self, order: Mapping[str, Any]) -> None:
        if order["status"] == "open":
            return
        for ended in self._followers.pop(order["clientOrderId"], []):
            self._measures.heard()
            ended()


class _Orders(ArrayCacheBySymbolById):  # type: ignore[misc]  # ccxt has no types
    """Where ccxt keeps the orders that it hears of. All are told, none is kept; those that come between two calls of
    `watch_orders` would wake nobody otherwise."""

    def __init__(self, tell: Callable[[Mapping[str, Any]], None]) -> None:
        super().__init__()
        self._tell = tell

    def append(self, order: Mapping[str, Any]) -> None:
        self._tell(order)
