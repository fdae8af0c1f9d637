"""Faults of the venue itself, in memory: orders that wait, fill in part or stay open, wrong views, interventions."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import pytest

from support.simulated_venues import NOON, HandClock, instrument_table, open_test_venue
from venue_sim.account import Order, OrderStatus, Origin
from venue_sim.faults import FaultSpec
from venue_sim.interventions import Intervention
from venue_sim.matching import Side
from venue_sim.refusals import Reason, Refusal
from venue_sim.venue import OrderRequest, Venue

_ids = count()
Arm = Callable[..., None]


class Clock(HandClock):
    """Both times by hand."""

    real_seconds = 0.0

    def monotonic(self) -> float:
        return self.real_seconds

    def wait(self, seconds: float, clock: str = "market") -> None:
        """Lets seconds pass on one of the clocks."""
        if clock == "real":
            self.real_seconds += seconds
        else:
            self.moment += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def venue(clock: Clock) -> Venue:
    return open_test_venue("binance", clock)[0]


@pytest.fixture
def arm(venue: Venue) -> Arm:
    def arm(kind: str, **table: Any) -> None:
        venue.faults.arm(FaultSpec.model_validate({"kind": kind, **table}), venue.moment())

    return arm


def order(venue: Venue, side: Side, quantity: str, *, reduce_only: bool = False) -> Order:
    request = OrderRequest("SOL", side, Decimal(quantity), f"id-{next(_ids)}", reduce_only, received_monotonic_ns=1)
    return venue.place(request)


def held(venue: Venue) -> Decimal:
    return venue.account.position("SOL").quantity


def intervene(venue: Venue, kind: str, **table: Any) -> None:
    venue.intervene(Intervention.model_validate({"kind": kind, "symbol": "SOL", **table}))


@pytest.mark.parametrize("time", ["real", "market"])
def test_delayed_order_is_open_and_fills_when_its_time_has_come(
    venue: Venue, clock: Clock, arm: Arm, time: str
) -> None:
    arm("delayed_fill", seconds=5, clock=time)
    late = order(venue, Side.BUY, "2")
    assert (late.status, late.filled, venue.working_orders("SOL")) == (OrderStatus.WORKING, Decimal(0), [late])
    clock.wait(4.9, time)
    assert venue.find_order("SOL", "", late.client_id).status is OrderStatus.WORKING
    clock.wait(0.1, time)
    assert venue.find_order("SOL", "", late.client_id).status is OrderStatus.FILLED
    assert (held(venue), late.updated_at, venue.working_orders()) == (Decimal(2), clock.moment, [])


def test_delayed_order_fills_at_the_price_of_its_fill(venue: Venue, clock: Clock, arm: Arm) -> None:
    arm("delayed_fill", seconds=5, clock="market")
    late = order(venue, Side.BUY, "2")
    venue.override_mid("SOL", Decimal(210))
    clock.wait(5)
    venue.settle()
    assert late.average == Decimal("210.03")
    assert late.fills[0].time == clock.moment


def test_funding_is_charged_on_what_was_held_before_a_late_fill(venue: Venue, clock: Clock, arm: Arm) -> None:
    arm("delayed_fill", seconds=4 * 3600, clock="market")
    order(venue, Side.BUY, "2")
    clock.wait(4 * 3600)
    venue.settle()
    assert venue.account.payments == []
    assert held(venue) == 2


def test_late_reduce_only_order_never_turns_the_position_round(venue: Venue, clock: Clock, arm: Arm) -> None:
    order(venue, Side.BUY, "2")
    arm("delayed_fill", seconds=5, clock="market")
    late = order(venue, Side.SELL, "2", reduce_only=True)
    intervene(venue, "external_close", quantity="1.5")
    clock.wait(5)
    venue.settle()
    assert (late.status, late.filled, held(venue)) == (OrderStatus.EXPIRED, Decimal("0.5"), Decimal(0))


@pytest.mark.parametrize(("share", "filled"), [("0.5", "1.5"), ("0.49", "1.4"), ("0", "0")])
def test_partial_fill_is_on_the_lot_step_and_the_rest_expires(venue: Venue, arm: Arm, share: str, filled: str) -> None:
    arm("partial_fill", share=share)
    part = order(venue, Side.BUY, "3")
    assert (part.status, part.filled, held(venue)) == (OrderStatus.EXPIRED, Decimal(filled), Decimal(filled))


def test_stuck_order_stays_open_until_it_is_cancelled(venue: Venue, clock: Clock, arm: Arm) -> None:
    arm("stuck", share="0.5")
    stuck = order(venue, Side.BUY, "2")
    clock.wait(86_400)
    assert (venue.working_orders(), stuck.filled) == ([stuck], Decimal(1))
    venue.cancel("SOL", stuck.order_id, "")
    assert (stuck.status, stuck.filled, held(venue)) == (OrderStatus.CANCELLED, Decimal(1), Decimal(1))
    with pytest.raises(Refusal, match=Reason.ORDER_NOT_OPEN):
        venue.cancel("SOL", stuck.order_id, "")


def test_cancel_can_find_that_the_order_has_filled(venue: Venue, arm: Arm) -> None:
    arm("stuck", cancel_fills=True)
    stuck = order(venue, Side.BUY, "2")
    with pytest.raises(Refusal, match=Reason.ORDER_NOT_OPEN):
        venue.cancel("SOL", stuck.order_id, "")
    assert (stuck.status, held(venue)) == (OrderStatus.FILLED, Decimal(2))


@pytest.mark.parametrize(("minimum", "left"), [("0.1", "0.05"), ("0.5", "0.4")])
def test_dust_is_left_that_cannot_be_ordered(clock: Clock, minimum: str, left: str) -> None:
    table = instrument_table(quantity_min=Decimal(minimum))
    venue = open_test_venue("binance", clock, instruments={"SOL": table})[0]
    venue.faults.arm(FaultSpec.model_validate({"kind": "dust"}), venue.moment())
    order(venue, Side.BUY, "2")
    order(venue, Side.SELL, "2", reduce_only=True)
    assert held(venue) == Decimal(left) < Decimal(minimum)
    with pytest.raises(Refusal):
        order(venue, Side.SELL, left, reduce_only=True)


def test_refused_order_uses_up_no_fault(venue: Venue, arm: Arm) -> None:
    arm("stuck")
    with pytest.raises(Refusal):
        order(venue, Side.BUY, "0")
    assert order(venue, Side.BUY, "1").status is OrderStatus.WORKING


def test_stale_book_stands_still_while_orders_meet_the_market(venue: Venue, clock: Clock, arm: Arm) -> None:
    arm("stale_book", for_seconds=60, clock="market")
    frozen = venue.book("SOL")
    clock.wait(10)
    venue.override_mid("SOL", Decimal(300))
    assert venue.book("SOL") is frozen
    assert order(venue, Side.BUY, "1").average == Decimal("300.03")
    clock.wait(50)
    assert venue.book("SOL").update_id > frozen.update_id
    assert venue.book("SOL").asks[0].price == Decimal("300.03")


def test_crossed_book_is_crossed_and_on_the_tick(venue: Venue, arm: Arm) -> None:
    arm("crossed_book")
    crossed = venue.book("SOL")
    assert crossed.bids[0].price == crossed.asks[0].price + Decimal("0.01")
    assert venue.book("SOL").bids[0].price < venue.book("SOL").asks[0].price


@pytest.mark.parametrize(("side", "empty"), [("bids", (0, 5)), ("asks", (5, 0)), ("both", (0, 0))])
def test_side_of_a_book_can_be_empty(venue: Venue, arm: Arm, side: str, empty: tuple[int, int]) -> None:
    arm("empty_side", side=side)
    book = venue.book("SOL")
    assert (len(book.bids), len(book.asks)) == empty


@pytest.mark.parametrize("time", ["real", "market"])
def test_positions_lag_behind_their_fills(venue: Venue, clock: Clock, arm: Arm, time: str) -> None:
    order(venue, Side.BUY, "1")
    clock.wait(10, time)
    arm("lag", endpoint="positions", seconds=5, for_seconds=1000, clock=time)
    order(venue, Side.BUY, "2")
    assert (venue.shown.position("SOL").quantity, held(venue)) == (Decimal(1), Decimal(3))
    clock.wait(5, time)
    assert venue.shown.position("SOL") is venue.account.position("SOL")


def test_order_fills_and_funding_appear_late(venue: Venue, clock: Clock, arm: Arm) -> None:
    clock.wait(4 * 3600 - 1)
    for endpoint in ("order.query", "fills", "funding"):
        arm("lag", endpoint=endpoint, seconds=60, for_seconds=10**4, clock="market")
    mine = order(venue, Side.BUY, "2")
    clock.wait(1)
    venue.settle()
    with pytest.raises(Refusal, match=Reason.ORDER_NOT_FOUND):
        venue.find_order("SOL", "", mine.client_id)
    assert (venue.shown.fills("SOL"), venue.shown.payments("SOL")) == ([], [])
    clock.wait(60)
    assert venue.find_order("SOL", "", mine.client_id) is mine
    assert (venue.shown.fills("SOL"), venue.shown.payments("SOL")) == (mine.fills, venue.account.payments)


def test_lag_that_hides_nothing_is_not_counted(venue: Venue, clock: Clock, arm: Arm) -> None:
    order(venue, Side.BUY, "1")
    clock.wait(10)
    arm("lag", seconds=5, clock="market")
    assert venue.shown.position("SOL").quantity == 1
    assert [fault.fired for fault in venue.faults.ever_armed(venue.moment())] == [0]


@pytest.mark.parametrize(
    ("kind", "origin"),
    [("external_close", Origin.OWNER), ("liquidate", Origin.LIQUIDATION), ("deleverage", Origin.DELEVERAGING)],
)
def test_position_is_closed_by_an_order_that_nobody_of_us_sent(venue: Venue, kind: str, origin: Origin) -> None:
    mine = order(venue, Side.SELL, "2")
    intervene(venue, kind)
    foreign = venue.account.orders[-1]
    assert (held(venue), foreign.origin, foreign.side, foreign.filled) == (Decimal(0), origin, Side.BUY, Decimal(2))
    assert foreign.client_id != mine.client_id
    assert venue.account.order_by_client_id(foreign.client_id) is None
    assert venue.account.order_by_id(foreign.order_id) is foreign


def test_account_still_balances_after_a_liquidation_beyond_the_book(venue: Venue) -> None:
    venue.account.balance += 1_000_000
    for _ in range(3):
        order(venue, Side.BUY, "240")
    intervene(venue, "liquidate")
    account = venue.account
    realised = sum((fill.realised_pnl - fill.fee for fill in account.fills), Decimal(0))
    assert (held(venue), account.balance) == (Decimal(0), account.initial_balance + 1_000_000 + realised)


def test_no_more_can_be_closed_than_is_held_and_nothing_where_nothing_is(venue: Venue) -> None:
    with pytest.raises(Refusal, match=Reason.REDUCE_ONLY_WITHOUT_POSITION):
        intervene(venue, "external_close")
    order(venue, Side.BUY, "1")
    intervene(venue, "external_close", quantity="5")
    assert held(venue) == 0


def test_somebody_can_open_a_position_by_hand(venue: Venue) -> None:
    intervene(venue, "external_open", quantity="3", side="sell")
    assert held(venue) == -3


def test_changed_lot_step_counts_from_then_on_and_for_this_venue_only(venue: Venue, clock: Clock) -> None:
    other = open_test_venue("binance", clock)[0]
    order(venue, Side.BUY, "1.5")
    intervene(venue, "change_rules", quantity_step="1", quantity_min="1")
    with pytest.raises(Refusal, match=Reason.QUANTITY_STEP):
        order(venue, Side.BUY, "1.5")
    assert other.instruments["SOL"].quantity_step == Decimal("0.1")


def test_scripts_of_the_scenario_happen_at_their_market_time(clock: Clock) -> None:
    at = NOON + timedelta(minutes=5)
    venue = open_test_venue(
        "binance",
        clock,
        faults=[{"at": at, "kind": "stuck"}],
        interventions=[{"at": at, "kind": "external_open", "symbol": "SOL", "quantity": 2}],
    )[0]
    assert order(venue, Side.BUY, "1").status is OrderStatus.FILLED
    clock.wait(300)
    assert order(venue, Side.BUY, "1").status is OrderStatus.WORKING
    assert held(venue) == 3
