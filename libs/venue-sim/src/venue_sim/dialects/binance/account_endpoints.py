"""Binance's account endpoints: balance, positions, leverage, modes, fees, and the income history."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from venue_sim.account import FundingPayment, MarginMode, Position
from venue_sim.dialects.binance.errors import BinanceError, missing
from venue_sim.dialects.binance.fields import QUOTE, boolean, integer, required_symbol, venue_symbol
from venue_sim.dialects.wire import Call, Endpoint, Params, rounded, text, to_ms
from venue_sim.venue import Venue

_MAINTENANCE_RATE = Decimal("0.005")
_MAX_NOTIONAL = "100000000"
_MARGIN_TYPES = {"CROSSED": MarginMode.CROSS, "ISOLATED": MarginMode.ISOLATED}
_SUCCESS = {"code": 200, "msg": "success"}


class AccountEndpoints:
    """What Binance answers about the account, signed."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def routes(self) -> Mapping[tuple[str, str], Endpoint]:
        """Endpoints by method and path."""
        return {
            ("GET", "/fapi/v3/account"): self.account,
            ("GET", "/fapi/v3/balance"): self.balance,
            ("GET", "/fapi/v2/positionRisk"): self.position_risk_v2,
            ("GET", "/fapi/v3/positionRisk"): self.position_risk,
            ("GET", "/fapi/v1/leverageBracket"): self.leverage_brackets,
            ("GET", "/fapi/v1/symbolConfig"): self.symbol_config,
            ("GET", "/fapi/v1/accountConfig"): self.account_config,
            ("GET", "/fapi/v1/commissionRate"): self.commission_rate,
            ("GET", "/fapi/v1/multiAssetsMargin"): lambda _params, _call: {"multiAssetsMargin": False},
            ("GET", "/fapi/v1/positionSide/dual"): self.position_mode,
            ("POST", "/fapi/v1/positionSide/dual"): self.set_position_mode,
            ("POST", "/fapi/v1/leverage"): self.set_leverage,
            ("POST", "/fapi/v1/marginType"): self.set_margin_type,
            ("GET", "/fapi/v1/income"): self.income,
        }

    def account(self, _params: Params, _call: Call) -> Any:
        """Totals, the USDT asset, and the positions that are not flat."""
        self._venue.settle()
        wallet = rounded(self._venue.account.balance)
        unrealised = rounded(self._venue.unrealised_pnl())
        margin = rounded(self._venue.margin_used())
        available = rounded(max(self._venue.available(), Decimal(0)))
        margin_balance = rounded(self._venue.account.balance + self._venue.unrealised_pnl())
        positions = [self._margined_position(position) for position in self._venue.account.open_positions()]
        maintenance = rounded(sum((Decimal(row["maintMargin"]) for row in positions), Decimal(0)))
        return {
            "totalInitialMargin": margin,
            "totalMaintMargin": maintenance,
            "totalWalletBalance": wallet,
            "totalUnrealizedProfit": unrealised,
            "totalMarginBalance": margin_balance,
            "totalPositionInitialMargin": margin,
            "totalOpenOrderInitialMargin": "0.00000000",
            "totalCrossWalletBalance": wallet,
            "totalCrossUnPnl": unrealised,
            "availableBalance": available,
            "maxWithdrawAmount": available,
            "assets": [
                {
                    "asset": QUOTE,
                    "walletBalance": wallet,
                    "unrealizedProfit": unrealised,
                    "marginBalance": margin_balance,
                    "maintMargin": maintenance,
                    "initialMargin": margin,
                    "positionInitialMargin": margin,
                    "openOrderInitialMargin": "0.00000000",
                    "crossWalletBalance": wallet,
                    "crossUnPnl": unrealised,
                    "availableBalance": available,
                    "maxWithdrawAmount": available,
                    "updateTime": to_ms(self._venue.now()),
                }
            ],
            "positions": positions,
        }

    def balance(self, _params: Params, _call: Call) -> Any:
        """The USDT wallet."""
        self._venue.settle()
        wallet = rounded(self._venue.account.balance)
        available = rounded(max(self._venue.available(), Decimal(0)))
        return [
            {
                "accountAlias": "SgsR",
                "asset": QUOTE,
                "balance": wallet,
                "crossWalletBalance": wallet,
                "crossUnPnl": rounded(self._venue.unrealised_pnl()),
                "availableBalance": available,
                "maxWithdrawAmount": available,
                "marginAvailable": True,
                "updateTime": to_ms(self._venue.now()),
            }
        ]

    def position_risk(self, params: Params, _call: Call) -> Any:
        """Positions that are not flat (v3)."""
        return [self._risk(position) for position in self._asked(params) if position.quantity]

    def position_risk_v2(self, params: Params, _call: Call) -> Any:
        """Positions of all symbols, flat ones included, with their settings (v2)."""
        return [
            {
                **self._risk(position),
                "leverage": str(self._venue.leverage(position.symbol)),
                "maxNotionalValue": _MAX_NOTIONAL,
                "marginType": self._margin_mode(position.symbol).value,
                "isAutoAddMargin": "false",
            }
            for position in self._asked(params)
        ]

    def leverage_brackets(self, params: Params, _call: Call) -> Any:
        """One bracket per symbol."""
        symbols = [required_symbol(params)] if params.get("symbol") else list(self._venue.instruments)
        return [
            {
                "symbol": venue_symbol(symbol),
                "notionalCoef": 1.0,
                "brackets": [
                    {
                        "bracket": 1,
                        "initialLeverage": self._venue.instrument(symbol).max_leverage,
                        "notionalCap": int(_MAX_NOTIONAL),
                        "notionalFloor": 0,
                        "maintMarginRatio": float(_MAINTENANCE_RATE),
                        "cum": 0.0,
                    }
                ],
            }
            for symbol in symbols
        ]

    def symbol_config(self, params: Params, _call: Call) -> Any:
        """Margin type and leverage per symbol."""
        symbols = [required_symbol(params)] if params.get("symbol") else list(self._venue.instruments)
        for symbol in symbols:
            self._venue.instrument(symbol)
        return [
            {
                "symbol": venue_symbol(symbol),
                "marginType": "ISOLATED" if self._margin_mode(symbol) is MarginMode.ISOLATED else "CROSSED",
                "isAutoAddMargin": "false",
                "leverage": self._venue.leverage(symbol),
                "maxNotionalValue": _MAX_NOTIONAL,
            }
            for symbol in symbols
        ]

    def account_config(self, _params: Params, _call: Call) -> Any:
        """Permissions and modes."""
        return {
            "feeTier": 0,
            "canTrade": True,
            "canDeposit": True,
            "canWithdraw": True,
            "dualSidePosition": self._venue.account.hedged,
            "updateTime": 0,
            "multiAssetsMargin": False,
            "tradeGroupId": -1,
        }

    def commission_rate(self, params: Params, _call: Call) -> Any:
        """Fees of one symbol."""
        symbol = required_symbol(params)
        self._venue.instrument(symbol)
        taker = text(self._venue.account.taker_fee)
        return {"symbol": venue_symbol(symbol), "makerCommissionRate": taker, "takerCommissionRate": taker}

    def position_mode(self, _params: Params, _call: Call) -> Any:
        """Whether the account is in hedge mode."""
        return {"dualSidePosition": self._venue.account.hedged}

    def set_position_mode(self, params: Params, _call: Call) -> Any:
        """One-way or hedge mode."""
        hedged = boolean(params, "dualSidePosition")
        if hedged is None:
            raise missing("dualSidePosition")
        self._venue.set_hedged(hedged)
        return _SUCCESS

    def set_leverage(self, params: Params, _call: Call) -> Any:
        """Leverage of one symbol."""
        symbol, leverage = required_symbol(params), integer(params, "leverage")
        if leverage is None:
            raise missing("leverage")
        self._venue.set_leverage(symbol, leverage)
        return {"symbol": venue_symbol(symbol), "leverage": leverage, "maxNotionalValue": _MAX_NOTIONAL}

    def set_margin_type(self, params: Params, _call: Call) -> Any:
        """Cross or isolated margin of one symbol."""
        mode = _MARGIN_TYPES.get(params.get("marginType", ""))
        if mode is None:
            raise missing("marginType")
        self._venue.set_margin_mode(required_symbol(params), mode)
        return _SUCCESS

    def income(self, params: Params, _call: Call) -> Any:
        """Funding, commissions and realised P&L, oldest first; the latest without a start time."""
        self._venue.settle()
        symbol = required_symbol(params) if params.get("symbol") else None
        kind = params.get("incomeType", "")
        start, end = integer(params, "startTime"), integer(params, "endTime")
        limit, page = min(integer(params, "limit", 100) or 100, 1000), integer(params, "page", 1) or 1
        if page < 1:
            raise BinanceError(-1102, "Param 'page' is not valid.")
        rows = [
            row
            for row in self._income_rows(symbol)
            if (symbol is None or row["symbol"] == venue_symbol(symbol))
            and (not kind or row["incomeType"] == kind)
            and (start is None or row["time"] >= start)
            and (end is None or row["time"] <= end)
        ]
        rows.sort(key=lambda row: (row["time"], int(row["tranId"])))
        if start is None and page == 1:
            return rows[-limit:]
        return rows[(page - 1) * limit : page * limit]

    def _income_rows(self, symbol: str | None) -> Iterator[dict[str, Any]]:
        for payment in self._venue.shown.payments(symbol):
            yield _funding_row(payment)
        for fill in self._venue.shown.fills(symbol):
            row = {"asset": QUOTE, "symbol": venue_symbol(fill.symbol), "time": to_ms(fill.time)}
            row |= {"tranId": fill.fill_id, "tradeId": fill.fill_id}
            yield {**row, "incomeType": "COMMISSION", "income": text(-fill.fee), "info": "COMMISSION"}
            if fill.realised_pnl:
                income = rounded(fill.realised_pnl)
                yield {**row, "incomeType": "REALIZED_PNL", "income": income, "info": "REALIZED_PNL"}

    def _asked(self, params: Params) -> list[Position]:
        self._venue.settle()
        symbols = [required_symbol(params)] if params.get("symbol") else list(self._venue.instruments)
        for symbol in symbols:
            self._venue.instrument(symbol)
        return [self._venue.shown.position(symbol) for symbol in symbols]

    def _margin_mode(self, symbol: str) -> MarginMode:
        return self._venue.account.margin_modes.get(symbol, MarginMode.CROSS)

    def _margined_position(self, position: Position) -> dict[str, Any]:
        mark = self._venue.mark(position.symbol)
        return {
            "symbol": venue_symbol(position.symbol),
            "positionSide": "BOTH",
            "positionAmt": text(position.quantity),
            "unrealizedProfit": rounded(position.unrealised_pnl(mark)),
            "isolatedMargin": "0",
            "notional": rounded(position.quantity * mark),
            "isolatedWallet": "0",
            "initialMargin": rounded(self._venue.initial_margin(position.symbol)),
            "maintMargin": rounded(abs(position.quantity) * mark * _MAINTENANCE_RATE),
            "updateTime": to_ms(position.updated_at) if position.updated_at else 0,
        }

    def _risk(self, position: Position) -> dict[str, Any]:
        fields = self._margined_position(position)
        entry = rounded(position.entry_price)
        return {
            **{key: value for key, value in fields.items() if key != "unrealizedProfit"},
            "entryPrice": entry,
            "breakEvenPrice": entry,
            "markPrice": text(self._venue.mark(position.symbol)),
            "unRealizedProfit": fields["unrealizedProfit"],
            "liquidationPrice": "0",
            "marginAsset": QUOTE,
            "positionInitialMargin": fields["initialMargin"],
            "openOrderInitialMargin": "0",
            "adl": 1,
            "bidNotional": "0",
            "askNotional": "0",
        }


def _funding_row(payment: FundingPayment) -> dict[str, Any]:
    return {
        "symbol": venue_symbol(payment.symbol),
        "incomeType": "FUNDING_FEE",
        "income": text(payment.amount),
        "asset": QUOTE,
        "info": "FUNDING_FEE",
        "time": to_ms(payment.time),
        "tranId": payment.payment_id,
        "tradeId": "",
    }
