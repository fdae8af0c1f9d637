"""OKX's account endpoints: configuration, balance, positions, leverage, fees, and the bills."""

from decimal import Decimal
from typing import Any

from venue_sim.account import Fill, FundingPayment, Position
from venue_sim.dialects.okx.errors import invalid
from venue_sim.dialects.okx.fields import (
    KIND,
    QUOTE,
    contracts,
    fill_fields,
    instrument_id,
    page,
    required,
    required_symbol,
    sub_type,
    symbol_of,
)
from venue_sim.dialects.rest import Routes
from venue_sim.dialects.wire import Call, Params, parse_decimal, rounded, text, to_ms
from venue_sim.venue import Venue

_MAINTENANCE_RATE = Decimal("0.005")
_MODES = {"net_mode": False, "long_short_mode": True}
_TRADE, _FUNDING = "2", "8"


class AccountEndpoints:
    """What OKX answers about the account, signed."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def routes(self) -> Routes:
        """Endpoints by method and path."""
        return {
            ("GET", "/api/v5/account/config"): self.configuration,
            ("POST", "/api/v5/account/set-position-mode"): self.set_position_mode,
            ("GET", "/api/v5/account/balance"): self.balance,
            ("GET", "/api/v5/account/positions"): self.positions,
            ("GET", "/api/v5/account/leverage-info"): self.leverage,
            ("POST", "/api/v5/account/set-leverage"): self.set_leverage,
            ("GET", "/api/v5/account/trade-fee"): self.fee,
            ("GET", "/api/v5/account/bills"): self.bills,
            ("GET", "/api/v5/account/bills-archive"): self.bills,
        }

    def configuration(self, _params: Params, _call: Call) -> Any:
        """The futures account mode (2), and the position mode."""
        return [
            {
                "acctLv": "2",
                "acctStpMode": "cancel_maker",
                "autoLoan": False,
                "ctIsoMode": "automatic",
                "greeksType": "PA",
                "level": "Lv1",
                "levelTmp": "",
                "mgnIsoMode": "automatic",
                "posMode": "long_short_mode" if self._venue.account.hedged else "net_mode",
                "spotOffsetType": "",
                "uid": "44705892343619584",
                "label": self._venue.name,
                "roleType": "0",
                "traderInsts": [],
                "spotRoleType": "0",
                "spotTraderInsts": [],
                "opAuth": "0",
                "kycLv": "3",
                "ip": "",
                "perm": "read_only,trade",
                "mainUid": "44705892343619584",
            }
        ]

    def set_position_mode(self, params: Params, _call: Call) -> Any:
        """Net or long/short mode; setting it again changes nothing and is no error."""
        mode = required(params, "posMode")
        if mode not in _MODES:
            raise invalid("posMode")
        if self._venue.account.hedged is not _MODES[mode]:
            self._venue.set_hedged(_MODES[mode])
        return [{"posMode": mode}]

    def balance(self, _params: Params, _call: Call) -> Any:
        """Totals in USD, and the one coin."""
        self._venue.settle()
        cash, unrealised = self._venue.account.balance, self._venue.unrealised_pnl()
        margin, maintenance = rounded(self._venue.margin_used()), rounded(self._maintenance_margin())
        available = rounded(max(self._venue.available(), Decimal(0)))
        equity, profit, now = rounded(cash + unrealised), rounded(unrealised), str(to_ms(self._venue.now()))
        nothing = dict.fromkeys(_ALWAYS_ZERO, "0") | dict.fromkeys(_ALWAYS_EMPTY, "")
        coin = {
            **nothing,
            "availBal": available,
            "availEq": available,
            "cashBal": rounded(cash),
            "ccy": QUOTE,
            "disEq": equity,
            "eq": equity,
            "eqUsd": equity,
            "frozenBal": margin,
            "imr": margin,
            "mmr": maintenance,
            "uTime": now,
            "upl": profit,
        }
        return [
            {
                "adjEq": "",
                "borrowFroz": "",
                "details": [coin],
                "imr": "",
                "isoEq": "0",
                "mgnRatio": "",
                "mmr": "",
                "notionalUsd": "",
                "ordFroz": "",
                "totalEq": equity,
                "uTime": now,
                "upl": profit,
            }
        ]

    def positions(self, params: Params, _call: Call) -> Any:
        """Positions that are not flat; of the instruments that are named also those that were closed."""
        self._venue.settle()
        named = [symbol_of(name) for name in params.get("instId", "").split(",") if name]
        for symbol in named:
            self._venue.instrument(symbol)
        held = [self._venue.shown.position(symbol) for symbol in named or self._venue.instruments]
        return [
            self._position(position)
            for position in held
            if position.quantity or (named and position.updated_at is not None)
        ]

    def leverage(self, params: Params, _call: Call) -> Any:
        """Leverage of one instrument in one margin mode."""
        symbol, mode = required_symbol(params), required(params, "mgnMode")
        self._venue.instrument(symbol)
        leverage = str(self._venue.leverage(symbol))
        return [{"instId": instrument_id(symbol), "mgnMode": mode, "posSide": "net", "lever": leverage, "ccy": ""}]

    def set_leverage(self, params: Params, _call: Call) -> Any:
        """Leverage of one instrument; the one it has already is no error."""
        symbol, mode = required_symbol(params), required(params, "mgnMode")
        leverage = parse_decimal(required(params, "lever"))
        if leverage is None or leverage != leverage.to_integral_value():
            raise invalid("lever")
        self._venue.set_leverage(symbol, int(leverage))
        return [{"lever": str(leverage), "mgnMode": mode, "instId": instrument_id(symbol), "posSide": ""}]

    def fee(self, params: Params, _call: Call) -> Any:
        """Fee rates of swaps; what is paid is below zero."""
        kind, taker = required(params, "instType"), text(-self._venue.account.taker_fee)
        return [
            {
                "category": "1",
                "delivery": "",
                "exercise": "",
                "instType": kind,
                "level": "Lv1",
                "maker": taker,
                "makerU": taker,
                "makerUSDC": taker,
                "taker": taker,
                "takerU": taker,
                "takerUSDC": taker,
                "ts": str(to_ms(self._venue.now())),
                "fiat": [],
            }
        ]

    def bills(self, params: Params, _call: Call) -> Any:
        """What moved the balance, newest first, paged by bill id."""
        self._venue.settle()
        symbol = symbol_of(params["instId"]) if params.get("instId") else None
        kind = params.get("type", "")
        account = self._venue.account
        shown = {fill.number for fill in self._venue.shown.fills(symbol)}
        shown |= {payment.number for payment in self._venue.shown.payments(symbol)}
        moved: list[Fill | FundingPayment] = sorted([*account.fills, *account.payments], key=lambda row: row.number)
        balance, rows = account.initial_balance, []
        for row in moved:
            bill = self._trade_bill(row) if isinstance(row, Fill) else self._funding_bill(row)
            balance += Decimal(bill["balChg"])
            if row.number in shown and symbol in (None, row.symbol) and kind in ("", bill["type"]):
                rows.append({**bill, "bal": text(balance)})
        return page(params, rows, "billId", "ts")

    def _trade_bill(self, fill: Fill) -> dict[str, Any]:
        order = self._venue.account.order_by_id(fill.order_id)
        assert order is not None  # a fill is booked together with its order
        seen = fill_fields(fill, order, self._venue.instrument(fill.symbol), self._venue.account.taker_fee)
        return {
            **_bill(fill.fill_id, fill.symbol, _TRADE, sub_type(fill), seen["ts"]),
            "balChg": text(fill.realised_pnl - fill.fee),
            "pnl": text(fill.realised_pnl),
            "clOrdId": fill.client_id,
            "execType": "T",
            "fee": seen["fee"],
            "ordId": fill.order_id,
            "px": seen["fillPx"],
            "sz": seen["fillSz"],
            "tradeId": seen["tradeId"],
        }

    def _funding_bill(self, payment: FundingPayment) -> dict[str, Any]:
        income = "174" if payment.amount > 0 else "173"
        size = contracts(abs(payment.position), self._venue.instrument(payment.symbol))
        return {
            **_bill(payment.payment_id, payment.symbol, _FUNDING, income, str(to_ms(payment.time))),
            "balChg": text(payment.amount),
            "pnl": text(payment.amount),
            "px": text(payment.mark),
            "sz": size,
        }

    def _maintenance_margin(self) -> Decimal:
        held = self._venue.account.open_positions()
        return sum((abs(p.quantity) * self._venue.mark(p.symbol) for p in held), Decimal(0)) * _MAINTENANCE_RATE

    def _position(self, position: Position) -> dict[str, Any]:
        symbol, mark = position.symbol, self._venue.mark(position.symbol)
        notional = abs(position.quantity) * mark
        fees = sum((fill.fee for fill in self._venue.account.fills if fill.symbol == symbol), Decimal(0))
        funding = sum((row.amount for row in self._venue.account.payments if row.symbol == symbol), Decimal(0))
        profit = position.unrealised_pnl(mark)
        entry = rounded(position.entry_price, 16).rstrip("0").rstrip(".") if position.quantity else ""
        size = contracts(position.quantity, self._venue.instrument(symbol))
        updated = str(to_ms(position.updated_at)) if position.updated_at else ""
        return {
            **dict.fromkeys(_POSITION_EMPTY, ""),
            "adl": "1",
            "availPos": "",
            "avgPx": entry,
            "bePx": entry,
            "cTime": str(to_ms(position.opened_at)) if position.opened_at else "",
            "ccy": QUOTE,
            "closeOrderAlgo": [],
            "fee": text(-fees),
            "fundingFee": text(funding),
            "idxPx": text(mark),
            "imr": rounded(self._venue.initial_margin(symbol)),
            "instId": instrument_id(symbol),
            "instType": KIND,
            "interest": "0",
            "last": text(mark),
            "lever": str(self._venue.leverage(symbol)),
            "liqPenalty": "0",
            "markPx": text(mark),
            "mgnMode": "cross",
            "mmr": rounded(notional * _MAINTENANCE_RATE),
            "notionalUsd": rounded(notional),
            "pTime": updated,
            "pendingCloseOrdLiabVal": "0",
            "pnl": text(position.realised_pnl),
            "pos": size,
            "posId": "307173036051017730",
            "posSide": "net",
            "realizedPnl": text(position.realised_pnl - fees + funding),
            "tradeId": "",
            "uTime": updated,
            "upl": rounded(profit),
            "uplLastPx": rounded(profit),
            "uplRatio": "0",
            "uplRatioLastPx": "0",
            "usdPx": "1",
        }


_ALWAYS_ZERO = ("fixedBal", "isoEq", "isoUpl", "ordFrozen", "spotIsoBal", "stgyEq", "rewardBal", "notionalLever")
_ALWAYS_EMPTY = (
    *("borrowFroz", "crossLiab", "interest", "isoLiab", "liab", "maxLoan", "mgnRatio", "spotInUseAmt"),
    *("clSpotInUseAmt", "maxSpotInUseAmt", "twap", "uplLiab"),
)
_POSITION_EMPTY = (
    *("deltaBS", "deltaPA", "gammaBS", "gammaPA", "thetaBS", "thetaPA", "vegaBS", "vegaPA", "liab", "liabCcy"),
    *("liqPx", "margin", "mgnRatio", "optVal", "baseBorrowed", "baseInterest", "quoteBorrowed", "quoteInterest"),
    *("posCcy", "spotInUseAmt", "spotInUseCcy", "clSpotInUseAmt", "maxSpotInUseAmt", "bizRefId", "bizRefType"),
)
_BILL_EMPTY = (
    *("clOrdId", "execType", "fillFwdPx", "fillIdxPx", "fillMarkPx", "fillMarkVol", "fillPxUsd", "fillPxVol"),
    *("from", "notes", "ordId", "px", "sz", "tag", "to", "tradeId"),
)


def _bill(bill_id: str, symbol: str, kind: str, sub_kind: str, time: str) -> dict[str, Any]:
    return {
        **dict.fromkeys(_BILL_EMPTY, ""),
        "billId": bill_id,
        "ccy": QUOTE,
        "fee": "0",
        "fillTime": time,
        "instId": instrument_id(symbol),
        "instType": KIND,
        "interest": "0",
        "mgnMode": "cross",
        "posBal": "0",
        "posBalChg": "0",
        "subType": sub_kind,
        "ts": time,
        "type": kind,
    }
