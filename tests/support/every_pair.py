"""A market on six venues with a contract for each pair of them, so that all pairs can be traded at the same time.

Fees, funding, lots and contract sizes are each venue's own, near what it has; the prices are those of three coins.
"""

from datetime import UTC, datetime
from decimal import Decimal
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

from local_stack.demo import find_scenario
from local_stack.venue_choice import ON_VENUE
from support.rescue import SCENARIO, Market
from support.simulated_venues import PROTOCOLS
from venue_sim.scenario import Scenario, load_scenario

STARTS_AT = datetime(2025, 10, 10, 15, 55, tzinfo=UTC)
SETTLES_AT = datetime(2025, 10, 10, 16, tzinfo=UTC)
"""Every venue's settlement, whatever its interval."""


class Lot(NamedTuple):
    """Base units that quantities are multiples of, and base units in a contract."""

    step: str
    contract: str = "1"


class Coin(NamedTuple):
    """Its price at the cheap venue, the tick of all venues, and the lots by venue."""

    mid: str
    tick: str
    lots: dict[str, Lot]


class Terms(NamedTuple):
    """What a venue charges: the taker fee, and the funding rate of each interval."""

    taker_fee: str
    funding_rate: str
    interval_hours: int


COINS = (
    Coin(
        "4000",
        "0.1",
        {
            "binance": Lot("0.001"),
            "bybit": Lot("0.01"),
            "okx": Lot("0.001", "0.1"),
            "bitget": Lot("0.01"),
            "gate": Lot("0.01", "0.01"),
            "hyperliquid": Lot("0.0001"),
        },
    ),
    Coin(
        "190",
        "0.01",
        {
            "binance": Lot("0.01"),
            "bybit": Lot("0.1"),
            "okx": Lot("0.1", "10"),
            "bitget": Lot("0.1"),
            "gate": Lot("0.1", "0.1"),
            "hyperliquid": Lot("0.01"),
        },
    ),
    Coin(
        "0.2",
        "0.00001",
        {
            "binance": Lot("1"),
            "bybit": Lot("10"),
            "okx": Lot("10", "1000"),
            "bitget": Lot("1"),
            "gate": Lot("10", "10"),
            "hyperliquid": Lot("1"),
        },
    ),
)

TERMS = {
    "binance": Terms("0.0005", "0.0001", 8),
    "bybit": Terms("0.00055", "-0.00005", 8),
    "okx": Terms("0.00045", "0.00008", 4),
    "bitget": Terms("0.0006", "0.00012", 8),
    "gate": Terms("0.00075", "-0.00003", 4),
    "hyperliquid": Terms("0.0004", "0.0000125", 1),
}


def _markets() -> tuple[Market, ...]:
    """Each venue is the cheap one of some pairs and the dear one of others, and trades all coins."""
    found = []
    for number, (one, other) in enumerate(combinations(PROTOCOLS, 2)):
        cheap, dear = (one, other) if number % 2 else (other, one)
        found.append(Market(f"{cheap}{dear}".upper(), cheap, dear, Decimal(COINS[number % len(COINS)].mid)))
    return tuple(found)


MARKETS = _markets()


def write_scenario(path: Path, speed: float) -> Path:
    """Writes the scenario, with the settings of the rescue; returns the file."""
    settings = load_scenario(find_scenario(SCENARIO)).settings | {
        "LIVE_TRADING_ALLOWED_EXCHANGES": ",".join(PROTOCOLS),
        "LIVE_TRADING_MAX_CONCURRENT": str(len(MARKETS)),
        "PREDICTION_TAKER_FEES": ",".join(f"{venue}={terms.taker_fee}" for venue, terms in TERMS.items()),
        "SCANNER_INTERVAL_SEC": "0.5",
        "MONITOR_BOOK_POLL_SEC": "0.25",
        "LIVE_TRADING_SCALE_IN_MIN_INTERVAL_MIN": "0.25",
        "WATCHLIST_COOLDOWN_MIN": "1",
    }
    table = {
        "title": "A rescue on every pair of six venues",
        "story": "Fifteen contracts, each at two venues.",
        "clock": {"starts_at": STARTS_AT, "ends_at": "2025-10-11T15:55:00Z", "speed": speed},
        "settings": settings,
        "venues": {venue: _venue(venue) for venue in PROTOCOLS},
    }
    path.write_text(Scenario.model_validate(table).model_dump_json(exclude_unset=True), encoding="utf-8")
    return path


def _venue(name: str) -> dict[str, Any]:
    listed = {
        market.symbol: _instrument(name, COINS[number % len(COINS)])
        for number, market in enumerate(MARKETS)
        if name in (market.cheap, market.dear)
    }
    return {"protocol": name, "taker_fee": TERMS[name].taker_fee, "balance_usdt": 100_000, "instruments": listed}


def _instrument(venue: str, coin: Coin) -> dict[str, Any]:
    lot, terms = coin.lots[venue], TERMS[venue]
    return {
        "price_tick": coin.tick,
        "quantity_step": lot.step,
        "quantity_min": lot.step,
        "contract_size": lot.contract,
        "notional_min": ON_VENUE[venue].notional_min_usdt or "5",
        "max_leverage": 50,
        "funding_interval_hours": terms.interval_hours,
        "funding": [[SETTLES_AT, terms.funding_rate]],
        "book": {"half_spread_bps": "0.5", "levels": 20, "step_bps": 1, "notional_per_level_usdt": 20_000},
        "path": [[STARTS_AT, coin.mid]],
    }
