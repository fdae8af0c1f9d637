"""Gate's account endpoints: balance, positions, mode, leverage, fees, and the account book."""

from decimal import Decimal
from typing import Any

from venue_sim.account import Fill, FundingPayment, MarginMode, Position
from venue_sim.dialects.gate.errors import GateError, invalid
from venue_sim.dialects.gate.fields import (
    QUOTE,
    USER,
    contract_name,
    page,
    required,
    required_symbol,
    seconds,
    size,
    symbol_of,
)
from venue_sim.dialects.rest import Routes
from venue_sim.dialects.wire import Call, Params, parse_decimal, rounded, text, to_ms
from venue_sim.venue import Venue

_MAINTENANCE_RATE = Decimal("0.005")
_FUND = "fund"


class AccountEndpoints:
    """What Gate answers about the account, signed."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def routes(self) -> Routes:
        """Endpoints by method and path."""
        return {
            ("GET", "/api/v4/futures/usdt/accounts"): self.account,
            ("GET", "/api/v4/futures/usdt/account_book"): self.book,
            ("POST", "/api/v4/futures/usdt/dual_mode"): self.set_dual_mode,
            ("GET", "/api/v4/futures/usdt/positions"): self.positions,
            ("GET", "/api/v4/futures/usdt/positions/{contract}"): self.position,
            ("POST", "/api/v4/futures/usdt/positions/{contract}/leverage"): self.set_leverage,
            ("POST", "/api/v4/futures/usdt/positions/cross_mode"): self.set_margin_mode,
            ("GET", "/api/v4/wallet/fee"): self.fee,
        }

    def account(self, _params: Params, _call: Call) -> Any:
        """The balance without what positions are worth, and what it is made of."""
        self._venue.settle()
        account = self._venue.account
        pnl = sum((fill.realised_pnl for fill in account.fills), Decimal(0))
        fees = sum((fill.fee for fill in account.fills), Decimal(0))
        funding = sum((row.amount for row in account.payments), Decimal(0))
        return {
            "user": USER,
            "currency": QUOTE,
            "total": rounded(account.balance),
            "unrealised_pnl": rounded(self._venue.unrealised_pnl()),
            "position_margin": rounded(self._venue.margin_used()),
            "order_margin": "0",
            "available": rounded(max(self._venue.available(), Decimal(0))),
            "point": "0",
            "bonus": "0",
            "in_dual_mode": account.hedged,
            "enable_evolved_classic": False,
            "history": {
                "dnw": text(account.initial_balance),
                "pnl": text(pnl),
                "fee": text(-fees),
                "refr": "0",
                "fund": text(funding),
                "point_dnw": "0",
                "point_fee": "0",
                "point_refr": "0",
                "bonus_dnw": "0",
                "bonus_offset": "0",
            },
        }

    def set_dual_mode(self, params: Params, call: Call) -> Any:
        """Dual mode on or off; refused where it is so already."""
        wanted = required(params, "dual_mode")
        if wanted not in ("true", "false"):
            raise invalid("dual_mode")
        self._venue.set_hedged(wanted == "true")
        return self.account(params, call)

    def positions(self, params: Params, call: Call) -> Any:
        """Positions of all contracts that were ever held; `holding`: of those that are held now."""
        self._venue.settle()
        held = [self._venue.shown.position(symbol) for symbol in self._venue.instruments]
        only_held = params.get("holding") == "true"
        shown = [row for row in held if row.quantity or (not only_held and row.updated_at is not None)]
        return page(params, [self._position(position, call) for position in shown], "update_time")

    def position(self, params: Params, call: Call) -> Any:
        """The position of one contract, flat or not; refused where there was never anything about it."""
        symbol = required_symbol(params)
        self._venue.instrument(symbol)
        self._venue.settle()
        position, account = self._venue.shown.position(symbol), self._venue.account
        if position.updated_at is None and symbol not in account.leverage and symbol not in account.margin_modes:
            raise GateError("POSITION_NOT_FOUND", "position not found")
        return self._position(position, call)

    def set_leverage(self, params: Params, call: Call) -> Any:
        """Leverage of one contract: 0 makes it cross, with the leverage in `cross_leverage_limit`."""
        symbol, leverage = required_symbol(params), parse_decimal(required(params, "leverage"))
        is_cross = leverage == 0
        if is_cross:
            leverage = parse_decimal(required(params, "cross_leverage_limit"))
        if leverage is None or leverage != leverage.to_integral_value():
            raise invalid("leverage")
        self._venue.set_leverage(symbol, int(leverage))
        self._change_margin_mode(symbol, MarginMode.CROSS if is_cross else MarginMode.ISOLATED)
        return self._position(self._venue.account.position(symbol), call)

    def set_margin_mode(self, params: Params, call: Call) -> Any:
        """Cross or isolated, of one contract."""
        symbol, mode = required_symbol(params), required(params, "mode")
        if mode not in ("CROSS", "ISOLATED"):
            raise invalid("mode")
        self._change_margin_mode(symbol, MarginMode(mode.lower()))
        return self._position(self._venue.account.position(symbol), call)

    def fee(self, _params: Params, _call: Call) -> Any:
        """Fee rates of the account."""
        taker = text(self._venue.account.taker_fee)
        return {
            "user_id": USER,
            "taker_fee": "0.002",
            "maker_fee": "0.002",
            "gt_discount": False,
            "gt_taker_fee": "0",
            "gt_maker_fee": "0",
            "loan_fee": "0.18",
            "point_type": "0",
            "futures_taker_fee": taker,
            "futures_maker_fee": taker,
        }

    def book(self, params: Params, _call: Call) -> Any:
        """What moved the balance, newest first: a trade has a row for its P&L and one for its fee."""
        self._venue.settle()
        account, kind = self._venue.account, params.get("type", "")
        symbol = symbol_of(params["contract"]) if params.get("contract") else None
        shown = {fill.number for fill in self._venue.shown.fills(symbol)}
        shown |= {payment.number for payment in self._venue.shown.payments(symbol)}
        moved: list[Fill | FundingPayment] = sorted([*account.fills, *account.payments], key=lambda row: row.number)
        balance, rows = account.initial_balance, []
        for row in moved:
            for entry in _trade_entries(row) if isinstance(row, Fill) else [_funding_entry(row)]:
                balance += Decimal(entry["change"])
                if row.number in shown and symbol in (None, row.symbol) and kind in ("", entry["type"]):
                    rows.append({**entry, "balance": text(balance)})
        return page(params, rows[::-1], "time")

    def _change_margin_mode(self, symbol: str, mode: MarginMode) -> None:
        if self._venue.account.margin_modes.get(symbol, MarginMode.CROSS) is not mode:
            self._venue.set_margin_mode(symbol, mode)

    def _position(self, position: Position, call: Call) -> dict[str, Any]:
        symbol, account = position.symbol, self._venue.account
        rules, mark = self._venue.instrument(symbol), self._venue.mark(symbol)
        leverage = str(self._venue.leverage(symbol))
        is_cross = account.margin_modes.get(symbol) is not MarginMode.ISOLATED
        fees = sum((fill.fee for fill in account.fills if fill.symbol == symbol), Decimal(0))
        funding = sum((row.amount for row in account.payments if row.symbol == symbol), Decimal(0))
        realised = text(position.realised_pnl - fees + funding)
        return {
            "user": USER,
            "contract": contract_name(symbol),
            "size": size(position.quantity, rules, call.headers),
            "trade_max_size": "0",
            "leverage": "0" if is_cross else leverage,
            "risk_limit": "1000000",
            "leverage_max": str(rules.max_leverage),
            "maintenance_rate": text(_MAINTENANCE_RATE),
            "value": rounded(abs(position.quantity) * mark),
            "margin": "0" if is_cross else rounded(self._venue.initial_margin(symbol)),
            "entry_price": rounded(position.entry_price, 16),
            "liq_price": "0",
            "mark_price": text(mark),
            "unrealised_pnl": rounded(position.unrealised_pnl(mark)),
            "realised_pnl": realised,
            "pnl_pnl": text(position.realised_pnl),
            "pnl_fund": text(funding),
            "pnl_fee": text(-fees),
            "history_pnl": "0",
            "last_close_pnl": "0",
            "realised_point": "0",
            "history_point": "0",
            "adl_ranking": 5,
            "pending_orders": len(self._venue.working_orders(symbol)),
            "close_order": None,
            "mode": "single",
            "open_time": to_ms(position.opened_at) // 1000 if position.opened_at else 0,
            "update_time": to_ms(position.updated_at) // 1000 if position.updated_at else 0,
            "update_id": 1,
            "cross_leverage_limit": leverage if is_cross else "0",
        }


def _trade_entries(fill: Fill) -> list[dict[str, Any]]:
    changes = {"pnl": fill.realised_pnl, "fee": -fill.fee}
    about = f"{contract_name(fill.symbol)}:{fill.order_id}"
    return [
        {**_entry(fill.symbol, seconds(fill.time), kind, change), "text": about, "trade_id": fill.fill_id}
        for kind, change in changes.items()
        if change
    ]


def _funding_entry(payment: FundingPayment) -> dict[str, Any]:
    return _entry(payment.symbol, seconds(payment.time), _FUND, payment.amount)


def _entry(symbol: str, moment: float, kind: str, change: Decimal) -> dict[str, Any]:
    name = contract_name(symbol)
    return {"time": moment, "change": text(change), "text": name, "type": kind, "contract": name, "trade_id": "0"}
