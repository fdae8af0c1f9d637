"""The reading side of an account over ccxt, and the settings that a preflight makes. Cannot send an order."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from ccxt.base import errors as ccxt_errors

from common.domain.identifiers import Side
from common.runtime.clock import Clock
from common.venues.ccxt.facts import VenueFacts
from common.venues.ccxt.failures import reading
from common.venues.ccxt.markets import Markets, decimal, optional_decimal
from common.venues.ports import (
    Balance,
    Fill,
    FundingPayment,
    OrderReport,
    OrderState,
    PositionMode,
    VenuePosition,
)
from common.venues.urgency import urgently

HISTORY_WINDOW = timedelta(days=7)
"""The longest range that the venues answer at once."""
_ENDED = {"canceled": OrderState.CANCELLED, "expired": OrderState.CANCELLED, "rejected": OrderState.REJECTED}


class CcxtAccount(ABC):
    """`Account` over one ccxt exchange, without what differs: modes, order lookup, the pages of histories."""

    def __init__(self, markets: Markets, facts: VenueFacts, clock: Clock) -> None:
        self.venue = markets.venue
        self._markets = markets
        self._exchange = markets.exchange
        self._facts = facts
        self._clock = clock

    async def balance(self) -> Balance:
        with reading(self.venue):
            await self._markets.load()
            return await self._read_balance()

    async def positions(self, symbols: Sequence[str] | None = None) -> Mapping[str, VenuePosition]:
        with reading(self.venue):
            await self._markets.load()
            one = await self._markets.unified(symbols[0]) if symbols is not None and len(symbols) == 1 else None
            found: dict[str, VenuePosition] = {}
            for row in await self._read_positions(one):
                position = self._position(row)
                if position is None or (symbols is not None and position.symbol not in symbols):
                    continue
                # In hedge mode a symbol has a row for each side: what counts is the net.
                beside = found.get(position.symbol)
                net = position.quantity + (beside.quantity if beside else 0)
                found[position.symbol] = replace(position, quantity=net)
            return {symbol: position for symbol, position in found.items() if position.quantity}

    async def position_mode(self, symbol: str) -> PositionMode:
        with reading(self.venue):
            return await self._read_position_mode(await self._markets.unified(symbol))

    async def leverage(self, symbol: str) -> Decimal | None:
        with reading(self.venue):
            return await self._read_leverage(await self._markets.unified(symbol))

    async def prepare(self, symbol: str, leverage: int) -> None:
        with reading(self.venue):
            unified = await self._markets.unified(symbol)
            if await self._read_position_mode(unified) is PositionMode.HEDGE:
                await self._exchange.set_position_mode(False, unified)
            await self._prepare_margin(unified, leverage)

    async def order(self, symbol: str, client_order_id: str) -> OrderReport | None:
        with reading(self.venue), urgently():
            unified = await self._markets.unified(symbol)
            raw = await self._find_order(unified, self._facts.client_order_id_form.format(client_order_id))
            return None if raw is None else self.report(client_order_id, raw)

    async def fills(self, symbol: str, since: datetime) -> Sequence[Fill]:
        with reading(self.venue):
            unified = await self._markets.unified(symbol)
            unique = {row["id"]: row for row in await self._read_fills(unified, since)}
            fills = [self._fill(symbol, row) for row in unique.values()]
            return sorted(fills, key=lambda fill: fill.traded_at)

    async def funding_payments(self, symbol: str, since: datetime) -> Sequence[FundingPayment]:
        with reading(self.venue):
            unified = await self._markets.unified(symbol)
            unique = {row["id"]: row for row in await self._read_funding(unified, since)}
            payments = [self._payment(symbol, row) for row in unique.values()]
            return sorted(payments, key=lambda payment: payment.settled_at)

    async def close(self) -> None:
        await self._markets.close()

    def report(self, client_order_id: str, raw: Mapping[str, Any]) -> OrderReport:
        """ccxt's order as the ports have it. The average is quote volume by quantity where the venue says both.

        Raises:
            ValueError: the state or the filled quantity is missing; unknown is never zero.
        """
        if raw["status"] is None or raw["filled"] is None:
            raise ValueError(f"order {client_order_id} without a state or a filled quantity")
        filled = decimal(raw["filled"]) * self._contract_size(raw["symbol"])
        average = optional_decimal(raw["average"])
        if filled and raw["cost"] and self._facts.says_quote_volume:
            average = decimal(raw["cost"]) / filled
        return OrderReport(
            client_order_id=client_order_id,
            venue_order_id=raw["id"],
            state=_state(raw),
            filled_quantity=filled,
            average_price=average if filled else None,
        )

    @abstractmethod
    async def _read_balance(self) -> Balance: ...

    @abstractmethod
    async def _read_positions(self, unified: str | None) -> Sequence[Mapping[str, Any]]:
        """ccxt's positions: of one contract, or all."""

    @abstractmethod
    async def _read_position_mode(self, unified: str) -> PositionMode: ...

    @abstractmethod
    async def _read_leverage(self, unified: str) -> Decimal | None:
        """None where the venue names none, or two for two sides."""

    @abstractmethod
    async def _prepare_margin(self, unified: str, leverage: int) -> None:
        """Cross margin and leverage; asks first and changes only what is different."""

    async def _find_order(self, unified: str, client_order_id: str) -> Mapping[str, Any] | None:
        """ccxt's order; here, where its own way of asking by client id is the venue's."""
        try:
            order: Mapping[str, Any] = await self._exchange.fetch_order(
                "", unified, {self._facts.client_order_id_parameter: client_order_id}
            )
        except ccxt_errors.OrderNotFound:
            return None
        return order

    @abstractmethod
    async def _read_fills(self, unified: str, since: datetime) -> Sequence[Mapping[str, Any]]: ...

    @abstractmethod
    async def _read_funding(self, unified: str, since: datetime) -> Sequence[Mapping[str, Any]]: ...

    def _received(self, row: Mapping[str, Any]) -> Decimal:
        """What a funding row says was received."""
        return decimal(row["amount"])

    def _windows(self, since: datetime) -> list[tuple[int, int]]:
        """(start, end) in milliseconds of every window from `since` to now, no longer than the venues allow."""
        windows: list[tuple[int, int]] = []
        start, now = since, self._clock.now()
        while not windows or start <= now:
            end = start + HISTORY_WINDOW
            windows.append((milliseconds(start), milliseconds(end) - 1))
            start = end
        return windows

    def _contract_size(self, unified: str) -> Decimal:
        return decimal(self._exchange.market(unified)["contractSize"])

    def _position(self, row: Mapping[str, Any]) -> VenuePosition | None:
        symbol = self._markets.symbol_of(row["symbol"])
        if symbol is None or not row["contracts"]:
            return None
        quantity = decimal(row["contracts"]) * self._contract_size(row["symbol"])
        return VenuePosition(
            venue=self.venue,
            symbol=symbol,
            quantity=-quantity if row["side"] == "short" else quantity,
            entry_price=optional_decimal(row["entryPrice"]),
            mark_price=optional_decimal(row["markPrice"]),
            leverage=optional_decimal(row["leverage"]),
        )

    def _fill(self, symbol: str, row: Mapping[str, Any]) -> Fill:
        fee = row["fee"] or {}
        # A contract settles in USDT or in USDC, which count alike; a fee in any other coin has no price here.
        settle = self._exchange.market(row["symbol"])["settle"]
        is_counted = fee.get("currency") in ("USDT", settle) and fee.get("cost") is not None
        return Fill(
            venue=self.venue,
            symbol=symbol,
            fill_id=str(row["id"]),
            venue_order_id=str(row["order"]),
            side=Side(row["side"]),
            price=decimal(row["price"]),
            quantity=decimal(row["amount"]) * self._contract_size(row["symbol"]),
            fee_usdt=decimal(fee["cost"]) if is_counted else None,
            traded_at=_moment(row["timestamp"]),
        )

    def _payment(self, symbol: str, row: Mapping[str, Any]) -> FundingPayment:
        return FundingPayment(
            venue=self.venue,
            symbol=symbol,
            payment_id=str(row["id"]),
            amount_usdt=self._received(row),
            settled_at=_moment(row["timestamp"]),
        )


def _state(raw: Mapping[str, Any]) -> OrderState:
    """ccxt's status. It calls some orders closed that ended with a remainder, others rejected that filled in part:
    those are cancelled."""
    filled, amount = raw["filled"], raw["amount"]
    if raw["status"] == "closed":
        return OrderState.FILLED if amount is None or filled >= amount else OrderState.CANCELLED
    state = _ENDED.get(raw["status"], OrderState.WORKING)
    return OrderState.CANCELLED if state is OrderState.REJECTED and filled else state


def milliseconds(moment: datetime) -> int:
    """Unix time of a moment in milliseconds."""
    return int(moment.timestamp() * 1000)


def the_only(figures: Iterable[Any]) -> Decimal | None:
    """The figure that all of them are; None where there is none, an empty one, or two that differ."""
    known = {optional_decimal(figure or None) for figure in figures}
    return known.pop() if len(known) == 1 else None


def _moment(milliseconds: Any) -> datetime:
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)
