"""The venue's ledger: orders, positions, margin, fees and funding, to the last digit."""

from datetime import timedelta
from decimal import Decimal
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.simulated_venues import NOON, HandClock, instrument_table, open_test_venue
from venue_sim.account import MarginMode, Order, OrderStatus
from venue_sim.market import Level
from venue_sim.matching import Side
from venue_sim.refusals import Reason, Refusal
from venue_sim.venue import OrderRequest, Venue

_ids = count()


def order(venue: Venue, side: Side, quantity: str, *, client_id: str = "", reduce_only: bool = False) -> Order:
    client_id = client_id or f"id-{next(_ids)}"
    request = OrderRequest("SOL", side, Decimal(quantity), client_id, reduce_only, received_monotonic_ns=1)
    return venue.place(request)


def refused(venue: Venue, side: Side, quantity: str, **named: bool) -> Reason:
    with pytest.raises(Refusal) as caught:
        order(venue, side, quantity, **named)  # type: ignore[arg-type]  # client_id is never given here
    return caught.value.reason


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def venue(clock: HandClock) -> Venue:
    return open_test_venue("binance", clock)[0]


def test_order_walks_the_book_level_by_level(venue: Venue) -> None:
    filled = order(venue, Side.BUY, "60")
    assert [(fill.price, fill.quantity) for fill in filled.fills] == [
        (Decimal("200.02"), Decimal("49.9")),
        (Decimal("200.04"), Decimal("10.1")),
    ]
    assert filled.status is OrderStatus.FILLED
    assert filled.quote == Decimal("200.02") * Decimal("49.9") + Decimal("200.04") * Decimal("10.1")


def test_rest_of_an_order_larger_than_the_book_expires(venue: Venue) -> None:
    venue.override_book("SOL", ((Level(Decimal(199), Decimal(3)),), (Level(Decimal(201), Decimal(2)),)))
    filled = order(venue, Side.BUY, "5")
    assert (filled.status, filled.filled) == (OrderStatus.EXPIRED, Decimal(2))


def test_order_against_an_empty_side_expires_without_a_fill(venue: Venue) -> None:
    venue.override_book("SOL", ((), ()))
    filled = order(venue, Side.BUY, "5")
    assert (filled.status, filled.filled, filled.average) == (OrderStatus.EXPIRED, Decimal(0), Decimal(0))


def test_fee_is_the_takers_of_each_fill(venue: Venue) -> None:
    filled = order(venue, Side.BUY, "60")
    assert [fill.fee for fill in filled.fills] == [
        (fill.price * fill.quantity * Decimal("0.0005")).quantize(Decimal("1E-8")) for fill in filled.fills
    ]
    assert venue.account.balance == 10_000 - filled.fee


def test_position_turns_round_with_the_entry_price_of_the_new_side(venue: Venue) -> None:
    order(venue, Side.BUY, "1")
    order(venue, Side.SELL, "3")
    position = venue.account.position("SOL")
    assert (position.quantity, position.entry_price) == (Decimal(-2), Decimal("199.98"))
    assert position.realised_pnl == Decimal("-0.04")


@settings(max_examples=50)
@given(st.lists(st.tuples(st.sampled_from(list(Side)), st.integers(1, 40), st.integers(150, 250)), max_size=12))
def test_balance_is_always_cash_in_less_cash_out(trades: list[tuple[Side, int, int]]) -> None:
    venue = open_test_venue("binance", balance_usdt=10_000_000)[0]
    for side, lots, mid in trades:
        venue.override_mid("SOL", Decimal(mid))
        order(venue, side, str(Decimal(lots) / 10))
    account, position = venue.account, venue.account.position("SOL")
    cash = sum((-f.side.sign * f.price * f.quantity - f.fee for f in account.fills), Decimal(0))
    open_cost = position.cost if position.quantity > 0 else -position.cost
    assert account.balance == account.initial_balance + cash + open_cost
    assert position.quantity == sum(f.side.sign * f.quantity for f in account.fills)


def test_reduce_only_takes_no_more_than_the_position(venue: Venue) -> None:
    order(venue, Side.BUY, "2")
    closed = order(venue, Side.SELL, "5", reduce_only=True)
    assert (closed.quantity, closed.filled, closed.status) == (Decimal(5), Decimal(2), OrderStatus.EXPIRED)
    assert venue.account.position("SOL").quantity == 0


def test_bybit_shrinks_a_reduce_only_order_to_the_position() -> None:
    venue = open_test_venue("bybit")[0]
    order(venue, Side.BUY, "2")
    closed = order(venue, Side.SELL, "5", reduce_only=True)
    assert (closed.quantity, closed.filled, closed.status) == (Decimal(2), Decimal(2), OrderStatus.FILLED)


def test_reduce_only_is_refused_without_a_position_and_on_its_own_side(venue: Venue) -> None:
    assert refused(venue, Side.SELL, "1", reduce_only=True) is Reason.REDUCE_ONLY_WITHOUT_POSITION
    order(venue, Side.BUY, "1")
    assert refused(venue, Side.BUY, "1", reduce_only=True) is Reason.REDUCE_ONLY_SAME_SIDE


@pytest.mark.parametrize(
    ("quantity", "reason"),
    [
        ("0", Reason.QUANTITY_NOT_POSITIVE),
        ("-1", Reason.QUANTITY_NOT_POSITIVE),
        ("0.15", Reason.QUANTITY_STEP),
        ("100000.1", Reason.QUANTITY_ABOVE_MAX),
    ],
)
def test_quantity_outside_the_rules_is_refused(venue: Venue, quantity: str, reason: Reason) -> None:
    assert refused(venue, Side.BUY, quantity) is reason


@pytest.mark.parametrize(("mid", "allowed"), [(50, True), (49, False)])
def test_notional_must_reach_the_minimum(venue: Venue, mid: int, allowed: bool) -> None:
    venue.override_mid("SOL", Decimal(mid))
    if allowed:
        assert order(venue, Side.BUY, "0.1").filled == Decimal("0.1")
    else:
        assert refused(venue, Side.BUY, "0.1") is Reason.NOTIONAL_BELOW_MIN


@pytest.mark.parametrize(("balance", "allowed"), [("10.1011", True), ("10.1010", False)])
def test_margin_and_fee_of_new_exposure_must_be_covered(venue: Venue, balance: str, allowed: bool) -> None:
    venue.account.balance = Decimal(balance)  # 1 SOL at 200.02 and 20x: 10.001 of margin, 0.10001 of fee
    if allowed:
        order(venue, Side.BUY, "1")
    else:
        assert refused(venue, Side.BUY, "1") is Reason.MARGIN_INSUFFICIENT


def test_closing_needs_no_margin(venue: Venue) -> None:
    order(venue, Side.BUY, "10")
    venue.account.balance = Decimal(0)
    assert order(venue, Side.SELL, "10").filled == 10


def test_available_is_the_balance_with_unrealised_pnl_less_the_margin_in_use(venue: Venue) -> None:
    order(venue, Side.BUY, "10")
    venue.override_mid("SOL", Decimal(210))
    expected = venue.account.balance + (Decimal(210) - Decimal("200.02")) * 10 - Decimal(2100) / 20
    assert venue.available() == expected


def test_client_order_id_belongs_to_one_order_for_ever(venue: Venue) -> None:
    order(venue, Side.BUY, "1", client_id="once")
    with pytest.raises(Refusal) as caught:
        order(venue, Side.BUY, "1", client_id="once")
    assert caught.value.reason is Reason.DUPLICATE_CLIENT_ID


def test_refused_order_leaves_its_client_id_free(venue: Venue) -> None:
    with pytest.raises(Refusal):
        order(venue, Side.BUY, "0", client_id="again")
    assert order(venue, Side.BUY, "1", client_id="again").filled == 1


def test_order_after_a_settlement_does_not_change_what_the_settlement_charged(venue: Venue, clock: HandClock) -> None:
    order(venue, Side.BUY, "10")
    clock.moment = NOON + timedelta(hours=5)
    order(venue, Side.BUY, "10")
    assert [payment.position for payment in venue.account.payments] == [Decimal(10)]
    assert venue.account.payments[0].amount == Decimal("-0.2")


def test_every_settlement_crossed_since_the_last_look_is_charged(venue: Venue, clock: HandClock) -> None:
    order(venue, Side.SELL, "10")
    clock.moment = NOON + timedelta(hours=21)
    venue.settle()
    assert [payment.time.hour for payment in venue.account.payments] == [16, 0, 8]
    assert all(payment.amount == Decimal("0.2") for payment in venue.account.payments)


def test_flat_account_pays_no_funding(venue: Venue, clock: HandClock) -> None:
    order(venue, Side.BUY, "1")
    order(venue, Side.SELL, "1")
    clock.moment = NOON + timedelta(days=1)
    venue.settle()
    assert venue.account.payments == []


def test_funding_override_settles_the_past_at_the_old_rate(venue: Venue, clock: HandClock) -> None:
    order(venue, Side.SELL, "10")
    clock.moment = NOON + timedelta(hours=5)
    venue.override_funding("SOL", Decimal("0.001"), 1)
    clock.moment = NOON + timedelta(hours=6)
    venue.settle()
    assert [payment.rate for payment in venue.account.payments] == [Decimal("0.0001"), Decimal("0.001")]


def test_mode_changes_are_refused_while_a_position_is_open(venue: Venue) -> None:
    order(venue, Side.BUY, "1")
    with pytest.raises(Refusal, match=Reason.POSITION_MODE_WITH_POSITION):
        venue.set_hedged(True)
    with pytest.raises(Refusal, match=Reason.MARGIN_MODE_WITH_POSITION):
        venue.set_margin_mode("SOL", MarginMode.ISOLATED)


def test_book_is_the_same_within_a_market_second_and_new_in_the_next(clock: HandClock) -> None:
    table = instrument_table(path=[[NOON, 200], [NOON + timedelta(seconds=10), 300]])
    venue = open_test_venue("binance", clock, instruments={"SOL": table})[0]
    first = venue.book("SOL")
    clock.moment += timedelta(milliseconds=900)
    assert venue.book("SOL") is first
    clock.moment += timedelta(milliseconds=200)
    second = venue.book("SOL")
    assert second.update_id > first.update_id
    assert second.bids[0].price > first.bids[0].price


def test_held_time_stands_until_it_is_given_back(venue: Venue, clock: HandClock) -> None:
    venue.hold_time(NOON + timedelta(hours=1))
    clock.moment += timedelta(minutes=1)
    assert venue.now() == NOON + timedelta(hours=1)
    venue.hold_time(None)
    assert venue.now() == NOON + timedelta(minutes=1)
