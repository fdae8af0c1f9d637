"""The executor's use cases, put together over its ports: the same for the service, the tests and the simulation."""

from dataclasses import dataclass
from decimal import Decimal

from common.runtime.clock import Clock
from common.runtime.settings import TradingSettings
from executor.application.bookkeeping import Bookkeeper
from executor.application.closing import Closing
from executor.application.entries import EntryLimits, EntryOpener
from executor.application.flatten_books import FlattenBooks
from executor.application.flattening import Flattening
from executor.application.guardian import Guardian
from executor.application.opening import SignalOpener
from executor.application.orders import OrderRunner, OrderSender
from executor.application.planning import EntryPlanner
from executor.application.ports import (
    Alarms,
    Bookkeeping,
    FlattenLedger,
    RailFigures,
    SignalLedger,
    TradeLedger,
    TradingStates,
    Venues,
)
from executor.application.reach import Reach
from executor.application.reconciling import Reconciler
from executor.application.recovery import Recovery
from executor.application.scale_in import ScaleIn
from executor.application.standings import AccountStandings
from executor.domain.rails import Rails


@dataclass(frozen=True, slots=True)
class Ports:
    """Everything outside."""

    venues: Venues
    signals: SignalLedger
    trades: TradeLedger
    bookkeeping: Bookkeeping
    states: TradingStates
    figures: RailFigures
    alarms: Alarms
    flattens: FlattenLedger


@dataclass(frozen=True, slots=True)
class UseCases:
    """Everything that the executor does."""

    opener: SignalOpener
    scale_in: ScaleIn
    closing: Closing
    flattening: Flattening
    flatten_books: FlattenBooks
    recovery: Recovery
    bookkeeper: Bookkeeper
    guardian: Guardian
    reconciler: Reconciler


def use_cases(
    ports: Ports, settings: TradingSettings, rails: Rails, unwind_loss_budget_usdt: Decimal, clock: Clock
) -> UseCases:
    """One executor over these ports."""
    venues, signals, trades, states = ports.venues, ports.signals, ports.trades, ports.states
    standings = AccountStandings(venues, settings.live_trading_leverage, clock)
    runner = OrderRunner(venues, trades, standings, clock)
    planner = EntryPlanner(venues, standings, settings, clock)
    limits = EntryLimits(settings.live_trading_max_concurrent, unwind_loss_budget_usdt)
    reach = Reach(venues, ports.alarms)
    reconciler = Reconciler(venues, trades, ports.bookkeeping, reach, ports.alarms, clock)
    entries = EntryOpener(venues, trades, runner, standings, reconciler, ports.alarms, limits)
    flatten_sender = OrderSender(venues, ports.flattens, standings, clock)
    closing = Closing(venues, trades, runner, entries, reconciler, reach, states, settings, clock)
    return UseCases(
        opener=SignalOpener(signals, trades, planner, entries, venues, settings, clock),
        scale_in=ScaleIn(signals, trades, planner, entries, venues, reach, settings, clock),
        closing=closing,
        flattening=Flattening(venues, ports.flattens, flatten_sender, closing, clock),
        flatten_books=FlattenBooks(venues, ports.flattens, flatten_sender, clock),
        recovery=Recovery(trades, entries, closing, reach),
        bookkeeper=Bookkeeper(venues, ports.bookkeeping, reach, clock),
        guardian=Guardian(venues, states, ports.figures, rails, clock),
        reconciler=reconciler,
    )
