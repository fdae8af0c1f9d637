"""The story of one trade: what happened, in order of time, one sentence each with the figures behind it.

Every line is a row of the ledger or of the audit, and nothing is told twice: where the audit repeats what a row of the
ledger says, the row tells it; where two services write down the same evidence, the first one shows it. Where two lines
share a moment, cause stands before effect.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from api_gateway.application.decisions import in_words
from api_gateway.application.ports import TradeRead
from api_gateway.application.story_line import StoryLine, line, percent, plain, text, words
from api_gateway.application.views import (
    AuditRecord,
    Entry,
    ErrorRecord,
    Event,
    Fill,
    Funding,
    Order,
    Sample,
    SignalDetail,
)

_CAUSE_ORDER = (
    "event", "recorded", "valued", "decision", "planned", "order", "entry", "opened", "funding", "error", "closed",
    "finalised",
)  # fmt: skip

_TOLD_BY_ROWS = frozenset(
    {"entry_begun", "scale_in_begun", "orders_intended", "opened", "scaled_in", "closing", "closed", "finalised"}
    | {"funding_booked"}
)
"""Decisions of the executor whose row of the ledger says the same."""

_TOLD_BY_AUDIT = frozenset({"close", "close_again", "scale_in"})
"""Verdicts that the audit tells of once they ask for something; while they only stand they are no news."""

_OUTCOMES = frozenset({"opened", "scaled_in"})
"""What an entry came to; the audit adds the next trigger to what its row says."""

_LATER = frozenset({"residual", "failure"})
"""What is added to an entry's snapshot once its orders are known."""

_NOWHERE = object()

_Ranked = tuple[str, StoryLine]


def tell(read: TradeRead) -> list[StoryLine]:
    """All lines of one trade, oldest first."""
    ranked: list[_Ranked] = [*_signal_lines(read.signal, read.audit.items), *_event_lines(read)]
    ranked += [("valued", _sample_line(sample)) for sample in read.turning_points if _is_news(sample)]
    ranked += _decision_lines(read.audit.items)
    outcomes = {record.evidence.get("entry"): record for record in read.audit.items if record.decision in _OUTCOMES}
    filled = [entry.entry for entry in read.entries if entry.filled_at is not None]
    for entry in read.entries:
        k = filled.index(entry.entry) + 1 if entry.entry in filled else None
        ranked += _entry_lines(entry, k, outcomes.get(k))
    for order in read.orders:
        ranked += _order_lines(order, [fill for fill in read.fills if fill.order_id == order.id])
    ranked += [("funding", _funding_line(payment)) for payment in read.funding]
    ranked += [("error", _error_line(error)) for error in read.errors.items]
    ranked.sort(key=lambda item: (item[1].at, _CAUSE_ORDER.index(item[0])))
    return [told for _, told in ranked]


def _event_lines(read: TradeRead) -> Iterator[_Ranked]:
    """What was decided about the events; of an event that no decision is kept of, its row tells what it can."""
    if read.event is not None:
        yield "event", _first_seen(read.event)
    for record in read.event_audit:
        yield "event", line(record.decided_at, record.service, in_words(record), record.evidence)
    audited = {(record.event_id, record.decision) for record in read.event_audit}
    event = read.event
    if event is not None and event.opened_at is not None and (event.id, "event_opened") not in audited:
        yield "event", line(event.opened_at, "signal_ingest", f"opened watchlist event {event.id}", {})
    if event is not None and event.closed_at is not None and (event.id, "event_closed") not in audited:
        quiet = {"last_observed_at": event.last_observed_at, "observations": event.observations}
        yield "event", line(event.closed_at, "signal_ingest", f"closed watchlist event {event.id}", quiet)


def _first_seen(event: Event) -> StoryLine:
    what = f"first saw the gap of {event.symbol} long {event.long_venue} / short {event.short_venue}"
    return line(event.first_observed_at, "signal_ingest", what, {"event_id": event.id, "type": event.type})


def _signal_lines(signal: SignalDetail, audit: Sequence[AuditRecord]) -> Iterator[_Ranked]:
    recorded = {"event_id": signal.event_id, "mode": signal.mode}
    yield "recorded", line(signal.created_at, "executor", f"recorded signal {signal.id}", recorded)
    if signal.opened_at is not None:
        target = {"take_profit_pnl": signal.take_profit_pnl, "force_close_at": signal.force_close_at}
        yield "opened", line(signal.opened_at, "executor", f"opened the trade in {signal.symbol}", target)
    if signal.close_requested_at is not None:
        what = f"began to close: {words(signal.close_reason or 'no reason given')}"
        figures = _not_shown(signal.close_evidence or {}, audit, "close_requested")
        yield "decision", line(signal.close_requested_at, "executor", what, figures)
    if signal.closed_at is not None and signal.status == "closed":
        figures = {"close_reason": signal.close_reason, "flat": signal.payload.get("flat")}
        yield "closed", line(signal.closed_at, "executor", "closed the trade: both venues are flat", figures)
    if signal.finalised_at is not None:
        figures = _account_then(signal, audit)
        net = figures.get("net_pnl_usdt")
        what = f"finalised the trade: net P&L {'unknown' if net is None else plain(Decimal(net))} USDT"
        yield "finalised", line(signal.finalised_at, "executor", what, figures)


def _account_then(signal: SignalDetail, audit: Sequence[AuditRecord]) -> dict[str, Any]:
    """The account as it was made; what corrected it later has a line of its own."""
    if any(record.decision == "account_corrected" for record in audit):
        for record in audit:
            if record.decision == "finalised":
                return record.evidence
    return {
        "spread_pnl_usdt": text(signal.spread_pnl_usdt),
        "fees_usdt": text(signal.fees_usdt),
        "funding_usdt": text(signal.funding_usdt),
        "net_pnl_usdt": text(signal.net_pnl_usdt),
    }


def _decision_lines(audit: Sequence[AuditRecord]) -> Iterator[_Ranked]:
    for record in audit:
        if record.service == "executor" and record.decision in _TOLD_BY_ROWS:
            continue
        figures = record.evidence
        if record.decision.startswith("expired:"):
            figures = _not_shown(figures, audit, "retry_ended")
        yield "decision", line(record.decided_at, record.service, in_words(record), figures)


def _not_shown(evidence: Mapping[str, Any], audit: Sequence[AuditRecord], decision: str) -> dict[str, Any]:
    """What the lines of `decision`, which come first, do not show of the evidence already."""
    shown = [record.evidence for record in audit if record.decision == decision]
    return {
        name: value for name, value in evidence.items() if not any(seen.get(name, _NOWHERE) == value for seen in shown)
    }


def _is_news(sample: Sample) -> bool:
    return sample.verdict not in _TOLD_BY_AUDIT and sample.evidence.get("reason") != "take_profit_rejected"


def _sample_line(sample: Sample) -> StoryLine:
    reason = words(str(sample.evidence.get("reason", "no reason given")))
    spread = "" if sample.exit_spread_pct is None else f" at an exit spread of {percent(sample.exit_spread_pct)}"
    figures = {
        "rule": sample.evidence.get("rule"),
        "exit_spread_pct": sample.exit_spread_pct,
        "pnl_spread": sample.pnl_spread,
        "total_pnl_usdt": text(sample.total_pnl_usdt),
        "pnl_complete": sample.pnl_complete,
        "funding_per_hour": sample.funding_per_hour,
    }
    what = f"valued the trade{spread}: {words(sample.verdict)}, {reason}"
    return line(sample.sampled_at, "position_monitor", what, figures)


def _entry_lines(entry: Entry, k: int | None, outcome: AuditRecord | None) -> Iterator[_Ranked]:
    """What the entry was decided on, and what it came to. `outcome` says what follows from it."""
    swept = entry.snapshot.get("execution", {}).get("entry_spread_pct")
    found = "" if swept is None else f": the books gave {percent(swept)}"
    what = f"decided to open entry {entry.entry} of {text(entry.planned_quantity)} a leg{found}"
    basis = {"event_id": entry.event_id, "pnl_hat": entry.pnl_hat, "win_prob": entry.win_prob}
    decided_on = {name: value for name, value in entry.snapshot.items() if name not in _LATER}
    # What position-monitor saw when it asked is told by its own line.
    evidence = {name: value for name, value in entry.snapshot.get("evidence", {}).items() if name != "asked"}
    yield "planned", line(entry.requested_at, "executor", what, basis | decided_on | {"evidence": evidence})
    if entry.filled_at is None:
        return
    spread = "unknown" if entry.entry_spread_pct is None else percent(entry.entry_spread_pct)
    notional = plain(entry.notional_usdt) or "unknown"
    what = f"entry {entry.entry} filled (k = {k}): a spread of {spread}, {notional} USDT a leg"
    figures = {
        "quantity": text(entry.quantity),
        "notional_usdt": text(entry.notional_usdt),
        "entry_spread_metric": entry.entry_spread_metric,
        "entry_spread_pct": entry.entry_spread_pct,
        "residual": entry.snapshot.get("residual"),
        "next_trigger_spread_pct": outcome.evidence.get("next_trigger_spread_pct") if outcome else None,
    }
    yield "entry", line(entry.filled_at, "executor", what, figures)


def _order_lines(order: Order, fills: Sequence[Fill]) -> Iterator[_Ranked]:
    target = f"{order.side} {text(order.quantity)} {order.symbol} on {order.venue}"
    whole = "the whole trade" if order.entry == 0 else f"entry {order.entry}"
    intent = {
        "client_order_id": order.client_order_id,
        "reference_price": text(order.reference_price),
        "reduce_only": order.reduce_only,
        "attempt": order.attempt,
    }
    if order.purpose != "external":
        yield "order", line(order.intended_at, "executor", f"will {target} to {order.purpose} {whole}", intent)
    if order.resolved_at is not None:
        outcome = {
            "client_order_id": order.client_order_id,
            "venue_order_id": order.venue_order_id,
            "average_price": text(order.average_price),
            "error": order.error,
            "fills": [
                {"price": text(f.price), "quantity": text(f.quantity), "fee_usdt": text(f.fee_usdt)} for f in fills
            ],
        }
        filled = f"{plain(order.filled_quantity)} at {plain(order.average_price) or 'no price'}"
        somebodys = "somebody else's order" if order.purpose == "external" else "order"
        yield (
            "order",
            line(order.resolved_at, "executor", f"{somebodys} to {target} is {words(order.status)}: {filled}", outcome),
        )


def _funding_line(payment: Funding) -> StoryLine:
    verb = "received" if payment.amount_usdt >= 0 else "paid"
    what = f"{verb} {plain(abs(payment.amount_usdt))} USDT of funding on {payment.venue} ({payment.leg} leg)"
    return line(payment.settled_at, "executor", what, {"payment_id": payment.payment_id})


def _error_line(error: ErrorRecord) -> StoryLine:
    return line(error.occurred_at, error.service, f"met an error, {words(error.kind)}: {error.message}", error.detail)
