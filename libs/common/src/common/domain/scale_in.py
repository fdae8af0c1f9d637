"""Whether a trade may take another entry (SPEC 7).

One function, asked by the one that wants the entry and by the one that opens it.

The checks run in SPEC 7's order and the first that fails is the refusal; its evidence holds the figures compared.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from common.domain.spread import scale_in_trigger_pct


@dataclass(frozen=True, slots=True)
class FreshEvent:
    """The newest Type B event of the trade's own pair: its last triggered observation (UTC) and its prediction."""

    event_id: int
    last_observed_at: datetime
    pnl_hat: float | None
    win_prob: float | None


@dataclass(frozen=True, slots=True)
class ScaleInRules:
    """The limits of SPEC 7. `notional_slack_usdt` is what fills may exceed the plan by before the cap counts it."""

    enabled: bool
    max_entries: int
    trigger_multiplier: float
    min_interval_minutes: float
    signal_max_age_minutes: float
    notional_cap_usdt: Decimal
    pnl_threshold: float
    win_prob_threshold: float
    notional_slack_usdt: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class ScaleInState:
    """A trade as the limits see it. Spreads are fractions, notionals USDT of one leg.

    `last_scale_in_at` is when the last entry with k > 1 was filled; None while there is only the first.
    """

    entries: int
    first_entry_spread_pct: float
    exit_spread_pct_now: float
    last_scale_in_at: datetime | None
    per_leg_notional_usdt: Decimal
    next_entry_notional_usdt: Decimal
    event: FreshEvent | None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why there is no further entry: a named `reason` and the figures, ready for JSON."""

    reason: str
    evidence: dict[str, Any]


_Check = Callable[[ScaleInState, ScaleInRules, datetime], Refusal | None]


def next_trigger_pct(state: ScaleInState, rules: ScaleInRules) -> float:
    """The exit spread, as a fraction, from which the next entry may be added. SPEC 2, `scale_in_trigger`."""
    return scale_in_trigger_pct(state.first_entry_spread_pct, rules.trigger_multiplier, state.entries)


def scale_in_refusal(state: ScaleInState, rules: ScaleInRules, now: datetime) -> Refusal | None:
    """The first limit that stands against entry `state.entries + 1`, or None when it may be added."""
    for check in _CHECKS:
        refusal = check(state, rules, now)
        if refusal is not None:
            return refusal
    return None


def _disabled(_: ScaleInState, rules: ScaleInRules, __: datetime) -> Refusal | None:
    return None if rules.enabled else Refusal("scale_in_disabled", {"enabled": False})


def _max_entries(state: ScaleInState, rules: ScaleInRules, _: datetime) -> Refusal | None:
    if state.entries < rules.max_entries:
        return None
    return Refusal("max_entries", {"entries": state.entries, "max_entries": rules.max_entries})


def _not_triggered(state: ScaleInState, rules: ScaleInRules, _: datetime) -> Refusal | None:
    trigger = next_trigger_pct(state, rules)
    if state.exit_spread_pct_now >= trigger:
        return None
    return Refusal(
        "not_triggered", {"exit_spread_pct_now": state.exit_spread_pct_now, "next_trigger_spread_pct": trigger}
    )


def _cooldown(state: ScaleInState, rules: ScaleInRules, now: datetime) -> Refusal | None:
    if state.last_scale_in_at is None:
        return None
    over_at = state.last_scale_in_at + timedelta(minutes=rules.min_interval_minutes)
    if now >= over_at:
        return None
    return Refusal(
        "cooldown",
        {
            "last_scale_in_at": state.last_scale_in_at.isoformat(),
            "min_interval_minutes": rules.min_interval_minutes,
            "over_at": over_at.isoformat(),
        },
    )


def _notional_cap(state: ScaleInState, rules: ScaleInRules, _: datetime) -> Refusal | None:
    after = state.per_leg_notional_usdt + state.next_entry_notional_usdt
    if after <= rules.notional_cap_usdt + rules.notional_slack_usdt:
        return None
    return Refusal(
        "notional_cap",
        {
            "per_leg_notional_usdt": str(state.per_leg_notional_usdt),
            "next_entry_notional_usdt": str(state.next_entry_notional_usdt),
            "notional_cap_usdt": str(rules.notional_cap_usdt),
        },
    )


def _no_fresh_signal(state: ScaleInState, rules: ScaleInRules, now: datetime) -> Refusal | None:
    failed = _stale_because(state, rules, now)
    if failed is None:
        return None
    event, last = state.event, state.last_scale_in_at
    return Refusal(
        "no_fresh_signal",
        {
            "failed": failed,
            "event_id": event.event_id if event else None,
            "last_observed_at": event.last_observed_at.isoformat() if event else None,
            "last_scale_in_at": last.isoformat() if last else None,
            "signal_max_age_minutes": rules.signal_max_age_minutes,
            "pnl_hat": event.pnl_hat if event else None,
            "pnl_threshold": rules.pnl_threshold,
            "win_prob": event.win_prob if event else None,
            "win_prob_threshold": rules.win_prob_threshold,
        },
    )


def _stale_because(state: ScaleInState, rules: ScaleInRules, now: datetime) -> str | None:
    event = state.event
    if event is None:
        return "no_event"
    if now - event.last_observed_at > timedelta(minutes=rules.signal_max_age_minutes):
        return "too_old"
    if state.last_scale_in_at is not None and event.last_observed_at <= state.last_scale_in_at:
        return "not_newer_than_last_scale_in"
    if event.pnl_hat is None or event.win_prob is None:
        return "no_prediction"
    if event.pnl_hat < rules.pnl_threshold or event.win_prob < rules.win_prob_threshold:
        return "below_threshold"
    return None


_CHECKS: tuple[_Check, ...] = (_disabled, _max_entries, _not_triggered, _cooldown, _notional_cap, _no_fresh_signal)
