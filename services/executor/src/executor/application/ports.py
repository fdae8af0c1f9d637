"""What the executor's decisions need from outside: the ledger, and the venues."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, Protocol

from common.domain.identifiers import Leg, Purpose
from common.domain.instruments import Instrument
from common.messages.contracts import CloseRequested, FlattenRequested, WatchlistEvent
from common.venues.errors import VenueRefused
from common.venues.ports import Account, Fill, FollowsOrders, FundingPayment, MarketData, OrderIntent, OrderReport
from executor.domain.gate import Standing
from executor.domain.order_machine import OrderStatus
from executor.domain.pair import EntryFill
from executor.domain.rails import DayPnl
from executor.domain.reconciliation import ExternalPart
from executor.domain.records import Entry, NewOrder, Order, Trade, TradeBook
from executor.domain.refusal import Refusal
from executor.domain.trade_machine import TradeStatus
from executor.domain.trading_state import Authority, TradingState


class Desk(Protocol):
    """An order desk that knows on whose behalf, and for what, an order goes out."""

    async def send(
        self, intent: OrderIntent, purpose: Purpose, authority: Authority, not_after_seconds: float
    ) -> OrderReport:
        """See `OrderDesk.send`; raises OrderNotSent where the trading state forbids it or the monotonic time is
        over.
        """
        ...

    async def cancel(self, symbol: str, client_order_id: str) -> None: ...


@dataclass(frozen=True, slots=True)
class TradingVenue:
    """Everything that can be done on one venue."""

    market: MarketData
    account: Account
    desk: Desk
    orders: FollowsOrders | None = None

    async def instrument(self, symbol: str) -> Instrument:
        """Trading rules of a symbol; raises VenueRefused where the venue does not list it, and as reading does."""
        found = (await self.market.instruments()).get(symbol)
        if found is None:
            raise VenueRefused(self.market.venue, f"{symbol} is not listed")
        return found

    async def held(self, symbol: str) -> Decimal:
        """The signed position of a symbol in base units, whoever opened it; raises as reading does."""
        positions = await self.account.positions([symbol])
        return positions[symbol].quantity if symbol in positions else Decimal(0)


Venues = Mapping[str, TradingVenue]
FlattenState = Literal["working", "flat", "not_flat", "refused"]


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
    begin_by_seconds: float
    """The monotonic moment until which its intents may be written."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one order."""

    status: OrderStatus
    filled_quantity: Decimal = Decimal(0)
    average_price: Decimal | None = None
    venue_order_id: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """An open event whose signal, if it has one yet, could become a trade."""

    event: WatchlistEvent
    trade: Trade | None
    next_attempt_at: datetime | None


class SignalLedger(Protocol):
    """Signals on their way to becoming trades."""

    async def waiting(self, limit: int) -> Sequence[Waiting]:
        """Open events that are no trade and were not ended, last observed first."""
        ...

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

    async def event(self, event_id: int) -> WatchlistEvent | None:
        """The event as it stands now."""
        ...


class OrderOutcomes(Protocol):
    """Where orders are kept, whatever they belong to."""

    async def record_outcome(self, order: Order, outcome: Outcome) -> bool:
        """Stores what became of an order; False for a move that the order machine does not know, which changes
        nothing.
        """
        ...


class TradeLedger(OrderOutcomes, Protocol):
    """Trades at work. Every write checks that the trade is as it was read, and raises StaleTradeError if not."""

    async def book(self, signal_id: int) -> TradeBook: ...

    async def begin_entry(self, book: TradeBook, plan: EntryPlan, concurrent_max: int) -> TradeBook:
        """Commits the entry with both intents and takes the lease. Raises EntryRefused, StaleTradeError."""
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

    async def take_close_over(self, book: TradeBook, request: CloseRequested) -> TradeBook:
        """Stores that an operator wants a close which the strategy began; raises StaleTradeError."""
        ...

    async def finish_close(self, book: TradeBook, evidence: dict[str, Any]) -> None: ...

    def claim(self, signal_id: int) -> bool:
        """True when nothing else in this process works on the signal; `begin_entry` then takes the lease."""
        ...

    async def take_lease(self, signal_id: int) -> bool:
        """True when this process may work on the trade now, and nothing else in it does."""
        ...

    async def release_lease(self, signal_id: int) -> None:
        """Ends a claim or a lease of this process; only whoever got it calls this."""
        ...

    async def renew_leases(self) -> None:
        """Puts off the end of all leases that this process works under."""
        ...

    async def add_external(self, book: TradeBook, leg: Leg, parts: Sequence[ExternalPart], cause: str) -> TradeBook:
        """Books executions of others as far as they reduced the trade's leg, as orders of purpose `external`, by their
        ids, each once.
        """
        ...

    async def operator_closes(self) -> Sequence[CloseRequested]:
        """Operators' wishes for trades that are still open, from the audit: their message may have been lost."""
        ...

    async def unfinished(self) -> Sequence[int]:
        """Trades that are opening, closing, or hold an order or entry without an outcome."""
        ...


@dataclass(frozen=True, slots=True)
class Flatten:
    """An operator's wish to hold nothing of a symbol at a venue, as it is stored."""

    request: FlattenRequested
    order_key: str
    is_over: bool


class FlattenLedger(OrderOutcomes, Protocol):
    """Flattened positions, and the orders against what no trade holds."""

    async def begin(self, request: FlattenRequested) -> Flatten:
        """The wish as it stands; stored when it is new."""
        ...

    async def active_trade(self, venue: str, symbol: str) -> tuple[int, TradeStatus] | None:
        """The trade that has, or may have, a leg on this venue and symbol."""
        ...

    async def orders(self, request_id: str) -> Sequence[Order]: ...

    async def add_order(self, request_id: str, order: NewOrder) -> Order:
        """Commits an intent. Raises TradeBusyError where another worker was faster."""
        ...

    async def unfinished_orders(self) -> Sequence[Order]:
        """Orders of all wishes without an outcome, or of which a fill or its fee is not stored yet."""
        ...

    async def add_fills(self, order: Order, fills: Sequence[Fill]) -> None:
        """Stores fills of the order, each once, and the fee of one that had none."""
        ...

    async def tell(self, flatten: Flatten, state: FlattenState, evidence: dict[str, Any]) -> None:
        """Stores how far it has come; every state but `working` ends it and is audited."""
        ...


class Bookkeeping(Protocol):
    """What the venues' own ledgers say, copied by their ids."""

    async def active_trades(self) -> Sequence[Trade]:
        """Open and closing trades."""
        ...

    async def unbooked_trades(self) -> Sequence[int]:
        """Trades with an order that filled more than is booked of it, or a fill whose fee is not known."""
        ...

    async def unfinalised_trades(self) -> Sequence[Trade]:
        """Closed and failed trades that are not summed up yet."""
        ...

    async def recent_closes(self, since: datetime) -> Mapping[int, datetime]:
        """The trades that were summed up at `since` or later, with the time of their close."""
        ...

    async def book(self, signal_id: int) -> TradeBook: ...

    async def add_fills(self, book: TradeBook, fills: Sequence[Fill]) -> int:
        """Books fills of the trade's own orders, each once, and of somebody else's the part that is in the ledger, with
        its share of the fee. Returns how many were new.
        """
        ...

    async def add_funding(self, trade: Trade, leg: Leg, payments: Sequence[FundingPayment]) -> int:
        """Books payments, each once, and returns how many were new. The account of a trade that is final already is
        corrected with them.
        """
        ...

    async def taken_elsewhere(self, signal_id: int, venue: str, venue_order_ids: Sequence[str]) -> Sequence[str]:
        """Those of a venue's order ids that stand in the ledgers of other trades."""
        ...

    async def leg_changes(self, trade: Trade, leg: Leg) -> Sequence[tuple[datetime, Decimal]]:
        """What the booked fills added to the leg, or took from it (below zero), in base units, oldest first."""
        ...

    async def finalise(self, trade: Trade) -> bool:
        """Sums up a trade that is over, once its fills, fees and legs are complete; False while something is
        missing.
        """
        ...

    async def save_positions(self, venue: str, quantities: Mapping[str, Decimal], read_at: datetime) -> None:
        """Stores what a venue holds of each symbol, unless a later reading is there."""
        ...


class Alarms(Protocol):
    """What somebody has to know: stored as an error, at most once an hour for the same kind and trade."""

    async def sound(self, kind: str, message: str, detail: dict[str, Any], signal_id: int | None = None) -> None: ...


class TradingStates(Protocol):
    """The stored trading state."""

    async def current(self) -> TradingState:
        """Raises OrderNotSent where it cannot be read."""
        ...

    async def change(
        self,
        state: TradingState,
        reason: str,
        changed_by: str,
        evidence: dict[str, Any],
        *,
        only_from: TradingState | None = None,
    ) -> bool:
        """Stores and audits a new state; False when it was that already, or not `only_from`, where that is given."""
        ...


class RailFigures(Protocol):
    """What the rails are held against."""

    async def read(self, now: datetime) -> tuple[DayPnl, int]:
        """What a day has made, and entries unwound within an hour."""
        ...
