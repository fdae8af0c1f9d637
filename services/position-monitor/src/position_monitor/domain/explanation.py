"""The figures behind a verdict, for the samples, the audit and whoever asks why."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from common.domain.identifiers import Leg
from common.domain.scale_in import next_trigger_pct
from common.domain.spread import take_profit_exit_spread_pct
from position_monitor.domain.exits import ExitRules, Position, force_close_at, scale_in_state
from position_monitor.domain.market import Market
from position_monitor.domain.trade import Trade


def explain(position: Position, market: Market, rules: ExitRules, now: datetime) -> dict[str, Any]:
    """The figures that every verdict stands on, whatever it is: what was seen, and what would happen next."""
    trade, valuation = position.trade, market.valuation
    due_at = force_close_at(trade, rules)
    state = scale_in_state(trade, valuation, rules) if valuation else None
    return {
        "entries": len(trade.entries),
        "entry_metric_weighted": trade.entry_metric_weighted,
        "take_profit_pnl": trade.take_profit_pnl,
        "tp_exit_spread_pct": take_profit_line_pct(trade),
        "next_trigger_spread_pct": next_trigger_pct(state, rules.scale_in) if state else None,
        "force_close_at": due_at.isoformat() if due_at else None,
        "seconds_to_force_close": (due_at - now).total_seconds() if due_at else None,
        "stop_loss_funding_per_hour": -rules.stop_loss_funding_per_hour,
        "stop_loss_total_pnl_pct": None if rules.scale_in.enabled else -rules.stop_loss_total_share,
        "total_pnl_pct": valuation.total_pnl_pct if valuation else None,
        "fees_usdt": _text(trade.fees_usdt),
        "funding_usdt": _text(valuation.funding_usdt) if valuation else None,
        "funding_per_hour": market.funding_per_hour,
        "funding_unknown": [str(leg) for leg in Leg if leg not in market.terms],
        "hedge_suspicion": position.suspicion.latest.kind if position.suspicion else None,
        "legs": {str(leg): _explain_leg(trade, market, leg) for leg in Leg},
    }


def take_profit_line_pct(trade: Trade) -> float | None:
    """`tp_exit_spread_pct` of SPEC 2, for display."""
    metric, target = trade.entry_metric_weighted, trade.take_profit_pnl
    return take_profit_exit_spread_pct(metric, target) if metric is not None and target is not None else None


def _explain_leg(trade: Trade, market: Market, leg: Leg) -> dict[str, Any]:
    held, sweep, terms, quote = trade.leg(leg), market.sweeps.get(leg), market.terms.get(leg), market.quotes[leg]
    holding = trade.holdings.get(leg)
    return {
        "venue": trade.venues[leg],
        "quantity": str(held.quantity),
        "average_price": _text(held.average_price),
        "exit_price": _text(sweep.price) if sweep else None,
        "worst_price": _text(sweep.worst_price) if sweep else None,
        "levels": sweep.levels if sweep else None,
        "book_age_seconds": round(quote.age_seconds, 3) if quote.book else None,
        "venue_quantity": str(holding.quantity) if holding else None,
        "funding": {
            "rate": terms.rate,
            "interval_hours": terms.interval_hours,
            "next_at": terms.next_at.isoformat() if terms.next_at else None,
        }
        if terms
        else None,
    }


def _text(value: Decimal | None) -> str | None:
    return None if value is None else str(value)
