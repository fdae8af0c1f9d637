"""Reading rates and intervals of funding: the one part of the public data that every venue says in its own way.

Each function answers ccxt's funding rates, and the interval in hours of every contract whose interval the venue says.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from common.venues.ccxt.markets import decimal

FundingReader = Callable[[Any, list[str]], Awaitable[tuple[Mapping[str, Any], Mapping[str, float]]]]

_HOUR_SECONDS = 3_600
_HOUR_MS = 3_600_000


async def _binance(exchange: Any, unified: list[str]) -> tuple[Mapping[str, Any], Mapping[str, float]]:
    """Rates and intervals are two lists."""
    rates, rows = await asyncio.gather(exchange.fetch_funding_rates(unified), exchange.fetch_funding_intervals(unified))
    return rates, {name: float(row["info"]["fundingIntervalHours"]) for name, row in rows.items()}


async def _bybit(exchange: Any, unified: list[str]) -> tuple[Mapping[str, Any], Mapping[str, float]]:
    """Tickers carry the interval; ccxt's own comes from the instruments as they were when they were loaded."""
    rates = await exchange.fetch_funding_rates(unified)
    return rates, {
        name: float(row["info"]["fundingIntervalHour"])
        for name, row in rates.items()
        if row["info"].get("fundingIntervalHour")
    }


async def _okx(exchange: Any, unified: list[str]) -> tuple[Mapping[str, Any], Mapping[str, float]]:
    """All rates in one request. The interval is the time from the next settlement (`fundingTime`) to the one after."""
    rates = await exchange.fetch_funding_rates(unified)
    return rates, {
        name: float((decimal(row["info"]["nextFundingTime"]) - decimal(row["info"]["fundingTime"])) / _HOUR_MS)
        for name, row in rates.items()
        if row["info"].get("nextFundingTime") and row["info"].get("fundingTime")
    }


async def _bitget(exchange: Any, unified: list[str]) -> tuple[Mapping[str, Any], Mapping[str, float]]:
    """The list that has the intervals has the rates, and when they settle; ccxt's list of rates has neither."""
    rates = await exchange.fetch_funding_intervals(unified)
    return rates, {
        name: float(row["info"]["fundingRateInterval"])
        for name, row in rates.items()
        if row["info"].get("fundingRateInterval")
    }


async def _gate(exchange: Any, unified: list[str]) -> tuple[Mapping[str, Any], Mapping[str, float]]:
    """Contracts carry rate, next settlement, and interval in seconds."""
    rates = await exchange.fetch_funding_rates(unified)
    return rates, {
        name: float(decimal(row["info"]["funding_interval"]) / _HOUR_SECONDS)
        for name, row in rates.items()
        if row["info"].get("funding_interval")
    }


async def _hyperliquid(exchange: Any, unified: list[str]) -> tuple[Mapping[str, Any], Mapping[str, float]]:
    """Rates are in one list, settlements in another; ccxt's next settlement is the next full hour of this machine."""
    rates, predicted = await asyncio.gather(
        exchange.fetch_funding_rates(unified), exchange.publicPostInfo({"type": "predictedFundings"})
    )
    of_coin = {coin: dict(venues).get("HlPerp") or {} for coin, venues in predicted}
    said = {name: of_coin.get(exchange.market(name)["baseName"], {}) for name in rates}
    timed = {name: {**rate, "fundingTimestamp": said[name].get("nextFundingTime")} for name, rate in rates.items()}
    hours = {
        name: float(terms["fundingIntervalHours"]) for name, terms in said.items() if "fundingIntervalHours" in terms
    }
    return timed, hours


FUNDING_READERS: Mapping[str, FundingReader] = {
    "binance": _binance,
    "bybit": _bybit,
    "okx": _okx,
    "bitget": _bitget,
    "gate": _gate,
    "hyperliquid": _hyperliquid,
}
