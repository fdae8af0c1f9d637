"""What is different about a classic futures account at Bitget."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from ccxt.base import errors as ccxt_errors

from common.venues.ccxt.account import CcxtAccount, milliseconds
from common.venues.ccxt.markets import decimal
from common.venues.ports import Balance, PositionMode

_USDT = {"productType": "USDT-FUTURES", "marginCoin": "USDT"}
_PAGE = 100
_FUNDING_FEE = "contract_settle_fee"


class BitgetAccount(CcxtAccount):
    """One account per margin coin; histories are paged backwards by an id that each page names."""

    async def _read_balance(self) -> Balance:
        rows = (await self._exchange.privateMixGetV2MixAccountAccounts({"productType": _USDT["productType"]}))["data"]
        coin = next((row for row in rows if row["marginCoin"] == "USDT"), None)
        if coin is None:
            return Balance(decimal(0), decimal(0))
        unrealised = decimal(coin["unrealizedPL"] or 0)
        return Balance(decimal(coin["accountEquity"]) - unrealised, decimal(coin["crossedMaxAvailable"]))

    async def _read_positions(self, unified: str | None) -> Sequence[Mapping[str, Any]]:
        rows: list[Mapping[str, Any]] = await self._exchange.fetch_positions([unified] if unified else None)
        return rows

    async def _read_position_mode(self, unified: str) -> PositionMode:
        settings = await self._settings(unified)
        return PositionMode.HEDGE if settings["posMode"] == "hedge_mode" else PositionMode.ONE_WAY

    async def _read_leverage(self, unified: str) -> Decimal | None:
        settings = await self._settings(unified)
        return decimal(settings["crossedMarginLeverage"]) if settings["marginMode"] == "crossed" else None

    async def _prepare_margin(self, unified: str, leverage: int) -> None:
        settings = await self._settings(unified)
        if settings["marginMode"] != "crossed":
            await self._exchange.set_margin_mode("cross", unified)
        if decimal(settings["crossedMarginLeverage"]) != leverage:
            await self._exchange.set_leverage(leverage, unified)

    async def _settings(self, unified: str) -> Mapping[str, Any]:
        """Position mode of the account, margin mode and leverage of one contract."""
        asked = {**_USDT, "symbol": self._exchange.market(unified)["id"]}
        settings: Mapping[str, Any] = (await self._exchange.privateMixGetV2MixAccountAccount(asked))["data"]
        return settings

    async def _find_order(self, unified: str, client_order_id: str) -> Mapping[str, Any] | None:
        market = self._exchange.market(unified)
        asked = {
            "productType": _USDT["productType"],
            "symbol": market["id"],
            self._facts.client_order_id_parameter: client_order_id,
        }
        try:
            row = (await self._exchange.privateMixGetV2MixOrderDetail(asked))["data"]
        except ccxt_errors.OrderNotFound:
            return None
        order: Mapping[str, Any] = self._exchange.parse_order(row, market)
        return order

    async def _read_fills(self, unified: str, since: datetime) -> Sequence[Mapping[str, Any]]:
        market = self._exchange.market(unified)
        asked = {"productType": _USDT["productType"], "symbol": market["id"]}
        rows = await self._pages(self._exchange.privateMixGetV2MixOrderFills, "fillList", asked, since)
        rows = sorted(rows, key=lambda row: int(row["tradeId"]))
        return [self._fee_known(row, self._exchange.parse_trade(row, market)) for row in rows]

    @staticmethod
    def _fee_known(row: Mapping[str, Any], trade: Mapping[str, Any]) -> Mapping[str, Any]:
        """ccxt reads the first part of a fee only: one in two coins is not known."""
        return trade if len(row["feeDetail"]) == 1 else {**trade, "fee": None}

    async def _read_funding(self, unified: str, since: datetime) -> Sequence[Mapping[str, Any]]:
        market_id = self._exchange.market(unified)["id"]
        asked = {"productType": _USDT["productType"], "coin": "USDT", "businessType": _FUNDING_FEE}
        rows = await self._pages(self._exchange.privateMixGetV2MixAccountBill, "bills", asked, since)
        return [
            {"id": row["billId"], "timestamp": row["cTime"], "amount": row["amount"]}
            for row in rows
            if row["symbol"] == market_id and row["businessType"] == _FUNDING_FEE
        ]

    async def _pages(self, read: Any, name: str, asked: Mapping[str, str], since: datetime) -> list[Mapping[str, Any]]:
        """Every row since then. Bitget answers at most a week, and of that the newest rows first, a page at once."""
        rows: list[Mapping[str, Any]] = []
        for start, end in self._windows(since):
            parameters = {**asked, "startTime": str(start), "endTime": str(end), "limit": str(_PAGE)}
            while True:
                answer = (await read(parameters))["data"]
                page = answer[name] or []
                rows += page
                if len(page) < _PAGE:
                    break
                parameters["idLessThan"] = str(answer["endId"])
        first_ms = milliseconds(since)
        return [row for row in rows if int(row["cTime"]) >= first_ms]
