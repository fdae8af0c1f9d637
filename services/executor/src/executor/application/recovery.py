"""Work that nobody asked for: trades that an earlier process, or a lost message, left unfinished.

It runs on start and every few seconds after, and goes through the same code as the work of the moment. Each trade is
a task of its own, so that one whose venue is away holds up no other.
"""

import asyncio

import structlog

from common.venues.errors import VenueError
from executor.application.closing import Closing
from executor.application.entries import EntryOpener
from executor.application.ports import StaleTradeError, TradeBusyError, TradeLedger
from executor.application.reach import Reach
from executor.application.traced import traced
from executor.domain.records import TradeBook
from executor.domain.trade_machine import TradeStatus

log = structlog.get_logger(__name__)

LEASE_RENEWAL_SECONDS = 0.5
SETTLE_PAUSE_SECONDS_FIRST, SETTLE_PAUSE_SECONDS_MAX = 2.0, 60.0


class Recovery:
    """Brings every trade to rest."""

    def __init__(self, ledger: TradeLedger, opener: EntryOpener, closing: Closing, reach: Reach) -> None:
        self._ledger = ledger
        self._reach = reach
        self._opener = opener
        self._closing = closing
        self._running: dict[int, asyncio.Task[None]] = {}
        self._pauses: dict[int, float] = {}
        self._not_before: dict[int, float] = {}

    async def sweep(self) -> None:
        """Resumes each unfinished trade that nobody works on, and hears operators whose message was lost.

        Raises:
            whatever a trade's task failed with that is nobody's to answer: the process must not go on with it.
        """
        self._reap()
        for signal_id in await self._ledger.unfinished():
            if self._is_free(signal_id) and self._is_time(signal_id):
                self._running[signal_id] = asyncio.create_task(self._resume(signal_id))
        for request in await self._ledger.operator_closes():
            if self._is_free(request.signal_id):
                self._running[request.signal_id] = asyncio.create_task(self._closing.handle(request))

    async def renew_leases(self) -> None:
        """Keeps others away from what this process works on; due every LEASE_RENEWAL_SECONDS."""
        await self._ledger.renew_leases()

    async def settle_all(self) -> None:
        """One sweep, waited for to its end: for the start of a process, and for tests."""
        await self.sweep()
        await asyncio.gather(*self._running.values(), return_exceptions=True)
        self._reap()

    def _reap(self) -> None:
        for signal_id, task in list(self._running.items()):
            if not task.done():
                continue
            del self._running[signal_id]
            failure = task.exception()
            if isinstance(failure, TradeBusyError | VenueError):
                log.warning("recovery.later", signal_id=signal_id, error=repr(failure))
            elif failure is not None:
                raise failure

    def _is_free(self, signal_id: int) -> bool:
        """Nothing here is at work on the trade, and it is no other executor's."""
        return signal_id not in self._running and not self._reach.leaves_alone(signal_id)

    def _is_time(self, signal_id: int) -> bool:
        return asyncio.get_running_loop().time() >= self._not_before.get(signal_id, 0.0)

    async def _resume(self, signal_id: int) -> None:
        if not await self._ledger.take_lease(signal_id):
            return
        try:
            book = await self._ledger.book(signal_id)
            if not await self._reach.covers(book.trade):
                return
            if book.trade.status in (TradeStatus.OPENING, TradeStatus.OPEN):
                await self._settle(book)
            elif book.trade.status is TradeStatus.CLOSING:
                book = await self._closing.resume(book)
                self._pause_if_unsettled(signal_id, bool(book.unresolved_orders))
        except StaleTradeError:
            log.info("recovery.taken_elsewhere", signal_id=signal_id)
        except VenueError:
            self._pause_if_unsettled(signal_id, unsettled=True)
            raise
        finally:
            await self._ledger.release_lease(signal_id)

    @traced("recover")
    async def _settle(self, book: TradeBook) -> None:
        log.info("recovery.settling", status=book.trade.status)
        book = await self._opener.settle(book)
        self._pause_if_unsettled(book.trade.id, any(entry.status == "opening" for entry in book.entries))

    def _pause_if_unsettled(self, signal_id: int, unsettled: bool) -> None:
        """A leg that its venue will not take back, or whose close it does not tell of, is tried ever less often."""
        if not unsettled:
            self._pauses.pop(signal_id, None)
            self._not_before.pop(signal_id, None)
            return
        pause = min(self._pauses.get(signal_id, SETTLE_PAUSE_SECONDS_FIRST / 2) * 2, SETTLE_PAUSE_SECONDS_MAX)
        self._pauses[signal_id] = pause
        self._not_before[signal_id] = asyncio.get_running_loop().time() + pause
