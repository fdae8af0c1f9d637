"""From ccxt's markets to ours: which contracts are traded, by base asset, and their rules in base units.

ccxt hands out binary floats made from the venue's decimal text; `str` of such a float is that text again, so
`Decimal(str(x))` is exact for figures of up to 15 digits.
"""

import asyncio
import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import structlog

from common.domain.identifiers import SYMBOL_PATTERN
from common.domain.instruments import Instrument
from common.runtime.clock import Clock
from common.venues.ccxt.failures import reading
from common.venues.errors import VenueError, VenueRefused

log = structlog.get_logger(__name__)

RENEW_EVERY_SECONDS = 3600.0
LOOK_AGAIN_SECONDS = 60.0
"""Real seconds between two readings of what a venue lists: as a rule, and at least, while something is missed."""
WATCHED_SECONDS = 2 * 3600.0
"""How long a contract that is traded no longer is missed: then the readings of every hour find it soon enough."""

_SETTLEMENTS = ("USDT", "USDC")
_SYMBOL = re.compile(SYMBOL_PATTERN)


def decimal(figure: Any) -> Decimal:
    """A figure of ccxt (float, int or text), exactly as the venue wrote it."""
    return Decimal(str(figure))


def optional_decimal(figure: Any) -> Decimal | None:
    """As `decimal`; None stays None."""
    return None if figure is None else decimal(figure)


class Markets:
    """The linear perpetuals of one venue as it lists them now, and the ccxt exchange that trades them.

    They are read anew every hour in the background, so that no order waits for it, and at most once a minute while
    something is missed: the venue trades nothing at all, or for some hours no longer what it traded, or a symbol is
    asked for that is not traded; only for one that is not known is the reading waited for. A contract that the venue
    does not trade now, or lists no longer, is known all the same, and halted: what is held of it must be seen and
    closed. One whose size changed is halted until the process starts anew: nobody knows which size the venue meant in
    what was read around the change.
    """

    def __init__(self, venue: str, exchange: Any, clock: Clock) -> None:
        self.venue = venue
        self.exchange = exchange
        self._clock = clock
        self._markets: dict[str, Mapping[str, Any]] = {}
        self._symbols: dict[str, str] = {}
        self._traded: frozenset[str] = frozenset()
        self._resized: dict[str, str] = {}
        self._stopped_seconds: dict[str, float] = {}
        self._asked_seconds = -math.inf
        self._renew_after_seconds = LOOK_AGAIN_SECONDS
        self._renewal: asyncio.Task[None] | None = None

    async def load(self) -> Mapping[str, Mapping[str, Any]]:
        """ccxt's market of each of our symbols: another mapping whenever they were read anew."""
        if not self._markets:
            await self._read()
        else:
            self._renew_if_older(self._renew_after_seconds)
        return self._markets

    async def market(self, symbol: str) -> Mapping[str, Any]:
        """ccxt's market of our symbol.

        Raises:
            VenueRefused: the venue does not list it.
        """
        market = (await self.load()).get(symbol)
        if market is None and self._is_older(LOOK_AGAIN_SECONDS):
            await self._read()
            market = self._markets.get(symbol)
        if market is None:
            raise VenueRefused(self.venue, f"{symbol} is not listed")
        if symbol not in self._traded:
            self._renew_if_older(LOOK_AGAIN_SECONDS)
        return market

    def halted(self, symbol: str) -> str | None:
        """Why nothing may be opened in a contract that is known, or None."""
        untraded = None if symbol in self._traded else f"{symbol} is halted: the venue does not trade it now"
        return self._resized.get(symbol) or untraded

    async def close(self) -> None:
        """Closes the exchange, and ends what is being read."""
        if self._renewal is not None and not self._renewal.done():
            self._renewal.cancel()
            await asyncio.wait({self._renewal})
        await self.exchange.close()

    def _is_older(self, seconds: float) -> bool:
        return self._clock.monotonic() - self._asked_seconds >= seconds

    def _renew_if_older(self, seconds: float) -> None:
        """Begins a reading in the background, where the last began that long ago and has ended."""
        if self._is_older(seconds) and (self._renewal is None or self._renewal.done()):
            self._asked_seconds = self._clock.monotonic()
            self._renewal = asyncio.create_task(self._renew())

    async def _renew(self) -> None:
        try:
            with reading(self.venue):
                await self._read()
        except VenueError as error:
            log.warning("markets.not_renewed", venue=self.venue, error=str(error))

    async def _read(self) -> None:
        self._asked_seconds = self._clock.monotonic()
        self._renew_after_seconds = LOOK_AGAIN_SECONDS  # should this fail
        listed = await self.exchange.load_markets(bool(self._markets))
        names = {symbol: known["symbol"] for symbol, known in self._markets.items()}
        found = _linear_perpetuals(listed.values(), names)
        for symbol, name in names.items():
            # What is held is held of the contract that was known first, also when only another of its base is left.
            if symbol in found and found[symbol]["symbol"] != name:
                del found[symbol]
        for symbol, market in found.items():
            self._tell_of_change(symbol, market)
        self._take_traded(frozenset(symbol for symbol, market in found.items() if market["active"]))
        self._markets = {**self._markets, **found}
        self._symbols = {market["symbol"]: symbol for symbol, market in self._markets.items()}
        self._keep_unlisted(listed)

    def _take_traded(self, traded: frozenset[str]) -> None:
        now = self._clock.monotonic()
        stopped = {**dict.fromkeys(self._traded - traded, now), **self._stopped_seconds}
        self._stopped_seconds = {
            symbol: since for symbol, since in stopped.items() if symbol not in traded and now - since < WATCHED_SECONDS
        }
        self._traded = traded
        is_missed = self._stopped_seconds or not traded
        self._renew_after_seconds = LOOK_AGAIN_SECONDS if is_missed else RENEW_EVERY_SECONDS

    def _keep_unlisted(self, listed: Mapping[str, Mapping[str, Any]]) -> None:
        """ccxt forgets what is not listed, and would take positions of it for those of contracts that are not ours."""
        unlisted = [market for market in self._markets.values() if market["symbol"] not in listed]
        if unlisted:
            # Other mappings, for who reads at the same time is given `listed` too: what the venue lists, and no more.
            by_id = dict(self.exchange.markets_by_id)
            for market in unlisted:
                others = [other for other in by_id.get(market["id"], ()) if other["symbol"] != market["symbol"]]
                by_id[market["id"]] = [*others, market]
            self.exchange.markets = {**listed, **{market["symbol"]: market for market in unlisted}}
            self.exchange.markets_by_id = by_id

    def _tell_of_change(self, symbol: str, market: Mapping[str, Any]) -> None:
        """Contract size and lot step decide what a quantity means: a change of them is taken over, and said."""
        known = self._markets.get(symbol)
        before, after = (_rules(known) if known else None), _rules(market)
        if before is not None and before != after:
            log.warning("markets.rules_changed", venue=self.venue, symbol=symbol, before=before, after=after)
            if before["contract_size"] != after["contract_size"]:
                sizes = f"from {before['contract_size']} to {after['contract_size']}"
                self._resized[symbol] = f"{symbol} is halted: the venue changed its contract size {sizes}"

    async def unified(self, symbol: str) -> str:
        """ccxt's name of our symbol; raises as `market`."""
        return str((await self.market(symbol))["symbol"])

    def symbol_of(self, unified: str | None) -> str | None:
        """Our symbol of ccxt's name, or None of a contract that is not ours."""
        return self._symbols.get(unified or "")

    def instrument(self, symbol: str, market: Mapping[str, Any]) -> Instrument:
        """The trading rules in base units."""
        size = decimal(market["contractSize"])
        limits = market["limits"]
        largest = [limit["max"] for limit in (limits["amount"], limits.get("market") or {"max": None}) if limit["max"]]
        return Instrument(
            venue=self.venue,
            symbol=symbol,
            quantity_step=decimal(market["precision"]["amount"]) * size,
            quantity_min=decimal(limits["amount"]["min"] or market["precision"]["amount"]) * size,
            notional_min=decimal(limits["cost"]["min"] or 0),
            price_tick=decimal(market["precision"]["price"]),
            contract_size=size,
            quantity_max=min(map(decimal, largest)) * size if largest else None,
            leverage_max=optional_decimal(limits["leverage"]["max"]),
            halted=self.halted(symbol),
            halted_for_now=symbol not in self._traded and symbol not in self._resized,
        )


def _linear_perpetuals(markets: Any, known: Mapping[str, str]) -> dict[str, Mapping[str, Any]]:
    """By base: of several the known one (ccxt's name of it), then one that is traded, then the settlement counts."""

    def rank(market: Mapping[str, Any]) -> tuple[bool, bool, int]:
        is_other = market["symbol"] != known.get(market["base"])
        return is_other, not market["active"], _SETTLEMENTS.index(market["settle"])

    found: dict[str, Mapping[str, Any]] = {}
    for market in markets:
        is_ours = market["swap"] and market["linear"] and market["settle"] in _SETTLEMENTS
        if not is_ours or not _SYMBOL.match(market["base"]) or not (market["active"] or _has_rules(market)):
            continue
        rival = found.get(market["base"])
        if rival is None or rank(market) < rank(rival):
            found[market["base"]] = market
    return found


def _has_rules(market: Mapping[str, Any]) -> bool:
    """Not of what is only announced."""
    return None not in (market["contractSize"], market["precision"]["amount"], market["precision"]["price"])


def _rules(market: Mapping[str, Any]) -> dict[str, str]:
    return {"contract_size": str(market["contractSize"]), "lot_step": str(market["precision"]["amount"])}
