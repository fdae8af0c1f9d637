"""The line between the processes and one server: how long things take, what is lost, and when nobody answers."""

from collections import Counter
from dataclasses import dataclass, field
from random import Random

from support.virtual_process import Journey, Life
from support.virtual_time import VirtualLoop

SLOW_SECONDS_MAX = 2.5
"""A late request still arrives while a client waits; an order, about as often as not, while its venue accepts it."""


@dataclass(eq=False)
class Line:
    """Every draw comes from the line's own source of chance, the same number of draws for every request."""

    loop: VirtualLoop
    random: Random
    typical_seconds: float
    loss: float = 0.0
    slow: float = 0.0
    slow_orders: float = 0.0
    """The share of orders that are late, where that is larger: they come when somebody may have given them up."""
    cut: float = 0.0
    """Of the late requests, the share whose client does not wait."""
    down_until_seconds: float = 0.0
    met: Counter[str] = field(default_factory=Counter)
    """How often each trouble was met."""

    def journey(self, life: Life) -> Journey:
        """See the networks of the servers in `support`."""
        return self._journey(self.slow)

    def order_journey(self, life: Life) -> Journey:
        """The same for an order."""
        return self._journey(max(self.slow, self.slow_orders))

    def _journey(self, slow: float) -> Journey:
        there, back, lost, late, by = (self.random.random() for _ in range(5))
        if self.loop.time() < self.down_until_seconds:
            self.met["unreachable"] += 1
            raise ConnectionRefusedError("nobody answers")
        there_seconds = self.typical_seconds * (0.5 + there)
        if late < slow:
            self.met["late"] += 1
            there_seconds += by * SLOW_SECONDS_MAX
        is_cut = late < slow * self.cut
        request_lost, answer_lost = lost < self.loss / 2, self.loss / 2 <= lost < self.loss
        self.met["request_lost"] += request_lost
        self.met["answer_lost"] += answer_lost
        return Journey(there_seconds, self.typical_seconds * (0.5 + back), request_lost, answer_lost, is_cut)

    def go_down(self, seconds: float) -> None:
        """Nobody answers for so long."""
        self.down_until_seconds = max(self.down_until_seconds, self.loop.time() + seconds)

    def calm(self) -> None:
        """Nothing is lost or late any more."""
        self.loss = self.slow = self.slow_orders = self.down_until_seconds = 0.0
