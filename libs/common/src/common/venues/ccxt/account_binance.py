"""What is different about an account at Binance USD-M."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from typing import Any

from ccxt.base import errors as ccxt_errors

from common.venues.ccxt.account import CcxtAccount
from common.venues.ccxt.markets import decimal
from common.venues.ports import Balance, PositionMode

_PAGE = 1000


class BinanceAccount(CcxtAccount):
    """Trades are paged by id, income by time."""

    async def _read_balance(self) -> Balance:
        raw = (await self._exchange.fetch_balance())["info"]
        asset = next((row for row in raw["assets"] if row["asset"] == "USDT"), None)
        if asset is None:
            return Balance(decimal(0), decimal(0))
        return Balance(decimal(asset["walletBalance"]), decimal(asset["availableBalance"]))

    async def _read_positions(self, unified: str | None) -> Sequence[Mapping[str, Any]]:
        """Not as ccxt reads them: it asks for all where one is wanted, and works out margins that nobody reads."""
        asked = {"symbol": self._exchange.market(unified)["id"]} if unified else {}
        return [self._position_row(row) for row in await self._exchange.fapiPrivateV3GetPositionRisk(asked)]

    def _position_row(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        """The venue's row by ccxt's names; this endpoint says no leverage."""
        amount = decimal(row["positionAmt"])
        return {
            "symbol": self._exchange.safe_symbol(row["symbol"], None, None, "contract"),
            "side": "short" if amount < 0 else "long",
            "contracts": abs(amount),
            "entryPrice": row["entryPrice"],
            "markPrice": row["markPrice"],
            "leverage": None,
        }

    async def _read_position_mode(self, unified: str) -> PositionMode:
        mode = await self._exchange.fetch_position_mode(unified)
        return PositionMode.HEDGE if mode["hedged"] else PositionMode.ONE_WAY

    async def _read_leverage(self, unified: str) -> Decimal | None:
        return decimal((await self._settings(unified))["leverage"])

    async def _prepare_margin(self, unified: str, leverage: int) -> None:
        settings = await self._settings(unified)
        if settings["marginType"] != "CROSSED":
            with suppress(ccxt_errors.MarginModeAlreadySet):
                await self._exchange.set_margin_mode("cross", unified)
        if decimal(settings["leverage"]) != leverage:
            await self._exchange.set_leverage(leverage, unified)

    async def _settings(self, unified: str) -> Mapping[str, Any]:
        """Margin mode and leverage of one contract."""
        market_id = self._exchange.market(unified)["id"]
        settings: Mapping[str, Any] = (await self._exchange.fapiPrivateGetSymbolConfig({"symbol": market_id}))[0]
        return settings

    async def _read_fills(self, unified: str, since: datetime) -> Sequence[Mapping[str, Any]]:
        for start, end in self._windows(since):
            page = await self._exchange.fetch_my_trades(unified, start, _PAGE, {"until": end})
            if page:
                return await self._with_later_fills(unified, page)
        return []

    async def _with_later_fills(self, unified: str, first: list[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
        rows = list(first)
        while True:
            last_id = max(int(row["id"]) for row in rows)
            page = await self._exchange.fetch_my_trades(unified, None, _PAGE, {"fromId": last_id + 1})
            rows += page
            if len(page) < _PAGE:
                return rows

    async def _read_funding(self, unified: str, since: datetime) -> Sequence[Mapping[str, Any]]:
        rows: list[Mapping[str, Any]] = []
        for start, end in self._windows(since):
            page_start = start
            while True:
                page = await self._exchange.fetch_funding_history(unified, page_start, _PAGE, {"until": end})
                rows += page
                if len(page) < _PAGE:
                    break
                page_start = max(row["timestamp"] for row in page)
        return rows
