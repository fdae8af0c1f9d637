"""Spread metrics (SPEC 2). All prices are sweep prices in USDT; metrics are natural logarithms, as floats."""

from collections.abc import Iterable
from decimal import Decimal
from math import exp, log


def entry_spread_metric(long_buy: Decimal, short_sell: Decimal) -> float:
    """ln(short_sell / long_buy): what opening now locks in. SPEC 2."""
    return log(short_sell / long_buy)


def entry_spread_pct(long_buy: Decimal, short_sell: Decimal) -> float:
    """short_sell / long_buy - 1, as a fraction. SPEC 2."""
    return float(short_sell / long_buy - 1)


def exit_spread_metric(long_sell: Decimal, short_buy: Decimal) -> float:
    """`spread_now` = ln(short_buy / long_sell): what closing now gives back. SPEC 2."""
    return log(short_buy / long_sell)


def exit_spread_pct(long_sell: Decimal, short_buy: Decimal) -> float:
    """`exit_spread_pct_now` = short_buy / long_sell - 1, as a fraction. SPEC 2."""
    return float(short_buy / long_sell - 1)


def weighted_entry_metric(entries: Iterable[tuple[Decimal, float]]) -> float:
    """sum(notional * metric) / sum(notional) over filled entries, given as (notional, metric). SPEC 2.

    Raises:
        ValueError: there is no entry.
    """
    pairs = [(float(notional), metric) for notional, metric in entries]
    total = sum(notional for notional, _ in pairs)
    if total <= 0:
        raise ValueError("a weighted spread needs at least one filled entry")
    return sum(notional * metric for notional, metric in pairs) / total


def take_profit_pnl(take_profit_ratio: float, pnl_hat: float) -> float:
    """The spread P&L at which profit is taken; fixed by the first entry's prediction. SPEC 2."""
    return take_profit_ratio * pnl_hat


def take_profit_exit_spread_pct(entry_metric_weighted: float, take_profit_pnl: float) -> float:
    """`tp_exit_spread_pct` = exp(entry_metric_weighted - take_profit_pnl) - 1, for display. SPEC 2."""
    return exp(entry_metric_weighted - take_profit_pnl) - 1


def scale_in_trigger_pct(first_entry_spread_pct: float, trigger_multiplier: float, entries: int) -> float:
    """`scale_in_trigger(n)` = entry_spread_pct(k=1) * multiplier ** n, with n entries so far. SPEC 2."""
    return first_entry_spread_pct * trigger_multiplier**entries
