"""Tandem's books against the venues' own ledgers: fill by fill, payment by payment, and the sum to the last digit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict

from common.domain.identifiers import unspelled
from local_stack.trades import Trade


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class VenueFill(_Row):
    fill_id: str
    client_order_id: Annotated[str, AfterValidator(unspelled)]
    side: str
    price: Decimal
    quantity: Decimal
    fee: Decimal


class VenuePayment(_Row):
    payment_id: str
    amount_usdt: Decimal


class VenuePosition(_Row):
    symbol: str
    quantity: Decimal


class VenueLedger(_Row):
    """`GET /control/ledger` of a simulated venue. Money in USDT, quantities in base units."""

    venue: str
    initial_balance_usdt: Decimal
    balance_usdt: Decimal
    fees_usdt: Decimal
    funding_usdt: Decimal
    fills: tuple[VenueFill, ...]
    funding_payments: tuple[VenuePayment, ...]
    positions: tuple[VenuePosition, ...]

    @property
    def earned_usdt(self) -> Decimal:
        """What the account gained since the run began; with nothing open, the net P&L of everything."""
        return self.balance_usdt - self.initial_balance_usdt


@dataclass(frozen=True)
class _FillFigures:
    side: str
    price: Decimal
    quantity: Decimal
    fee_usdt: Decimal | None


def differences(trades: Sequence[Trade], ledgers: Sequence[VenueLedger]) -> list[str]:
    """A sentence for each disagreement; empty when the books agree in every figure."""
    found = _compare("fill", _fills_of_trades(trades), _fills_of_venues(ledgers))
    found += _compare("funding payment", _payments_of_trades(trades), _payments_of_venues(ledgers))
    for trade in trades:
        found += _own_differences(trade)
    if any(trade.signal.is_active for trade in trades):
        return found
    for ledger in ledgers:
        found += [f"{ledger.venue} still holds {held.quantity:f} {held.symbol}" for held in ledger.positions]
    booked = sum((trade.signal.net_pnl_usdt or Decimal(0) for trade in trades), Decimal(0))
    earned = sum((ledger.earned_usdt for ledger in ledgers), Decimal(0))
    if booked != earned:
        found.append(f"net P&L: Tandem has {booked:f} USDT, the balances of the venues changed by {earned:f} USDT")
    return found


def _compare(what: str, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    found = [f"{what} {key}: Tandem has it, the venue does not" for key in sorted(ours.keys() - theirs.keys())]
    found += [f"{what} {key}: the venue has it, Tandem does not" for key in sorted(theirs.keys() - ours.keys())]
    for key in sorted(ours.keys() & theirs.keys()):
        if ours[key] != theirs[key]:
            found.append(f"{what} {key}: Tandem has {ours[key]}, the venue {theirs[key]}")
    return found


def _fills_of_trades(trades: Sequence[Trade]) -> dict[str, _FillFigures]:
    return {
        f"{fill.venue} {trade.order_of(fill).client_order_id} {fill.fill_id}": _FillFigures(
            fill.side, fill.price, fill.quantity, fill.fee_usdt
        )
        for trade in trades
        for fill in trade.fills
    }


def _fills_of_venues(ledgers: Sequence[VenueLedger]) -> dict[str, _FillFigures]:
    return {
        f"{ledger.venue} {fill.client_order_id} {fill.fill_id}": _FillFigures(
            fill.side, fill.price, fill.quantity, fill.fee
        )
        for ledger in ledgers
        for fill in ledger.fills
    }


def _payments_of_trades(trades: Sequence[Trade]) -> dict[str, Decimal]:
    return {f"{one.venue} {one.payment_id}": one.amount_usdt for trade in trades for one in trade.funding}


def _payments_of_venues(ledgers: Sequence[VenueLedger]) -> dict[str, Decimal]:
    return {
        f"{ledger.venue} {one.payment_id}": one.amount_usdt for ledger in ledgers for one in ledger.funding_payments
    }


def _own_differences(trade: Trade) -> list[str]:
    """Where the totals of a finalised trade are not the sums of its own rows."""
    signal = trade.signal
    if signal.finalised_at is None:
        return []
    fees = sum((fill.fee_usdt or Decimal(0) for fill in trade.fills), Decimal(0))
    funding = sum((payment.amount_usdt for payment in trade.funding), Decimal(0))
    sums = {
        "fees": (signal.fees_usdt, fees),
        "funding": (signal.funding_usdt, funding),
        "net P&L": (signal.net_pnl_usdt, cash_flow_usdt(trade) - fees + funding),
    }
    return [
        f"trade {signal.id}: {name} is stored as {stored}, its rows sum to {summed:f}"
        for name, (stored, summed) in sums.items()
        if stored != summed
    ]


def cash_flow_usdt(trade: Trade) -> Decimal:
    """What the fills brought in less what they cost, before fees; of a flat trade, its gross P&L."""
    signed = (fill.price * fill.quantity * (1 if fill.side == "sell" else -1) for fill in trade.fills)
    return sum(signed, Decimal(0))
