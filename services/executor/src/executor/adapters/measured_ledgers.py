"""Counts what the ledgers store, after it is stored: nothing is counted that a crash took back."""

from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

from common.messages.contracts import CloseRequested, WatchlistEvent
from executor.adapters.measured_desk import measure_opening
from executor.adapters.measures import (
    CLOSES,
    ENTRIES,
    HEDGED,
    ORDERS,
    RECOVERY_SECONDS,
    SCALE_INS_REFUSED,
    SKIPPED,
)
from executor.adapters.signal_ledger import PostgresSignalLedger
from executor.adapters.trade_ledger import PostgresTradeLedger
from executor.application.ports import Outcome
from executor.domain.pair import EntryFill
from executor.domain.records import Entry, Order, Trade, TradeBook
from executor.domain.refusal import Refusal


class MeasuredSignalLedger(PostgresSignalLedger):
    """Counts why signals open nothing."""

    async def skip(
        self, trade: Trade, refusal: Refusal, next_attempt_at: datetime | None, event: WatchlistEvent
    ) -> None:
        await super().skip(trade, refusal, next_attempt_at, event)
        SKIPPED.labels(refusal.reason).inc()

    async def refused_scale_in(self, trade: Trade, refusal: Refusal) -> None:
        await super().refused_scale_in(trade, refusal)
        SCALE_INS_REFUSED.labels(refusal.reason).inc()


class MeasuredTradeLedger(PostgresTradeLedger):
    """Counts orders, entries and closes, and times the recovery of what was left unfinished."""

    @cached_property
    def _unfinished_since(self) -> dict[int, float]:
        return {}

    async def record_outcome(self, order: Order, outcome: Outcome) -> bool:
        is_stored = await super().record_outcome(order, outcome)
        if is_stored:
            ORDERS.labels(order.venue, order.purpose, outcome.status).inc()
        return is_stored

    async def fill_entry(self, book: TradeBook, entry: Entry, fill: EntryFill, residual: dict[str, Any]) -> TradeBook:
        filled = await super().fill_entry(book, entry, fill, residual)
        ENTRIES.labels("filled").inc()
        measure_opening(self._clock, HEDGED)
        return filled

    async def fail_entry(self, book: TradeBook, entry: Entry, evidence: dict[str, Any]) -> TradeBook:
        failed = await super().fail_entry(book, entry, evidence)
        ENTRIES.labels("failed").inc()
        return failed

    async def begin_close(self, book: TradeBook, request: CloseRequested) -> TradeBook:
        begun = await super().begin_close(book, request)
        CLOSES.labels(request.reason).inc()
        return begun

    async def unfinished(self) -> Sequence[int]:
        found, now = await super().unfinished(), self._clock.monotonic()
        for signal_id in self._unfinished_since.keys() - set(found):
            RECOVERY_SECONDS.observe(now - self._unfinished_since.pop(signal_id))
        for signal_id in found:
            self._unfinished_since.setdefault(signal_id, now)
        return found
