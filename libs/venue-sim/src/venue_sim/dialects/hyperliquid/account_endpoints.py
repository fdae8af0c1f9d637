"""What Hyperliquid answers at /info about a user; of one that it does not know, as of one that has nothing."""

from decimal import Decimal
from typing import Any

from venue_sim.account import MarginMode, Origin, Position
from venue_sim.dialects.hyperliquid.errors import UnreadableError
from venue_sim.dialects.hyperliquid.fields import (
    CLIENT_ID,
    NO_HASH,
    QUOTE,
    figure,
    order_fields,
    page,
    required,
    required_coin,
    side_letter,
)
from venue_sim.dialects.rest import is_integer
from venue_sim.dialects.wire import Call, Endpoint, Params, rounded, to_ms
from venue_sim.matching import Side
from venue_sim.refusals import Refusal
from venue_sim.venue import Venue

FILLS_MAX = 2000
FUNDING_MAX = 500
_MAINTENANCE_RATE = Decimal("0.005")


class AccountEndpoints:
    """Readings about the one account that there is; `address` is it, `agent` the wallet that signs for it."""

    def __init__(self, venue: Venue, address: str, agent: str) -> None:
        self._venue = venue
        self._address = address.lower()
        self._agent = agent

    def readings(self) -> dict[str, Endpoint]:
        """Endpoints by the request's `type`."""
        return {
            "userRole": self.role,
            "userAbstraction": self.abstraction,
            "userFees": self.fees,
            "clearinghouseState": self.state,
            "activeAssetData": self.asset,
            "orderStatus": self.order,
            "openOrders": self.open_orders,
            "userFills": self.fills,
            "userFillsByTime": self.fills_by_time,
            "userFunding": self.funding,
        }

    def role(self, params: Params, _call: Call) -> Any:
        """Whether an address is a user, an API wallet of one, or nobody."""
        user = required(params, "user").lower()
        if user == self._address:
            return {"role": "user"}
        return {"role": "agent", "data": {"user": self._address}} if user == self._agent else {"role": "missing"}

    def abstraction(self, params: Params, _call: Call) -> Any:
        """Where the margin is: with the perpetuals."""
        required(params, "user")
        return "disabled"

    def fees(self, params: Params, _call: Call) -> Any:
        """Fee rates of the user."""
        required(params, "user")
        taker = figure(self._venue.account.taker_fee)
        schedule = {"cross": taker, "add": taker, "tiers": {"vip": [], "mm": []}, "referralDiscount": "0.0"}
        return {
            "dailyUserVlm": [],
            "feeSchedule": schedule,
            "userCrossRate": taker,
            "userAddRate": taker,
            "activeReferralDiscount": "0.0",
        }

    def state(self, params: Params, _call: Call) -> Any:
        """Margin and positions that are not flat."""
        known, venue = self._is_known(params), self._venue
        venue.settle()
        held = [venue.shown.position(symbol) for symbol in venue.instruments] if known else []
        positions = [position for position in held if position.quantity]
        equity = venue.account.balance + venue.unrealised_pnl() if known else Decimal(0)
        margin = venue.margin_used() if known else Decimal(0)
        notional = sum((abs(one.quantity) * venue.mark(one.symbol) for one in positions), Decimal(0))
        signed = sum((one.quantity * venue.mark(one.symbol) for one in positions), Decimal(0))
        summary = {
            "accountValue": figure(equity),
            "totalNtlPos": figure(notional),
            "totalRawUsd": figure(equity - signed),
            "totalMarginUsed": figure(margin),
        }
        return {
            "marginSummary": summary,
            "crossMarginSummary": summary,
            "crossMaintenanceMarginUsed": figure(notional * _MAINTENANCE_RATE),
            "withdrawable": rounded(max(equity - margin, Decimal(0))),
            "assetPositions": [{"type": "oneWay", "position": self._position(position)} for position in positions],
            "time": to_ms(venue.now()),
        }

    def asset(self, params: Params, _call: Call) -> Any:
        """Leverage and margin mode of one coin, also where nothing is held of it."""
        symbol, user = required_coin(params, self._venue), required(params, "user")
        available = figure(max(self._venue.available(), Decimal(0)))
        leverage = self._leverage(symbol) | {"value": self._venue.leverage(symbol)}
        return {
            "user": user,
            "coin": symbol,
            "leverage": leverage,
            "maxTradeSzs": [figure(self._venue.instruments[symbol].quantity_max)] * 2,
            "availableToTrade": [available] * 2,
            "markPx": figure(self._venue.mark(symbol)),
        }

    def order(self, params: Params, _call: Call) -> Any:
        """One order by its number or its `cloid`."""
        account, reference = self._venue.account, required(params, "oid")
        if not is_integer(reference) and not CLIENT_ID.fullmatch(reference):
            raise UnreadableError
        self._venue.settle()
        by_id = account.order_by_id if is_integer(reference) else account.order_by_client_id
        order = by_id(reference) if self._is_known(params) else None
        if order is None or not self._is_shown(order.symbol, order.order_id):
            return {"status": "unknownOid"}
        return {"status": "order", "order": order_fields(order)}

    def open_orders(self, params: Params, _call: Call) -> Any:
        """Orders that are open."""
        known = self._is_known(params)
        self._venue.settle()
        working = self._venue.shown.orders(None, self._venue.working_orders()) if known else []
        return [order_fields(order)["order"] for order in working]

    def fills(self, params: Params, _call: Call) -> Any:
        """The latest fills, newest first."""
        return self._fill_rows(params)[::-1][:FILLS_MAX]

    def fills_by_time(self, params: Params, _call: Call) -> Any:
        """Fills from a moment on, oldest first."""
        return page(params, self._fill_rows(params), FILLS_MAX)

    def funding(self, params: Params, _call: Call) -> Any:
        """Funding from a moment on, oldest first; what was received is above zero. A settlement has no id."""
        known = self._is_known(params)
        self._venue.settle()
        rows = [
            {
                "time": to_ms(payment.time),
                "hash": NO_HASH,
                "delta": {
                    "type": "funding",
                    "coin": payment.symbol,
                    "usdc": figure(payment.amount),
                    "szi": figure(payment.position),
                    "fundingRate": figure(payment.rate),
                    "nSamples": None,
                },
            }
            for payment in (self._venue.shown.payments(None) if known else [])
        ]
        return page(params, rows, FUNDING_MAX)

    def _is_known(self, params: Params) -> bool:
        return required(params, "user").lower() == self._address

    def _is_shown(self, symbol: str, order_id: str) -> bool:
        try:
            self._venue.find_order(symbol, order_id, "")
        except Refusal:
            return False
        return True

    def _fill_rows(self, params: Params) -> list[dict[str, Any]]:
        known, venue = self._is_known(params), self._venue
        venue.settle()
        shown = {fill.fill_id for fill in venue.shown.fills(None)} if known else set()
        held: dict[str, Decimal] = {}
        rows = []
        for fill in venue.account.fills:
            before = held.get(fill.symbol, Decimal(0))
            held[fill.symbol] = before + fill.side.sign * fill.quantity
            if fill.fill_id not in shown:
                continue
            row = {
                "coin": fill.symbol,
                "px": figure(fill.price),
                "sz": figure(fill.quantity),
                "side": side_letter(fill.side),
                "time": to_ms(fill.time),
                "startPosition": figure(before),
                "dir": _direction(before, fill.side, held[fill.symbol]),
                "closedPnl": figure(fill.realised_pnl),
                "hash": NO_HASH,
                "oid": int(fill.order_id),
                "crossed": True,
                "fee": figure(fill.fee),
                "tid": int(fill.fill_id),
                "feeToken": QUOTE,
                "twapId": None,
            }
            order = venue.account.order_by_id(fill.order_id)
            if order is not None and order.origin is Origin.TRADER:
                row["cloid"] = fill.client_id
            rows.append(row)
        return rows

    def _leverage(self, symbol: str) -> dict[str, Any]:
        isolated = self._venue.account.margin_modes.get(symbol) is MarginMode.ISOLATED
        return {"type": "isolated", "rawUsd": "0.0"} if isolated else {"type": "cross"}

    def _position(self, position: Position) -> dict[str, Any]:
        symbol, mark, venue = position.symbol, self._venue.mark(position.symbol), self._venue
        funding = sum((row.amount for row in venue.account.payments if row.symbol == symbol), Decimal(0))
        profit, margin = position.unrealised_pnl(mark), venue.initial_margin(symbol)
        return {
            "coin": symbol,
            "szi": figure(position.quantity),
            "leverage": self._leverage(symbol) | {"value": venue.leverage(symbol)},
            "entryPx": figure(position.entry_price.quantize(Decimal("0.00000001"))),
            "positionValue": figure(abs(position.quantity) * mark),
            "unrealizedPnl": figure(profit),
            "returnOnEquity": rounded(profit / margin) if margin else "0.0",
            "liquidationPx": None,
            "marginUsed": figure(margin),
            "maxLeverage": venue.instruments[symbol].max_leverage,
            "cumFunding": {"allTime": figure(-funding), "sinceOpen": figure(-funding), "sinceChange": figure(-funding)},
        }


def _direction(before: Decimal, side: Side, after: Decimal) -> str:
    if before * after < 0:
        return "Long > Short" if before > 0 else "Short > Long"
    opened = abs(after) > abs(before)
    long = (before if before else after) > 0
    return f"{'Open' if opened else 'Close'} {'Long' if long else 'Short'}"
