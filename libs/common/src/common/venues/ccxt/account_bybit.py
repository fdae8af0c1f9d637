"""What is different about a unified account at Bybit."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from ccxt.base import errors as ccxt_errors

from common.venues.ccxt.account import CcxtAccount, the_only
from common.venues.ccxt.failures import venue_code
from common.venues.ccxt.markets import decimal
from common.venues.ports import Balance, PositionMode

_PAGE = 100
_FILL_TYPES = ("Trade", "BustTrade", "AdlTrade")
"""Executions that change a position: the trader's own, taken over by the liquidation engine, deleveraged."""


class BybitAccount(CcxtAccount):
    """Executions and funding are one list, paged by a cursor; ended orders are in two places."""

    async def _read_balance(self) -> Balance:
        raw = (await self._exchange.fetch_balance())["info"]["result"]["list"][0]
        coin = next((row for row in raw["coin"] if row["coin"] == "USDT"), None)
        total = decimal(coin["walletBalance"]) if coin else decimal(0)
        return Balance(total, decimal(raw["totalAvailableBalance"] or 0))

    async def _read_positions(self, unified: str | None) -> Sequence[Mapping[str, Any]]:
        """Asked for all, Bybit answers those of one settlement coin: without one, ccxt asks for USDT alone."""
        if unified is not None:
            return await self._position_pages([unified], {})
        settlements = {market["settle"] for market in (await self._markets.load()).values()}
        pages = [self._position_pages(None, {"settleCoin": coin}) for coin in sorted(settlements)]
        return [row for rows in await asyncio.gather(*pages) for row in rows]

    async def _position_pages(self, unified: list[str] | None, asked: Mapping[str, str]) -> list[Mapping[str, Any]]:
        rows: list[Mapping[str, Any]] = []
        parameters = dict(asked)
        while True:
            page = await self._exchange.fetch_positions(unified, parameters)
            rows += page
            cursor = _cursor(page)
            if not cursor:
                return rows
            parameters = {**asked, "cursor": cursor}

    async def _read_position_mode(self, unified: str) -> PositionMode:
        rows = await self._position_rows(unified)
        hedged = any(int(row["positionIdx"]) != 0 for row in rows)
        return PositionMode.HEDGE if hedged else PositionMode.ONE_WAY

    async def _prepare_margin(self, unified: str, leverage: int) -> None:
        """Portfolio margin stays: it nets like cross margin, and to leave it would touch the whole account."""
        account = await self._exchange.privateGetV5AccountInfo()
        if account["result"]["marginMode"] == "ISOLATED_MARGIN":
            await self._exchange.set_margin_mode("cross", unified)
        if await self._read_leverage(unified) != leverage:
            await self._set_leverage(unified, leverage)

    async def _read_leverage(self, unified: str) -> Decimal | None:
        return the_only(row["leverage"] for row in await self._position_rows(unified))

    async def _set_leverage(self, unified: str, leverage: int) -> None:
        try:
            await self._exchange.set_leverage(leverage, unified)
        except ccxt_errors.ExchangeError as error:
            if venue_code(error) not in self._facts.unchanged_codes:
                raise

    async def _position_rows(self, unified: str) -> list[Mapping[str, Any]]:
        market_id = self._exchange.market(unified)["id"]
        answer = await self._exchange.privateGetV5PositionList({"category": "linear", "symbol": market_id})
        rows: list[Mapping[str, Any]] = answer["result"]["list"]
        return rows

    async def _find_order(self, unified: str, client_order_id: str) -> Mapping[str, Any] | None:
        market = self._exchange.market(unified)
        parameters = {
            "category": "linear",
            "symbol": market["id"],
            self._facts.client_order_id_parameter: client_order_id,
        }
        for read in (self._exchange.privateGetV5OrderRealtime, self._exchange.privateGetV5OrderHistory):
            rows = (await read(parameters))["result"]["list"]
            if rows:
                order: Mapping[str, Any] = self._exchange.parse_order(rows[0], market)
                return order
        return None

    async def _read_fills(self, unified: str, since: datetime) -> Sequence[Mapping[str, Any]]:
        fetch = self._exchange.fetch_my_trades
        pages = [self._pages(fetch, unified, since, {"execType": kind}) for kind in _FILL_TYPES]
        return [row for rows in await asyncio.gather(*pages) for row in rows]

    async def _read_funding(self, unified: str, since: datetime) -> Sequence[Mapping[str, Any]]:
        return await self._pages(self._exchange.fetch_funding_history, unified, since, {})

    async def _pages(
        self, fetch: Any, unified: str, since: datetime, asked: Mapping[str, Any]
    ) -> Sequence[Mapping[str, Any]]:
        rows: list[Mapping[str, Any]] = []
        for start, end in self._windows(since):
            parameters: dict[str, Any] = {**asked, "until": end}
            while True:
                page = await fetch(unified, start, _PAGE, parameters)
                rows += page
                cursor = _cursor(page)
                if not cursor:
                    break
                parameters = {**asked, "until": end, "cursor": cursor}
        # Executions of one order share their time; `seq` is the order in which they happened.
        return sorted(rows, key=lambda row: (row["timestamp"], int(row["info"].get("seq") or 0)))

    def _received(self, row: Mapping[str, Any]) -> Decimal:
        """Bybit books funding as a fee: positive is what was paid."""
        return -decimal(row["amount"])


def _cursor(page: Sequence[Mapping[str, Any]]) -> str | None:
    """ccxt puts the cursor of the next page into the first and the last row's `info`."""
    return next((row["info"]["nextPageCursor"] for row in page if row["info"].get("nextPageCursor")), None)
