"""What must hold before any book is read (SPEC 4, steps 1 to 4). The first failure is the recorded reason."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from common.domain.funding import FundingTerms
from executor.domain.refusal import Refusal


@dataclass(frozen=True, slots=True)
class GateRules:
    """The settings that the gate reads."""

    enabled: bool
    allowed_venues: Sequence[str]
    pnl_threshold: float
    win_prob_threshold: float
    concurrent_max: int
    abs_funding_max: float
    """Largest absolute funding rate per interval; 0 turns the guard off."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """What asks to be opened."""

    type: str
    symbol: str
    long_venue: str
    short_venue: str
    pnl_hat: float | None
    win_prob: float | None


@dataclass(frozen=True, slots=True)
class Standing:
    """How Tandem stands at this moment."""

    trading_state: str
    active_trade_on_symbol: int | None
    active_trades: int


def refuse_by_rules(candidate: Candidate, rules: GateRules) -> Refusal | None:
    """Steps 1 and 2, as far as they need nothing but the candidate: type, venues, thresholds."""
    if candidate.type != "B":
        return Refusal("type_not_traded", False, {"type": candidate.type, "traded": ["B"]})
    strange = [venue for venue in (candidate.long_venue, candidate.short_venue) if venue not in rules.allowed_venues]
    if strange:
        return Refusal("venue_not_allowed", False, {"venues": strange, "allowed": list(rules.allowed_venues)})
    return refuse_by_thresholds(candidate.pnl_hat, candidate.win_prob, rules)


def refuse_by_thresholds(pnl_hat: float | None, win_prob: float | None, rules: GateRules) -> Refusal | None:
    """Step 2: a prediction that is missing does not meet a threshold."""
    evidence: dict[str, Any] = {
        "pnl_hat": pnl_hat,
        "pnl_threshold": rules.pnl_threshold,
        "win_prob": win_prob,
        "win_prob_threshold": rules.win_prob_threshold,
    }
    if pnl_hat is None or win_prob is None:
        return Refusal("below_threshold", True, evidence)
    if pnl_hat < rules.pnl_threshold or win_prob < rules.win_prob_threshold:
        return Refusal("below_threshold", True, evidence)
    return None


def refuse_by_state(rules: GateRules, trading_state: str) -> Refusal | None:
    """Step 1, first half: whether anything may be opened at all."""
    if not rules.enabled:
        return Refusal("trading_disabled", True, {"LIVE_TRADING_ENABLED": False})
    if trading_state != "active":
        return Refusal("trading_halted", True, {"trading_state": trading_state})
    return None


def refuse_by_standing(rules: GateRules, standing: Standing) -> Refusal | None:
    """Step 3: one active trade a symbol, and a maximum of them."""
    if standing.active_trade_on_symbol is not None:
        return Refusal("active_trade_exists", True, {"active_trade": standing.active_trade_on_symbol})
    if standing.active_trades >= rules.concurrent_max:
        evidence = {"active_trades": standing.active_trades, "maximum": rules.concurrent_max}
        return Refusal("concurrency_limit", True, evidence)
    return None


def refuse(candidate: Candidate, rules: GateRules, standing: Standing) -> Refusal | None:
    """Steps 1 to 3 in their order; the funding guard, which has to ask the venues, follows."""
    return (
        refuse_by_state(rules, standing.trading_state)
        or refuse_by_rules(candidate, rules)
        or refuse_by_standing(rules, standing)
    )


def refuse_by_funding(rules: GateRules, venues: Sequence[str], terms: Sequence[FundingTerms]) -> Refusal | None:
    """Step 4, where configured: both rates known and within the bound."""
    evidence: dict[str, Any] = {
        "maximum": rules.abs_funding_max,
        "rates": {item.venue: item.rate for item in terms},
    }
    missing = sorted(set(venues) - {item.venue for item in terms})
    if missing:
        return Refusal("funding_unavailable", True, {**evidence, "missing": missing})
    if any(abs(item.rate) > rules.abs_funding_max for item in terms):
        return Refusal("funding_too_high", True, evidence)
    return None
