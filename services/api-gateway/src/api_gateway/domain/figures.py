"""What a trade's ledger adds up to, per leg and in total.

Unknown is never zero: a fee that is not booked, or funding of a trade that is not finalised, leaves its total None.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from common.domain.identifiers import Leg, Purpose, Side
from common.domain.position import ZERO, LegFill, leg_position


@dataclass(frozen=True, slots=True)
class LedgerOrder:
    """One order of the trade as far as it filled: base `filled_quantity` at `average_price` in USDT."""

    id: int
    leg: Leg
    purpose: Purpose
    filled_quantity: Decimal
    average_price: Decimal | None


@dataclass(frozen=True, slots=True)
class LedgerFill:
    """One execution of an order; `fee_usdt` is positive when paid."""

    order_id: int
    side: Side
    price: Decimal
    quantity: Decimal
    fee_usdt: Decimal | None


@dataclass(frozen=True, slots=True)
class LedgerFunding:
    """One settlement of a leg; positive when received."""

    leg: Leg
    amount_usdt: Decimal


@dataclass(frozen=True, slots=True)
class FinalFigures:
    """What the executor fixed when it finalised the trade, in USDT."""

    spread_pnl_usdt: Decimal | None
    fees_usdt: Decimal | None
    funding_usdt: Decimal | None
    net_pnl_usdt: Decimal | None


@dataclass(frozen=True, slots=True)
class LegFigures:
    """One leg: base quantities, average prices in USDT, fees (None while unknown) and the funding booked so far."""

    opened_quantity: Decimal
    reduced_quantity: Decimal
    open_quantity: Decimal
    average_entry_price: Decimal | None
    average_exit_price: Decimal | None
    fees_usdt: Decimal | None
    funding_booked_usdt: Decimal


@dataclass(frozen=True, slots=True)
class TradeFigures:
    """The whole trade. `pnl_complete` is true once every part of `net_pnl_usdt` is known."""

    legs: dict[Leg, LegFigures]
    spread_pnl_usdt: Decimal | None
    fees_usdt: Decimal | None
    funding_usdt: Decimal | None
    net_pnl_usdt: Decimal | None
    pnl_complete: bool


def trade_figures(
    orders: Sequence[LedgerOrder],
    fills: Sequence[LedgerFill],
    funding: Sequence[LedgerFunding],
    final: FinalFigures | None,
) -> TradeFigures:
    """Adds up one trade's ledger; `final` is None until the trade is finalised, and is believed from then on."""
    legs = {leg: _leg_figures(leg, orders, fills, funding) for leg in Leg}
    if final is not None:
        return TradeFigures(
            legs,
            final.spread_pnl_usdt,
            final.fees_usdt,
            final.funding_usdt,
            final.net_pnl_usdt,
            final.net_pnl_usdt is not None,
        )
    spread_pnl = _realised_spread_pnl(legs, orders, fills)
    return TradeFigures(legs, spread_pnl, known_fees(orders, fills), None, None, pnl_complete=False)


def known_fees(orders: Sequence[LedgerOrder], fills: Sequence[LedgerFill]) -> Decimal | None:
    """Fees of these orders in USDT; None unless every filled unit is booked with its fee."""
    if not orders or not _all_booked(orders, fills):
        return None
    ids = {order.id for order in orders}
    fees = [fill.fee_usdt for fill in fills if fill.order_id in ids]
    known = [fee for fee in fees if fee is not None]
    return sum(known, ZERO) if len(known) == len(fees) else None


def leg_fills(orders: Sequence[LedgerOrder]) -> list[LegFill]:
    """What these orders filled, as `common.domain.position` wants it."""
    return [
        LegFill(order.leg, order.purpose, order.filled_quantity, order.average_price)
        for order in orders
        if order.average_price is not None and order.filled_quantity > 0
    ]


def _leg_figures(
    leg: Leg, orders: Sequence[LedgerOrder], fills: Sequence[LedgerFill], funding: Sequence[LedgerFunding]
) -> LegFigures:
    own = [order for order in orders if order.leg is leg]
    position = leg_position(leg_fills(own), leg)
    reducing = [order for order in own if order.purpose is not Purpose.OPEN and order.average_price is not None]
    reduced = sum((order.filled_quantity for order in own if order.purpose is not Purpose.OPEN), ZERO)
    received = sum((order.filled_quantity * (order.average_price or ZERO) for order in reducing), ZERO)
    return LegFigures(
        opened_quantity=position.quantity + reduced,
        reduced_quantity=reduced,
        open_quantity=position.quantity,
        average_entry_price=position.average_price,
        average_exit_price=received / reduced if reduced else None,
        fees_usdt=known_fees(own, fills),
        funding_booked_usdt=sum((payment.amount_usdt for payment in funding if payment.leg is leg), ZERO),
    )


def _all_booked(orders: Sequence[LedgerOrder], fills: Sequence[LedgerFill]) -> bool:
    booked: dict[int, Decimal] = {}
    for fill in fills:
        booked[fill.order_id] = booked.get(fill.order_id, ZERO) + fill.quantity
    return all(booked.get(order.id, ZERO) == order.filled_quantity for order in orders)


def _realised_spread_pnl(
    legs: dict[Leg, LegFigures], orders: Sequence[LedgerOrder], fills: Sequence[LedgerFill]
) -> Decimal | None:
    """Sales minus purchases over both legs, in USDT; None while a leg holds anything or a fill is not booked."""
    never_opened = all(leg.opened_quantity == 0 for leg in legs.values())
    flat = all(leg.open_quantity == 0 for leg in legs.values())
    if never_opened or not flat or not _all_booked(orders, fills):
        return None
    values = (fill.price * fill.quantity * (1 if fill.side is Side.SELL else -1) for fill in fills)
    return sum(values, ZERO)
