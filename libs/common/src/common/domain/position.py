"""What a trade holds and what it is worth, from its fills.

A rollback is recorded as orders like any other, so the quantities here always equal what the venues filled.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from common.domain.identifiers import Leg, Purpose
from common.domain.spread import exit_spread_metric, exit_spread_pct

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class LegFill:
    """What one order of one leg filled: base `quantity` at the average `price` in USDT."""

    leg: Leg
    purpose: Purpose
    quantity: Decimal
    price: Decimal


@dataclass(frozen=True, slots=True)
class LegPosition:
    """One leg: base quantity still open, and the average price over everything that opened it. SPEC 2."""

    quantity: Decimal
    average_price: Decimal | None


@dataclass(frozen=True, slots=True)
class Valuation:
    """A trade at the prices at which it could be closed now. SPEC 2.

    `fees_usdt` and `funding_usdt` are None while unknown; then `total_pnl_usdt` counts what is known and
    `pnl_complete` is False.
    """

    long_sell: Decimal
    short_buy: Decimal
    spread_now: float
    exit_spread_pct: float
    pnl_spread: float
    position_pnl_usdt: Decimal
    fees_usdt: Decimal | None
    funding_usdt: Decimal | None
    total_pnl_usdt: Decimal
    total_pnl_pct: float
    pnl_complete: bool


def leg_position(fills: Iterable[LegFill], leg: Leg) -> LegPosition:
    """Open quantity and average entry price of one leg. SPEC 2, `avg_entry_price`."""
    opened = reduced = cost = ZERO
    for fill in fills:
        if fill.leg is not leg:
            continue
        if fill.purpose is Purpose.OPEN:
            opened += fill.quantity
            cost += fill.quantity * fill.price
        else:
            reduced += fill.quantity
    return LegPosition(opened - reduced, cost / opened if opened else None)


def value_position(
    long: LegPosition,
    short: LegPosition,
    entry_metric_weighted: float,
    long_sell: Decimal,
    short_buy: Decimal,
    *,
    fees_usdt: Decimal | None,
    funding_usdt: Decimal | None,
) -> Valuation:
    """Values an open trade at swept exit prices. SPEC 2.

    Raises:
        ValueError: a leg was never opened.
    """
    if long.average_price is None or short.average_price is None:
        raise ValueError("a valuation needs both legs")
    position_pnl = (long_sell - long.average_price) * long.quantity
    position_pnl += (short.average_price - short_buy) * short.quantity
    total = position_pnl + (funding_usdt or ZERO) - (fees_usdt or ZERO)
    basis = long.average_price * long.quantity + short.average_price * short.quantity
    spread_now = exit_spread_metric(long_sell, short_buy)
    return Valuation(
        long_sell=long_sell,
        short_buy=short_buy,
        spread_now=spread_now,
        exit_spread_pct=exit_spread_pct(long_sell, short_buy),
        pnl_spread=entry_metric_weighted - spread_now,
        position_pnl_usdt=position_pnl,
        fees_usdt=fees_usdt,
        funding_usdt=funding_usdt,
        total_pnl_usdt=total,
        total_pnl_pct=float(total / basis) if basis else 0.0,
        pnl_complete=fees_usdt is not None and funding_usdt is not None,
    )
