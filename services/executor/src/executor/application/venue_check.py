"""What one venue can do for us, tried out: a card for each capability, with the venue's own words where it fails."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from decimal import Decimal

from common.domain.identifiers import Leg, Purpose, Side, client_order_id
from common.domain.instruments import Instrument, floor_to_step, lot_violation
from common.runtime.clock import Clock
from common.venues.errors import OrderNotSent, OrderRejected, VenueError
from common.venues.ports import Account, MarketData, OrderDesk, OrderIntent, OrderState, PositionMode
from common.venues.urgency import urgent
from executor.application.orders import GIVE_UP_AFTER_SECONDS

OFFSET_SECONDS_MAX = 1.0
CLOSE_ATTEMPTS = 16
ASK_SECONDS_FIRST, ASK_SECONDS_MAX = 0.1, 2.0
NOTIONAL_MARGIN = Decimal("1.05")
"""The smallest order is a little above the minimum, so that it can still be closed when the price falls."""


@dataclass(frozen=True, slots=True)
class Card:
    """One capability: whether it works, and what was seen or said."""

    capability: str
    passed: bool
    said: str


class Failed(Exception):
    """A capability is not as Tandem needs it; the text says why."""


class Reading:
    """Everything that can be tried without an order. `account` is None without keys, and `keys_missing` says so."""

    def __init__(self, market: MarketData, account: Account | None, keys_missing: str, symbol: str) -> None:
        self._market = market
        self._account = account
        self._keys_missing = keys_missing
        self._symbol = symbol

    async def cards(self) -> list[Card]:
        """All cards, one after the other: a venue that fails at one thing is still asked for the next."""
        return [
            await _card("markets", self._markets),
            await _card("order book", self._book),
            await _card("funding and interval", self._funding),
            await _card("clock", self._clock_offset),
            await _card("account mode", self._mode),
            await _card("balance", self._balance),
            await _card("positions", self._positions),
            await _card("leverage", self._leverage),
        ]

    async def instrument(self) -> Instrument:
        """The symbol's contract."""
        listed = await self._market.instruments()
        if self._symbol not in listed:
            raise Failed(f"{self._symbol} is not among the {len(listed)} perpetuals that it lists")
        return listed[self._symbol]

    async def _markets(self) -> str:
        contract = await self.instrument()
        count = len(await self._market.instruments())
        return f"{count} perpetuals; {self._symbol} in steps of {contract.quantity_step} from {contract.quantity_min}"

    async def _book(self) -> str:
        book = await self._market.book(self._symbol)
        if not book.bids.levels or not book.asks.levels or book.is_crossed:
            raise Failed("the book is one-sided or crossed")
        return f"{book.bids.levels[0][0]} / {book.asks.levels[0][0]}, {len(book.asks.levels)} levels"

    async def _funding(self) -> str:
        terms = (await self._market.funding([self._symbol])).get(self._symbol)
        if terms is None:
            raise Failed("it does not say the rate or its interval")
        return f"{terms.rate:.6%} every {terms.interval_hours:g} h"

    async def _clock_offset(self) -> str:
        seconds = await self._market.server_time_offset_seconds()
        if abs(seconds) > OFFSET_SECONDS_MAX:
            raise Failed(f"its clock is {seconds:+.3f} s off ours; allowed are {OFFSET_SECONDS_MAX:g} s")
        return f"{seconds:+.3f} s off ours"

    async def _mode(self) -> str:
        mode = await self._keyed().position_mode(self._symbol)
        if mode is not PositionMode.ONE_WAY:
            raise Failed("it is in hedge mode; Tandem needs one-way mode, and sets it where nothing is open")
        return "one position a symbol"

    async def _balance(self) -> str:
        balance = await self._keyed().balance()
        return f"{balance.free_usdt} of {balance.total_usdt} USDT are free"

    async def _positions(self) -> str:
        positions = await self._keyed().positions()
        return ", ".join(f"{held.quantity} {name}" for name, held in sorted(positions.items())) or "none"

    async def _leverage(self) -> str:
        """With keys where the venue tells the limit only to its customers."""
        most = (await self.instrument()).leverage_max
        now = await self._keyed().leverage(self._symbol)
        limit = "its limit is told by the account" if most is None else f"up to {most}"
        return f"{limit}; none of cross margin is set" if now is None else f"{limit}; {now:f} now"

    def _keyed(self) -> Account:
        if self._account is None:
            raise Failed(self._keys_missing)
        return self._account


class SmallestTrade:
    """Opens the smallest position that the venue takes, and closes it again, whatever happens in between.

    It never begins where something is held already, and it does not end before the venue shows that nothing is.
    `commit` stores what is about to be sent: nothing is sent that is not written down first.
    """

    def __init__(
        self,
        market: MarketData,
        account: Account,
        desk: OrderDesk,
        commit: Callable[[OrderIntent], Awaitable[None]],
        order_key: str,
        clock: Clock,
    ) -> None:
        self._market = market
        self._account = account
        self._desk = desk
        self._commit = commit
        self._order_key = order_key
        self._clock = clock
        self._sent: dict[str, _Sent] = {}
        self._price = Decimal(0)

    async def quantity(self, contract: Instrument) -> tuple[Decimal, Decimal]:
        """The smallest quantity that can be traded both ways, and its value in USDT.

        Raises:
            Failed: something is held of the symbol, or no order would do.
            VenueError: the venue did not answer.
        """
        held = (await self._account.positions([contract.symbol])).get(contract.symbol)
        if held is not None:
            raise Failed(f"the account holds {held.quantity} {contract.symbol} already: close it, or name another one")
        price = await self._price_for(contract.symbol, Side.BUY)
        if not price:
            raise Failed("the book says no price")
        step = contract.quantity_step
        wanted = max(contract.quantity_min, contract.notional_min * NOTIONAL_MARGIN / price)
        quantity = floor_to_step(wanted, step)
        quantity += step if quantity < wanted else 0
        wrong = lot_violation(contract, quantity, price)
        if wrong is not None:
            raise Failed(wrong)
        return quantity, quantity * price

    async def cards(self, symbol: str, quantity: Decimal) -> list[Card]:
        """Open, close, and flat. Who is told to stop in the middle closes first, and says how that went."""
        work = asyncio.create_task(self._trade(symbol, quantity))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            return await work

    @urgent
    async def _trade(self, symbol: str, quantity: Decimal) -> list[Card]:
        opened = await _card("smallest open", lambda: self._open(symbol, quantity))
        # Also after a failure: an order that seemed to fail may have filled.
        closed = await _card("close", lambda: self._close(symbol))
        return [opened, closed]

    async def _open(self, symbol: str, quantity: Decimal) -> str:
        return await self._order(symbol, Side.BUY, quantity, Purpose.OPEN, 0)

    async def _close(self, symbol: str) -> str:
        """Reduces until the venue shows no position and its orders say that nothing of ours is left.

        One of the two is not enough: positions are shown a moment late.
        """
        last = "nothing was open"
        for attempt in range(CLOSE_ATTEMPTS):
            try:
                left = await self._left(symbol)
                held = (await self._account.positions([symbol])).get(symbol)
                if held is None and left == 0:
                    return f"{last}; the venue shows no position in {symbol}"
                if held is not None and held.quantity > 0 and left != 0:
                    reducing = held.quantity if left is None else min(held.quantity, left)
                    last = await self._order(symbol, Side.SELL, reducing, Purpose.CLOSE, attempt)
                    continue
                last = f"the venue shows {held.quantity if held else 0}, our orders leave {left}"
            except (VenueError, Failed) as error:
                last = str(error)
            await asyncio.sleep(min(ASK_SECONDS_FIRST * 2**attempt, ASK_SECONDS_MAX))
        raise Failed(f"A POSITION IN {symbol} MAY BE OPEN: close it at the venue by hand. The last answer: {last}")

    async def _order(self, symbol: str, side: Side, quantity: Decimal, purpose: Purpose, attempt: int) -> str:
        order_id = client_order_id(self._order_key, 1, Leg.LONG, purpose, attempt)
        intent = OrderIntent(
            venue=self._market.venue,
            symbol=symbol,
            side=side,
            quantity=quantity,
            client_order_id=order_id,
            reduce_only=purpose is Purpose.CLOSE,
            reference_price=await self._price_for(symbol, side),
        )
        await self._commit(intent)
        self._sent[order_id] = _Sent(side, self._clock.monotonic())
        try:
            report = await self._desk.send(replace(intent, signed_at_seconds=self._clock.unix_seconds()))
        except (OrderRejected, OrderNotSent):
            self._sent[order_id].filled = Decimal(0)
            raise
        if report.state is OrderState.WORKING:
            raise Failed(f"order {order_id} is taken and not filled yet")
        self._sent[order_id].filled = report.filled_quantity
        if not report.filled_quantity:
            raise Failed(f"order {order_id} is {report.state} and filled nothing")
        return f"{side} {report.filled_quantity} of {quantity} {symbol} at {report.average_price}"

    async def _price_for(self, symbol: str, side: Side) -> Decimal:
        """The best price to trade at; the last one that was known where the book does not say."""
        try:
            book = await self._market.book(symbol)
        except VenueError:
            return self._price
        levels = (book.asks if side is Side.BUY else book.bids).levels
        self._price = levels[0][0] if levels else self._price
        return self._price

    async def _left(self, symbol: str) -> Decimal | None:
        """What our orders bought and did not sell; None while what became of one of them is not known."""
        for order_id, sent in self._sent.items():
            if sent.filled is None:
                sent.filled = await self._asked(symbol, order_id, sent)
        if any(sent.filled is None for sent in self._sent.values()):
            return None
        signs = {Side.BUY: 1, Side.SELL: -1}
        return sum((signs[sent.side] * (sent.filled or Decimal(0)) for sent in self._sent.values()), Decimal(0))

    async def _asked(self, symbol: str, order_id: str, sent: "_Sent") -> Decimal | None:
        report = await self._account.order(symbol, order_id)
        if report is None:
            never = self._clock.monotonic() - sent.at_seconds > GIVE_UP_AFTER_SECONDS
            return Decimal(0) if never else None
        if report.state is OrderState.WORKING:
            await self._desk.cancel(symbol, order_id)
            return None
        return report.filled_quantity


@dataclass
class _Sent:
    """One order that left; `filled` None while its outcome is not known."""

    side: Side
    at_seconds: float
    filled: Decimal | None = None


async def _card(capability: str, tried: Callable[[], Awaitable[str]]) -> Card:
    try:
        return Card(capability, True, await tried())
    except (VenueError, Failed) as error:
        return Card(capability, False, str(error))
