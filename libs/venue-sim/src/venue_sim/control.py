"""The control interface: what a test or a demo may do to a venue that a trader may not, and the venue's ledger.

Bodies are checked before anything changes; an error is problem+json (RFC 9457) that names the field. Figures
are strings, for they are exact.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Any, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from venue_sim.account import Fill, FundingPayment, Order, Position
from venue_sim.dialects.wire import text
from venue_sim.market import Level
from venue_sim.responses import Command, command_endpoint, json_response
from venue_sim.venue import Venue

PositiveDecimal = Annotated[Decimal, Field(gt=0, allow_inf_nan=False)]
PriceLevel = tuple[PositiveDecimal, PositiveDecimal]


class _Command(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PriceCommand(_Command):
    """Hold the mid of `symbol`; null follows the path again."""

    symbol: str
    mid: PositiveDecimal | None


class BookCommand(_Command):
    """Show exactly this book, best price first; both sides null builds it around the mid again.

    Crossed books are allowed, empty sides too: a venue can show them.
    """

    symbol: str
    bids: list[PriceLevel] | None
    asks: list[PriceLevel] | None

    @model_validator(mode="after")
    def _whole_and_ordered(self) -> Self:
        if (self.bids is None) != (self.asks is None):
            raise ValueError("bids and asks must both be lists or both be null")
        for name, side, sign in (("bids", self.bids, -1), ("asks", self.asks, 1)):
            if any(sign * (after[0] - before[0]) <= 0 for before, after in pairwise(side or [])):
                raise ValueError(f"{name} must be ordered, best price first")
        return self


class FundingCommand(_Command):
    """Settle at `rate` from now on, every `interval_hours` where given; a null rate follows the scenario again."""

    symbol: str
    rate: Annotated[Decimal, Field(gt=-1, lt=1)] | None
    interval_hours: int | None = Field(default=None, ge=1, le=24)


class TimeCommand(_Command):
    """Hold market time; null gives it back to the clock."""

    now: AwareDatetime | None


def control_routes(venue: Venue) -> list[Route]:
    """The routes under /control."""

    def price(command: PriceCommand) -> None:
        venue.override_mid(command.symbol, command.mid)

    def book(command: BookCommand) -> None:
        if command.bids is None or command.asks is None:
            venue.override_book(command.symbol, None)
        else:
            sides = tuple(tuple(Level(*level) for level in side) for side in (command.bids, command.asks))
            venue.override_book(command.symbol, (sides[0], sides[1]))

    def funding(command: FundingCommand) -> None:
        venue.override_funding(command.symbol, command.rate, command.interval_hours)

    def hold_time(command: TimeCommand) -> None:
        venue.hold_time(command.now)

    def command(model: type[Command], act: Callable[[Command], None]) -> Callable[[Request], Awaitable[Response]]:
        return command_endpoint(model, act, lambda: venue_state(venue), lambda: list(venue.instruments))

    async def state(_request: Request) -> Response:
        return json_response(venue_state(venue))

    async def ledger(_request: Request) -> Response:
        return json_response(venue_ledger(venue))

    return [
        Route("/control/price", command(PriceCommand, price), methods=["POST"]),
        Route("/control/book", command(BookCommand, book), methods=["POST"]),
        Route("/control/funding", command(FundingCommand, funding), methods=["POST"]),
        Route("/control/time", command(TimeCommand, hold_time), methods=["POST"]),
        Route("/control/state", state, methods=["GET"]),
        Route("/control/ledger", ledger, methods=["GET"]),
    ]


def venue_state(venue: Venue) -> dict[str, Any]:
    """The venue now: time, prices, funding, and what the control interface has replaced."""
    symbols = {}
    for symbol in venue.instruments:
        book, funding = venue.market_book(symbol), venue.funding(symbol)
        symbols[symbol] = {
            "mid": text(venue.mid(symbol)),
            "bid": text(book.bids[0].price) if book.bids else None,
            "ask": text(book.asks[0].price) if book.asks else None,
            "update_id": book.update_id,
            "funding_rate": text(funding.rate),
            "funding_interval_hours": funding.interval_hours,
            "next_funding_at": funding.next_time.isoformat(),
            "overridden": venue.overridden(symbol),
        }
    return {
        "venue": venue.name,
        "protocol": venue.protocol,
        "now": venue.now().isoformat(),
        "time_is_manual": venue.time_is_manual,
        "symbols": symbols,
    }


def venue_ledger(venue: Venue) -> dict[str, Any]:
    """The venue's own ledger of the account, exact: what a trading system's books must agree with."""
    venue.settle()
    account = venue.account
    fees = sum((fill.fee for fill in account.fills), Decimal(0))
    funding = sum((payment.amount for payment in account.payments), Decimal(0))
    realised = sum((fill.realised_pnl for fill in account.fills), Decimal(0))
    return {
        "venue": venue.name,
        "now": venue.now().isoformat(),
        "initial_balance_usdt": text(account.initial_balance),
        "balance_usdt": text(account.balance),
        "realised_pnl_usdt": text(realised),
        "fees_usdt": text(fees),
        "funding_usdt": text(funding),
        "unrealised_pnl_usdt": text(venue.unrealised_pnl()),
        "orders": [_order(order) for order in account.orders],
        "fills": [_fill(fill) for fill in account.fills],
        "positions": [_position(position) for position in account.open_positions()],
        "funding_payments": [_payment(payment) for payment in account.payments],
    }


def _order(order: Order) -> dict[str, Any]:
    return {
        "client_order_id": order.client_id,
        "venue_order_id": order.order_id,
        "symbol": order.symbol,
        "side": order.side.value,
        "quantity": text(order.quantity),
        "filled_quantity": text(order.filled),
        "average_price": text(order.average) if order.filled else None,
        "quote_usdt": text(order.quote),
        "fee_usdt": text(order.fee),
        "status": order.status.value,
        "reduce_only": order.reduce_only,
        "received_monotonic_ns": order.received_monotonic_ns,
        "time": _iso(order.time),
    }


def _fill(fill: Fill) -> dict[str, Any]:
    return {
        "fill_id": fill.fill_id,
        "venue_order_id": fill.order_id,
        "client_order_id": fill.client_id,
        "symbol": fill.symbol,
        "side": fill.side.value,
        "price": text(fill.price),
        "quantity": text(fill.quantity),
        "fee": text(fill.fee),
        "fee_currency": "USDT",
        "realised_pnl_usdt": text(fill.realised_pnl),
        "time": _iso(fill.time),
    }


def _position(position: Position) -> dict[str, Any]:
    return {
        "symbol": position.symbol,
        "quantity": text(position.quantity),
        "entry_price": text(position.entry_price),
        "cost_usdt": text(position.cost),
    }


def _payment(payment: FundingPayment) -> dict[str, Any]:
    return {
        "payment_id": payment.payment_id,
        "symbol": payment.symbol,
        "rate": text(payment.rate),
        "position_quantity": text(payment.position),
        "mark_price": text(payment.mark),
        "amount_usdt": text(payment.amount),
        "time": _iso(payment.time),
    }


def _iso(moment: datetime) -> str:
    return moment.isoformat()
