"""What is different about a trading account at OKX."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from common.venues.ccxt.account import CcxtAccount, milliseconds, the_only
from common.venues.ccxt.markets import decimal
from common.venues.errors import VenueRefused
from common.venues.ports import Balance, PositionMode

_PAGE = 100
_FUNDING_FEE = "8"
_SPOT_ONLY = "1"


class OkxAccount(CcxtAccount):
    """Histories are paged backwards by bill id, which numbers fills and funding payments alike.

    The margin mode belongs to each order (ccxt sends `cross`), so that there is none to be set.
    """

    async def _read_balance(self) -> Balance:
        raw = (await self._exchange.fetch_balance())["info"]["data"][0]
        coin = next((row for row in raw["details"] if row["ccy"] == "USDT"), None)
        if coin is None:
            return Balance(decimal(0), decimal(0))
        return Balance(decimal(coin["cashBal"]), decimal(coin["availEq"] or coin["availBal"] or 0))

    async def _read_positions(self, unified: str | None) -> Sequence[Mapping[str, Any]]:
        rows: list[Mapping[str, Any]] = await self._exchange.fetch_positions([unified] if unified else None)
        return rows

    async def _read_position_mode(self, unified: str) -> PositionMode:
        (account,) = (await self._exchange.privateGetAccountConfig())["data"]
        if account["acctLv"] == _SPOT_ONLY:
            raise VenueRefused(self.venue, "the account is in spot mode, which trades no perpetuals")
        return PositionMode.HEDGE if account["posMode"] == "long_short_mode" else PositionMode.ONE_WAY

    async def _read_leverage(self, unified: str) -> Decimal | None:
        market_id = self._exchange.market(unified)["id"]
        answer = await self._exchange.privateGetAccountLeverageInfo({"instId": market_id, "mgnMode": "cross"})
        return the_only(row["lever"] for row in answer["data"])

    async def _prepare_margin(self, unified: str, leverage: int) -> None:
        if await self._read_leverage(unified) != leverage:
            await self._exchange.set_leverage(leverage, unified)

    async def _read_fills(self, unified: str, since: datetime) -> Sequence[Mapping[str, Any]]:
        market = self._exchange.market(unified)
        rows = await self._bills(self._exchange.privateGetTradeFillsHistory, {"instId": market["id"]}, since)
        # Trade ids repeat between instruments, and change their sign with the kind of fill; bill ids do neither.
        return [{**self._exchange.parse_trade(row, market), "id": row["billId"]} for row in rows]

    async def _read_funding(self, unified: str, since: datetime) -> Sequence[Mapping[str, Any]]:
        market_id = self._exchange.market(unified)["id"]
        rows = await self._bills(self._exchange.privateGetAccountBillsArchive, {"type": _FUNDING_FEE}, since)
        return [_payment(row) for row in rows if row["instId"] == market_id]

    async def _bills(self, read: Any, asked: Mapping[str, str], since: datetime) -> list[Mapping[str, Any]]:
        """Every row since then, oldest first. OKX answers the newest ones first, at most a page at once.

        It does not say whether `begin` itself is included, so that it is asked for a moment more.
        """
        first_ms = milliseconds(since)
        parameters = {**asked, "instType": "SWAP", "begin": str(first_ms - 1), "limit": str(_PAGE)}
        rows: list[Mapping[str, Any]] = []
        while True:
            page = (await read(parameters))["data"]
            rows += [row for row in page if int(row["ts"]) >= first_ms]
            if len(page) < _PAGE:
                return sorted(rows, key=lambda row: int(row["billId"]))
            parameters["after"] = str(min(int(row["billId"]) for row in page))


def _payment(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """A funding bill as the ports' funding rows. An isolated position pays from its own margin, not the balance."""
    change = decimal(row["balChg"]) or decimal(row["posBalChg"] or 0)
    return {"id": row["billId"], "timestamp": row["ts"], "amount": change}
