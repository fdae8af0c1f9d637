"""Bringing what a venue holds of a symbol to zero on an operator's word.

A trade with a leg there is closed as a whole, because one leg alone would leave the other naked. What is left then
belongs to no trade: it may be the operator's own, and is touched only where the operator said so. Its orders are
reduce-only, committed before they are sent and sent once, like all others. It is over when the venue says zero.
"""

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from common.domain.identifiers import Leg, Purpose, client_order_id, order_side
from common.domain.instruments import Instrument, floor_to_step
from common.domain.order_book import InsufficientDepth
from common.messages.contracts import CloseRequested, FlattenRequested
from common.runtime.clock import Clock
from common.venues.errors import VenueBanned, VenueRefused, VenueUnreachable
from common.venues.ports import VenuePosition
from common.venues.urgency import urgent
from executor.application.closing import Closing
from executor.application.orders import ASK_SECONDS_MAX, OrderSender
from executor.application.ports import Flatten, FlattenLedger, FlattenState, TradeBusyError, Venues
from executor.domain.records import WHOLE_TRADE, NewOrder, Order
from executor.domain.trade_machine import TradeStatus
from executor.domain.trading_state import Authority

ORDERS_MAX = 5
"""Beyond that many orders the operator is told instead."""
POSITION_READS_MAX = 10
POSITION_READ_SECONDS = 0.2
"""How long a venue may show an old position after a fill before it is believed."""
ASKS_MAX = 5


class Flattening:
    """Flattens positions. Handling the same wish twice goes on where the first time stopped."""

    def __init__(
        self, venues: Venues, ledger: FlattenLedger, sender: OrderSender, closing: Closing, clock: Clock
    ) -> None:
        self._venues = venues
        self._ledger = ledger
        self._sender = sender
        self._closing = closing
        self._clock = clock

    @urgent
    async def handle(self, request: FlattenRequested) -> None:
        """Closes the trade, reduces what is left where that is wished, and stores what the venue says then.

        Raises:
            TradeBusyError, VenueUnreachable, VenueBanned: not now; what is known so far is stored.
            OrderNotSent: the trading state cannot be read; not now either.
        """
        flatten = await self._ledger.begin(request)
        if flatten.is_over:
            return
        if request.venue not in self._venues:
            await self._leave(flatten)
            return
        try:
            if await self._close_trade(flatten):
                await self._reduce(flatten)
        except VenueRefused as error:
            await self._ledger.tell(flatten, "refused", {"reason": str(error)})
        except (TradeBusyError, VenueUnreachable, VenueBanned) as error:
            await self._ledger.tell(flatten, "working", {"waits_for": str(error)})
            raise

    async def _leave(self, flatten: Flatten) -> None:
        """What is on a venue that this executor does not know: where a trade is, somebody else must know it."""
        venue = flatten.request.venue
        reason = f"this executor does not trade on {venue}"
        if await self._ledger.active_trade(venue, flatten.request.symbol) is not None:
            await self._ledger.tell(flatten, "working", {"waits_for": f"an executor that trades on {venue}"})
            raise TradeBusyError(reason)
        await self._ledger.tell(flatten, "refused", {"reason": reason, "allowed": sorted(self._venues)})

    async def _close_trade(self, flatten: Flatten) -> bool:
        """True once no trade has a leg there."""
        request = flatten.request
        found = await self._ledger.active_trade(request.venue, request.symbol)
        if found is None:
            return True
        signal_id, status = found
        if status is TradeStatus.OPENING:
            raise TradeBusyError(f"trade {signal_id} is being opened")
        evidence = {"flatten": request.request_id, "why": request.why}
        await self._closing.handle(
            CloseRequested(signal_id=signal_id, reason="operator", requested_by=request.requested_by, evidence=evidence)
        )
        if await self._ledger.active_trade(request.venue, request.symbol) is None:
            return True
        shown = await self._shown(request)
        reason = f"trade {signal_id} is not closed yet; the executor tries again after its cooldown"
        await self._ledger.tell(flatten, "not_flat", {"reason": reason, "signal_id": signal_id, **shown})
        return False

    async def _reduce(self, flatten: Flatten) -> None:
        request, position = flatten.request, None
        instrument = await self._venues[request.venue].instrument(request.symbol)
        for _ in range(ORDERS_MAX + 1):
            orders = await self._resolved(request.request_id)
            position = await self._position(request, position)
            held = position.quantity if position else Decimal(0)
            if position is None or held == 0:
                await self._tell(flatten, "flat", held, orders)
                return
            quantity = _sendable(abs(held), instrument)
            if not request.include_unowned:
                reason = "no trade holds this position, and include_unowned was not set: it may be yours"
                await self._tell(flatten, "refused", held, orders, reason)
                return
            if quantity == 0:
                reason = f"what is left is below the venue's minimum of {instrument.quantity_min}"
                await self._tell(flatten, "not_flat", held, orders, reason)
                return
            if len(orders) >= ORDERS_MAX:
                break
            await self._send(flatten, position, quantity, len(orders) + 1)
        reason = f"{ORDERS_MAX} orders did not do it; their errors say why"
        await self._tell(flatten, "not_flat", held, orders, reason)

    async def _resolved(self, request_id: str) -> Sequence[Order]:
        """The orders of the wish, all of them final."""
        for asked in range(ASKS_MAX):
            orders = await self._ledger.orders(request_id)
            unresolved = [order for order in orders if not order.is_final]
            if not unresolved:
                return orders
            await self._sender.ask(unresolved)
            await asyncio.sleep(min(0.1 * 2**asked, ASK_SECONDS_MAX))
        raise TradeBusyError(f"the outcome of order {unresolved[0].client_order_id} is not known yet")

    async def _position(self, request: FlattenRequested, before: VenuePosition | None) -> VenuePosition | None:
        """What the venue holds; one that shows the same as before the last order is read again for a while."""
        account = self._venues[request.venue].account
        for _ in range(POSITION_READS_MAX):
            found = (await account.positions([request.symbol])).get(request.symbol)
            if before is None or found is None or found.quantity != before.quantity:
                return found
            await asyncio.sleep(POSITION_READ_SECONDS)
        return found

    async def _send(self, flatten: Flatten, position: VenuePosition, quantity: Decimal, attempt: int) -> None:
        request = flatten.request
        leg = Leg.LONG if position.quantity > 0 else Leg.SHORT
        price = await self._reference_price(position, leg, quantity)
        if await self._ledger.active_trade(request.venue, request.symbol) is not None:
            raise TradeBusyError(f"a trade on {request.symbol} was opened meanwhile")
        order = NewOrder(
            entry=WHOLE_TRADE,
            leg=leg,
            purpose=Purpose.CLOSE,
            attempt=attempt,
            client_order_id=client_order_id(flatten.order_key, WHOLE_TRADE, leg, Purpose.CLOSE, attempt),
            venue=request.venue,
            symbol=request.symbol,
            side=order_side(leg, Purpose.CLOSE),
            quantity=quantity,
            reference_price=price,
        )
        committed = await self._ledger.add_order(request.request_id, order)
        await self._sender.send([committed], Authority.OPERATOR)

    async def _reference_price(self, position: VenuePosition, leg: Leg, quantity: Decimal) -> Decimal:
        """The swept exit price; where the book is too thin, the venue's own mark or entry price."""
        book = await self._venues[position.venue].market.book(position.symbol)
        side = book.bids if leg is Leg.LONG else book.asks
        try:
            return side.sweep_quantity(quantity).price
        except InsufficientDepth:
            known = position.mark_price or position.entry_price
            if known is None:
                raise VenueUnreachable(position.venue, f"it gives no price for {position.symbol}") from None
            return known

    async def _shown(self, request: FlattenRequested) -> dict[str, Any]:
        held = await self._venues[request.venue].held(request.symbol)
        return {"venue_quantity": held, "read_at": self._clock.now()}

    async def _tell(
        self,
        flatten: Flatten,
        state: FlattenState,
        held: Decimal,
        orders: Sequence[Order],
        reason: str | None = None,
    ) -> None:
        evidence = {
            "venue_quantity": held,
            "read_at": self._clock.now(),
            "orders": [_shown_order(order) for order in orders],
            **({"reason": reason} if reason else {}),
        }
        await self._ledger.tell(flatten, state, evidence)


def _sendable(quantity: Decimal, instrument: Instrument) -> Decimal:
    """What one order may take of it; zero below the venue's minimum."""
    if instrument.quantity_max is not None:
        quantity = min(quantity, instrument.quantity_max)
    quantity = floor_to_step(quantity, instrument.quantity_step)
    return quantity if quantity >= instrument.quantity_min else Decimal(0)


def _shown_order(order: Order) -> dict[str, Any]:
    return {
        "client_order_id": order.client_order_id,
        "side": order.side,
        "quantity": order.quantity,
        "status": order.status,
        "filled_quantity": order.filled_quantity,
        "average_price": order.average_price,
    }
