"""The market of one instrument as pure functions of time: the mid price, and the book around it.

Nothing here keeps state. A book is never crossed, its prices are on the tick, its quantities on the lot step,
and the best price comes first.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import NamedTuple

from venue_sim.scenario import Instrument, PathPoint

BASIS_POINT = Decimal("0.0001")


class Level(NamedTuple):
    """One price of a book; quantity in base units."""

    price: Decimal
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class Book:
    """A displayed book, best price first on both sides. `time` is market time, `update_id` only grows."""

    symbol: str
    update_id: int
    time: datetime
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


def mid_at(path: Sequence[PathPoint], now: datetime) -> Decimal:
    """The mid price at `now`: linear between two points, constant before the first and after the last."""
    after = bisect_right(path, now, key=lambda point: point.time)
    if after == 0:
        return path[0].mid
    if after == len(path):
        return path[-1].mid
    left, right = path[after - 1], path[after]
    elapsed = Decimal((now - left.time).total_seconds())
    whole = Decimal((right.time - left.time).total_seconds())
    return left.mid + (right.mid - left.mid) * elapsed / whole


def levels_around(instrument: Instrument, mid: Decimal) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
    """Bids and asks around `mid`, shaped as the instrument's book says."""
    return _side(instrument, mid, -1), _side(instrument, mid, 1)


def _side(instrument: Instrument, mid: Decimal, sign: int) -> tuple[Level, ...]:
    shape, tick = instrument.book, instrument.price_tick
    rounding = ROUND_CEILING if sign > 0 else ROUND_FLOOR
    levels: list[Level] = []
    for index in range(shape.levels):
        distance = (shape.half_spread_bps + index * shape.step_bps) * BASIS_POINT
        price = (mid * (1 + sign * distance) / tick).to_integral_value(rounding) * tick
        if levels and sign * (price - levels[-1].price) <= 0:
            price = levels[-1].price + sign * tick
        if price <= 0:
            break
        lots = (shape.notional_per_level_usdt / price / instrument.quantity_step).to_integral_value(ROUND_FLOOR)
        levels.append(Level(price, max(lots * instrument.quantity_step, instrument.quantity_min)))
    return tuple(levels)
