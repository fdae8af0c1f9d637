"""What the executor's decisions need from outside: the ledger, and the venues."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from common.domain.identifiers import Leg, Purpose
from common.messages.contracts import CloseRequested, WatchlistEvent
from common.venues.ports import Account, Fill, FundingPayment, MarketData, OrderIntent, OrderReport
from executor.domain.gate import Standing
from executor.domain.order_machine import OrderStatus
from executor.domain.pair import EntryFill
from executor.domain.records import Entry, NewOrder, Order, Trade, TradeBook
from executor.domain.refusal import Refusal
from executor.domain.trading_state import Authority, TradingState


class Desk(Protocol):
    """An order desk that knows on whose behalf, and for what, an order goes out."""

    async def send(self, intent: OrderIntent, purpose: Purpose, authority: Authority) -> OrderReport:
        """See `OrderDesk.send`; raises OrderNotSent where the trading state forbids it."""
        ...

    async def cancel(self, symbol: str, client_order_id: str) -> None: ...


@dataclass(frozen=True, slots=True)
class TradingVenue:
    """Everything that can be done on one venue."""

    market: MarketData
    account: Account
    desk: Desk


Venues = Mapping[str, TradingVenue]


class StaleTradeError(Exception):
    """Somebody else changed the trade since it was read: drop what was decided and read again."""


class TradeBusyError(Exception):
    """Another worker holds the trade; the bus delivers the request again."""


class EntryRefused(Exception):
    """The ledger would not begin an entry: another trade or a limit was faster."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.reason)
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class EntryPlan:
    """An entry about to be opened, with everything that its decision rests on."""

    entry: int
    event_id: int
    long_venue: str
    short_venue: str
    quantity: Decimal
    long_price: Decimal
    short_price: Decimal
    pnl_hat: float
    win_prob: float
    take_profit_pnl: float
    snapshot: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one order."""

    status: OrderStatus
    filled_quantity: Decimal = Decimal(0)
    average_price: Decimal | None = None
    venue_order_id: str | None = None
    error: str | None = None


class SignalLedger(Protocol):
    """Signals on their way to becoming trades."""

    async def record_signal(self, event: WatchlistEvent) -> tuple[Trade, bool]:
        """The signal of an event, and whether this call made it. One event has one signal, for ever."""
        ...

    async def trade(self, signal_id: int) -> Trade | None: ...

    async def standing(self, symbol: str) -> Standing: ...

    async def skip(
        self, trade: Trade, refusal: Refusal, next_attempt_at: datetime | None, event: WatchlistEvent
    ) -> None:
        """Raises StaleTradeError."""
        ...

    async def expire(self, signal_id: int, attempts: int, reason: str, evidence: dict[str, Any]) -> None:
        """Ends a skipped signal that still stands at `attempts`; otherwise nothing happens."""
        ...

    async def refused_scale_in(self, trade: Trade, refusal: Refusal) -> None:
        """Records why an entry was not added."""
        ...

    async def fresh_event(self, trade: Trade) -> WatchlistEvent | None:
        """The newest Type B event of the trade's symbol and the same long and short venues."""
        ...


class TradeLedger(Protocol):
    """Trades at work. Every write checks that the trade is as it was read, and raises StaleTradeError if not."""

    async def book(self, signal_id: int) -> TradeBook: ...

    async def begin_entry(self, book: TradeBook, plan: EntryPlan, concurrent_max: int) -> TradeBook:
        """Commits the entry with both intents and takes the lease. Raises EntryRefused, StaleTradeError."""
        ...

    async def record_outcome(self, order: Order, outcome: Outcome) -> None:
        """Stores what became of an order; a move that the order machine does not know changes nothing."""
        ...

    async def add_orders(self, book: TradeBook, orders: Sequence[NewOrder]) -> TradeBook:
        """Commits further intents."""
        ...

    async def fill_entry(self, book: TradeBook, entry: Entry, fill: EntryFill, residual: dict[str, Any]) -> TradeBook:
        """The entry is hedged; the first one opens the trade."""
        ...

    async def fail_entry(self, book: TradeBook, entry: Entry, evidence: dict[str, Any]) -> TradeBook:
        """The entry left no matched position; a first one fails the trade."""
        ...

    async def begin_close(self, book: TradeBook, request: CloseRequested) -> TradeBook: ...

    async def finish_close(self, book: TradeBook, evidence: dict[str, Any]) -> None: ...

    async def take_lease(self, signal_id: int) -> bool:
        """True when this process may work on the trade now."""
        ...

    async def release_lease(self, signal_id: int) -> None: ...

    async def unfinished(self) -> Sequence[int]:
        """Trades that are opening, closing, or hold an order or entry without an outcome."""
        ...


class Bookkeeping(Protocol):
    """What the venues' own ledgers say, copied by their ids."""

    async def active_trades(self) -> Sequence[Trade]:
        """Open and closing trades."""
        ...

    async def unbooked_trades(self) -> Sequence[int]:
        """Trades with an order that filled more than is booked of it."""
        ...

    async def unfinalised_trades(self) -> Sequence[Trade]:
        """Closed trades that are not summed up yet."""
        ...

    async def book(self, signal_id: int) -> TradeBook: ...

    async def add_fills(self, book: TradeBook, fills: Sequence[Fill]) -> int:
        """Books fills of the trade's own orders, each once; others are left alone. Returns how many were new."""
        ...

    async def add_funding(self, trade: Trade, leg: Leg, payments: Sequence[FundingPayment]) -> int: ...

    async def leg_window(self, trade: Trade, leg: Leg) -> tuple[datetime, datetime | None] | None:
        """When the leg was open at its venue: first opening fill to last closing fill; None before any fill."""
        ...

    async def finalise(self, trade: Trade) -> bool:
        """Sums up a closed trade whose fills and fees are complete; False while something is unknown."""
        ...

    async def save_positions(self, venue: str, quantities: Mapping[str, Decimal], read_at: datetime) -> None:
        """Stores what a venue holds of each symbol, unless a later reading is there."""
        ...


class TradingStates(Protocol):
    """The stored trading state."""

    async def current(self) -> TradingState:
        """Raises OrderNotSent where it cannot be read."""
        ...

    async def change(self, state: TradingState, reason: str, changed_by: str, evidence: dict[str, Any]) -> bool:
        """Stores and audits a new state; False when it was that already."""
        ...


class RailFigures(Protocol):
    """What the rails are held against."""

    async def read(self, now: datetime) -> tuple[Decimal, int]:
        """Net P&L in USDT of the trades finalised within a day, and entries unwound within an hour."""
        ...
