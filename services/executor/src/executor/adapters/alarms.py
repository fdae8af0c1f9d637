"""What somebody has to know, in the error log: once an hour of strategy time for the same kind and trade."""

from datetime import datetime, timedelta
from typing import Any

from common.persistence.journal import Journal
from common.runtime.clock import Clock

SILENT_FOR = timedelta(hours=1)


class JournalAlarms:
    """See `executor.application.ports.Alarms`."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._sounded_at: dict[tuple[str, int | None], datetime] = {}

    async def sound(self, kind: str, message: str, detail: dict[str, Any], signal_id: int | None = None) -> None:
        now = self._clock.now()
        last = self._sounded_at.get((kind, signal_id))
        if last is not None and now - last < SILENT_FOR:
            return
        self._sounded_at[kind, signal_id] = now
        await self._journal.failed(kind, message, detail, signal_id=signal_id)
