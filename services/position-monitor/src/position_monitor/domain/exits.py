"""What happens to an open trade: the rules of SPEC 6 in their order; the first that fires wins.

Rules that need no price stand before `no_prices`: a trade whose books are away is still closed when its time is over
or its funding is ruinous.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from common.domain.position import Valuation
from common.domain.scale_in import ScaleInRules, ScaleInState, next_trigger_pct, scale_in_refusal
from position_monitor.domain.hedge import Suspicion
from position_monitor.domain.market import Market
from position_monitor.domain.trade import CLOSING, Trade

HEDGE_GRACE_SECONDS = 90.0
TAKE_PROFIT = "take_profit"
TAKE_PROFIT_REJECTED = "take_profit_rejected"


class Action(StrEnum):
    """What a verdict asks for."""

    CLOSE_AGAIN = "close_again"
    CLOSE = "close"
    SCALE_IN = "scale_in"
    NO_BOOK = "no_book"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class ExitRules:
    """The limits in effect. Rates and shares are fractions, notionals USDT of one leg."""

    stop_loss_funding_per_hour: float
    stop_loss_total_share: float
    max_hold: timedelta
    next_entry_notional_usdt: Decimal
    scale_in: ScaleInRules


@dataclass(frozen=True, slots=True)
class Position:
    """A trade, what is suspected of its hedge, and whether Tandem may open anything at all now."""

    trade: Trade
    suspicion: Suspicion | None
    may_open: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """One decision: the action, its named reason and the figures compared, ready for JSON."""

    action: Action
    reason: str
    figures: dict[str, Any]

    @property
    def takes_profit(self) -> bool:
        """Take-profit is the one verdict that further books must confirm."""
        return self.action is Action.CLOSE and self.reason == TAKE_PROFIT


Rule = Callable[[Position, Market, ExitRules, datetime], Verdict | None]


def decide(position: Position, market: Market, rules: ExitRules, now: datetime) -> Verdict:
    """The first rule that fires, in SPEC 6's order. The last one always does."""
    for rule in RULES:
        verdict = rule(position, market, rules, now)
        if verdict is not None:
            return verdict
    raise AssertionError("the last rule holds")


def force_close_at(trade: Trade, rules: ExitRules) -> datetime | None:
    """When the maximum hold is over: as fixed at the first entry, or counted from it. Scale-ins do not move it."""
    if trade.force_close_at is not None:
        return trade.force_close_at
    return trade.opened_at + rules.max_hold if trade.opened_at is not None else None


def scale_in_state(trade: Trade, valuation: Valuation, rules: ExitRules) -> ScaleInState | None:
    """The trade as SPEC 7's limits see it; None while its first entry is not filled."""
    first = trade.first_entry_spread_pct
    if first is None:
        return None
    return ScaleInState(
        entries=len(trade.entries),
        first_entry_spread_pct=first,
        exit_spread_pct_now=valuation.exit_spread_pct,
        last_scale_in_at=trade.last_scale_in_at,
        per_leg_notional_usdt=trade.per_leg_notional_usdt,
        next_entry_notional_usdt=rules.next_entry_notional_usdt,
        event=trade.newest_event,
    )


def _is_closing(position: Position, _: Market, __: ExitRules, ___: datetime) -> Verdict | None:
    trade = position.trade
    if trade.status != CLOSING:
        return None
    asked_at = trade.close_requested_at
    return Verdict(
        Action.CLOSE_AGAIN,
        trade.close_reason or CLOSING,
        {"close_requested_at": asked_at.isoformat() if asked_at else None},
    )


def _hedge_broken(position: Position, _: Market, __: ExitRules, now: datetime) -> Verdict | None:
    suspected = position.suspicion
    if suspected is None:
        return None
    seconds = suspected.lasted(now).total_seconds()
    if seconds < HEDGE_GRACE_SECONDS:
        return None
    figures = {**suspected.latest.figures, "since": suspected.since.isoformat(), "lasted_seconds": seconds}
    return Verdict(
        Action.CLOSE, "unhedged", {"kind": suspected.latest.kind, "grace_seconds": HEDGE_GRACE_SECONDS, **figures}
    )


def _max_hold(position: Position, _: Market, rules: ExitRules, now: datetime) -> Verdict | None:
    due_at = force_close_at(position.trade, rules)
    if due_at is None or now < due_at:
        return None
    return Verdict(Action.CLOSE, "max_hold_days", {"force_close_at": due_at.isoformat(), "now": now.isoformat()})


def _ruinous_funding(_: Position, market: Market, rules: ExitRules, __: datetime) -> Verdict | None:
    per_hour = market.funding_per_hour
    if per_hour is None or per_hour > -rules.stop_loss_funding_per_hour:
        return None
    figures: dict[str, Any] = {"funding_per_hour": per_hour, "limit": -rules.stop_loss_funding_per_hour}
    for leg, terms in market.terms.items():
        figures[str(leg)] = {"rate": terms.rate, "interval_hours": terms.interval_hours}
    return Verdict(Action.CLOSE, "stop_loss_funding_rate", figures)


def _no_prices(_: Position, market: Market, __: ExitRules, ___: datetime) -> Verdict | None:
    if market.no_prices is None:
        return None
    return Verdict(Action.NO_BOOK, market.no_prices.reason, market.no_prices.figures)


def _total_loss(_: Position, market: Market, rules: ExitRules, __: datetime) -> Verdict | None:
    valuation = _valued(market)
    if rules.scale_in.enabled or valuation.total_pnl_pct > -rules.stop_loss_total_share:
        return None
    figures = {
        "total_pnl_pct": valuation.total_pnl_pct,
        "limit": -rules.stop_loss_total_share,
        "pnl_complete": valuation.pnl_complete,
    }
    return Verdict(Action.CLOSE, "stop_loss_total_pnl", figures)


def _take_profit(position: Position, market: Market, _: ExitRules, __: datetime) -> Verdict | None:
    target, pnl_spread = position.trade.take_profit_pnl, _valued(market).pnl_spread
    if target is None or pnl_spread < target:
        return None
    return Verdict(Action.CLOSE, TAKE_PROFIT, {"pnl_spread": pnl_spread, "take_profit_pnl": target})


def _scale_in(position: Position, market: Market, rules: ExitRules, now: datetime) -> Verdict | None:
    valuation = _valued(market)
    if valuation.pnl_spread >= 0:
        return None
    if position.trade.order_in_flight:
        return Verdict(Action.HOLD, "entry_in_flight", {})
    state = scale_in_state(position.trade, valuation, rules)
    if state is None:
        return Verdict(Action.HOLD, "first_entry_unknown", {})
    refusal = scale_in_refusal(state, rules.scale_in, now)
    if refusal is not None:
        return Verdict(Action.HOLD, refusal.reason, refusal.evidence)
    if not position.may_open:
        return Verdict(Action.HOLD, "trading_halted", {})
    return Verdict(Action.SCALE_IN, "triggered", _scale_in_figures(state, rules.scale_in))


def _scale_in_figures(state: ScaleInState, rules: ScaleInRules) -> dict[str, Any]:
    event = state.event
    return {
        "entries": state.entries,
        "exit_spread_pct_now": state.exit_spread_pct_now,
        "trigger_spread_pct": next_trigger_pct(state, rules),
        "per_leg_notional_usdt": str(state.per_leg_notional_usdt),
        "next_entry_notional_usdt": str(state.next_entry_notional_usdt),
        "notional_cap_usdt": str(rules.notional_cap_usdt),
        "event_id": event.event_id if event else None,
        "last_observed_at": event.last_observed_at.isoformat() if event else None,
        "pnl_hat": event.pnl_hat if event else None,
        "win_prob": event.win_prob if event else None,
    }


def _hold(_: Position, market: Market, __: ExitRules, ___: datetime) -> Verdict:
    return Verdict(Action.HOLD, "within_limits", {"pnl_spread": _valued(market).pnl_spread})


def _valued(market: Market) -> Valuation:
    assert market.valuation is not None, "rules on prices stand after the rule that asks for prices"
    return market.valuation


RULES: tuple[Rule, ...] = (
    _is_closing,
    _hedge_broken,
    _max_hold,
    _ruinous_funding,
    _no_prices,
    _total_loss,
    _take_profit,
    _scale_in,
    _hold,
)
