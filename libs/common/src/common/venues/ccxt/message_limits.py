"""What one connection was sent, held against what the venue lets one be sent."""

from collections import deque

from common.runtime.clock import Clock
from common.venues.ccxt.bans import BudgetSpent
from common.venues.ccxt.request_limits import MessageLimit


class SentMessages:
    """Counts what one connection is sent; without a limit nothing is refused."""

    def __init__(self, limit: MessageLimit | None, clock: Clock) -> None:
        self._limit = limit
        self._clock = clock
        self._sent_at_seconds: deque[float] = deque(maxlen=limit.number if limit else 0)

    def add(self) -> None:
        """One was sent."""
        self._sent_at_seconds.append(self._clock.monotonic())

    def check_room(self, messages: int) -> None:
        """Whether so many more may be sent now.

        Raises:
            BudgetSpent: the venue would end the connection, and with it what is followed already.
        """
        if self._limit is None:
            return
        now, sent = self._clock.monotonic(), self._sent_at_seconds
        while sent and sent[0] + self._limit.window_seconds <= now:
            sent.popleft()
        if len(sent) + messages > self._limit.number:
            left_seconds = sent[0] + self._limit.window_seconds - now
            until = self._clock.unix_seconds() + left_seconds
            raise BudgetSpent("not followed: what one connection may be sent for now is spent", until)
