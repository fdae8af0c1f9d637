"""A venue in virtual time behind the ports: the engine of `venue_sim` with its faults, reached over a slow line.

What the wire does to a request (lost, late, banned, garbled) ends here in the same errors as in the ccxt adapter. An
order that arrives later than the venue accepts a signed request, by its own clock, is refused, as real venues do.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from random import Random
from typing import Any, Protocol, TypeVar

from common.domain.funding import FundingTerms
from common.domain.identifiers import Side
from common.domain.instruments import Instrument
from common.domain.order_book import OrderBook, book_side
from common.runtime.clock import Clock
from common.venues.errors import (
    OrderNotSent,
    OrderOutcomeUnknown,
    OrderRejected,
    VenueBanned,
    VenueError,
    VenueRefused,
    VenueUnreachable,
)
from common.venues.ports import (
    ORDER_VALID_SECONDS,
    Balance,
    Fill,
    FundingPayment,
    OrderIntent,
    OrderReport,
    PositionMode,
    TopOfBook,
    VenuePosition,
)
from support.virtual_process import Journey, Life, Reply, ask
from support.virtual_venue_server import VenueServer, report
from venue_sim.faults import WIRE, EndpointClass, FaultKind, FaultSpec, Target
from venue_sim.refusals import Reason, Refusal

REQUEST_TIMEOUT_SECONDS = 5.0
AHEAD_SECONDS_MAX = 1.0
"""How far a request's time may be ahead of the venue's clock."""

RULES_RENEWED_SECONDS = 30.0
"""The adapter reads a venue's contracts anew every hour; this is one at the speed of a run."""

Answer = TypeVar("Answer")


class VenueNetwork(Protocol):
    """How requests to one venue travel."""

    def journey(self, life: Life) -> Journey:
        """The next request's.

        Raises:
            OSError: no connection comes about.
        """
        ...

    def order_journey(self, life: Life) -> Journey:
        """The next order's; raises as `journey` does."""
        ...


@dataclass(frozen=True, slots=True)
class _Failed:
    """What a wire fault makes of an answer."""

    spec: FaultSpec
    left_seconds: float


@dataclass(eq=False)
class VirtualVenue:
    """`MarketData`, `Account` and `OrderDesk` of one venue for one process."""

    server: VenueServer
    life: Life
    network: VenueNetwork
    clock: Clock
    _instruments: Mapping[str, Instrument] = field(default_factory=dict)
    _instruments_read_at: float = 0.0
    _outside: Context = field(default_factory=copy_context)

    venue: str = field(init=False)

    def __post_init__(self) -> None:
        self.venue = self.server.name

    # Public data

    async def instruments(self) -> Mapping[str, Instrument]:
        now = self.clock.monotonic()
        if not self._instruments or now - self._instruments_read_at > RULES_RENEWED_SECONDS:
            self._instruments = await self._read(None, None, self._list)
            self._instruments_read_at = now
        return self._instruments

    async def book(self, symbol: str) -> OrderBook:
        book = await self._read(EndpointClass.BOOK, symbol, lambda: self.server.venue.book(symbol))
        sides = book_side(book.bids), book_side(book.asks)
        return OrderBook(self.venue, symbol, *sides, self.clock.monotonic(), book.update_id)

    async def tops(self, symbols: Sequence[str]) -> Mapping[str, TopOfBook]:
        venue = self.server.venue
        wanted = [symbol for symbol in symbols if symbol in venue.instruments]
        books = await self._read(None, None, lambda: [venue.market_book(symbol) for symbol in wanted])
        return {
            book.symbol: TopOfBook(book.symbol, book.bids[0].price, book.asks[0].price)
            for book in books
            if book.bids and book.asks
        }

    async def funding(self, symbols: Sequence[str]) -> Mapping[str, FundingTerms]:
        venue = self.server.venue
        wanted = [symbol for symbol in symbols if symbol in venue.instruments]
        shown = await self._read(None, None, lambda: {symbol: venue.funding(symbol) for symbol in wanted})
        return {
            symbol: FundingTerms(self.venue, symbol, float(f.rate), float(f.interval_hours), f.next_time)
            for symbol, f in shown.items()
        }

    async def server_time_offset_seconds(self) -> float:
        return await self._read(None, None, lambda: self.server.clock_offset_seconds)

    async def close(self) -> None:
        return

    # Account

    async def balance(self) -> Balance:
        def read() -> Balance:
            self.server.venue.settle()
            return Balance(self.server.venue.account.balance, self.server.venue.available())

        return await self._read(EndpointClass.BALANCE, None, read)

    async def positions(self, symbols: Sequence[str] | None = None) -> Mapping[str, VenuePosition]:
        def read() -> dict[str, VenuePosition]:
            venue = self.server.venue
            venue.settle()
            shown = [venue.shown.position(symbol) for symbol in symbols or venue.instruments]
            return {
                held.symbol: VenuePosition(
                    self.venue,
                    held.symbol,
                    held.quantity,
                    held.entry_price,
                    venue.mark(held.symbol),
                    Decimal(venue.leverage(held.symbol)),
                )
                for held in shown
                if held.quantity
            }

        return await self._read(EndpointClass.POSITIONS, None, read)

    async def position_mode(self, symbol: str) -> PositionMode:
        return await self._read(None, symbol, lambda: PositionMode.ONE_WAY)

    async def leverage(self, symbol: str) -> Decimal | None:
        return await self._read(None, symbol, lambda: Decimal(self.server.venue.leverage(symbol)))

    async def prepare(self, symbol: str, leverage: int) -> None:
        await self._read(None, symbol, lambda: self.server.venue.set_leverage(symbol, leverage))

    async def order(self, symbol: str, client_order_id: str) -> OrderReport | None:
        def read() -> OrderReport | None:
            try:
                return report(self.server.venue.find_order(symbol, "", client_order_id))
            except Refusal as refusal:
                if refusal.reason is Reason.ORDER_NOT_FOUND:
                    return None
                raise

        return await self._read(EndpointClass.ORDER_QUERY, symbol, read)

    async def fills(self, symbol: str, since: datetime) -> Sequence[Fill]:
        def read() -> list[Fill]:
            self.server.venue.settle()
            return [
                Fill(
                    venue=self.venue,
                    symbol=symbol,
                    fill_id=fill.fill_id,
                    venue_order_id=fill.order_id,
                    side=Side(fill.side.value),
                    price=fill.price,
                    quantity=fill.quantity,
                    fee_usdt=fill.fee,
                    traded_at=fill.time,
                )
                for fill in self.server.venue.shown.fills(symbol)
                if fill.symbol == symbol and fill.time >= since
            ]

        return await self._read(EndpointClass.FILLS, symbol, read)

    async def funding_payments(self, symbol: str, since: datetime) -> Sequence[FundingPayment]:
        def read() -> list[FundingPayment]:
            self.server.venue.settle()
            return [
                FundingPayment(self.venue, symbol, payment.payment_id, payment.amount, payment.time)
                for payment in self.server.venue.shown.payments(symbol)
                if payment.symbol == symbol and payment.time >= since
            ]

        return await self._read(EndpointClass.FUNDING, symbol, read)

    # Orders

    async def send(self, intent: OrderIntent) -> OrderReport:
        signed_at = self.clock.unix_seconds() if intent.signed_at_seconds is None else intent.signed_at_seconds
        target = Target(EndpointClass.ORDER_CREATE, intent.symbol, reduce_only=intent.reduce_only)

        def place() -> OrderReport:
            age_seconds = self.clock.unix_seconds() + self.server.clock_offset_seconds - signed_at
            if not -AHEAD_SECONDS_MAX <= age_seconds <= ORDER_VALID_SECONDS:
                raise OrderRejected(self.venue, f"the request is {age_seconds} s old", "recv_window")
            try:
                return report(self.server.place(intent), intent.client_order_id)
            except Refusal as refusal:
                kind = OrderOutcomeUnknown if refusal.reason is Reason.DUPLICATE_CLIENT_ID else OrderRejected
                raise kind(self.venue, str(refusal), refusal.reason) from refusal

        try:
            return await self._ask(target, place, self._order_error)
        except TimeoutError as error:
            raise OrderOutcomeUnknown(self.venue, "no answer in time") from error
        except OSError as error:
            raise OrderNotSent(self.venue, f"no connection: {error}") from error

    async def cancel(self, symbol: str, client_order_id: str) -> None:
        def end() -> None:
            try:
                self.server.venue.cancel(symbol, "", client_order_id)
            except Refusal as refusal:
                if refusal.reason not in (Reason.ORDER_NOT_OPEN, Reason.ORDER_NOT_FOUND):
                    raise

        await self._read(EndpointClass.ORDER_CANCEL, symbol, end)

    # The line

    def _list(self) -> dict[str, Instrument]:
        return {
            symbol: Instrument(
                venue=self.venue,
                symbol=symbol,
                quantity_step=rules.quantity_step,
                quantity_min=rules.quantity_min,
                notional_min=rules.notional_min,
                price_tick=rules.price_tick,
                quantity_max=rules.quantity_max,
            )
            for symbol, rules in self.server.venue.instruments.items()
        }

    async def _read(self, endpoint: EndpointClass | None, symbol: str | None, work: Callable[[], Answer]) -> Answer:
        def read() -> Answer:
            try:
                return work()
            except Refusal as refusal:
                raise VenueRefused(self.venue, str(refusal), refusal.reason) from refusal

        try:
            return await self._ask(Target(endpoint, symbol), read, self._read_error)
        except (TimeoutError, OSError) as error:
            raise VenueUnreachable(self.venue, f"no answer: {error!r}") from error

    async def _ask(
        self, target: Target, work: Callable[[], Answer], failure: Callable[[_Failed], VenueError]
    ) -> Answer:
        """One request.

        Raises:
            TimeoutError: no answer in time; OSError: no connection; VenueError: an answer that says so.
        """
        is_order = target.endpoint is EndpointClass.ORDER_CREATE
        journey = self.network.order_journey(self.life) if is_order else self.network.journey(self.life)

        def serve(reply: Reply[Answer]) -> None:
            self._serve(target, work, failure, reply)

        async with asyncio.timeout(REQUEST_TIMEOUT_SECONDS):
            return await ask(asyncio.get_running_loop(), self.life, serve, journey, self._outside)

    def _serve(
        self,
        target: Target,
        work: Callable[[], Answer],
        failure: Callable[[_Failed], VenueError],
        reply: Reply[Answer],
    ) -> None:
        venue = self.server.venue
        venue.settle()
        now = venue.moment()
        fault = venue.faults.take(target, WIRE, now)
        try:
            answer = work() if fault is None or fault.spec.takes_effect else None
        except VenueError as error:
            reply.refuse(error)
            return
        if fault is None:
            reply.give(answer)  # type: ignore[arg-type]  # without a fault the work was done
        elif fault.spec.kind is FaultKind.DELAY:
            replace_seconds(reply, fault.spec.seconds).give(answer)
        elif fault.spec.kind is not FaultKind.TIMEOUT:
            reply.refuse(failure(_Failed(fault.spec, fault.remaining_seconds(now))))

    def _read_error(self, failed: _Failed) -> VenueError:
        kind = failed.spec.kind
        if kind is FaultKind.BAN:
            return VenueBanned(self.venue, "banned", "418", self.clock.unix_seconds() + failed.left_seconds)
        if kind is FaultKind.NONCE:
            return VenueRefused(self.venue, "the clocks differ")
        return VenueUnreachable(self.venue, f"fault: {kind}")

    def _order_error(self, failed: _Failed) -> VenueError:
        kind = failed.spec.kind
        if kind in (FaultKind.REJECT, FaultKind.BAN, FaultKind.NONCE):
            return OrderRejected(self.venue, f"fault: {kind}", str(kind))
        return OrderOutcomeUnknown(self.venue, f"fault: {kind}", str(kind))


def replace_seconds(reply: Reply[Any], seconds: float) -> Reply[Any]:
    """The same reply, that much later."""
    return replace(reply, seconds=reply.seconds + seconds)


class UnreliableWord:
    """`FollowsOrders` that knows nothing: up to three words that an order has ended, at moments that its id decides."""

    def follow(self, client_order_id: str, ended: Callable[[], None]) -> Callable[[], None]:
        chance, loop = Random(client_order_id), asyncio.get_running_loop()  # chance that can be repeated
        words = [loop.call_later(chance.expovariate(2.0), ended) for _ in range(chance.randrange(4))]

        def stop() -> None:
            for word in words:
                word.cancel()

        return stop
