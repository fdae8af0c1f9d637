"""Making ccxt safe to trade with.

Every exchange made here: never retries by itself, sends no broker tag, logs no request, reaches no other server
than the address says, asks nothing while the venue bans us, and marks its errors with what decides about exposure:
whether a request left this process, the HTTP status, the venue's own code, and until when it bans us.
"""

import logging
import ssl
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import cache
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from ccxt.base import errors as ccxt_errors

from common.runtime.metrics import ANSWERED, BANNED, REFUSED, UNREACHABLE
from common.venues.addresses import VenueAddress
from common.venues.ccxt.bans import VenueBan
from common.venues.ccxt.exchange_binance import BinanceExchange
from common.venues.ccxt.exchange_bitget import BitgetExchange
from common.venues.ccxt.exchange_bybit import BybitExchange
from common.venues.ccxt.exchange_gate import GateExchange
from common.venues.ccxt.exchange_hyperliquid import HyperliquidExchange
from common.venues.ccxt.exchange_okx import OkxExchange
from common.venues.ccxt.facts import ORDER_RECEIVE_WINDOW_MS, VenueFacts, facts_of
from common.venues.ccxt.limits import VenueGate, VenueLimits
from common.venues.credentials import Credentials

REQUEST_TIMEOUT_MS = 5000

request_departed: ContextVar[bool] = ContextVar("request_departed", default=False)
"""Set in the running task when a request is handed to the network; whoever asks resets it before."""

signed_at_ms: ContextVar[int | None] = ContextVar("signed_at_ms", default=None)
"""The time that the running task's requests are signed with, which makes them orders to be refused when they come late;
None for the time of the signing itself.
"""


def make_exchange(address: VenueAddress, limits: VenueLimits, keys: Credentials | None = None, *, paced: bool) -> Any:
    """A ccxt exchange for one venue, behind the process's gate. `paced` keeps ccxt's own pause between requests.

    Raises:
        SettingsError: this version does not speak the venue's protocol.
    """
    facts = facts_of(address)
    signing = signed_with(facts, keys) if keys else {}
    exchange = configured(_exchange_class(address.protocol), address, signing, facts.options, paced=paced)
    exchange.gate = limits.gate(address)
    return exchange


def signed_with(facts: VenueFacts, keys: Credentials) -> Mapping[str, str]:
    """The keys by ccxt's names."""
    return dict(zip(facts.credential_fields, keys.texts, strict=False))


def configured(
    exchange_class: Callable[..., Any],
    address: VenueAddress,
    signing: Mapping[str, str],
    options: Mapping[str, Any],
    *,
    paced: bool,
) -> Any:
    """An exchange of a marked class with everything of the above but the gate."""
    exchange = exchange_class(
        {
            **signing,
            "timeout": REQUEST_TIMEOUT_MS,
            "enableRateLimit": paced,
            "options": {**options, "maxRetriesOnFailure": 0},
        }
    )
    exchange.timeout_on_exit = 0
    exchange.unknown_codes = facts_of(address).unknown_codes
    exchange.ssl_context = _trust(exchange.cafile)
    exchange.has["fetchCurrencies"] = False
    # At DEBUG ccxt logs whole requests, keys and signatures included.
    exchange.logger.setLevel(logging.WARNING)
    if address.url is not None:
        exchange.urls["api"] = _moved(exchange.urls["api"], address.url)
    _refuse_retries(exchange)
    return exchange


@cache
def _trust(authorities_file: str) -> ssl.SSLContext:
    """Whom connections to venues trust; read once, because every exchange would take 18 ms for it."""
    return ssl.create_default_context(cafile=authorities_file)


def _refuse_retries(exchange: Any) -> None:
    """ccxt repeats timed-out requests, orders included, when any option asks it to."""
    nested = [value for value in exchange.options.values() if isinstance(value, Mapping)]
    if any(options.get("maxRetriesOnFailure") for options in [exchange.options, *nested]):
        raise ValueError(f"{exchange.id} would repeat requests by itself: maxRetriesOnFailure must be 0")


def _moved(urls: Any, base: str) -> Any:
    """Every address in ccxt's nested table, on the server at `base`."""
    if isinstance(urls, Mapping):
        return {name: _moved(value, base) for name, value in urls.items()}
    source, target = urlsplit(urls), urlsplit(base)
    schemes = {"ws": {"http": "ws", "https": "wss"}, "wss": {"http": "ws", "https": "wss"}}
    scheme = schemes.get(source.scheme, {}).get(target.scheme, target.scheme)
    return urlunsplit((scheme, target.netloc, target.path.rstrip("/") + source.path, source.query, ""))


EXCHANGES: Mapping[str, Any] = {
    "binance": BinanceExchange,
    "bybit": BybitExchange,
    "okx": OkxExchange,
    "bitget": BitgetExchange,
    "gate": GateExchange,
    "hyperliquid": HyperliquidExchange,
}
_CLASSES: dict[str, Callable[..., Any]] = {}


def _exchange_class(protocol: str) -> Callable[..., Any]:
    """ccxt's class of the venue with the marks; made once."""
    made = _CLASSES.get(protocol)
    if made is None:
        made = marked(EXCHANGES[protocol])
        _CLASSES[protocol] = made
    return made


def marked(base: Any) -> Callable[..., Any]:
    """ccxt's class `base` with the marks: departure, bans, times, and what errors mean."""

    class Marked(base):  # type: ignore[misc]  # the class is known at run time only
        gate: VenueGate
        unknown_codes: frozenset[str]

        async def fetch(self, url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
            await self.gate.admit(method, url, body, is_order=signed_at_ms.get() is not None)
            request_departed.set(True)
            started, outcome = time.perf_counter(), ANSWERED
            try:
                return await super().fetch(url, method, headers, body)
            except ccxt_errors.BaseError as error:
                outcome = _outcome(error)
                raise
            finally:
                self.gate.measures.request(outcome, time.perf_counter() - started)

        def nonce(self) -> int:
            decided = signed_at_ms.get()
            return int(super().nonce()) if decided is None else decided - int(self.options.get("signEarlyMs", 0))

        def sign(self, *arguments: Any, **named: Any) -> Any:
            window_ms = self.options["recvWindow"]
            if signed_at_ms.get() is not None:
                self.options["recvWindow"] = ORDER_RECEIVE_WINDOW_MS
            try:
                return super().sign(*arguments, **named)
            finally:
                self.options["recvWindow"] = window_ms

        def handle_errors(
            self,
            status: int,
            reason: str,
            url: str,
            method: str,
            headers: Mapping[str, str],
            body: str,
            response: Any,
            request_headers: Any,
            request_body: Any,
        ) -> Any:
            code = self._code_in(response)
            if status == 403 and code is None:
                # Refused at the venue's edge, in no form of its own: a limit too, whatever ccxt makes of it.
                self.gate.ban(status, headers, body, code)
            try:
                super().handle_errors(
                    status, reason, url, method, headers, body, response, request_headers, request_body
                )
                self._refuse_what_is_no_answer(status, response)
            except ccxt_errors.BaseError as error:
                limited = isinstance(error, ccxt_errors.DDoSProtection | ccxt_errors.RateLimitExceeded)
                if limited or status in (418, 429):
                    raise self.gate.ban(status, headers, body, code) from error
                if status >= 500 or code in self.unknown_codes:
                    # Of a code the venue's words say more; the body of a server's error may be a whole page.
                    said = f"{self.id} answered {status} {reason}" if status >= 500 else str(error)
                    failure = ccxt_errors.ExchangeNotAvailable(said)
                    failure.venue_code = code
                    raise failure from error
                if code is None:
                    # Taken for a refusal because it was not the form of a success; it is not that of a refusal either.
                    raise ccxt_errors.BadResponse(f"{self.id} answered {status} without a code") from error
                error.venue_code = code
                raise

        def _refuse_what_is_no_answer(self, status: int, response: Any) -> None:
            """ccxt reads a body that is no JSON, or `{}`, as an empty list: flat positions, no fills, an empty book."""
            if self.httpExceptions.get(str(status)) in (ccxt_errors.DDoSProtection, ccxt_errors.RateLimitExceeded):
                raise ccxt_errors.RateLimitExceeded(f"{self.id} answered {status}")
            if status < 400 and (response is None or response == {}):
                raise ccxt_errors.BadResponse(f"{self.id} answered {status} without an answer in it")

        def _code_in(self, response: Any) -> str | None:
            """The venue's own code in an error body."""
            code = self.own_code(response) if isinstance(response, Mapping) else None
            return None if code is None else str(code)

    return Marked


def _outcome(error: ccxt_errors.BaseError) -> str:
    """How a request ended that was not answered well."""
    if isinstance(error, VenueBan):
        return BANNED
    return UNREACHABLE if isinstance(error, ccxt_errors.NetworkError | ccxt_errors.BadResponse) else REFUSED
