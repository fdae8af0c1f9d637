"""The one clock of a process.

Strategy time (intervals, holds, funding, retries, every stored time) is `now()`. Freshness of books and
network timeouts use `monotonic()`, which is always real. A replay runs strategy time from an epoch at a speed;
several processes agree on it through a file that names the real moment at which it started.
"""

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol


class Clock(Protocol):
    """What the application may ask of time."""

    def now(self) -> datetime:
        """Strategy time, UTC."""
        ...

    def monotonic(self) -> float:
        """Real seconds since an arbitrary moment; never goes back."""
        ...

    def unix_seconds(self) -> float:
        """Real seconds since 1970, the same for all processes: for leases and server time, never for strategy."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Waits for `seconds` of strategy time."""
        ...


class SystemClock:
    """Strategy time is the machine's UTC time."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def unix_seconds(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class ReplayClock:
    """Strategy time runs from `epoch` at `speed` market seconds per real second.

    It stands still at the epoch until `started_file` exists; the file holds the real unix time, in seconds, of
    the start, so that every process that reads it shows the same market time.
    """

    def __init__(self, epoch: datetime, speed: float, started_file: Path) -> None:
        self.epoch = epoch
        self.speed = speed
        self._started_file = started_file
        self._started_at: float | None = None

    def now(self) -> datetime:
        started_at = self._read_start()
        if started_at is None:
            return self.epoch
        elapsed = max(0.0, time.time() - started_at)
        return self.epoch + timedelta(seconds=elapsed * self.speed)

    def monotonic(self) -> float:
        return time.monotonic()

    def unix_seconds(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self.speed)

    def _read_start(self) -> float | None:
        if self._started_at is None:
            try:
                self._started_at = float(self._started_file.read_text())
            except FileNotFoundError:
                return None
        return self._started_at


def clock_from_environment(environment: Mapping[str, str]) -> SystemClock | ReplayClock:
    """The clock that CLOCK_EPOCH, CLOCK_SPEED and CLOCK_STARTED_FILE ask for; the system's without CLOCK_EPOCH.

    Raises:
        ValueError: naming the variable, its value and what is allowed.
    """
    epoch_text = environment.get("CLOCK_EPOCH", "")
    if not epoch_text:
        return SystemClock()
    try:
        epoch: datetime | None = datetime.fromisoformat(epoch_text)
    except ValueError:
        epoch = None
    if epoch is None or epoch.tzinfo is None:
        raise ValueError(f"CLOCK_EPOCH={epoch_text!r}: allowed is a time with a zone, as 2025-10-10T20:30:00Z")
    speed_text = environment.get("CLOCK_SPEED", "1")
    try:
        speed = float(speed_text)
    except ValueError:
        speed = 0.0
    if not 0 < speed <= 100_000:
        raise ValueError(f"CLOCK_SPEED={speed_text!r}: allowed is a number above 0 and up to 100000")
    started_file = environment.get("CLOCK_STARTED_FILE", "")
    if not started_file:
        raise ValueError("CLOCK_STARTED_FILE is empty: with CLOCK_EPOCH it must name the file that starts the clock")
    return ReplayClock(epoch.astimezone(UTC), speed, Path(started_file))
