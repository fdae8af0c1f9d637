"""What a signal that was skipped would have made: one entry at the books of that moment, and the exits of SPEC 6.

It is valued and judged by the very rules of open trades, with these differences: there is no scale-in, one look
confirms a take-profit, funding is left out (and so is its stop), quantities are not rounded to lots, and a fee is
assumed for each order. What no book told is unknown, never zero.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from common.domain.identifiers import Leg, Purpose
from common.domain.order_book import InsufficientDepth, OrderBook
from common.domain.position import LegFill, Valuation
from common.domain.spread import entry_spread_metric, entry_spread_pct
from position_monitor.domain.exits import Action, ExitRules, Position, decide
from position_monitor.domain.market import NoPrices, Quote, look, usable_book
from position_monitor.domain.trade import FilledEntry, Trade

LOOK_EVERY = timedelta(minutes=1)
MISSED_LOOKS_MAX = 3
"""With more looks missed than this, the best and the exit may have been between them."""
HORIZON = "horizon"


@dataclass(frozen=True, slots=True)
class CounterfactualRules:
    """`horizon` is the longest that a signal is followed; `taker_fee` a fraction of each order's notional."""

    exits: ExitRules
    per_leg_usdt: Decimal
    taker_fee: Decimal
    horizon: timedelta
    book_age_seconds_max: float

    @property
    def longest(self) -> timedelta:
        """The horizon, or the maximum hold where that is shorter."""
        return min(self.horizon, self.exits.max_hold)


@dataclass(frozen=True, slots=True)
class Skipped:
    """A signal that was not traded. `width` is its observed spread, `reason` the first one it was skipped for."""

    signal_id: int
    symbol: str
    venues: Mapping[Leg, str]
    reason: str
    skipped_at: datetime
    width: float
    take_profit_pnl: float | None


@dataclass(frozen=True, slots=True)
class Mark:
    """What closing at a moment would have made, in USDT, fees of all four orders taken off."""

    at: datetime
    long_sell: Decimal
    short_buy: Decimal
    net_pnl_usdt: Decimal


@dataclass(frozen=True, slots=True)
class Counterfactual:
    """A skipped signal that is followed; `missed` are the looks at which no price was found, or none was made."""

    skipped: Skipped
    entered_at: datetime
    quantity: Decimal
    long_buy: Decimal
    short_sell: Decimal
    until: datetime
    looked_at: datetime
    looks: int = 0
    missed: int = 0
    best: Mark | None = None
    worst: Mark | None = None
    exit: Mark | None = None
    exit_reason: str | None = None
    is_over: bool = False

    @property
    def is_complete(self) -> bool:
        """Whether its figures may be counted."""
        return self.is_over and self.exit is not None and self.missed <= MISSED_LOOKS_MAX

    def is_due(self, now: datetime) -> bool:
        """Whether it is time for another look."""
        return now - self.looked_at >= LOOK_EVERY


def enter(
    skipped: Skipped, quotes: Mapping[Leg, Quote], rules: CounterfactualRules, now: datetime
) -> Counterfactual | NoPrices:
    """Sweeps both books in the signal's direction at the settings' size: both legs have the long one's quantity."""
    long_book, short_book = (_book(skipped, leg, quotes, rules) for leg in (Leg.LONG, Leg.SHORT))
    if isinstance(long_book, NoPrices):
        return long_book
    if isinstance(short_book, NoPrices):
        return short_book
    try:
        bought = long_book.asks.sweep_notional(rules.per_leg_usdt)
        sold = short_book.bids.sweep_quantity(bought.quantity)
    except InsufficientDepth as thin:
        return NoPrices("insufficient_depth", {"wanted": str(thin.wanted), "shortfall": str(thin.shortfall)})
    return Counterfactual(skipped, now, bought.quantity, bought.price, sold.price, now + rules.longest, now)


def follow(
    counterfactual: Counterfactual, quotes: Mapping[Leg, Quote], rules: CounterfactualRules, now: datetime
) -> Counterfactual:
    """One look: best and worst so far, and the exit where a rule closes."""
    trade = _as_trade(counterfactual, rules)
    market = look(trade, quotes, {}, None, rules.book_age_seconds_max)
    verdict = decide(Position(trade, None, may_open=False), market, rules.exits, now)
    # Looks that a pause left out; a look that comes up to one interval late is none of them.
    left_out = max(0, (now - counterfactual.looked_at) // LOOK_EVERY - 1)
    seen = replace(
        counterfactual, looked_at=now, looks=counterfactual.looks + 1, missed=counterfactual.missed + left_out
    )
    if market.valuation is None:
        is_over = now >= seen.until + MISSED_LOOKS_MAX * LOOK_EVERY
        return replace(seen, missed=seen.missed + 1, is_over=is_over, exit_reason=HORIZON if is_over else None)
    mark = _mark(seen, market.valuation, rules, now)
    seen = replace(seen, best=_better(seen.best, mark), worst=_worse(seen.worst, mark))
    if verdict.action is not Action.CLOSE:
        return seen
    is_time_over = now >= seen.until and rules.horizon < rules.exits.max_hold
    return replace(seen, exit=mark, exit_reason=HORIZON if is_time_over else verdict.reason, is_over=True)


def choose(
    followed: Sequence[Counterfactual], found: Sequence[Skipped], places: int
) -> tuple[list[Skipped], list[Counterfactual]]:
    """Which of the found are followed from now on, and which give up their places: the widest stay, then the newest."""
    ranked = sorted(
        [(one.skipped, one) for one in followed] + [(skipped, None) for skipped in found],
        key=lambda pair: (-pair[0].width, -pair[0].signal_id),
    )
    begun = [skipped for skipped, one in ranked[:places] if one is None]
    displaced = [one for _, one in ranked[places:] if one is not None]
    return begun, displaced


def _book(skipped: Skipped, leg: Leg, quotes: Mapping[Leg, Quote], rules: CounterfactualRules) -> OrderBook | NoPrices:
    figures = {"leg": str(leg), "venue": skipped.venues[leg]}
    return usable_book(quotes[leg], figures, rules.book_age_seconds_max)


def _as_trade(one: Counterfactual, rules: CounterfactualRules) -> Trade:
    notional = one.quantity * one.long_buy
    metric, pct = entry_spread_metric(one.long_buy, one.short_sell), entry_spread_pct(one.long_buy, one.short_sell)
    return Trade(
        signal_id=one.skipped.signal_id,
        symbol=one.skipped.symbol,
        status="open",
        venues=one.skipped.venues,
        opened_at=one.entered_at,
        force_close_at=one.until,
        take_profit_pnl=one.skipped.take_profit_pnl,
        close_requested_at=None,
        close_reason=None,
        entries=(FilledEntry(1, notional, metric, pct, one.entered_at),),
        fills=(
            LegFill(Leg.LONG, Purpose.OPEN, one.quantity, one.long_buy),
            LegFill(Leg.SHORT, Purpose.OPEN, one.quantity, one.short_sell),
        ),
        fees_usdt=_fees(one.quantity, one.long_buy, one.short_sell, rules),
        funding=(),
        order_in_flight=False,
        last_order_at=None,
    )


def _fees(quantity: Decimal, first: Decimal, second: Decimal, rules: CounterfactualRules) -> Decimal:
    return quantity * (first + second) * rules.taker_fee


def _mark(one: Counterfactual, valuation: Valuation, rules: CounterfactualRules, now: datetime) -> Mark:
    long_sell, short_buy = valuation.long_sell, valuation.short_buy
    net_pnl = valuation.total_pnl_usdt - _fees(one.quantity, long_sell, short_buy, rules)
    return Mark(now, long_sell, short_buy, net_pnl)


def _better(before: Mark | None, now: Mark) -> Mark:
    return now if before is None or now.net_pnl_usdt > before.net_pnl_usdt else before


def _worse(before: Mark | None, now: Mark) -> Mark:
    return now if before is None or now.net_pnl_usdt < before.net_pnl_usdt else before
