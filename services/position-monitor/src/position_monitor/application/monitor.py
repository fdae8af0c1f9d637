"""Keeps one watch on every open or closing trade. The list comes from the ledger, whether or not news arrived."""

import asyncio
from dataclasses import dataclass

import structlog

from position_monitor.application.ports import BookKey, Ledger, StoreAway
from position_monitor.application.watch import Judgement, Tools, TradeWatch, WatchRules

log = structlog.get_logger(__name__)

REFRESH_EVERY_REAL_SECONDS = 1.0
REFRESH_APART_REAL_SECONDS = 0.02
VALUE_APART_REAL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class _Watched:
    watch: TradeWatch
    task: asyncio.Task[None]


class Monitor:
    """Starts a watch for a trade that appears, feeds it, and ends it when the trade is gone."""

    def __init__(self, ledger: Ledger, rules: WatchRules, tools: Tools, *, opening_enabled: bool) -> None:
        self._ledger = ledger
        self._rules = rules
        self._tools = tools
        self._opening_enabled = opening_enabled
        self._watched: dict[int, _Watched] = {}
        self._news = asyncio.Event()
        self._led = False
        tools.facts.subscribe(self._terms_changed)

    def heard(self) -> None:
        """There is news of some trade: the ledger is read again at once."""
        self._news.set()

    def watches(self) -> list[TradeWatch]:
        """All watches, oldest trade first."""
        return [watched.watch for _, watched in sorted(self._watched.items())]

    def judgements(self) -> list[Judgement]:
        """The latest judgement of each watched trade that has been judged, oldest trade first."""
        return [watch.latest for watch in self.watches() if watch.latest is not None]

    def books_needed(self) -> set[BookKey]:
        """The books that open trades are judged on."""
        return {key for watched in self._watched.values() for key in watched.watch.books}

    async def run(self) -> None:
        """Follows the ledger for ever. A watch that fails ends the process."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._value_regularly())
            while True:
                self._news.clear()
                try:
                    await self._follow(group)
                except StoreAway as error:
                    log.warning("monitor.ledger_away", error=str(error))
                await asyncio.sleep(REFRESH_APART_REAL_SECONDS)
                await self._news_or_timeout()

    async def _follow(self, group: asyncio.TaskGroup) -> None:
        snapshot = await self._ledger.snapshot()
        may_open = snapshot.trading_active and self._opening_enabled
        trades = {trade.signal_id: trade for trade in snapshot.trades}
        self._tools.facts.want(trades.values())
        for gone in self._watched.keys() - trades.keys():
            self._watched.pop(gone).task.cancel()
        for signal_id, trade in trades.items():
            if signal_id in self._watched:
                self._watched[signal_id].watch.update(trade, may_open)
            else:
                watch = TradeWatch(trade, may_open, self._rules, self._tools)
                self._watched[signal_id] = _Watched(watch, group.create_task(watch.run()))
        self._tools.measurements.trades_open(len(trades))
        self._begin_to_lead()

    def _begin_to_lead(self) -> None:
        """Who leads from now on judges every trade at once: the one before may have ended in the middle of one."""
        led, self._led = self._led, self._tools.leadership.is_ours
        if self._led and not led:
            for watch in self.watches():
                watch.wake()

    async def _value_regularly(self) -> None:
        """Every trade is valued at least this often, whatever its books do."""
        while True:
            await self._tools.clock.sleep(self._rules.sample_every.total_seconds())
            await asyncio.sleep(VALUE_APART_REAL_SECONDS)
            for watch in self.watches():
                watch.wake()

    def _terms_changed(self, signal_id: int) -> None:
        if signal_id in self._watched:
            self._watched[signal_id].watch.wake()

    async def _news_or_timeout(self) -> None:
        try:
            await asyncio.wait_for(self._news.wait(), REFRESH_EVERY_REAL_SECONDS)
        except TimeoutError:
            return
