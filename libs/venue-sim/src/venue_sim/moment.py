"""One instant on both clocks: market time, and the real seconds in which networks and people wait."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class ClockName(StrEnum):
    """Which clock a duration is measured with."""

    REAL = "real"
    MARKET = "market"


@dataclass(frozen=True, slots=True)
class Moment:
    """`market` is market time; `real_seconds` counts from an arbitrary moment and never goes back."""

    market: datetime
    real_seconds: float

    def seconds_since(self, earlier: "Moment", clock: ClockName) -> float:
        """Seconds on that clock from `earlier` to this moment."""
        if clock is ClockName.REAL:
            return self.real_seconds - earlier.real_seconds
        return (self.market - earlier.market).total_seconds()
