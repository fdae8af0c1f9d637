"""Bybit's account endpoints: wallet, positions, leverage, modes, fees."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from venue_sim.account import MarginMode, Position
from venue_sim.dialects.bybit.errors import BybitError, invalid
from venue_sim.dialects.bybit.fields import QUOTE, SIDES, category, linear_symbol, page, venue_symbol
from venue_sim.dialects.wire import Call, Endpoint, Params, base_asset, parse_decimal, rounded, text, to_ms
from venue_sim.matching import Side
from venue_sim.refusals import Reason, Refusal
from venue_sim.venue import Venue

_MAINTENANCE_RATE = Decimal("0.005")
_MARGIN_MODES = {"REGULAR_MARGIN": MarginMode.CROSS, "ISOLATED_MARGIN": MarginMode.ISOLATED}


class AccountEndpoints:
    """What Bybit answers about the account, signed."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def routes(self) -> Mapping[tuple[str, str], Endpoint]:
        """Endpoints by method and path."""
        return {
            ("GET", "/v5/account/wallet-balance"): self.wallet,
            ("GET", "/v5/account/info"): self.account_info,
            ("GET", "/v5/user/query-api"): self.key_info,
            ("GET", "/v5/account/fee-rate"): self.fee_rate,
            ("POST", "/v5/account/set-margin-mode"): self.set_margin_mode,
            ("GET", "/v5/position/list"): self.positions,
            ("POST", "/v5/position/set-leverage"): self.set_leverage,
            ("POST", "/v5/position/switch-mode"): self.switch_mode,
        }

    def wallet(self, params: Params, _call: Call) -> Any:
        """The unified account with its one coin."""
        if params.get("accountType") != "UNIFIED":
            raise BybitError(10001, "accountType only support UNIFIED.")
        self._venue.settle()
        balance, unrealised = self._venue.account.balance, self._venue.unrealised_pnl()
        margin, available = self._venue.margin_used(), max(self._venue.available(), Decimal(0))
        wallet, equity = rounded(balance), rounded(balance + unrealised)
        maintenance = rounded(sum((self._maintenance(p) for p in self._venue.account.open_positions()), Decimal(0)))
        account = {
            "accountType": "UNIFIED",
            "accountLTV": "",
            "accountIMRate": "0",
            "accountMMRate": "0",
            "totalEquity": equity,
            "totalWalletBalance": wallet,
            "totalMarginBalance": equity,
            "totalAvailableBalance": rounded(available),
            "totalPerpUPL": rounded(unrealised),
            "totalInitialMargin": rounded(margin),
            "totalMaintenanceMargin": maintenance,
            "coin": [
                {
                    "coin": QUOTE,
                    "equity": equity,
                    "usdValue": equity,
                    "walletBalance": wallet,
                    "locked": "0",
                    "spotHedgingQty": "0",
                    "borrowAmount": "0",
                    "accruedInterest": "0",
                    "totalOrderIM": "0",
                    "totalPositionIM": rounded(margin),
                    "totalPositionMM": maintenance,
                    "unrealisedPnl": rounded(unrealised),
                    "cumRealisedPnl": rounded(balance - self._venue.account.initial_balance),
                    "bonus": "0",
                    "collateralSwitch": True,
                    "marginCollateral": True,
                    "availableToWithdraw": "",
                    "availableToBorrow": "",
                }
            ],
        }
        return {"list": [account]}

    def account_info(self, _params: Params, _call: Call) -> Any:
        """A unified account (2.0) and its margin mode."""
        isolated = MarginMode.ISOLATED in self._venue.account.margin_modes.values()
        return {
            "unifiedMarginStatus": 6,
            "marginMode": "ISOLATED_MARGIN" if isolated else "REGULAR_MARGIN",
            "isMasterTrader": False,
            "spotHedgingStatus": "OFF",
            "updatedTime": str(to_ms(self._venue.now())),
            "dcpStatus": "OFF",
            "timeWindow": 10,
            "smpGroup": 0,
        }

    def key_info(self, _params: Params, _call: Call) -> Any:
        """What the key may do; the key itself is not repeated."""
        return {
            "id": "1",
            "note": self._venue.name,
            "apiKey": "",
            "readOnly": 0,
            "secret": "",
            "permissions": {"ContractTrade": ["Order", "Position"], "Wallet": ["AccountTransfer"]},
            "ips": ["*"],
            "type": 1,
            "unified": 0,
            "uta": 1,
            "userID": 1,
            "inviterID": 0,
            "vipLevel": "No VIP",
            "isMaster": True,
            "parentUid": "0",
        }

    def fee_rate(self, params: Params, _call: Call) -> Any:
        """Fees of one symbol or of all."""
        taker = text(self._venue.account.taker_fee)
        return {
            "list": [
                {"symbol": venue_symbol(symbol), "takerFeeRate": taker, "makerFeeRate": taker}
                for symbol in self._asked(params)
            ]
        }

    def set_margin_mode(self, params: Params, _call: Call) -> Any:
        """Margin mode of the whole account; setting it again changes nothing and is no error."""
        mode = _MARGIN_MODES.get(params.get("setMarginMode", ""))
        if mode is None:
            raise invalid("setMarginMode")
        for symbol in self._venue.instruments:
            if self._venue.account.margin_modes.get(symbol, MarginMode.CROSS) is not mode:
                self._venue.set_margin_mode(symbol, mode)
        return {"reasons": []}

    def positions(self, params: Params, _call: Call) -> Any:
        """The position of one symbol even where it is flat, or all that are not flat."""
        if category(params) != "linear":
            return {"category": category(params), "list": [], "nextPageCursor": ""}
        if not params.get("symbol") and not params.get("settleCoin"):
            raise BybitError(10001, "Missing some parameters that must be filled in, symbol or settleCoin")
        if not params.get("symbol") and params["settleCoin"] != QUOTE:
            return {"category": "linear", "list": [], "nextPageCursor": ""}
        self._venue.settle()
        held = [self._venue.shown.position(symbol) for symbol in self._asked(params)]
        shown = [position for position in held if position.quantity or params.get("symbol")]
        rows = [(-index, self._position_fields(position)) for index, position in enumerate(shown)]
        return page(params, rows, default=20, most=200)

    def set_leverage(self, params: Params, _call: Call) -> Any:
        """Leverage of one symbol, the same for both sides; the one it has already is refused."""
        symbol = linear_symbol(params)
        self._venue.instrument(symbol)
        buy, sell = parse_decimal(params.get("buyLeverage", "")), parse_decimal(params.get("sellLeverage", ""))
        if buy is None or buy != sell or buy != buy.to_integral_value():
            raise BybitError(10001, "params error: leverage invalid")
        if self._venue.leverage(symbol) == int(buy):
            raise Refusal(Reason.LEVERAGE_UNCHANGED)
        self._venue.set_leverage(symbol, int(buy))
        return {}

    def switch_mode(self, params: Params, _call: Call) -> Any:
        """One-way (0) or hedge mode (3) of the account."""
        mode = params.get("mode", "")
        if mode not in ("0", "3"):
            raise invalid("mode")
        self._venue.set_hedged(mode == "3")
        return {}

    def _asked(self, params: Params) -> list[str]:
        if not params.get("symbol"):
            return list(self._venue.instruments)
        symbol = base_asset(params["symbol"])
        self._venue.instrument(symbol)
        return [symbol]

    def _maintenance(self, position: Position) -> Decimal:
        return abs(position.quantity) * self._venue.mark(position.symbol) * _MAINTENANCE_RATE

    def _position_fields(self, position: Position) -> dict[str, Any]:
        quantity, mark = position.quantity, self._venue.mark(position.symbol)
        side = SIDES[Side.BUY if quantity > 0 else Side.SELL] if quantity else ""
        return {
            "positionIdx": 1 if self._venue.account.hedged else 0,
            "riskId": 1,
            "riskLimitValue": "2000000",
            "symbol": venue_symbol(position.symbol),
            "side": side,
            "size": text(abs(quantity)),
            "avgPrice": rounded(position.entry_price) if quantity else "0",
            "positionValue": rounded(position.cost) if quantity else "",
            "tradeMode": 0,
            "positionStatus": "Normal",
            "autoAddMargin": 0,
            "adlRankIndicator": 2 if quantity else 0,
            "leverage": str(self._venue.leverage(position.symbol)),
            "positionBalance": "0",
            "markPrice": text(mark),
            "liqPrice": "",
            "bustPrice": "",
            "positionMM": rounded(self._maintenance(position)),
            "positionIM": rounded(self._venue.initial_margin(position.symbol)),
            "tpslMode": "Full",
            "takeProfit": "",
            "stopLoss": "",
            "trailingStop": "0",
            "unrealisedPnl": rounded(position.unrealised_pnl(mark)),
            "curRealisedPnl": rounded(position.realised_pnl),
            "cumRealisedPnl": rounded(position.realised_pnl),
            "seq": 1,
            "isReduceOnly": False,
            "mmrSysUpdatedTime": "",
            "leverageSysUpdatedTime": "",
            "sessionAvgPrice": "",
            "createdTime": str(to_ms(position.opened_at)) if position.opened_at else "0",
            "updatedTime": str(to_ms(position.updated_at)) if position.updated_at else "0",
        }
