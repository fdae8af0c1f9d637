"""What somebody has to know, in the error log: once an hour of strategy time for the same kind and trade."""

from datetime import datetime, timedelta
from typing import Any

from common.persistence.journal import Journal
from common.runtime.clock import Clock
from executor.adapters.measures import ALARMS
from executor.domain.reconciliation import DriftKind

SILENT_FOR = timedelta(hours=1)
KINDS = (
    *("unwind_not_done", "unwind_loss", "position_without_trade", "trade_left_alone"),
    *(f"drift_{kind}" for kind in DriftKind),
)


class JournalAlarms:
    """See `executor.application.ports.Alarms`."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._sounded_at: dict[tuple[str, int | None], datetime] = {}
        for kind in KINDS:
            ALARMS.labels(kind)

    async def sound(self, kind: str, message: str, detail: dict[str, Any], signal_id: int | None = None) -> None:
        ALARMS.labels(kind.partition(":")[0]).inc()
        now = self._clock.now()
        self._sounded_at = {what: at for what, at in self._sounded_at.items() if now - at < SILENT_FOR}
        if (kind, signal_id) in self._sounded_at:
            return
        await self._journal.failed(kind, message, detail, signal_id=signal_id)
        self._sounded_at[kind, signal_id] = now
