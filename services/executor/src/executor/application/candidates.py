"""What would open at this moment, and why the rest would not: the same decision as opening, without its commit."""

import asyncio
from dataclasses import dataclass
from datetime import datetime

from common.messages.contracts import WatchlistEvent
from common.runtime.clock import Clock
from executor.application.opening import SignalOpener
from executor.application.ports import EntryPlan, SignalLedger, Waiting
from executor.domain.records import Trade
from executor.domain.refusal import Refusal
from executor.domain.trade_machine import TradeStatus

AT_ONCE = 4
"""Decisions at the same time: books that are read for a look must not keep those of a trade waiting."""
KEPT_SECONDS = 2.0
"""How long one look serves everybody who asks, in real seconds."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One waiting event, and what opening it would come to now."""

    waiting: Waiting
    verdict: EntryPlan | Refusal


@dataclass(frozen=True, slots=True)
class Look:
    """All of them, as of `judged_at`."""

    judged_at: datetime
    judged: list[Judged]


class Candidates:
    """Dry revalidation. One look at a time, however many ask for it."""

    def __init__(self, signals: SignalLedger, opener: SignalOpener, clock: Clock) -> None:
        self._signals = signals
        self._opener = opener
        self._clock = clock
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._turn = asyncio.Lock()
        self._last: tuple[int, float, Look] | None = None

    async def look(self, limit: int) -> Look:
        """The newest `limit` open events with their verdicts, not older than two seconds."""
        async with self._turn:
            if self._last and self._last[0] == limit and self._clock.monotonic() - self._last[1] < KEPT_SECONDS:
                return self._last[2]
            judged_at = self._clock.now()
            found = await self._signals.waiting(limit)
            look = Look(judged_at, list(await asyncio.gather(*(self._judge(waiting) for waiting in found))))
            self._last = (limit, self._clock.monotonic(), look)
            return look

    async def _judge(self, waiting: Waiting) -> Judged:
        async with self._slots:
            trade = waiting.trade or _trade_to_be(waiting.event)
            return Judged(waiting, await self._opener.decide(trade, waiting.event, is_dry=True))


def _trade_to_be(event: WatchlistEvent) -> Trade:
    """The trade that the event's signal would be, were it recorded now."""
    return Trade(
        id=0,
        version=0,
        event_id=event.event_id,
        order_key="0" * 16,
        type=event.type,
        symbol=event.symbol,
        long_venue=event.long_venue,
        short_venue=event.short_venue,
        status=TradeStatus.NEW,
        attempts=0,
        pnl_hat=event.prediction.pnl_hat if event.prediction else None,
        win_prob=event.prediction.win_prob if event.prediction else None,
        take_profit_pnl=None,
        opened_at=None,
        close_requested_at=None,
        close_reason=None,
        closed_at=None,
        payload={},
    )
