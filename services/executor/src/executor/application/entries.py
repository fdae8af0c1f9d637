"""Opening one entry, the first or a scale-in: sweep, confirm, preflight, commit, send, settle (SPEC 4, 5)."""

import asyncio
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import structlog

from common.domain.identifiers import Leg, Purpose
from common.domain.instruments import floor_to_step
from common.domain.position import leg_position
from common.domain.spread import entry_spread_metric, entry_spread_pct, take_profit_pnl
from common.runtime.clock import Clock
from common.runtime.settings import TradingSettings
from common.venues.errors import VenueError
from common.venues.ports import PositionMode
from executor.application.orders import OrderRunner
from executor.application.ports import EntryFill, EntryPlan, TradeLedger, Venues
from executor.domain.entry_sweep import (
    EntryRules,
    EntrySweep,
    Venue,
    choose_direction,
    refuse_books,
    refuse_sample,
    sweep_direction,
)
from executor.domain.pair import JOINT, PairAction, excess, outcome
from executor.domain.preflight import LegReadiness, refuse_leg
from executor.domain.records import Entry, Trade, TradeBook, leg_fills, new_order
from executor.domain.refusal import Refusal

log = structlog.get_logger(__name__)

UNWIND_ATTEMPTS_IN_A_ROW = 5


@dataclass(frozen=True, slots=True)
class Proposal:
    """Who wants an entry, and on what prediction. `expected` are the signed positions that the ledger holds."""

    trade: Trade
    entry: int
    event_id: int
    pnl_hat: float
    win_prob: float
    fixed_direction: bool
    expected: dict[str, Decimal]
    evidence: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Standing:
    """What one venue's account said just before an entry."""

    free_usdt: Decimal
    is_one_way: bool
    held: Decimal


class EntryOpener:
    """Opens entries. All waits between samples are real time: they are about books, not about the strategy."""

    def __init__(
        self, venues: Venues, ledger: TradeLedger, runner: OrderRunner, settings: TradingSettings, clock: Clock
    ) -> None:
        self._venues = venues
        self._ledger = ledger
        self._runner = runner
        self._settings = settings
        self._clock = clock
        self._prepared: set[tuple[str, str]] = set()
        self._rules = EntryRules(
            per_leg_usdt=settings.live_trading_per_leg_usdt,
            take_profit_ratio=settings.live_trading_tp_ratio,
            book_age_max_seconds=settings.live_trading_max_book_age_sec,
        )

    async def plan(self, proposal: Proposal) -> EntryPlan | Refusal:
        """Steps 5 to 8: everything that must hold before an intent is committed."""
        trade = proposal.trade
        names = (trade.long_venue, trade.short_venue)
        standings = [asyncio.ensure_future(self._standing(name, trade.symbol)) for name in names]
        try:
            confirmed = await self._confirm(proposal)
            if isinstance(confirmed, Refusal):
                return confirmed
            sweep, samples = confirmed
            by_venue = dict(zip(names, await asyncio.gather(*standings), strict=True))
        except VenueError as error:
            return Refusal(error.reason, True, {"venue": error.venue, "message": error.message, "code": error.code})
        finally:
            for standing in standings:
                standing.cancel()
        refusal = await self._preflight(proposal, sweep, by_venue)
        return refusal or self._entry_plan(proposal, sweep, samples)

    async def open(self, trade: Trade, plan: EntryPlan) -> TradeBook:
        """Commits the intents, sends both legs at once, and brings the entry to rest.

        Raises:
            EntryRefused: another trade or a limit was faster.
            StaleTradeError: the trade changed since it was read.
        """
        book = await self._ledger.begin_entry(trade, plan, self._settings.live_trading_max_concurrent)
        entry = next(item for item in book.entries if item.entry == plan.entry)
        legs = [book.opening_order(entry, leg) for leg in Leg]
        await self._runner.send(legs, self._clock.monotonic())
        return await self.settle(await self._ledger.book(trade.id))

    async def settle(self, book: TradeBook) -> TradeBook:
        """Brings the entry in flight to rest, from whatever point it was left at."""
        book = await self._runner.resolve(book)
        opening = [entry for entry in book.entries if entry.status == "opening"]
        for entry in opening:
            book = await self._settle_entry(book, entry)
        return book

    async def _confirm(self, proposal: Proposal) -> tuple[EntrySweep, list[dict[str, Any]]] | Refusal:
        first: EntrySweep | None = None
        last: EntrySweep | None = None
        evidence = []
        for number in range(1, self._settings.live_trading_ob_confirm_samples + 1):
            if first is not None:
                await asyncio.sleep(self._settings.live_trading_ob_confirm_sleep_sec)
            sample = await self._sample(proposal)
            if first is not None and (refusal := refuse_sample(first, sample, number)) is not None:
                return refusal
            if isinstance(sample, Refusal):
                return sample
            first, last = first or sample, sample
            evidence.append({"sample": number, "at": self._clock.now().isoformat(), **sample.as_evidence()})
        assert last is not None
        return last, evidence

    async def _sample(self, proposal: Proposal) -> EntrySweep | Refusal:
        trade = proposal.trade
        long, short = await asyncio.gather(
            self._read(trade.long_venue, trade.symbol), self._read(trade.short_venue, trade.symbol)
        )
        for side in (long, short):
            if isinstance(side, Refusal):
                return side
        assert isinstance(long, Venue)
        assert isinstance(short, Venue)
        refusal = refuse_books([long.book, short.book], self._clock.monotonic(), self._rules)
        if refusal is not None:
            return refusal
        sweeps = [sweep_direction(long, short, self._rules)]
        if not proposal.fixed_direction:
            sweeps.append(sweep_direction(short, long, self._rules))
        return choose_direction(sweeps, proposal.pnl_hat, self._rules)

    async def _read(self, venue: str, symbol: str) -> Venue | Refusal:
        market = self._venues[venue].market
        instrument = (await market.instruments()).get(symbol)
        if instrument is None:
            evidence = {"leg": venue, "limit": "instrument", "detail": f"{symbol} is not listed on {venue}"}
            return Refusal("preflight_failed", False, evidence)
        return Venue(await market.book(symbol), instrument)

    async def _standing(self, venue: str, symbol: str) -> _Standing:
        account = self._venues[venue].account
        await self._prepare(venue, symbol)
        balance, positions, mode = await asyncio.gather(
            account.balance(), account.positions([symbol]), account.position_mode(symbol)
        )
        held = positions[symbol].quantity if symbol in positions else Decimal(0)
        return _Standing(balance.free_usdt, mode is PositionMode.ONE_WAY, held)

    async def _prepare(self, venue: str, symbol: str) -> None:
        """Margin mode and leverage, set once a symbol and process."""
        if (venue, symbol) in self._prepared:
            return
        await self._venues[venue].account.prepare(symbol, self._settings.live_trading_leverage)
        self._prepared.add((venue, symbol))

    async def _preflight(
        self, proposal: Proposal, sweep: EntrySweep, standings: dict[str, _Standing]
    ) -> Refusal | None:
        legs = (
            (Leg.LONG, sweep.long_venue, sweep.long_buy.worst_price),
            (Leg.SHORT, sweep.short_venue, sweep.short_sell.price),
        )
        for leg, venue, price in legs:
            instrument = (await self._venues[venue].market.instruments())[proposal.trade.symbol]
            standing = standings[venue]
            expected = proposal.expected.get(venue, Decimal(0))
            readiness = LegReadiness(leg, instrument, standing.free_usdt, standing.is_one_way, standing.held, expected)
            refusal = refuse_leg(readiness, sweep.quantity, price, self._settings.live_trading_leverage)
            if refusal is not None:
                return refusal
        return None

    def _entry_plan(self, proposal: Proposal, sweep: EntrySweep, samples: list[dict[str, Any]]) -> EntryPlan:
        return EntryPlan(
            entry=proposal.entry,
            event_id=proposal.event_id,
            long_venue=sweep.long_venue,
            short_venue=sweep.short_venue,
            quantity=sweep.quantity,
            long_price=sweep.long_buy.price,
            short_price=sweep.short_sell.price,
            pnl_hat=proposal.pnl_hat,
            win_prob=proposal.win_prob,
            take_profit_pnl=take_profit_pnl(self._settings.live_trading_tp_ratio, proposal.pnl_hat),
            snapshot={
                "execution": sweep.as_evidence(),
                "confirmation": samples,
                "evidence": proposal.evidence,
            },
        )

    async def _settle_entry(self, book: TradeBook, entry: Entry) -> TradeBook:
        for _ in range(UNWIND_ATTEMPTS_IN_A_ROW):
            long_order, short_order = (book.opening_order(entry, leg) for leg in Leg)
            action = JOINT[
                outcome(long_order.status, long_order.filled_quantity),
                outcome(short_order.status, short_order.filled_quantity),
            ]
            if action is PairAction.FLAT:
                evidence = {"long": long_order.status, "short": short_order.status}
                return await self._ledger.fail_entry(book, entry, evidence)
            stray = await self._tradable_excess(book, entry)
            if stray is None:
                return await self._finish(book, entry)
            book = await self._unwind(book, entry, *stray)
        log.error("entry.unwind_not_done", signal_id=book.trade.id, entry=entry.entry)
        return book

    async def _tradable_excess(self, book: TradeBook, entry: Entry) -> tuple[Leg, Decimal] | None:
        """The part of one leg that nothing matches and that its venue would still trade."""
        stray = excess(*(entry_quantity(book, entry, leg) for leg in Leg))
        if stray is None:
            return None
        leg, quantity = stray
        market = self._venues[book.trade.venue(leg)].market
        instrument = (await market.instruments())[book.trade.symbol]
        quantity = floor_to_step(quantity, instrument.quantity_step)
        return (leg, quantity) if quantity >= instrument.quantity_min else None

    async def _unwind(self, book: TradeBook, entry: Entry, leg: Leg, quantity: Decimal) -> TradeBook:
        price = book.opening_order(entry, leg).reference_price
        attempt = book.next_attempt(entry.entry, leg, Purpose.UNWIND)
        order = new_order(book.trade, entry.entry, leg, Purpose.UNWIND, attempt, quantity, price)
        log.warning("entry.unwinding", signal_id=book.trade.id, entry=entry.entry, leg=leg, quantity=str(quantity))
        book = await self._ledger.add_orders(book, [order])
        await self._runner.send(book.orders_named([order.client_order_id]), self._clock.monotonic())
        return await self._runner.resolve(await self._ledger.book(book.trade.id))

    async def _finish(self, book: TradeBook, entry: Entry) -> TradeBook:
        long_quantity, short_quantity = (entry_quantity(book, entry, leg) for leg in Leg)
        matched = min(long_quantity, short_quantity)
        residual = {"long": long_quantity - matched, "short": short_quantity - matched}
        if matched <= 0:
            return await self._ledger.fail_entry(book, entry, {"residual": residual})
        long_price = book.opening_order(entry, Leg.LONG).average_price
        short_price = book.opening_order(entry, Leg.SHORT).average_price
        assert long_price is not None
        assert short_price is not None
        fill = EntryFill(
            quantity=matched,
            notional_usdt=matched * short_price,
            metric=entry_spread_metric(long_price, short_price),
            pct=entry_spread_pct(long_price, short_price),
        )
        return await self._ledger.fill_entry(book, entry, fill, residual)


def entry_quantity(book: TradeBook, entry: Entry, leg: Leg) -> Decimal:
    """What one leg of an entry holds: its opening fill less what was unwound of it."""
    return leg_position(leg_fills(order for order in book.orders if order.entry == entry.entry), leg).quantity
