"""Seeded markets: a common random walk for each symbol, and gaps between venues that open, widen and close."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

from support.virtual_time import EPOCH
from venue_sim.scenario import VenueScenario

KNOT = timedelta(minutes=1)
STEP_SIGMA = 0.0006
NOISE_SIGMA = 0.0004
SETTLED_MINUTES = 30
"""How long the market stands still, without gaps, after the end."""


def walks(random: Random, symbols: Sequence[str], venues: Sequence[str], minutes: int) -> dict[tuple[str, str], Any]:
    """The path of each (symbol, venue): `[time, mid]` every minute."""
    paths: dict[tuple[str, str], Any] = {}
    for symbol in symbols:
        common = _walk(random, minutes)
        gaps = _gaps(random, venues, minutes)
        for venue in venues:
            paths[symbol, venue] = [
                [EPOCH + KNOT * minute, _price(price * (1 + gap) * (1 + random.gauss(0, NOISE_SIGMA)))]
                for minute, (price, gap) in enumerate(zip(common, gaps[venue], strict=True))
            ]
    return paths


def scenario(
    protocol: str,
    paths: Mapping[str, Any],
    rates: Mapping[str, Decimal],
    balance: Decimal,
    steps: Mapping[str, Decimal],
) -> VenueScenario:
    """One venue with these paths by symbol."""
    instruments = {
        symbol: {
            "price_tick": Decimal("0.01"),
            "quantity_step": steps[symbol],
            "quantity_min": steps[symbol],
            "notional_min": 5,
            "max_leverage": 50,
            "funding_interval_hours": 1,
            "book": {"half_spread_bps": 1, "levels": 3, "step_bps": 2, "notional_per_level_usdt": 6_000},
            "path": path,
            "funding": [[EPOCH, rates[symbol]]],
        }
        for symbol, path in paths.items()
    }
    return VenueScenario.model_validate(
        {"protocol": protocol, "taker_fee": Decimal("0.0005"), "balance_usdt": balance, "instruments": instruments}
    )


def _price(value: float) -> Decimal:
    return Decimal(round(value, 4)).quantize(Decimal("0.0001"))


def _walk(random: Random, minutes: int) -> list[float]:
    price = random.uniform(20, 300)
    prices = []
    for _ in range(minutes + SETTLED_MINUTES):
        prices.append(price)
        price *= 1 + random.gauss(0, STEP_SIGMA)
    return prices


def _gaps(random: Random, venues: Sequence[str], minutes: int) -> dict[str, list[float]]:
    """Of each venue, how far it is above the common price: one dear venue at a time."""
    gaps = {venue: [0.0] * (minutes + SETTLED_MINUTES) for venue in venues}
    minute = random.randint(1, 4)
    while minute < minutes - 5:
        venue = venues[random.randrange(len(venues))]
        length = _episode(random, gaps[venue], minute)
        minute += length + random.randint(1, 5)
    for venue in venues:
        gaps[venue][minutes:] = [0.0] * SETTLED_MINUTES
    return gaps


def _episode(random: Random, gap: list[float], start: int) -> int:
    """One gap: opens within a few minutes, holds, widens perhaps once or twice, and closes. Its length in minutes."""
    levels = [random.uniform(0.011, 0.02)]
    for _ in range(random.choice((0, 0, 1, 2))):
        levels.append(levels[-1] * random.uniform(1.4, 1.9))
    minute, now = start, 0.0
    for level in [*levels, random.uniform(-0.002, 0.004), 0.0]:
        rise, hold = random.randint(1, 2), random.randint(1, 6)
        for part in range(rise + hold):
            if minute >= len(gap):
                return minute - start
            gap[minute] = now + (level - now) * min(1.0, (part + 1) / rise)
            minute += 1
        now = level
    return minute - start
