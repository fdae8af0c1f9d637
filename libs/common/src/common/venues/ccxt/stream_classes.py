"""What ccxt's streaming classes must do otherwise: a book that may lack an update is forgotten at once.

`BookStream` shows no book that ccxt does not have. So what is wrong with one is found here, as it arrives, before
anybody can read what was made of it; and what still comes of a book that is lost is passed over.
"""

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import partial
from typing import Any

import aiohttp
from ccxt.base import errors as ccxt_errors

from common.venues.ccxt.limits import VenueGate
from common.venues.ccxt.message_limits import SentMessages

SUBSCRIBING_AT_ONCE = 4
"""Books of a venue. Each may cost the venue a whole book: hundreds at once would wait until they look dead."""
_BANNING_STATUSES = (403, 418, 429)


class KeepsLimits:
    """Connections are counted like requests, and messages by connection. A handshake that is refused for a limit is a
    ban like any other."""

    gate: VenueGate
    clients: dict[str, Any]

    def admit_subscription(self) -> None:
        """Lets a book be followed and be left again, as others may that are on their way.

        Raises:
            BudgetSpent: the connection may not be sent that much.
        """
        for client in self.clients.values():
            client.sent_messages.check_room(2 * SUBSCRIBING_AT_ONCE)

    def client(self, url: str) -> Any:
        is_new = url not in (self.clients or {})
        client = super().client(url)  # type: ignore[misc]  # what it is mixed into has it
        if is_new:
            client.sent_messages = self.gate.connection()
            client.create_connection = partial(self._dial, url, client.create_connection)
            client.send = partial(self._send, client.sent_messages, client.send)
        return client

    async def _dial(self, url: str, dial: Callable[[Any], Awaitable[Any]], session: Any) -> Any:
        await self.gate.admit("CONNECT", url, None, is_order=False)
        return await dial(session)

    async def _send(self, sent: SentMessages, send: Callable[[Any], Awaitable[Any]], message: Any) -> Any:
        if not isinstance(message, str):
            sent.add()
        return await send(message)

    def on_error(self, client: Any, error: Exception) -> None:
        refused = error.args[0] if error.args else None
        if isinstance(refused, aiohttp.WSServerHandshakeError) and refused.status in _BANNING_STATUSES:
            self.gate.ban(refused.status, refused.headers or {}, "", None)
        super().on_error(client, error)  # type: ignore[misc]


class _Books:
    orderbooks: Any
    clients: Mapping[str, Any]

    def lose(self, client: Any, symbol: str, why: Exception) -> None:
        """Forgets a book, and tells whoever waits for its next update."""
        self.orderbooks.pop(symbol, None)
        client.reject(why, _update_of(symbol))

    async def un_watch_order_book(self, symbol: str, params: Any = None) -> None:
        """Nothing, where a new connection has not followed the book yet: at some venues leaving it would be an error,
        and ccxt takes that for one of every book."""
        if any(_update_of(symbol) in client.subscriptions for client in self.clients.values()):
            await super().un_watch_order_book(symbol, params or {})  # type: ignore[misc]  # what it is mixed into has it


class BybitBooks(_Books):
    """Every update but a snapshot must follow the one before: ccxt applies whatever comes."""

    def handle_order_book(self, client: Any, message: Mapping[str, Any]) -> None:
        exchange: Any = self
        update = message["data"]
        symbol = exchange.safe_market(update["s"], None, None, "contract")["symbol"]
        if message["type"] != "snapshot":
            known = self.orderbooks.get(symbol)
            if known is None:
                return
            if update["u"] != known["nonce"] + 1:
                self.lose(client, symbol, _missing())
                return
        super().handle_order_book(client, message)  # type: ignore[misc]
        self.orderbooks[symbol]["nonce"] = update["u"]


class BitgetBooks(_Books):
    """A snapshot is all that there is: ccxt lays it over what it knows. A wrong sum is heard at once: ccxt goes on
    showing the book until the venue has confirmed that it is left."""

    def handle_order_book(self, client: Any, message: Mapping[str, Any]) -> None:
        exchange: Any = self
        symbol = exchange.safe_market(message["arg"]["instId"], None, None, "contract")["symbol"]
        if message["action"] == "snapshot":
            self.orderbooks.pop(symbol, None)
        elif symbol not in self.orderbooks:
            return
        super().handle_order_book(client, message)  # type: ignore[misc]

    def handle_check_sum_error(self, client: Any, symbol: str, _update: str) -> Coroutine[Any, Any, None]:
        """Called by ccxt as a coroutine function; what it does is done before it is awaited."""
        self.lose(client, symbol, _missing())
        return _nothing()


class GateBooks(_Books):
    """The whole book is asked for as soon as its changes come, also where the market stands still, and a failure of
    that is about this book only: ccxt waits for a change, and ends the connection of all books."""

    def handle_order_book_subscription(self, client: Any, message: Any, subscription: Any = None) -> None:
        super().handle_order_book_subscription(client, message, subscription)  # type: ignore[misc]
        exchange: Any = self
        if subscription:
            symbol = subscription["symbol"]
            exchange.spawn(self._begin, client, symbol, self.orderbooks[symbol], subscription["limit"])

    async def _begin(self, client: Any, symbol: str, book: Any, levels: int) -> None:
        """Lays what has come meanwhile over the whole book."""
        exchange: Any = self
        try:
            whole = await exchange.fetch_order_book(symbol, levels)
        except ccxt_errors.BaseError as error:
            if self.orderbooks.get(symbol) is book:
                self.lose(client, symbol, error)
            return
        if self.orderbooks.get(symbol) is not book:
            return
        changes = list(book.cache)
        book.cache.clear()
        book.reset(whole)
        for change in changes:
            self.handle_order_book(client, {"channel": "futures.order_book_update", "result": change})
        if self.orderbooks.get(symbol) is book:
            client.resolve(book, _update_of(symbol))

    def handle_order_book(self, client: Any, message: Mapping[str, Any]) -> None:
        exchange: Any = self
        change = message["result"]
        symbol = exchange.safe_symbol(change["s"], None, "_", "contract")
        book = self.orderbooks.get(symbol)
        if book is None:
            return
        if book["nonce"] is None:
            book.cache.append(change)
        elif change["u"] > book["nonce"]:
            # A push of the whole book is none of these differences, and ccxt would take it for one.
            if change["U"] > book["nonce"] + 1 or change.get("full"):
                self.lose(client, symbol, _missing())
                return
            super().handle_order_book(client, message)  # type: ignore[misc]


class HyperliquidBooks(_Books):
    """What is pushed is no answer to a request: ccxt looks for a request's error in it."""

    def handle_error_message(self, client: Any, message: Mapping[str, Any]) -> bool:
        return message.get("channel") == "error" and bool(super().handle_error_message(client, message))  # type: ignore[misc]


def _update_of(symbol: str) -> str:
    """What ccxt calls the next update of a book."""
    return f"orderbook:{symbol}"


def _missing() -> Any:
    return ccxt_errors.InvalidNonce("updates are missing")


async def _nothing() -> None:
    return
