"""A recorded market played through the domain code that the services run: no database, no network, no clock.

Time is the time of the bars. At each one, in this order: funding settles on what is held; signal-ingest looks at all
pairs, judges, predicts and merges; the executor tries to open what is new and what is due again; position-monitor
values every open trade and decides; the executor does what was decided.

What is assumed beyond `recorded_market`: a book stands still between two bars, so a confirmation by further samples
would only repeat the first one and is left out; both legs fill at their swept prices; funding is paid on the close of
the settlement's own bar; the balance of a venue is always all there.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from common.domain.identifiers import Leg, Purpose, order_side
from common.domain.position import LegFill
from common.domain.retry_schedule import delay_seconds
from common.domain.scale_in import FreshEvent
from common.domain.spread import take_profit_pnl
from common.runtime.settings import TradingSettings, load
from executor.application.opening import gate_rules
from executor.domain.entry_sweep import EntryRules, EntrySweep, Venue, sample_entry
from executor.domain.gate import Candidate, Standing, refuse, refuse_by_funding
from executor.domain.pair import entry_fill
from executor.domain.preflight import LegReadiness, refuse_leg
from executor.domain.refusal import Refusal
from executor.domain.settlement_sum import BookedFill
from position_monitor.domain.exits import Action, Position, Verdict, decide
from position_monitor.domain.market import Market, Quote, look
from position_monitor.domain.settlements import funding_received_usdt
from position_monitor.domain.trade import FilledEntry, FundingReceived, Trade
from position_monitor.settings import exit_rules
from signal_ingest.domain.watchlist_event import WatchlistEvent
from support.recorded_market import READ_AT_SECONDS, Moment, RecordedMarket
from support.replayed_trades import Replay, ReplayedEntry, ReplayedSignal, ReplayedTrade
from support.replayed_watchlist import ReplayedWatchlist

ZERO = Decimal(0)


class MarketReplay:
    """One run over one recording."""

    def __init__(self, market: RecordedMarket) -> None:
        self._market = market
        case = market.case
        self._trading = trading = load(TradingSettings, case.settings)
        fees = {venue: float(terms.taker_fee) for venue, terms in case.venues.items()}
        self._watchlist = ReplayedWatchlist(trading, fees)
        self._gate_rules, self._exit_rules = gate_rules(trading), exit_rules(trading)
        self._entry_rules = EntryRules(
            per_leg_usdt=trading.live_trading_per_leg_usdt,
            take_profit_ratio=trading.live_trading_tp_ratio,
            book_age_max_seconds=trading.live_trading_max_book_age_sec,
        )
        self._signals: list[ReplayedSignal] = []
        self._trades: list[ReplayedTrade] = []

    async def run(self) -> Replay:
        """Plays all of it."""
        moments = self._market.moments
        before = moments[0].at
        for moment in moments:
            self._settle_funding(moment, before)
            for event in await self._watchlist.look(self._market.quotes(moment), moment.at):
                self._record_signal(event, moment)
            self._retry(moment)
            for running in self._open_trades():
                self._monitor(running, moment)
            before = moment.at
        return Replay(len(moments), self._watchlist.verdicts, len(self._watchlist.events), self._signals, self._trades)

    def _open_trades(self) -> list[ReplayedTrade]:
        return [running for running in self._trades if running.is_open]

    # What the venues do

    def _settle_funding(self, moment: Moment, before: datetime) -> None:
        for running in self._open_trades():
            paid = [payment for leg in Leg for payment in self._payments(running.trade, leg, moment, before)]
            running.trade = replace(running.trade, funding=(*running.trade.funding, *paid))

    def _payments(self, trade: Trade, leg: Leg, moment: Moment, before: datetime) -> Iterable[FundingReceived]:
        venue = trade.venues[leg]
        calendar = self._market.calendar(venue, trade.symbol)
        for settlement in calendar.settled(before, moment.at) if calendar else ():
            notional = trade.leg(leg).quantity * moment.closes[trade.symbol][venue]
            sign = -1 if leg is Leg.LONG else 1
            yield FundingReceived(leg, sign * notional * settlement.rate, settlement.at)

    def _book_fill(self, running: ReplayedTrade, leg: Leg, purpose: Purpose, quantity: Decimal, price: Decimal) -> None:
        trade = running.trade
        fee = quantity * price * self._market.case.venues[trade.venues[leg]].taker_fee
        running.booked.append(BookedFill(order_side(leg, purpose), price, quantity, fee))
        running.trade = replace(
            trade,
            fills=(*trade.fills, LegFill(leg, purpose, quantity, price)),
            fees_usdt=(trade.fees_usdt or ZERO) + fee,
        )

    # The executor

    def _record_signal(self, event: WatchlistEvent, moment: Moment) -> None:
        assert event.id is not None
        key = event.key
        signal = ReplayedSignal(event.id, key.symbol, key.long_venue, key.short_venue, moment.at)
        self._signals.append(signal)
        self._attempt(signal, event, moment)

    def _retry(self, moment: Moment) -> None:
        for signal in self._signals:
            due_at = signal.next_attempt_at
            if signal.status != "skipped" or due_at is None or due_at > moment.at:
                continue
            event = self._watchlist.events[signal.event_id]
            if self._watchlist.may_be_retried(event, moment.at):
                self._attempt(signal, event, moment)
            else:
                signal.status, signal.next_attempt_at = "expired", None

    def _attempt(self, signal: ReplayedSignal, event: WatchlistEvent, moment: Moment) -> None:
        refusal = self._try_to_open(event, moment)
        signal.attempts += 1
        if refusal is None:
            signal.status, signal.reason, signal.next_attempt_at = "opened", None, None
            return
        wait = timedelta(seconds=delay_seconds(signal.attempts))
        signal.status, signal.reason = "skipped", refusal.reason
        signal.next_attempt_at = moment.at + wait if refusal.retryable else None

    def _try_to_open(self, event: WatchlistEvent, moment: Moment) -> Refusal | None:
        key, prediction = event.key, event.prediction
        pnl_hat, win_prob = (prediction.pnl_hat, prediction.win_prob) if prediction else (None, None)
        candidate = Candidate(key.type, key.symbol, key.long_venue, key.short_venue, pnl_hat, win_prob)
        refusal = refuse(candidate, self._gate_rules, self._standing(key.symbol)) or self._funding_guard(
            candidate, moment
        )
        if refusal is not None:
            return refusal
        assert pnl_hat is not None
        assert win_prob is not None
        held = {key.long_venue: ZERO, key.short_venue: ZERO}
        sweep = self._plan(key.symbol, (key.long_venue, key.short_venue), pnl_hat, held, moment, is_first=True)
        if isinstance(sweep, Refusal):
            return sweep
        running = ReplayedTrade(self._new_trade(event, sweep, pnl_hat, moment))
        self._trades.append(running)
        self._add_entry(running, sweep, pnl_hat, win_prob, moment)
        return None

    def _standing(self, symbol: str) -> Standing:
        open_trades = self._open_trades()
        same = [running.trade.signal_id for running in open_trades if running.trade.symbol == symbol]
        return Standing("active", same[0] if same else None, len(open_trades))

    def _funding_guard(self, candidate: Candidate, moment: Moment) -> Refusal | None:
        if not self._gate_rules.abs_funding_max:
            return None
        names = [candidate.long_venue, candidate.short_venue]
        terms = [self._market.terms(name, candidate.symbol, moment.at) for name in names]
        return refuse_by_funding(self._gate_rules, names, [known for known in terms if known is not None])

    def _plan(
        self,
        symbol: str,
        pair: tuple[str, str],
        pnl_hat: float,
        held: dict[str, Decimal],
        moment: Moment,
        *,
        is_first: bool,
    ) -> EntrySweep | Refusal:
        long, short = (self._venue(name, symbol, moment) for name in pair)
        if long is None or short is None:
            return Refusal("venue_unreachable", True, {"at": moment.at})
        sweep = sample_entry(long, short, pnl_hat, READ_AT_SECONDS, self._entry_rules, fixed_direction=not is_first)
        if isinstance(sweep, Refusal):
            return sweep
        return self._preflight(symbol, sweep, held) or sweep

    def _preflight(self, symbol: str, sweep: EntrySweep, held: dict[str, Decimal]) -> Refusal | None:
        legs = (
            (Leg.LONG, sweep.long_venue, sweep.long_buy.worst_price),
            (Leg.SHORT, sweep.short_venue, sweep.short_sell.price),
        )
        for leg, venue, price in legs:
            instrument, free = self._market.instrument(venue, symbol), self._market.case.venues[venue].balance_usdt
            readiness = LegReadiness(leg, instrument, free, True, held[venue], held[venue])
            refusal = refuse_leg(readiness, sweep.quantity, price, self._trading.live_trading_leverage)
            if refusal is not None:
                return refusal
        return None

    def _venue(self, name: str, symbol: str, moment: Moment) -> Venue | None:
        book = self._market.book(name, symbol, moment)
        return Venue(book, self._market.instrument(name, symbol)) if book else None

    def _new_trade(self, event: WatchlistEvent, sweep: EntrySweep, pnl_hat: float, moment: Moment) -> Trade:
        assert event.id is not None
        return Trade(
            signal_id=event.id,
            symbol=event.key.symbol,
            status="open",
            venues={Leg.LONG: sweep.long_venue, Leg.SHORT: sweep.short_venue},
            opened_at=moment.at,
            force_close_at=moment.at + self._exit_rules.max_hold,
            take_profit_pnl=take_profit_pnl(self._trading.live_trading_tp_ratio, pnl_hat),
            close_requested_at=None,
            close_reason=None,
            entries=(),
            fills=(),
            fees_usdt=ZERO,
            funding=(),
            order_in_flight=False,
            last_order_at=moment.at,
        )

    def _add_entry(
        self, running: ReplayedTrade, sweep: EntrySweep, pnl_hat: float, win_prob: float, moment: Moment
    ) -> None:
        prices = {Leg.LONG: sweep.long_buy.price, Leg.SHORT: sweep.short_sell.price}
        for leg in Leg:
            self._book_fill(running, leg, Purpose.OPEN, sweep.quantity, prices[leg])
        fill = entry_fill(sweep.quantity, prices[Leg.LONG], prices[Leg.SHORT], sweep.pct)
        entries = running.trade.entries
        filled = FilledEntry(len(entries) + 1, fill.notional_usdt, fill.metric, fill.pct, moment.at)
        running.trade = replace(running.trade, entries=(*entries, filled), last_order_at=moment.at)
        long_price, short_price = prices[Leg.LONG], prices[Leg.SHORT]
        running.entries.append(
            ReplayedEntry(moment.at, fill.quantity, long_price, short_price, fill.pct, pnl_hat, win_prob)
        )

    def _scale_in(self, running: ReplayedTrade, moment: Moment) -> None:
        trade = running.trade
        event = self._event_of(trade)
        assert event is not None
        assert event.prediction is not None
        pair = (trade.venues[Leg.LONG], trade.venues[Leg.SHORT])
        held = {pair[0]: trade.leg(Leg.LONG).quantity, pair[1]: -trade.leg(Leg.SHORT).quantity}
        sweep = self._plan(trade.symbol, pair, event.prediction.pnl_hat, held, moment, is_first=False)
        if isinstance(sweep, Refusal):
            running.scale_in_refusals[sweep.reason] += 1
            return
        self._add_entry(running, sweep, event.prediction.pnl_hat, event.prediction.win_prob, moment)

    def _close(self, running: ReplayedTrade, market: Market, verdict: Verdict, moment: Moment) -> None:
        if market.valuation is None:
            return  # no book to close on: the monitor says the same again at the next bar
        for leg in Leg:
            quantity = running.trade.leg(leg).quantity
            self._book_fill(running, leg, Purpose.CLOSE, quantity, market.sweeps[leg].price)
        running.closed_at, running.closing_verdict = moment.at, verdict
        running.exit_spread_pct = market.valuation.exit_spread_pct

    # The position-monitor

    def _monitor(self, running: ReplayedTrade, moment: Moment) -> None:
        event = self._event_of(running.trade)
        running.trade = trade = replace(running.trade, newest_event=_fresh(event) if event else None)
        market = self._look(trade, moment)
        verdict = decide(Position(trade, None, may_open=True), market, self._exit_rules, moment.at)
        running.verdicts[f"{verdict.action}:{verdict.reason}"] += 1
        if market.valuation is not None:
            running.worst_pnl_spread = min(running.worst_pnl_spread, market.valuation.pnl_spread)
        if verdict.action is Action.SCALE_IN:
            self._scale_in(running, moment)
        elif verdict.action is Action.CLOSE:
            self._close(running, market, verdict, moment)

    def _look(self, trade: Trade, moment: Moment) -> Market:
        books = {leg: self._market.book(venue, trade.symbol, moment) for leg, venue in trade.venues.items()}
        known = {leg: self._market.terms(venue, trade.symbol, moment.at) for leg, venue in trade.venues.items()}
        terms = {leg: found for leg, found in known.items() if found is not None}
        return look(
            trade,
            {leg: Quote(book) for leg, book in books.items()},
            terms,
            funding_received_usdt(trade, terms, moment.at),
            self._trading.live_trading_max_book_age_sec,
        )

    def _event_of(self, trade: Trade) -> WatchlistEvent | None:
        return self._watchlist.newest(trade.symbol, trade.venues[Leg.LONG], trade.venues[Leg.SHORT])


def _fresh(event: WatchlistEvent) -> FreshEvent:
    assert event.id is not None
    predicted = event.prediction
    return FreshEvent(
        event.id,
        event.last_observed_at,
        predicted.pnl_hat if predicted else None,
        predicted.win_prob if predicted else None,
    )
