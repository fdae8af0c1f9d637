"""A clock that a test moves by hand."""

from datetime import datetime, timedelta


class StandingClock:
    """Both times stand until `pass_` moves them, or one is moved alone; sleeping takes no real time."""

    def __init__(self, now: datetime) -> None:
        self.time = now
        self.real_seconds = 0.0

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.real_seconds

    def unix_seconds(self) -> float:
        return self.real_seconds

    async def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)

    def pass_(self, seconds: float, *, real_seconds: float | None = None) -> None:
        """Moves both, by the same or by different amounts."""
        self.time += timedelta(seconds=seconds)
        self.real_seconds += seconds if real_seconds is None else real_seconds
