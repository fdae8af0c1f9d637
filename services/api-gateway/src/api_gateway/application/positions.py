"""What the ledger says a trade holds, beside what the venues said last."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from api_gateway.application.ledger import ledger_orders
from api_gateway.application.ports import PositionsRead, TradeReader, Wanted
from api_gateway.application.views import Amount, LegName, Order, Page, SignalRow, VenuePosition
from api_gateway.domain.figures import leg_fills
from common.domain.identifiers import Leg
from common.domain.position import leg_position


class LegHolding(BaseModel):
    """One leg, in signed base units (long above zero); `difference` is venue minus ledger.

    The venue's figures are null while no service has read them.
    """

    model_config = ConfigDict(frozen=True)

    leg: LegName
    venue: str
    ledger_quantity: Amount
    average_entry_price: Amount | None
    venue_quantity: Amount | None
    venue_read_at: datetime | None
    difference: Amount | None


class TradePosition(BaseModel):
    """Both legs of one active trade."""

    model_config = ConfigDict(frozen=True)

    signal_id: int
    symbol: str
    status: str
    legs: list[LegHolding]


async def positions(reader: TradeReader, wanted: Wanted) -> Page[TradePosition]:
    """One page of active trades, newest first."""
    read = await reader.positions(wanted.one_more())
    items = [_position(trade, read) for trade in read.trades[: wanted.limit]]
    return Page(items=items, next=items[-1].signal_id if len(read.trades) > wanted.limit else None)


def _position(trade: SignalRow, read: PositionsRead) -> TradePosition:
    venues = {(position.venue, position.symbol): position for position in read.venue_positions}
    orders = read.orders.get(trade.id, ())
    legs = [
        _holding("long", trade.long_venue, trade.symbol, orders, venues),
        _holding("short", trade.short_venue, trade.symbol, orders, venues),
    ]
    return TradePosition(signal_id=trade.id, symbol=trade.symbol, status=trade.status, legs=legs)


def _holding(
    name: LegName,
    venue: str,
    symbol: str,
    orders: Sequence[Order],
    venues: Mapping[tuple[str, str], VenuePosition],
) -> LegHolding:
    position = leg_position(leg_fills(ledger_orders(orders)), Leg(name))
    ledger_quantity = position.quantity if name == "long" else -position.quantity
    reported = venues.get((venue, symbol))
    return LegHolding(
        leg=name,
        venue=venue,
        ledger_quantity=ledger_quantity,
        average_entry_price=position.average_price,
        venue_quantity=reported.quantity if reported else None,
        venue_read_at=reported.read_at if reported else None,
        difference=reported.quantity - ledger_quantity if reported else None,
    )
