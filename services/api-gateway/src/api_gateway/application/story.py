"""The story of one trade: what happened, in order of time, one sentence each with the figures behind it.

Every line is a row of the ledger or of the audit. Where two share a moment, cause stands before effect.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ConfigDict

from api_gateway.application.ports import TradeRead
from api_gateway.application.views import (
    AuditRecord,
    Entry,
    ErrorRecord,
    Event,
    Fill,
    Funding,
    Order,
    SignalDetail,
)

_CAUSE_ORDER = ("event", "recorded", "decision", "order", "entry", "opened", "funding", "error", "closed", "finalised")


class StoryLine(BaseModel):
    """One sentence; `figures` is the evidence as the service recorded it."""

    model_config = ConfigDict(frozen=True)

    at: datetime
    service: str
    what: str
    figures: dict[str, Any]


_Ranked = tuple[str, StoryLine]


def tell(read: TradeRead) -> list[StoryLine]:
    """All lines of one trade, oldest first."""
    ranked: list[_Ranked] = [*_signal_lines(read.signal)]
    if read.event is not None:
        ranked += _event_lines(read.event)
    ranked += [("decision", _decision_line(record)) for record in read.audit.items]
    filled = [(entry, entry.filled_at) for entry in read.entries if entry.filled_at is not None]
    ranked += [("entry", _entry_line(rank, entry, at)) for rank, (entry, at) in enumerate(filled, start=1)]
    for order in read.orders:
        ranked += _order_lines(order, [fill for fill in read.fills if fill.order_id == order.id])
    ranked += [("funding", _funding_line(payment)) for payment in read.funding]
    ranked += [("error", _error_line(error)) for error in read.errors.items]
    ranked.sort(key=lambda item: (item[1].at, _CAUSE_ORDER.index(item[0])))
    return [line for _, line in ranked]


def _event_lines(event: Event) -> Iterator[_Ranked]:
    pair = f"{event.symbol} long {event.long_venue} / short {event.short_venue}"
    seen = {"event_id": event.id, "type": event.type, "observations": event.observations, "factors": event.factors}
    yield "event", _line(event.first_observed_at, "signal_ingest", f"first saw the gap of {pair}", seen)
    if event.opened_at is not None:
        prediction = {
            "pnl_hat": event.pnl_hat,
            "win_prob": event.win_prob,
            "horizon_min": event.horizon_min,
            "source": event.prediction_source,
        }
        yield "event", _line(event.opened_at, "signal_ingest", f"opened watchlist event {event.id}", prediction)
    if event.closed_at is not None:
        quiet = {"last_observed_at": event.last_observed_at, "observations": event.observations}
        yield "event", _line(event.closed_at, "signal_ingest", f"closed watchlist event {event.id}", quiet)


def _signal_lines(signal: SignalDetail) -> Iterator[_Ranked]:
    recorded = {"mode": signal.mode, "pnl_hat": signal.pnl_hat, "win_prob": signal.win_prob}
    yield "recorded", _line(signal.created_at, "executor", f"recorded signal {signal.id}", recorded)
    if signal.opened_at is not None:
        target = {"take_profit_pnl": signal.take_profit_pnl, "force_close_at": signal.force_close_at}
        yield "opened", _line(signal.opened_at, "executor", f"opened the trade in {signal.symbol}", target)
    if signal.close_requested_at is not None:
        what = f"began to close: {_words(signal.close_reason or 'no reason given')}"
        yield "decision", _line(signal.close_requested_at, "executor", what, signal.close_evidence or {})
    if signal.closed_at is not None:
        reason = {"close_reason": signal.close_reason}
        yield "closed", _line(signal.closed_at, "executor", "closed the trade: both venues are flat", reason)
    if signal.finalised_at is not None:
        figures = {
            "spread_pnl_usdt": _text(signal.spread_pnl_usdt),
            "fees_usdt": _text(signal.fees_usdt),
            "funding_usdt": _text(signal.funding_usdt),
            "net_pnl_usdt": _text(signal.net_pnl_usdt),
        }
        what = f"finalised the trade: net P&L {_text(signal.net_pnl_usdt) or 'unknown'} USDT"
        yield "finalised", _line(signal.finalised_at, "executor", what, figures)


def _decision_line(record: AuditRecord) -> StoryLine:
    return _line(record.decided_at, record.service, f"decided: {_words(record.decision)}", record.evidence)


def _entry_line(rank: int, entry: Entry, filled_at: datetime) -> StoryLine:
    spread = "unknown" if entry.entry_spread_pct is None else f"{entry.entry_spread_pct:.4%}"
    notional = _text(entry.notional_usdt) or "unknown"
    what = f"entry {entry.entry} filled (k = {rank}): a spread of {spread}, {notional} USDT a leg"
    figures = {
        "quantity": _text(entry.quantity),
        "entry_spread_metric": entry.entry_spread_metric,
        "entry_spread_pct": entry.entry_spread_pct,
        "pnl_hat": entry.pnl_hat,
        "win_prob": entry.win_prob,
        "snapshot": entry.snapshot,
    }
    return _line(filled_at, "executor", what, figures)


def _order_lines(order: Order, fills: Sequence[Fill]) -> Iterator[_Ranked]:
    target = f"{order.side} {_text(order.quantity)} {order.symbol} on {order.venue}"
    whole = "the whole trade" if order.entry == 0 else f"entry {order.entry}"
    intent = {
        "client_order_id": order.client_order_id,
        "reference_price": _text(order.reference_price),
        "reduce_only": order.reduce_only,
        "attempt": order.attempt,
    }
    yield "decision", _line(order.intended_at, "executor", f"will {target} to {order.purpose} {whole}", intent)
    if order.resolved_at is not None:
        outcome = {
            "client_order_id": order.client_order_id,
            "venue_order_id": order.venue_order_id,
            "average_price": _text(order.average_price),
            "error": order.error,
            "fills": [
                {"price": _text(f.price), "quantity": _text(f.quantity), "fee_usdt": _text(f.fee_usdt)} for f in fills
            ],
        }
        filled = f"{_text(order.filled_quantity)} at {_text(order.average_price) or 'no price'}"
        what = f"order to {target} is {_words(order.status)}: {filled}"
        yield "order", _line(order.resolved_at, "executor", what, outcome)


def _funding_line(payment: Funding) -> StoryLine:
    verb = "received" if payment.amount_usdt >= 0 else "paid"
    what = f"{verb} {_text(abs(payment.amount_usdt))} USDT of funding on {payment.venue} ({payment.leg} leg)"
    return _line(payment.settled_at, "executor", what, {"payment_id": payment.payment_id})


def _error_line(error: ErrorRecord) -> StoryLine:
    return _line(error.occurred_at, error.service, f"met an error, {_words(error.kind)}: {error.message}", error.detail)


def _line(at: datetime, service: str, what: str, figures: dict[str, Any]) -> StoryLine:
    return StoryLine(at=at, service=service, what=what, figures=figures)


def _words(name: str) -> str:
    return name.replace("_", " ")


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else format(amount, "f")
