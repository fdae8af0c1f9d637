"""Bitget's account endpoints: balance, positions, modes, leverage, fees, and the bills."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from venue_sim.account import Fill, FundingPayment, MarginMode, Position
from venue_sim.dialects.bitget.errors import invalid
from venue_sim.dialects.bitget.fields import (
    MODES,
    QUOTE,
    check_account,
    page,
    required,
    required_symbol,
    trade_side,
    venue_symbol,
)
from venue_sim.dialects.rest import Routes
from venue_sim.dialects.wire import Call, Params, base_asset, parse_decimal, rounded, text, to_ms
from venue_sim.refusals import Reason, Refusal
from venue_sim.venue import Venue

_MAINTENANCE_RATE = Decimal("0.005")
_MARGIN_MODES = {"crossed": MarginMode.CROSS, "isolated": MarginMode.ISOLATED}
_MONTH = timedelta(days=30)


class AccountEndpoints:
    """What Bitget answers about the account, signed."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def routes(self) -> Routes:
        """Endpoints by method and path."""
        return {
            ("GET", "/api/v2/mix/account/accounts"): self.balances,
            ("GET", "/api/v2/mix/account/account"): self.balance,
            ("POST", "/api/v2/mix/account/set-leverage"): self.set_leverage,
            ("POST", "/api/v2/mix/account/set-margin-mode"): self.set_margin_mode,
            ("POST", "/api/v2/mix/account/set-position-mode"): self.set_position_mode,
            ("GET", "/api/v2/mix/account/bill"): self.bills,
            ("GET", "/api/v2/mix/position/all-position"): self.positions,
            ("GET", "/api/v2/mix/position/single-position"): self.position,
            ("GET", "/api/v2/common/trade-rate"): self.fee,
        }

    def balances(self, params: Params, _call: Call) -> Any:
        """The one coin."""
        check_account(params)
        return [self._balance()]

    def balance(self, params: Params, _call: Call) -> Any:
        """The coin, and the settings of one contract."""
        symbol = required_symbol(params)
        self._venue.instrument(symbol)
        leverage = str(self._venue.leverage(symbol))
        return {
            **self._balance(),
            "crossedMarginLeverage": leverage,
            "isolatedLongLever": leverage,
            "isolatedShortLever": leverage,
            "marginMode": self._margin_mode(symbol),
            "posMode": MODES[self._venue.account.hedged],
        }

    def set_leverage(self, params: Params, _call: Call) -> Any:
        """Leverage of one contract; the one it has already is no error."""
        symbol, leverage = required_symbol(params), parse_decimal(required(params, "leverage"))
        if leverage is None or leverage != leverage.to_integral_value():
            raise invalid("leverage")
        self._venue.set_leverage(symbol, int(leverage))
        return {**self._leverage(symbol), "crossMarginLeverage": str(int(leverage))}

    def set_margin_mode(self, params: Params, _call: Call) -> Any:
        """Cross or isolated, of one contract; the one it has already is no error."""
        symbol, mode = required_symbol(params), _MARGIN_MODES.get(required(params, "marginMode"))
        if mode is None:
            raise invalid("marginMode")
        try:
            self._venue.set_margin_mode(symbol, mode)
        except Refusal as refusal:
            if refusal.reason is not Reason.MARGIN_MODE_UNCHANGED:
                raise
        return self._leverage(symbol)

    def set_position_mode(self, params: Params, _call: Call) -> Any:
        """One-way or hedge mode; setting it again changes nothing and is no error."""
        check_account(params)
        hedged = {name: hedged for hedged, name in MODES.items()}.get(required(params, "posMode"))
        if hedged is None:
            raise invalid("posMode")
        if self._venue.account.hedged is not hedged:
            self._venue.set_hedged(hedged)
        return {"posMode": MODES[hedged]}

    def positions(self, params: Params, _call: Call) -> Any:
        """Positions that are not flat."""
        check_account(params)
        self._venue.settle()
        return self._held(list(self._venue.instruments))

    def position(self, params: Params, _call: Call) -> Any:
        """The position of one contract, where it is not flat."""
        symbol = required_symbol(params)
        self._venue.instrument(symbol)
        self._venue.settle()
        return self._held([symbol])

    def fee(self, params: Params, _call: Call) -> Any:
        """Fee rates of one contract."""
        if required(params, "businessType") != "mix":
            raise invalid("businessType")
        self._venue.instrument(base_asset(required(params, "symbol")))
        taker = text(self._venue.account.taker_fee)
        return {"makerFeeRate": taker, "takerFeeRate": taker}

    def bills(self, params: Params, _call: Call) -> Any:
        """What moved the balance, newest first."""
        check_account(params)
        self._venue.settle()
        account, kind = self._venue.account, params.get("businessType", "")
        symbol = base_asset(params["symbol"]) if params.get("symbol") else None
        shown = {fill.number for fill in self._venue.shown.fills(symbol)}
        shown |= {payment.number for payment in self._venue.shown.payments(symbol)}
        moved: list[Fill | FundingPayment] = sorted([*account.fills, *account.payments], key=lambda row: row.number)
        balance, rows = account.initial_balance, []
        for row in moved:
            bill = self._trade_bill(row) if isinstance(row, Fill) else _funding_bill(row)
            balance += Decimal(bill["amount"]) + Decimal(bill["fee"])
            if row.number in shown and symbol in (None, row.symbol) and kind in ("", bill["businessType"]):
                rows.append({**bill, "balance": text(balance)})
        return page(params, rows, "bills", "billId", _MONTH)

    def _trade_bill(self, fill: Fill) -> dict[str, Any]:
        order = self._venue.account.order_by_id(fill.order_id)
        assert order is not None  # a fill is booked together with its order
        moment = str(to_ms(fill.time))
        return _bill(fill.fill_id, fill.symbol, trade_side(order, fill.side), moment) | {
            "amount": text(fill.realised_pnl),
            "fee": text(-fill.fee),
        }

    def _balance(self) -> dict[str, Any]:
        self._venue.settle()
        unrealised = rounded(self._venue.unrealised_pnl())
        equity = rounded(self._venue.account.balance + Decimal(unrealised))
        free = rounded(max(self._venue.available(), Decimal(0)))
        return {
            "marginCoin": QUOTE,
            "locked": "0",
            "available": rounded(self._venue.account.balance),
            "crossedMaxAvailable": free,
            "isolatedMaxAvailable": free,
            "maxTransferOut": free,
            "accountEquity": equity,
            "usdtEquity": equity,
            "btcEquity": "0",
            "crossedRiskRate": "0",
            "unrealizedPL": unrealised,
            "coupon": "0",
            "crossedUnrealizedPL": unrealised,
            "isolatedUnrealizedPL": "",
        }

    def _margin_mode(self, symbol: str) -> str:
        isolated = self._venue.account.margin_modes.get(symbol) is MarginMode.ISOLATED
        return "isolated" if isolated else "crossed"

    def _leverage(self, symbol: str) -> dict[str, Any]:
        leverage = str(self._venue.leverage(symbol))
        return {
            "symbol": venue_symbol(symbol),
            "marginCoin": QUOTE,
            "longLeverage": leverage,
            "shortLeverage": leverage,
            "marginMode": self._margin_mode(symbol),
        }

    def _held(self, symbols: list[str]) -> list[dict[str, Any]]:
        positions = [self._venue.shown.position(symbol) for symbol in symbols]
        return [self._position(position) for position in positions if position.quantity]

    def _position(self, position: Position) -> dict[str, Any]:
        symbol, mark = position.symbol, self._venue.mark(position.symbol)
        fees = sum((fill.fee for fill in self._venue.account.fills if fill.symbol == symbol), Decimal(0))
        funding = sum((row.amount for row in self._venue.account.payments if row.symbol == symbol), Decimal(0))
        entry, size = rounded(position.entry_price, 16), text(abs(position.quantity))
        return {
            "marginCoin": QUOTE,
            "symbol": venue_symbol(symbol),
            "holdSide": "long" if position.quantity > 0 else "short",
            "openDelegateSize": "0",
            "marginSize": rounded(self._venue.initial_margin(symbol)),
            "available": size,
            "locked": "0",
            "total": size,
            "leverage": str(self._venue.leverage(symbol)),
            "achievedProfits": text(position.realised_pnl),
            "openPriceAvg": entry,
            "marginMode": self._margin_mode(symbol),
            "posMode": MODES[False],
            "unrealizedPL": rounded(position.unrealised_pnl(mark)),
            "liquidationPrice": "0",
            "keepMarginRate": text(_MAINTENANCE_RATE),
            "markPrice": text(mark),
            "breakEvenPrice": entry,
            "totalFee": text(funding),
            "deductedFee": text(fees),
            "marginRatio": "0.01",
            "assetMode": "single",
            "takeProfit": "",
            "stopLoss": "",
            "takeProfitId": "",
            "stopLossId": "",
            "cTime": str(to_ms(position.opened_at)) if position.opened_at else "",
            "uTime": str(to_ms(position.updated_at)) if position.updated_at else "",
        }


def _funding_bill(payment: FundingPayment) -> dict[str, Any]:
    moment = str(to_ms(payment.time))
    return _bill(payment.payment_id, payment.symbol, "contract_settle_fee", moment) | {"amount": text(payment.amount)}


def _bill(bill_id: str, symbol: str, kind: str, moment: str) -> dict[str, Any]:
    return {
        "billId": bill_id,
        "symbol": venue_symbol(symbol),
        "amount": "0",
        "fee": "0",
        "feeByCoupon": "",
        "businessType": kind,
        "coin": QUOTE,
        "cTime": moment,
    }
