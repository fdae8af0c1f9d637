"""What a skipped signal would have made, against figures worked out by hand."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from common.domain.identifiers import Leg
from common.domain.order_book import OrderBook, book_side
from position_monitor.application.counterfactuals import LOOKS_A_ROUND_MAX, Counterfactuals
from position_monitor.application.ports import BookKey, BookReading
from position_monitor.domain.counterfactual import (
    HORIZON,
    MISSED_LOOKS_MAX,
    Counterfactual,
    CounterfactualRules,
    Skipped,
    choose,
    enter,
    follow,
)
from position_monitor.domain.market import NoPrices, Quote
from support.monitor_fakes import SetBooks
from support.standing_clock import StandingClock
from support.watched_trades import NOW, VENUES, exit_rules

MINUTE = timedelta(minutes=1)
RULES = CounterfactualRules(
    exits=exit_rules(),
    per_leg_usdt=Decimal(50),
    taker_fee=Decimal("0.0005"),
    horizon=timedelta(hours=24),
    book_age_seconds_max=2,
)
SKIPPED = Skipped(7, "SOL", VENUES, "below_threshold", NOW, 0.02, 0.01)
Tops = tuple[str, str]


def book(leg: Leg, bid: str, ask: str, depth: str = "10") -> OrderBook:
    return OrderBook(VENUES[leg], "SOL", book_side([(bid, depth)]), book_side([(ask, depth)]), 0.0)


def books(long: Tops, short: Tops) -> dict[Leg, OrderBook]:
    return {Leg.LONG: book(Leg.LONG, *long), Leg.SHORT: book(Leg.SHORT, *short)}


def quotes(long: Tops, short: Tops) -> dict[Leg, Quote]:
    return {leg: Quote(book) for leg, book in books(long, short).items()}


AWAY = {leg: Quote(None, failure="venue_unreachable") for leg in Leg}
AT_THE_SKIP = quotes(("99.9", "100"), ("102", "102.1"))


def entered(**changes: object) -> Counterfactual:
    found = enter(replace(SKIPPED, **changes), AT_THE_SKIP, RULES, NOW)  # type: ignore[arg-type]
    assert isinstance(found, Counterfactual)
    return found


def test_it_enters_in_the_signals_direction_at_the_settings_size() -> None:
    one = entered()
    assert (one.quantity, one.long_buy, one.short_sell) == (Decimal("0.5"), Decimal(100), Decimal(102))
    assert one.until == NOW + timedelta(hours=24)


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (AWAY, "venue_unreachable"),
        (quotes(("101", "100"), ("102", "103")), "book_crossed"),
        ({**AT_THE_SKIP, Leg.SHORT: Quote(book(Leg.SHORT, "102", "103", "0.1"))}, "insufficient_depth"),
        ({**AT_THE_SKIP, Leg.LONG: Quote(book(Leg.LONG, "99", "100"), age_seconds=3)}, "book_stale"),
    ],
)
def test_without_books_there_is_no_entry_and_no_figure(found: Mapping[Leg, Quote], reason: str) -> None:
    refused = enter(SKIPPED, found, RULES, NOW)
    assert isinstance(refused, NoPrices)
    assert refused.reason == reason


def test_it_closes_by_the_trades_own_take_profit_with_four_fees() -> None:
    first = follow(entered(), quotes(("99.9", "100"), ("103.9", "104")), RULES, NOW + MINUTE)
    assert not first.is_over
    # Long: (99.9 - 100) * 0.5 = -0.05, short: (102 - 104) * 0.5 = -1; fees 0.0005 * 0.5 * (100 + 102 + 99.9 + 104).
    assert first.worst is not None
    assert first.worst.net_pnl_usdt == Decimal("-1.05") - Decimal("0.101475")
    done = follow(first, quotes(("101", "101.1"), ("101.4", "101.5")), RULES, NOW + 2 * MINUTE)
    # ln(1.02) - ln(101.5 / 101) = 0.0149 is above the target of 0.01.
    assert (done.is_over, done.exit_reason, done.is_complete) == (True, "take_profit", True)
    assert done.exit is not None
    # Long: +0.5, short: +0.25; fees 0.0005 * 0.5 * (100 + 102 + 101 + 101.5) = 0.101125.
    assert done.exit.net_pnl_usdt == Decimal("0.648875")
    assert done.best == done.exit
    assert done.worst == first.worst


def test_a_loss_is_only_stopped_where_scale_in_is_disabled() -> None:
    wide = quotes(("99.9", "100"), ("105.9", "106"))
    assert not follow(entered(), wide, RULES, NOW + MINUTE).is_over
    exits = exit_rules(stop_loss_total_share=0.01, scale_in=replace(RULES.exits.scale_in, enabled=False))
    stopped = follow(entered(), wide, replace(RULES, exits=exits), NOW + MINUTE)
    assert stopped.exit_reason == "stop_loss_total_pnl"


@pytest.mark.parametrize(("hold", "reason"), [(timedelta(days=7), HORIZON), (timedelta(hours=2), "max_hold_days")])
def test_it_ends_at_the_horizon_or_at_the_maximum_hold(hold: timedelta, reason: str) -> None:
    rules = replace(RULES, exits=exit_rules(max_hold=hold))
    one = enter(SKIPPED, AT_THE_SKIP, rules, NOW)
    assert isinstance(one, Counterfactual)
    one = replace(one, looked_at=one.until - MINUTE)
    done = follow(one, AT_THE_SKIP, rules, one.until)
    assert (done.exit_reason, done.is_complete) == (reason, True)


def test_a_few_missed_looks_are_forgiven_and_more_make_it_incomplete() -> None:
    good = quotes(("101", "101.1"), ("101.4", "101.5"))
    for count, is_complete in ((MISSED_LOOKS_MAX, True), (MISSED_LOOKS_MAX + 1, False)):
        one = entered()
        for number in range(count):
            one = follow(one, AWAY, RULES, NOW + (number + 1) * MINUTE)
        done = follow(one, good, RULES, NOW + (count + 1) * MINUTE)
        assert (done.missed, done.is_over, done.is_complete) == (count, True, is_complete)


def test_a_pause_counts_as_the_looks_that_it_left_out() -> None:
    assert follow(entered(), AT_THE_SKIP, RULES, NOW + 6 * MINUTE).missed == 5
    assert follow(entered(), AT_THE_SKIP, RULES, NOW + 1.9 * MINUTE).missed == 0


def test_without_books_at_the_end_the_outcome_stays_unknown() -> None:
    one = entered()
    waiting = follow(replace(one, looked_at=one.until - MINUTE), AWAY, RULES, one.until)
    assert not waiting.is_over
    done = follow(waiting, AWAY, RULES, one.until + MISSED_LOOKS_MAX * MINUTE)
    assert (done.is_over, done.exit, done.is_complete) == (True, None, False)


def test_the_widest_and_then_the_newest_are_followed() -> None:
    narrow, wide = entered(signal_id=1, width=0.01), entered(signal_id=2, width=0.05)
    found = [replace(SKIPPED, signal_id=3, width=0.02), replace(SKIPPED, signal_id=4, width=0.02)]
    begun, displaced = choose([narrow, wide], found, 2)
    assert ([one.signal_id for one in begun], displaced) == ([4], [narrow])


class KeptStore:
    """What is followed, in memory."""

    def __init__(self, *found: Skipped) -> None:
        self.new = list(found)
        self.rows: dict[int, Counterfactual] = {}
        self.refused: list[str] = []

    async def found(self, since: object) -> list[Skipped]:
        return self.new

    async def followed(self) -> list[Counterfactual]:
        return list(self.rows.values())

    async def begin(self, one: Counterfactual) -> None:
        self.new.remove(one.skipped)
        self.rows[one.skipped.signal_id] = one

    async def refuse(self, skipped: Skipped, why: str) -> None:
        self.new.remove(skipped)
        self.refused.append(why)

    async def save(self, one: Counterfactual) -> None:
        self.rows[one.skipped.signal_id] = one

    async def displace(self, one: Counterfactual) -> None:
        del self.rows[one.skipped.signal_id]


class Leader:
    is_ours = True


class CountingBooks(SetBooks):
    """Answers what is set, and counts who is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[BookKey] = []

    async def read(self, key: BookKey) -> BookReading:
        self.asked.append(key)
        return self.latest(key)


def rounds(
    store: KeptStore,
    books: CountingBooks,
    clock: StandingClock,
    needed: set[BookKey],
    places: int = 20,
    crowded: str = "",
) -> Counterfactuals:
    return Counterfactuals(books, store, lambda: needed, lambda venue: venue != crowded, Leader(), RULES, places, clock)


async def test_each_is_looked_at_once_a_minute_and_few_in_a_round() -> None:
    store = KeptStore(*(replace(SKIPPED, signal_id=number) for number in range(1, 6)))
    market, clock = CountingBooks(), StandingClock(NOW)
    market.set(books(("99.9", "100"), ("102", "102.1")))
    following = rounds(store, market, clock, set())
    await following.round()
    assert (len(store.rows), len(market.asked)) == (LOOKS_A_ROUND_MAX, 2 * LOOKS_A_ROUND_MAX)
    await following.round()
    assert len(store.rows) == 5
    market.asked.clear()
    await following.round()
    assert market.asked == []
    clock.time += MINUTE
    for _ in range(4):
        await following.round()
    assert len(market.asked) == 2 * 5
    assert {one.looks for one in store.rows.values()} == {1}


async def test_a_venue_that_an_open_trade_needs_is_asked_only_while_it_has_room() -> None:
    market, clock = CountingBooks(), StandingClock(NOW)
    market.set(books(("99.9", "100"), ("102", "102.1")))
    same = KeptStore(SKIPPED)
    await rounds(same, market, clock, {("binance", "SOL"), ("bybit", "SOL")}, crowded="bybit").round()
    assert (len(same.rows), market.asked) == (1, [])
    other, trades = KeptStore(SKIPPED), {("binance", "BTC"), ("bybit", "BTC")}
    await rounds(other, market, clock, trades, crowded="bybit").round()
    assert (other.refused, market.asked) == (["venue_needed_by_trades"], [("binance", "SOL")])
    roomy = KeptStore(SKIPPED)
    await rounds(roomy, market, clock, trades).round()
    assert len(roomy.rows) == 1


async def test_a_venue_that_no_trade_needs_is_asked_also_without_room() -> None:
    store, market = KeptStore(SKIPPED), CountingBooks()
    market.set(books(("99.9", "100"), ("102", "102.1")))
    await rounds(store, market, StandingClock(NOW), set(), crowded="bybit").round()
    assert len(store.rows) == 1


async def test_a_place_is_given_up_only_for_one_that_could_be_entered() -> None:
    store, market, clock = KeptStore(replace(SKIPPED, signal_id=2, width=0.05)), CountingBooks(), StandingClock(NOW)
    store.rows[1] = entered(signal_id=1, width=0.01)
    following = rounds(store, market, clock, set(), places=1)
    await following.round()
    assert (list(store.rows), store.refused) == ([1], ["book_missing"])
    store.new = [replace(SKIPPED, signal_id=3, width=0.05)]
    market.set(books(("99.9", "100"), ("102", "102.1")))
    await following.round()
    assert list(store.rows) == [3]
