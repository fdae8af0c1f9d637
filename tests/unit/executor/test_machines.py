"""The order machine, the trade machine, and the table in which two legs meet."""

from decimal import Decimal
from itertools import product
from typing import Any

import pytest

from common.domain.identifiers import Leg
from executor.domain import order_machine, trade_machine
from executor.domain.order_machine import OrderStatus, is_final
from executor.domain.pair import JOINT, Outcome, PairAction, excess, outcome
from executor.domain.trade_machine import TradeStatus


def test_every_order_state_has_its_row() -> None:
    assert set(order_machine.TRANSITIONS) == set(OrderStatus)


def test_every_trade_state_has_its_row() -> None:
    assert set(trade_machine.TRANSITIONS) == set(TradeStatus)


@pytest.mark.parametrize("status", OrderStatus)
def test_an_order_never_goes_back_to_an_intent(status: Any) -> None:
    assert OrderStatus.INTENT not in order_machine.TRANSITIONS[status]


@pytest.mark.parametrize("status", [s for s in OrderStatus if is_final(s)])
def test_what_is_final_only_ever_gains_fills(status: Any) -> None:
    late = {OrderStatus.FILLED, OrderStatus.PARTLY_FILLED}
    assert order_machine.TRANSITIONS[status] <= late


@pytest.mark.parametrize("status", [s for s in OrderStatus if not is_final(s)])
def test_every_end_can_be_reached_from_every_open_state(status: OrderStatus) -> None:
    ends = {state for state in OrderStatus if is_final(state)}
    assert ends <= order_machine.TRANSITIONS[status]


def test_sources_name_every_state_that_leads_there() -> None:
    assert set(trade_machine.sources_of(TradeStatus.OPENING)) == {"new", "skipped"}
    assert set(trade_machine.sources_of(TradeStatus.CLOSED)) == {"closing"}


def test_the_joint_table_knows_every_pair_of_outcomes() -> None:
    assert set(JOINT) == set(product(Outcome, Outcome))


@pytest.mark.parametrize("pair", list(product(OrderStatus, [Decimal(0), Decimal("1.5")], repeat=2)))
def test_no_action_is_taken_while_an_outcome_is_unknown_and_no_leg_is_ever_left_alone(pair: Any) -> None:
    long_status, long_filled, short_status, short_filled = pair
    action = JOINT[outcome(long_status, long_filled), outcome(short_status, short_filled)]
    if not (is_final(long_status) and is_final(short_status)):
        assert action is PairAction.ASK
    elif long_filled and short_filled:
        assert action is PairAction.MATCH
    elif long_filled or short_filled:
        assert action is PairAction.UNWIND
    else:
        assert action is PairAction.FLAT


@pytest.mark.parametrize(
    ("long", "short", "expected"),
    [("2", "2", None), ("2", "1.5", (Leg.LONG, Decimal("0.5"))), ("0", "3", (Leg.SHORT, Decimal(3)))],
)
def test_the_excess_is_on_the_leg_that_holds_more(long: Any, short: Any, expected: Any) -> None:
    assert excess(Decimal(long), Decimal(short)) == expected
