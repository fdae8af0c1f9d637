"""Paper trading on one venue: its real public market, orders matched in an account of our own.

It stands behind the same ports as a venue, so the executor that trades on paper is the one that trades live. An order
takes what the live book shows at its moment, level by level, and pays the venue's taker fee; what it takes is not gone
from the book of the next one. Funding is charged at the venue's settlements by the terms last seen before each.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import structlog

from common.domain.identifiers import Side
from common.domain.instruments import Instrument, floor_to_step, lot_violation
from common.persistence.database import DATABASE_AWAY
from common.runtime.clock import Clock
from common.venues.errors import OrderNotSent, OrderOutcomeUnknown, OrderRejected, VenueError, VenueRefused
from common.venues.ports import (
    ORDER_VALID_SECONDS,
    Balance,
    Fill,
    FundingPayment,
    MarketData,
    OrderIntent,
    OrderReport,
    PositionMode,
    TopOfBook,
    VenuePosition,
)
from executor.adapters.paper.ledger import UNPREPARED_LEVERAGE, KeptPosition, PaperLedger, Placing
from executor.domain.paper_account import settlements, take

log = structlog.get_logger(__name__)

TAKER_FEES: Mapping[str, Decimal] = {
    "binance": Decimal("0.0005"),
    "bybit": Decimal("0.00055"),
    "okx": Decimal("0.0005"),
    "bitget": Decimal("0.0006"),
    "gate": Decimal("0.0005"),
    "hyperliquid": Decimal("0.00045"),
}
"""The venues' published taker fees for perpetuals at the lowest tier, as fractions of notional."""

TERMS_EVERY = timedelta(minutes=1)
"""How often the funding terms of what is held are read anew: they move until the settlement."""


class PaperVenue:
    """`Account` and `OrderDesk` of a venue on paper; `market` is the real one's."""

    def __init__(self, market: MarketData, ledger: PaperLedger, taker_fee: Decimal, clock: Clock) -> None:
        self.venue = market.venue
        self._market = market
        self._ledger = ledger
        self._taker_fee = taker_fee
        self._clock = clock
        self._terms_read_at: dict[str, datetime] = {}
        self._settling = asyncio.Lock()

    async def balance(self) -> Balance:
        kept = await self._settled()
        held = {symbol: one for symbol, one in kept.items() if one.position.quantity}
        total = await self._ledger.balance_usdt()
        tops = await self._market.tops(list(held)) if held else {}
        free = total
        for symbol, one in held.items():
            free += one.position.profit_usdt(self._price(symbol, tops)) - one.position.notional_usdt / one.leverage
        return Balance(total, free)

    def _price(self, symbol: str, tops: Mapping[str, TopOfBook]) -> Decimal:
        top = tops.get(symbol)
        if top is None:
            raise VenueRefused(self.venue, f"{symbol} has no price now, so what is held of it has no value")
        return (top.bid + top.ask) / 2

    async def positions(self, symbols: Sequence[str] | None = None) -> Mapping[str, VenuePosition]:
        return {
            symbol: VenuePosition(
                venue=self.venue,
                symbol=symbol,
                quantity=one.position.quantity,
                entry_price=one.position.entry_price,
                mark_price=None,
                leverage=Decimal(one.leverage),
            )
            for symbol, one in (await self._settled()).items()
            if one.position.quantity and (symbols is None or symbol in symbols)
        }

    async def position_mode(self, symbol: str) -> PositionMode:
        await self._instrument(symbol)
        return PositionMode.ONE_WAY

    async def leverage(self, symbol: str) -> Decimal | None:
        await self._instrument(symbol)
        own = (await self._settled()).get(symbol)
        return Decimal(own.leverage if own else UNPREPARED_LEVERAGE)

    async def prepare(self, symbol: str, leverage: int) -> None:
        maximum = (await self._instrument(symbol)).leverage_max
        if maximum is not None and leverage > maximum:
            raise VenueRefused(self.venue, f"leverage {leverage} of {symbol} is above the maximum {maximum}")
        await self._ledger.set_leverage(symbol, leverage)

    async def order(self, symbol: str, client_order_id: str) -> OrderReport | None:
        await self._instrument(symbol)
        return await self._ledger.order(client_order_id)

    async def fills(self, symbol: str, since: datetime) -> Sequence[Fill]:
        return await self._ledger.fills(symbol, since)

    async def funding_payments(self, symbol: str, since: datetime) -> Sequence[FundingPayment]:
        await self._settled()
        return await self._ledger.funding_payments(symbol, since)

    async def close(self) -> None:
        await self._market.close()

    async def send(self, intent: OrderIntent) -> OrderReport:
        """Matches the order with the book of this moment; nothing of it stays working."""
        placing = await self._matched(intent)
        try:
            return await self._ledger.place(placing)
        except DATABASE_AWAY as error:
            raise OrderOutcomeUnknown(self.venue, f"the paper account is away: {error!r}") from error

    async def cancel(self, symbol: str, client_order_id: str) -> None:
        """Every order is final at once."""

    async def _matched(self, intent: OrderIntent) -> Placing:
        try:
            instrument = await self._instrument(intent.symbol)
            if self._are_terms_old(intent.symbol):
                await self._read_terms([intent.symbol])
            book = await self._market.book(intent.symbol)
        except VenueError as error:
            raise OrderNotSent(self.venue, error.message, error.code) from error
        if floor_to_step(intent.quantity, instrument.quantity_step) != intent.quantity:
            raise OrderNotSent(self.venue, f"quantity {intent.quantity} of {intent.symbol} is off the lot step")
        if book.is_crossed:
            raise OrderRejected(self.venue, f"the book of {intent.symbol} is crossed", "crossed")
        side = book.asks if intent.side is Side.BUY else book.bids
        violation = lot_violation(instrument, intent.quantity, side.best or intent.reference_price)
        if violation is not None and not intent.reduce_only:
            raise OrderRejected(self.venue, violation, "lot")
        signed_at = intent.signed_at_seconds
        return Placing(
            intent=intent,
            taken=take(side, intent.quantity),
            fee_rate=self._taker_fee,
            now=self._clock.now(),
            refused_after_seconds=None if signed_at is None else signed_at + ORDER_VALID_SECONDS,
        )

    async def _instrument(self, symbol: str) -> Instrument:
        found = (await self._market.instruments()).get(symbol)
        if found is None:
            raise VenueRefused(self.venue, f"{symbol} is not listed")
        return found

    async def _settled(self) -> Mapping[str, KeptPosition]:
        """The positions, after every settlement that is past was charged."""
        async with self._settling:
            kept = await self._ledger.positions()
            for one in kept.values():
                await self._charge(one)
            held = [symbol for symbol, one in kept.items() if one.position.quantity and self._are_terms_old(symbol)]
            if held:
                await self._read_terms(held)
            return kept

    async def _charge(self, one: KeptPosition) -> None:
        past = settlements(one.terms, self._clock.now()) if one.terms else []
        if not past or one.terms is None:
            return
        top = (await self._market.tops([one.symbol])).get(one.symbol)
        if top is None:
            raise VenueRefused(self.venue, f"{one.symbol} has no price now, so its funding cannot be charged")
        if len(past) > 1:
            log.warning("paper.late_funding", venue=self.venue, symbol=one.symbol, settlements=len(past))
        for settled_at in past:
            await self._ledger.settle(one.symbol, settled_at, (top.bid + top.ask) / 2, one.terms.rate)
        await self._read_terms([one.symbol])

    def _are_terms_old(self, symbol: str) -> bool:
        read_at = self._terms_read_at.get(symbol)
        return read_at is None or self._clock.now() - read_at >= TERMS_EVERY

    async def _read_terms(self, symbols: Sequence[str]) -> None:
        for terms in (await self._market.funding(symbols)).values():
            if terms.next_at is not None:
                await self._ledger.save_terms(terms)
                self._terms_read_at[terms.symbol] = self._clock.now()


async def connect_paper_venue(market: MarketData, ledger: PaperLedger, clock: Clock) -> PaperVenue:
    """The account on a venue, made with its opening balance where there is none yet."""
    await ledger.open()
    return PaperVenue(market, ledger, TAKER_FEES[market.venue], clock)
