"""What is different about an account at Hyperliquid."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from common.venues.ccxt.account import CcxtAccount, milliseconds
from common.venues.ccxt.markets import decimal
from common.venues.errors import VenueRefused
from common.venues.ports import Balance, PositionMode

_PAGE_MIN = 500
"""No page that was cut short is shorter: histories answer 500 rows at once or more (fills 2000), oldest first."""
_NEVER_CROSS = ("strictIsolated", "noCross")
_ONE_PURSE = ("unifiedAccount", "portfolioMargin")
"""Kinds of accounts whose margin is not with the perpetuals."""


class HyperliquidAccount(CcxtAccount):
    """Everything is read without a signature, of an address; nothing says there that it is the wrong one.

    An order's state has no price: it is taken from the order's fills.
    """

    _is_checked = False

    async def _read_balance(self) -> Balance:
        """Without the profit that is not realised; what can be used is what cross margin does not bind."""
        state = await self._ask("clearinghouseState")
        profit = sum((decimal(row["position"]["unrealizedPnl"]) for row in state["assetPositions"]), Decimal(0))
        cross = state["crossMarginSummary"]
        free = decimal(cross["accountValue"]) - decimal(cross["totalMarginUsed"])
        return Balance(decimal(state["marginSummary"]["accountValue"]) - profit, max(free, Decimal(0)))

    async def _read_positions(self, unified: str | None) -> Sequence[Mapping[str, Any]]:
        rows: list[Mapping[str, Any]] = await self._exchange.fetch_positions([unified] if unified else None)
        return rows

    async def _read_position_mode(self, unified: str) -> PositionMode:
        """There is one mode only. Whether address and key are of one account is found out here, once."""
        if not self._is_checked:
            await self._check_address_and_key()
            self._is_checked = True
        return PositionMode.ONE_WAY

    async def _prepare_margin(self, unified: str, leverage: int) -> None:
        market = self._exchange.market(unified)
        if market["info"].get("onlyIsolated") or market["info"].get("marginMode") in _NEVER_CROSS:
            raise VenueRefused(self.venue, f"{market['base']} has isolated margin only")
        if await self._read_leverage(unified) != leverage:
            await self._exchange.set_leverage(leverage, unified)

    async def _read_leverage(self, unified: str) -> Decimal | None:
        """Of cross margin."""
        coin = self._exchange.market(unified)["baseName"]
        setting = (await self._ask("activeAssetData", coin=coin))["leverage"]
        return decimal(setting["value"]) if setting["type"] == "cross" else None

    async def _find_order(self, unified: str, client_order_id: str) -> Mapping[str, Any] | None:
        """ccxt's order with what its fills cost.

        Raises:
            ValueError: they are not as many as the order says, so that neither of the two is believed yet.
        """
        order = await super()._find_order(unified, client_order_id)
        if order is None or not order["filled"]:
            return order
        rows = await self._history("userFillsByTime", order["timestamp"])
        fills = list({row["tid"]: row for row in rows if str(row["oid"]) == order["id"]}.values())
        known = sum((decimal(row["sz"]) for row in fills), Decimal(0))
        if order["status"] == "rejected":
            # What was refused may have nothing left to be filled, which reads as if all of it had been.
            order = {**order, "filled": known}
        if known != decimal(order["filled"]):
            raise ValueError(f"order {order['id']} has filled {order['filled']}, of which its fills are {known}")
        return {**order, "cost": sum((decimal(row["sz"]) * decimal(row["px"]) for row in fills), Decimal(0))}

    async def _read_fills(self, unified: str, since: datetime) -> Sequence[Mapping[str, Any]]:
        market = self._exchange.market(unified)
        rows = await self._history("userFillsByTime", milliseconds(since))
        return [_trade(self._exchange, row, market) for row in rows if row["coin"] == market["baseName"]]

    async def _read_funding(self, unified: str, since: datetime) -> Sequence[Mapping[str, Any]]:
        coin = self._exchange.market(unified)["baseName"]
        rows = await self._history("userFunding", milliseconds(since))
        return [_payment(row) for row in rows if row["delta"]["coin"] == coin]

    async def _history(self, kind: str, first_ms: int) -> list[Mapping[str, Any]]:
        """Every row since then, oldest first. The venue keeps the last 10,000 fills of an account.

        Raises:
            ValueError: one millisecond has more rows than a page, so that the rest of them cannot be asked for.
        """
        rows: list[Mapping[str, Any]] = []
        # It does not say whether the start itself is included, so that it is asked for a moment more.
        start_ms = first_ms - 1
        while True:
            page = await self._ask(kind, startTime=start_ms)
            rows += [row for row in page if int(row["time"]) >= first_ms]
            if len(page) < _PAGE_MIN:
                return rows
            last_ms = max(int(row["time"]) for row in page)
            if last_ms <= start_ms:
                raise ValueError(f"more than a page of {kind} at {start_ms}")
            start_ms = last_ms

    async def _check_address_and_key(self) -> None:
        """An address with another account's key would trade there and be looked for here.

        Raises:
            VenueRefused: the key is neither the address's own nor that of an API wallet of it, or its margin is
                elsewhere.
        """
        signer = str(self._exchange.eth_get_address_from_private_key(self._exchange.privateKey)).lower()
        address = self._exchange.walletAddress.lower()
        answer = await self._ask("userRole", user=signer)
        signs_for = answer["data"]["user"].lower() if answer["role"] == "agent" else signer
        if answer["role"] not in ("user", "agent") or signs_for != address:
            raise VenueRefused(self.venue, f"the key belongs to a wallet ({answer['role']}) that is not the account's")
        if await self._ask("userAbstraction") in _ONE_PURSE:
            raise VenueRefused(self.venue, "the account has one margin for spot and perpetuals: switch that off")

    async def _ask(self, kind: str, **asked: Any) -> Any:
        return await self._exchange.publicPostInfo({"type": kind, "user": self._exchange.walletAddress, **asked})


def _trade(exchange: Any, row: Mapping[str, Any], market: Any) -> Mapping[str, Any]:
    """ccxt's trade; the venue's fee has a builder's part in it already, which ccxt adds."""
    return {**exchange.parse_trade(row, market), "fee": {"cost": row["fee"], "currency": row["feeToken"]}}


def _payment(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """A settlement as the ports' funding rows. It has no id at the venue: it is the only one of its coin then."""
    delta = row["delta"]
    return {"id": f"{row['time']}-{delta['coin']}", "timestamp": row["time"], "amount": delta["usdc"]}
