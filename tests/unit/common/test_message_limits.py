"""What one connection is sent in any window of time."""

import pytest

from common.runtime.clock import SystemClock
from common.venues.ccxt.bans import BudgetSpent
from common.venues.ccxt.message_limits import SentMessages
from common.venues.ccxt.request_limits import MessageLimit


class SetClock(SystemClock):
    seconds = 1000.0

    def monotonic(self) -> float:
        return self.seconds

    def unix_seconds(self) -> float:
        return self.seconds


def test_there_is_room_again_once_the_window_has_passed_the_oldest() -> None:
    clock = SetClock()
    sent = SentMessages(MessageLimit(number=3, window_seconds=60), clock)
    for _ in range(2):
        sent.add()
        clock.seconds += 10
    sent.check_room(1)
    with pytest.raises(BudgetSpent) as spent:
        sent.check_room(2)
    assert spent.value.until_seconds == 1060
    clock.seconds = 1060
    sent.check_room(2)
    with pytest.raises(BudgetSpent):
        sent.check_room(3)


def test_what_has_no_limit_is_always_allowed() -> None:
    sent = SentMessages(None, SetClock())
    for _ in range(10_000):
        sent.add()
    sent.check_room(8)
