"""What Tandem asks of a venue. Everything is in base units, USDT and UTC; symbols are base assets (`SOL`).

Reading methods raise `VenueUnreachable`, `VenueBanned` or `VenueRefused` (see `common.venues.errors`) and
nothing else that comes from the network or the venue. `asyncio.CancelledError` always passes through.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol, runtime_checkable

from common.domain.funding import FundingTerms
from common.domain.identifiers import Side
from common.domain.instruments import Instrument
from common.domain.order_book import OrderBook


@dataclass(frozen=True, slots=True)
class TopOfBook:
    """Best prices of one symbol, in USDT."""

    symbol: str
    bid: Decimal
    ask: Decimal


class MarketData(Protocol):
    """Public data of one venue. Needs no key."""

    venue: str

    async def instruments(self) -> Mapping[str, Instrument]:
        """All linear USDT or USDC perpetuals by symbol; kept, and read anew now and then.

        Those that the venue does not trade now are there too, halted. Of two of one symbol the one that is traded
        counts, then USDT; one that is known stays known, also when the venue lists it no longer.
        """
        ...

    async def book(self, symbol: str) -> OrderBook:
        """The book now (some 50 levels or what the venue gives at once)."""
        ...

    async def tops(self, symbols: Sequence[str]) -> Mapping[str, TopOfBook]:
        """Best prices of the symbols in one request for all; symbols without a two-sided book are left out."""
        ...

    async def funding(self, symbols: Sequence[str]) -> Mapping[str, FundingTerms]:
        """Current funding terms, the interval read from the venue; symbols whose interval is unknown are left out."""
        ...

    async def server_time_offset_seconds(self) -> float:
        """Venue's clock minus the machine's, as far as the duration of the request does not explain it."""
        ...

    async def close(self) -> None:
        """Closes connections."""
        ...


@runtime_checkable
class FollowsBooks(Protocol):
    """Market data that hears of its books by itself."""

    def follow(self, symbol: str, changed: Callable[[], None]) -> Callable[[], None]:
        """Has the book followed, and `changed` called when it changed or was lost; call the result to stop."""
        ...

    def followed(self, symbol: str) -> OrderBook | None:
        """The book as it was heard of last, without a request; None while that is not surely the book of now."""
        ...


class FollowsOrders(Protocol):
    """Hears by itself that the account's own orders have ended.

    What it says is a hint, to ask now: it may come late, twice, too early or not at all.
    """

    def follow(self, client_order_id: str, ended: Callable[[], None]) -> Callable[[], None]:
        """Has `ended` called, once at most, when the venue reports that order's end; call the result to stop."""
        ...


class OrderState(StrEnum):
    """What the venue says of an order. `WORKING` may still fill."""

    WORKING = "working"
    FILLED = "filled"
    CANCELLED = "cancelled"  # final: whatever filled, filled; the rest never will
    REJECTED = "rejected"


ORDER_VALID_SECONDS = 1.5
"""How long after the moment at which it was allowed a venue may still take an order. Each venue is told so with the
order, and one that nobody knows is given up only after it: it bounds how long a trade may be in doubt."""


@dataclass(frozen=True, slots=True)
class OrderIntent:
    """A market order that is about to be sent. `quantity` in base units."""

    venue: str
    symbol: str
    side: Side
    quantity: Decimal
    client_order_id: str
    reduce_only: bool
    reference_price: Decimal
    """Swept price: where a venue wants a price for a market order (hyperliquid) it bounds the slippage."""
    signed_at_seconds: float | None = None
    """Real unix time at which it was decided that the order may still go out. The request is signed with this time,
    so that a process that slept between the decision and the request is refused by the venue's receive window."""


@dataclass(frozen=True, slots=True)
class OrderReport:
    """What the venue knows of one order. Quantities in base units; `average_price` None while nothing filled."""

    client_order_id: str
    venue_order_id: str | None
    state: OrderState
    filled_quantity: Decimal
    average_price: Decimal | None


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution in the venue's own ledger. `fee_usdt` is positive when paid, None if not in USDT or unknown."""

    venue: str
    symbol: str
    fill_id: str
    venue_order_id: str
    side: Side
    price: Decimal
    quantity: Decimal
    fee_usdt: Decimal | None
    traded_at: datetime


@dataclass(frozen=True, slots=True)
class FundingPayment:
    """One settlement in the venue's own ledger. `amount_usdt` is positive when received."""

    venue: str
    symbol: str
    payment_id: str
    amount_usdt: Decimal
    settled_at: datetime


@dataclass(frozen=True, slots=True)
class VenuePosition:
    """Signed net position in base units: long above zero."""

    venue: str
    symbol: str
    quantity: Decimal
    entry_price: Decimal | None
    mark_price: Decimal | None
    leverage: Decimal | None


@dataclass(frozen=True, slots=True)
class Balance:
    """USDT of the derivatives account: `free_usdt` can be used as margin."""

    total_usdt: Decimal
    free_usdt: Decimal


class PositionMode(StrEnum):
    """One net position a symbol, or a long and a short beside each other (hedge)."""

    ONE_WAY = "one_way"
    HEDGE = "hedge"


class Account(Protocol):
    """Private, reading side of one venue, and the settings that a preflight makes."""

    venue: str

    async def balance(self) -> Balance: ...

    async def positions(self, symbols: Sequence[str] | None = None) -> Mapping[str, VenuePosition]:
        """Open positions by symbol; a symbol that is not in the answer is flat."""
        ...

    async def position_mode(self, symbol: str) -> PositionMode: ...

    async def leverage(self, symbol: str) -> Decimal | None:
        """The leverage that an order of the symbol would have now; None where the venue names none."""
        ...

    async def prepare(self, symbol: str, leverage: int) -> None:
        """Sets one-way mode where possible, cross margin and leverage; a no-op where they are set already.

        Raises:
            VenueRefused: the venue does not allow it (open positions in hedge mode, leverage above the maximum).
        """
        ...

    async def order(self, symbol: str, client_order_id: str) -> OrderReport | None:
        """What the venue knows of an order by its client id; None when it surely does not know it."""
        ...

    async def fills(self, symbol: str, since: datetime) -> Sequence[Fill]:
        """Every execution of the symbol from `since` (venue time), oldest first, all pages."""
        ...

    async def funding_payments(self, symbol: str, since: datetime) -> Sequence[FundingPayment]:
        """Every funding settlement of the symbol from `since` (venue time), oldest first, all pages."""
        ...

    async def close(self) -> None: ...


class OrderDesk(Protocol):
    """The only thing that can change a position. Nothing here is ever retried inside."""

    venue: str

    async def send(self, intent: OrderIntent) -> OrderReport:
        """Sends one market order and says what the venue answered; asks once for the fill where the answer has none.

        Raises:
            OrderRejected: no exposure.
            OrderNotSent: no exposure.
            OrderOutcomeUnknown: maybe exposure. Also for a duplicate client id: it was sent before.
        """
        ...

    async def cancel(self, symbol: str, client_order_id: str) -> None:
        """Asks to cancel; whether it did is for `Account.order` to say. An order that is already final is no error.

        Raises:
            VenueUnreachable, VenueBanned, VenueRefused.
        """
        ...
