"""What is different about a futures account at Gate, of the classic kind: a unified one keeps its USDT elsewhere."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from ccxt.base import errors as ccxt_errors

from common.venues.ccxt.account import CcxtAccount, milliseconds
from common.venues.ccxt.failures import venue_code
from common.venues.ccxt.markets import decimal
from common.venues.errors import VenueUnreachable
from common.venues.ports import Balance, PositionMode

_USDT = {"settle": "usdt"}
_PAGE = 100
_SEARCHED_PAGES = 10
_CROSS = "0"
_NEVER_HELD = "POSITION_NOT_FOUND"


class GateAccount(CcxtAccount):
    """Lists are paged by an offset from the newest row; times are in seconds with a fraction."""

    async def _read_balance(self) -> Balance:
        account = await self._exchange.privateFuturesGetSettleAccounts(_USDT)
        free = account["cross_available"] if account.get("enable_evolved_classic") else account["available"]
        return Balance(decimal(account["total"]), decimal(free))

    async def _read_positions(self, unified: str | None) -> Sequence[Mapping[str, Any]]:
        rows = await self._pages(self._exchange.privateFuturesGetSettlePositions, {"holding": "true"})
        return [self._with_cross_leverage(self._exchange.parse_position(row)) for row in rows]

    @staticmethod
    def _with_cross_leverage(position: Mapping[str, Any]) -> Mapping[str, Any]:
        """A cross position says its leverage elsewhere, and that it has none here."""
        row = position["info"]
        return {**position, "leverage": row["cross_leverage_limit"]} if row["leverage"] == _CROSS else position

    async def _read_position_mode(self, unified: str) -> PositionMode:
        account = await self._exchange.privateFuturesGetSettleAccounts(_USDT)
        hedged = account["in_dual_mode"] or account.get("position_mode", "single") != "single"
        return PositionMode.HEDGE if hedged else PositionMode.ONE_WAY

    async def _prepare_margin(self, unified: str, leverage: int) -> None:
        """Cross margin is a leverage of 0, with the leverage itself as its limit."""
        if await self._read_leverage(unified) != leverage:
            await self._exchange.set_leverage(leverage, unified, {"cross_leverage_limit": str(leverage)})

    async def _read_leverage(self, unified: str) -> Decimal | None:
        asked = {**_USDT, "contract": self._exchange.market(unified)["id"]}
        try:
            row = await self._exchange.privateFuturesGetSettlePositionsContract(asked)
        except ccxt_errors.ExchangeError as error:
            if venue_code(error) != _NEVER_HELD:
                raise
            return None
        return decimal(row["cross_leverage_limit"]) if str(row["leverage"]) == _CROSS else None

    async def _find_order(self, unified: str, client_order_id: str) -> Mapping[str, Any] | None:
        """Gate forgets the client id of an order a minute after its end: then it is looked for in the list.

        Raises:
            VenueUnreachable: it is not among the last orders of this contract that ended, and the list goes on.
        """
        market = self._exchange.market(unified)
        try:
            row = await self._exchange.privateFuturesGetSettleOrdersOrderId({**_USDT, "order_id": client_order_id})
        except ccxt_errors.OrderNotFound:
            row = await self._search(market["id"], client_order_id)
        if row is None:
            return None
        order: Mapping[str, Any] = self._exchange.parse_order(row, market)
        return order

    async def _search(self, market_id: str, client_order_id: str) -> Mapping[str, Any] | None:
        for number in range(_SEARCHED_PAGES):
            asked = {"contract": market_id, "status": "finished", "limit": _PAGE, "offset": number * _PAGE}
            page = await self._exchange.privateFuturesGetSettleOrders({**_USDT, **asked})
            row: Mapping[str, Any] | None = next((row for row in page if row["text"] == client_order_id), None)
            if row is not None or len(page) < _PAGE:
                return row
        raise VenueUnreachable(self.venue, f"{client_order_id} is not among the last {_SEARCHED_PAGES * _PAGE} orders")

    async def _read_fills(self, unified: str, since: datetime) -> Sequence[Mapping[str, Any]]:
        market = self._exchange.market(unified)
        rows = await self._history(
            self._exchange.privateFuturesGetSettleMyTradesTimerange, {"contract": market["id"]}, since, "create_time"
        )
        trades = [self._trade(row, market) for row in rows]
        return sorted(trades, key=lambda trade: int(trade["id"]))

    def _trade(self, row: Mapping[str, Any], market: Mapping[str, Any]) -> Mapping[str, Any]:
        """ccxt's trade with its time in whole milliseconds; a fee that was paid in points is not known in USDT."""
        in_points = decimal(row.get("point_fee") or 0) != 0
        fee = None if in_points or row.get("fee") is None else {"currency": market["settle"], "cost": row["fee"]}
        return {**self._exchange.parse_trade(row, market), "fee": fee, "timestamp": _ms(row["create_time"])}

    async def _read_funding(self, unified: str, since: datetime) -> Sequence[Mapping[str, Any]]:
        """A row has no id: it is the one settlement of its contract at its time."""
        market = self._exchange.market(unified)
        asked = {"contract": market["id"], "type": "fund"}
        rows = await self._history(self._exchange.privateFuturesGetSettleAccountBook, asked, since, "time")
        return [
            {"id": f"{_ms(row['time'])}-{market['base']}", "timestamp": _ms(row["time"]), "amount": row["change"]}
            for row in rows
            if row["type"] == "fund" and row["contract"] == market["id"]
        ]

    async def _history(
        self, read: Any, asked: Mapping[str, str], since: datetime, time_name: str
    ) -> list[Mapping[str, Any]]:
        """Every row since then, of a week after the other."""
        rows: list[Mapping[str, Any]] = []
        for start, end in self._windows(since):
            rows += await self._pages(read, {**asked, "from": start // 1000, "to": end // 1000})
        first_ms = milliseconds(since)
        return [row for row in rows if _ms(row[time_name]) >= first_ms]

    async def _pages(self, read: Any, asked: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """Rows that come in meanwhile push others onto the next page: those are there twice, and none is missed."""
        rows: list[Mapping[str, Any]] = []
        while True:
            page = await read({**_USDT, **asked, "limit": _PAGE, "offset": len(rows)})
            rows += page
            if len(page) < _PAGE:
                return rows


def _ms(seconds: Any) -> int:
    """Milliseconds of a moment that the venue counts in seconds."""
    return int(decimal(seconds) * Decimal(1000))
