"""Work that nobody asked for: trades that an earlier process, or a lost message, left unfinished.

It runs on start and every few seconds after, and goes through the same code as the work of the moment.
"""

import structlog

from executor.application.closing import Closing
from executor.application.entries import EntryOpener
from executor.application.ports import StaleTradeError, TradeLedger
from executor.domain.trade_machine import TradeStatus
from executor.domain.trading_state import Authority

log = structlog.get_logger(__name__)


class Recovery:
    """Brings every trade to rest."""

    def __init__(self, ledger: TradeLedger, opener: EntryOpener, closing: Closing) -> None:
        self._ledger = ledger
        self._opener = opener
        self._closing = closing

    async def sweep(self) -> None:
        """Resumes each unfinished trade that nobody else is working on."""
        for signal_id in await self._ledger.unfinished():
            if not await self._ledger.take_lease(signal_id):
                continue
            try:
                await self._resume(signal_id)
            except StaleTradeError:
                log.info("recovery.taken_elsewhere", signal_id=signal_id)
            finally:
                await self._ledger.release_lease(signal_id)

    async def _resume(self, signal_id: int) -> None:
        book = await self._ledger.book(signal_id)
        if book.trade.status in (TradeStatus.OPENING, TradeStatus.OPEN):
            log.info("recovery.settling", signal_id=signal_id, status=book.trade.status)
            await self._opener.settle(book)
        elif book.trade.status is TradeStatus.CLOSING and self._closing.is_due(book):
            log.info("recovery.closing", signal_id=signal_id)
            await self._closing.work(book, Authority.STRATEGY)
