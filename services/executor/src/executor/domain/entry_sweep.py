"""Whether two books can be traded on, and what opening on them would lock in (SPEC 4, steps 5 to 7)."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from common.domain.instruments import Instrument, pair_quantity
from common.domain.order_book import InsufficientDepth, OrderBook, Sweep
from common.domain.spread import entry_spread_metric, entry_spread_pct
from executor.domain.refusal import Refusal

LEVELS_KEPT = 20
"""Levels of one leg that the record of an execution holds; `levels` beside them counts all."""


@dataclass(frozen=True, slots=True)
class Venue:
    """One side of a pair at one moment: its book and its trading rules."""

    book: OrderBook
    instrument: Instrument

    @property
    def name(self) -> str:
        """The venue's name."""
        return self.book.venue


@dataclass(frozen=True, slots=True)
class EntrySweep:
    """One direction swept for one base quantity on both legs. Metric per SPEC 2."""

    long_venue: str
    short_venue: str
    quantity: Decimal
    long_buy: Sweep
    short_sell: Sweep
    metric: float
    pct: float
    book_at_seconds: float
    """When the older of the two books was received, on the real monotonic clock."""

    def as_evidence(self) -> dict[str, Any]:
        """The figures, for the audit."""
        return {
            "long_venue": self.long_venue,
            "short_venue": self.short_venue,
            "quantity": self.quantity,
            "long_buy": _sweep_evidence(self.long_buy),
            "short_sell": _sweep_evidence(self.short_sell),
            "entry_spread_metric": self.metric,
            "entry_spread_pct": self.pct,
        }

    def as_execution(self) -> dict[str, Any]:
        """The figures of the sweep that the orders are made from, down to the levels that it takes."""
        figures = self.as_evidence()
        for leg, sweep in (("long_buy", self.long_buy), ("short_sell", self.short_sell)):
            figures[leg]["taken"] = sweep.taken()[:LEVELS_KEPT]
        return figures


@dataclass(frozen=True, slots=True)
class EntryRules:
    """The settings that a sweep reads."""

    per_leg_usdt: Decimal
    take_profit_ratio: float
    book_age_max_seconds: float


def _sweep_evidence(sweep: Sweep) -> dict[str, Any]:
    return {"price": sweep.price, "levels": sweep.levels, "worst_price": sweep.worst_price}


def refuse_books(books: Sequence[OrderBook], now_monotonic_seconds: float, rules: EntryRules) -> Refusal | None:
    """Step 5 without the depth: both books fresh and uncrossed."""
    for book in books:
        age = book.age_seconds(now_monotonic_seconds)
        if age > rules.book_age_max_seconds:
            evidence = {"venue": book.venue, "age_seconds": age, "maximum_seconds": rules.book_age_max_seconds}
            return Refusal("book_stale", True, evidence)
        if book.is_crossed:
            return Refusal("book_crossed", True, {"venue": book.venue, **book.top(1)})
    return None


def sweep_direction(long: Venue, short: Venue, rules: EntryRules) -> EntrySweep | Refusal:
    """Sizes an entry by the short leg's price and sweeps both legs for that base quantity."""
    try:
        sizing = short.book.bids.sweep_notional(rules.per_leg_usdt)
        quantity = pair_quantity(rules.per_leg_usdt, sizing.price, long.instrument, short.instrument)
        if quantity <= 0:
            return _below_one_lot(long, short, rules, sizing.price)
        long_buy = long.book.asks.sweep_quantity(quantity)
        short_sell = short.book.bids.sweep_quantity(quantity)
    except InsufficientDepth as error:
        evidence = {
            "long_venue": long.name,
            "short_venue": short.name,
            "wanted": error.wanted,
            "shortfall": error.shortfall,
            "unit": error.unit,
        }
        return Refusal("insufficient_depth", True, evidence)
    return EntrySweep(
        long_venue=long.name,
        short_venue=short.name,
        quantity=quantity,
        long_buy=long_buy,
        short_sell=short_sell,
        metric=entry_spread_metric(long_buy.price, short_sell.price),
        pct=entry_spread_pct(long_buy.price, short_sell.price),
        book_at_seconds=min(long.book.received_at_seconds, short.book.received_at_seconds),
    )


def _below_one_lot(long: Venue, short: Venue, rules: EntryRules, price: Decimal) -> Refusal:
    evidence = {
        "leg": "both",
        "limit": "one lot of the coarser step",
        "per_leg_usdt": rules.per_leg_usdt,
        "price": price,
        "quantity_steps": {long.name: long.instrument.quantity_step, short.name: short.instrument.quantity_step},
    }
    return Refusal("preflight_failed", False, evidence)


def choose_direction(sweeps: Sequence[EntrySweep | Refusal], pnl_hat: float, rules: EntryRules) -> EntrySweep | Refusal:
    """Step 6: the direction with a positive tradable spread that is wide enough for its take-profit.

    A refused sweep (a book too thin, a quantity below one lot) is the reason where no direction could be swept.
    """
    swept = [sweep for sweep in sweeps if isinstance(sweep, EntrySweep)]
    if not swept:
        return next(sweep for sweep in sweeps if isinstance(sweep, Refusal))
    best = max(swept, key=lambda sweep: sweep.metric)
    needed = rules.take_profit_ratio * pnl_hat
    evidence = {"needed_metric": needed, "swept": [sweep.as_evidence() for sweep in swept]}
    if best.metric <= 0:
        return Refusal("no_tradable_direction", True, evidence)
    if best.metric < needed:
        return Refusal("entry_spread_too_small", True, evidence)
    return best


def sample_entry(
    long: Venue, short: Venue, pnl_hat: float, now_monotonic_seconds: float, rules: EntryRules, *, fixed_direction: bool
) -> EntrySweep | Refusal:
    """Steps 5 and 6 on the books of one moment; with `fixed_direction` only buying on `long` is looked at."""
    refusal = refuse_books([long.book, short.book], now_monotonic_seconds, rules)
    if refusal is not None:
        return refusal
    sweeps = [sweep_direction(long, short, rules)]
    if not fixed_direction:
        sweeps.append(sweep_direction(short, long, rules))
    return choose_direction(sweeps, pnl_hat, rules)


def refuse_old_sweep(sweep: EntrySweep, now_monotonic_seconds: float, rules: EntryRules) -> Refusal | None:
    """Step 5 once more after step 8: the accounts may have been waited for, and the books be stale by then."""
    age = now_monotonic_seconds - sweep.book_at_seconds
    if age <= rules.book_age_max_seconds:
        return None
    evidence = {"waited_for": "accounts", "age_seconds": age, "maximum_seconds": rules.book_age_max_seconds}
    return Refusal("book_stale", True, evidence)


def refuse_sample(first: EntrySweep, sample: EntrySweep | Refusal, number: int) -> Refusal | None:
    """Step 7: a later sample must qualify in the same direction as the first."""
    if isinstance(sample, Refusal):
        return Refusal("unstable", True, {"sample": number, "because": sample.reason, **sample.evidence})
    if (sample.long_venue, sample.short_venue) != (first.long_venue, first.short_venue):
        evidence = {"sample": number, "first": first.as_evidence(), "now": sample.as_evidence()}
        return Refusal("direction_flap", True, evidence)
    return None
