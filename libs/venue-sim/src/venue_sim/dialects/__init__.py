"""The wire protocols: each dialect parses, verifies and formats; none of them knows how a market moves."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from venue_sim.account import Identifiers
from venue_sim.dialects.binance.dialect import BINANCE_RULES, BinanceDialect, BinanceIdentifiers
from venue_sim.dialects.binance.stream import BinanceBooks
from venue_sim.dialects.bitget.dialect import BITGET_RULES, BitgetDialect, BitgetIdentifiers
from venue_sim.dialects.bitget.stream import BitgetBooks
from venue_sim.dialects.bybit.dialect import BYBIT_RULES, BybitDialect, BybitIdentifiers
from venue_sim.dialects.bybit.stream import BybitBooks
from venue_sim.dialects.gate.dialect import GATE_RULES, GateDialect, GateIdentifiers
from venue_sim.dialects.gate.stream import GateBooks
from venue_sim.dialects.hyperliquid.dialect import HYPERLIQUID_RULES, HyperliquidDialect, HyperliquidIdentifiers
from venue_sim.dialects.hyperliquid.stream import HyperliquidBooks
from venue_sim.dialects.okx.dialect import OKX_RULES, OkxDialect, OkxIdentifiers
from venue_sim.dialects.okx.stream import OkxBooks
from venue_sim.dialects.streams import BookChannel
from venue_sim.dialects.wire import Credentials, Dialect
from venue_sim.scenario import VenueScenario
from venue_sim.venue import MarketClock, Venue, VenueRules


@dataclass(frozen=True, slots=True)
class _Protocol:
    dialect: Callable[[Venue, Credentials], Dialect]
    identifiers: Callable[[str], Identifiers]
    rules: VenueRules
    has_passphrase: bool = False


_PROTOCOLS: Mapping[str, _Protocol] = {
    "binance": _Protocol(BinanceDialect, BinanceIdentifiers, BINANCE_RULES),
    "bybit": _Protocol(BybitDialect, BybitIdentifiers, BYBIT_RULES),
    "okx": _Protocol(OkxDialect, OkxIdentifiers, OKX_RULES, has_passphrase=True),
    "bitget": _Protocol(BitgetDialect, BitgetIdentifiers, BITGET_RULES, has_passphrase=True),
    "gate": _Protocol(GateDialect, GateIdentifiers, GATE_RULES),
    "hyperliquid": _Protocol(HyperliquidDialect, HyperliquidIdentifiers, HYPERLIQUID_RULES),
}


_CHANNELS: Mapping[str, Callable[[Venue, Mapping[str, str]], BookChannel]] = {
    "binance": BinanceBooks,
    "bybit": BybitBooks,
    "okx": OkxBooks,
    "bitget": BitgetBooks,
    "gate": GateBooks,
    "hyperliquid": HyperliquidBooks,
}


def book_channel(venue: Venue, headers: Mapping[str, str]) -> BookChannel:
    """How the venue streams its books to a client whose handshake had these headers."""
    return _CHANNELS[venue.protocol](venue, headers)


def has_passphrase(protocol: str) -> bool:
    """Whether an account's keys at a venue of this protocol come with a passphrase."""
    return _PROTOCOLS[protocol].has_passphrase


def open_venue(
    name: str, scenario: VenueScenario, clock: MarketClock, credentials: Credentials
) -> tuple[Venue, Dialect]:
    """A venue called `name` and the dialect that it speaks, as its scenario says."""
    protocol = _PROTOCOLS[scenario.protocol]
    venue = Venue(name, scenario, clock, protocol.identifiers(name), protocol.rules)
    return venue, protocol.dialect(venue, credentials)
