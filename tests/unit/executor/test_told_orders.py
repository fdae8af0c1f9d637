"""How soon the outcome of an order is known where a venue tells of its end, and what a wrong word changes: nothing.

In virtual time: the order fills a while after it was sent, and each question takes a moment on the way.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import pytest

from common.venues.ports import OrderReport, OrderState
from executor.application.orders import OrderRunner
from executor.application.ports import Outcome, TradingVenue
from executor.application.standings import AccountStandings
from executor.domain.order_machine import OrderStatus
from executor.domain.records import Order, TradeBook
from support.recorded_trade import LONG_ORDER, TRADE
from support.virtual_time import VirtualClock, VirtualLoop, run_virtually

WAY_SECONDS = 0.001
FILLED_AT = 0.4
TEN = Decimal(10)


@dataclass
class Told:
    """Calls whoever follows an order at given moments, whatever is true then."""

    moments: Iterable[float]
    followed: int = 0

    def follow(self, client_order_id: str, ended: Callable[[], None]) -> Callable[[], None]:
        loop = asyncio.get_running_loop()
        self.followed += 1
        timers = [loop.call_later(moment, ended) for moment in self.moments]

        def stop() -> None:
            self.followed -= 1
            for timer in timers:
                timer.cancel()

        return stop


@dataclass
class House:
    """A trade with one order that is known to be working, the venue that fills it later, and what is asked of it."""

    loop: VirtualLoop
    answers_late_by: float = 0.0
    asked_at: list[float] = field(default_factory=list)
    status: OrderStatus = OrderStatus.WORKING
    filled: Decimal = Decimal(0)
    outcomes: list[Outcome] = field(default_factory=list)

    async def order(self, symbol: str, client_order_id: str) -> OrderReport:
        self.asked_at.append(self.loop.time())
        await asyncio.sleep(WAY_SECONDS)
        if self.loop.time() < FILLED_AT + self.answers_late_by:
            return OrderReport(client_order_id, "1", OrderState.WORKING, Decimal(0), None)
        return OrderReport(client_order_id, "1", OrderState.FILLED, TEN, Decimal("200.02"))

    async def record_outcome(self, order: Order, outcome: Outcome) -> bool:
        self.status, self.filled = outcome.status, outcome.filled_quantity
        self.outcomes.append(outcome)
        return True

    async def book(self, signal_id: int) -> TradeBook:
        order = replace(ORDER, status=self.status, filled_quantity=self.filled, age_seconds=self.loop.time())
        return TradeBook(TRADE, orders=(order,))


ORDER = replace(
    LONG_ORDER,
    quantity=TEN,
    status=OrderStatus.WORKING,
    filled_quantity=Decimal(0),
    average_price=None,
    booked_quantity=Decimal(0),
)


def resolved(stream: Told | None, answers_late_by: float = 0.0) -> tuple[float, House]:
    """When the outcome was known, and the house then."""
    loop = VirtualLoop()
    house = House(loop, answers_late_by)
    anything: Any = house
    venues = {"bybit": TradingVenue(anything, anything, anything, stream)}
    clock = VirtualClock(loop)
    runner = OrderRunner(venues, anything, AccountStandings(venues, 2, clock), clock)

    async def work() -> float:
        book = await runner.resolve(await house.book(1))
        assert not book.unresolved_orders
        return loop.time()

    seconds = run_virtually(loop, work())
    assert house.outcomes == [Outcome(OrderStatus.FILLED, TEN, Decimal("200.02"), "1")]
    assert stream is None or stream.followed == 0
    return seconds, house


def test_without_a_stream_the_outcome_waits_for_the_next_question() -> None:
    seconds, house = resolved(None)
    assert seconds == pytest.approx(0.755, abs=0.002)
    assert len(house.asked_at) == 5


def test_a_word_of_the_end_puts_the_question_at_once() -> None:
    seconds, house = resolved(Told([FILLED_AT + 0.002]))
    assert seconds == pytest.approx(FILLED_AT + 0.002 + WAY_SECONDS)
    assert len(house.asked_at) == 5


@pytest.mark.parametrize("moments", [[], [0.9, 1.0], [14.0]], ids=["never", "late", "much too late"])
def test_a_word_that_comes_late_or_never_changes_nothing(moments: list[float]) -> None:
    assert resolved(Told(moments))[0] == resolved(None)[0]


@pytest.mark.parametrize("moments", [[0.0], [0.1, 0.2], [0.0005, 0.0505]], ids=["at once", "twice", "while asking"])
def test_a_word_that_is_wrong_only_puts_a_question_more(moments: list[float]) -> None:
    seconds, house = resolved(Told(moments))
    without, asked = resolved(None)
    assert seconds < without + 2 * WAY_SECONDS
    assert len(house.asked_at) <= len(asked.asked_at) + 2 * len(moments)


def test_a_venue_that_tells_sooner_than_it_answers_is_asked_again_soon() -> None:
    seconds, _ = resolved(Told([FILLED_AT]), answers_late_by=0.03)
    assert seconds == pytest.approx(FILLED_AT + 0.05, abs=0.01)


def test_a_word_that_comes_while_the_question_is_on_its_way_is_not_lost() -> None:
    """The question at 0.355 s is answered as of 0.356 s; here the word comes in between and the fill just after."""
    asked = resolved(None)[1].asked_at
    between = asked[3] + WAY_SECONDS / 2
    seconds, house = resolved(Told([between]))
    assert len(house.asked_at) > len(asked)
    assert seconds < resolved(None)[0]
