"""Asking for the same thing again and again, less and less often."""

from collections.abc import Collection

from common.runtime.clock import Clock

PAUSE_SECONDS_MAX = 60.0


class Pauses:
    """When something that a venue has not told yet may be asked for again: at once, then after ever longer pauses."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._asked: dict[int, tuple[int, float]] = {}

    def are_over(self, id_: int) -> bool:
        """Whether it may be asked for now; who is told so asks."""
        now = self._clock.monotonic()
        times, last = self._asked.get(id_, (0, now))
        if times and now - last < min(PAUSE_SECONDS_MAX, 0.5 * 2**times):
            return False
        self._asked[id_] = (times + 1, now)
        return True

    def forget_all_but(self, wanted: Collection[int]) -> None:
        """Nothing else is asked for any more."""
        self._asked = {id_: asked for id_, asked in self._asked.items() if id_ in wanted}
