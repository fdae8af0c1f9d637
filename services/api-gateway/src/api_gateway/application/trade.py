"""The whole of one trade: its rows, what they add up to, and its story."""

from pydantic import BaseModel, ConfigDict

from api_gateway.application.ledger import final_figures, ledger_fills, ledger_funding, ledger_orders
from api_gateway.application.ports import TradeRead, TradeReader
from api_gateway.application.story import tell
from api_gateway.application.story_line import StoryLine
from api_gateway.application.views import (
    Amount,
    AuditRecord,
    Entry,
    ErrorRecord,
    Event,
    Fill,
    Funding,
    LegName,
    Order,
    Recent,
    Sample,
    SignalDetail,
)
from api_gateway.domain.figures import LegFigures, TradeFigures, trade_figures
from common.domain.identifiers import Leg


class LegTotals(BaseModel):
    """One leg: base quantities, prices and amounts in USDT; `fees_usdt` is null while a fee is not booked."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    opened_quantity: Amount
    reduced_quantity: Amount
    open_quantity: Amount
    average_entry_price: Amount | None
    average_exit_price: Amount | None
    fees_usdt: Amount | None
    funding_booked_usdt: Amount


class TradeTotals(BaseModel):
    """The trade in USDT. Null is unknown: the spread P&L until both legs are flat, funding and net until finalised."""

    model_config = ConfigDict(frozen=True)

    spread_pnl_usdt: Amount | None
    fees_usdt: Amount | None
    funding_usdt: Amount | None
    net_pnl_usdt: Amount | None
    pnl_complete: bool
    legs: dict[LegName, LegTotals]


class Trade(BaseModel):
    """Everything about one signal. Samples, audit and errors are the newest ones, with how many there are."""

    model_config = ConfigDict(frozen=True)

    signal: SignalDetail
    event: Event | None
    entries: list[Entry]
    orders: list[Order]
    fills: list[Fill]
    funding: list[Funding]
    samples: Recent[Sample]
    audit: Recent[AuditRecord]
    errors: Recent[ErrorRecord]
    totals: TradeTotals
    story: list[StoryLine]


async def whole_trade(reader: TradeReader, signal_id: int) -> Trade | None:
    """One trade with its totals and story; None of an unknown signal."""
    read = await reader.trade(signal_id)
    if read is None:
        return None
    return Trade(
        signal=read.signal,
        event=read.event,
        entries=list(read.entries),
        orders=list(read.orders),
        fills=list(read.fills),
        funding=list(read.funding),
        samples=read.samples,
        audit=read.audit,
        errors=read.errors,
        totals=_totals(read),
        story=tell(read),
    )


def _totals(read: TradeRead) -> TradeTotals:
    figures: TradeFigures = trade_figures(
        ledger_orders(read.orders),
        ledger_fills(read.fills),
        ledger_funding(read.funding),
        final_figures(read.signal),
    )
    return TradeTotals(
        spread_pnl_usdt=figures.spread_pnl_usdt,
        fees_usdt=figures.fees_usdt,
        funding_usdt=figures.funding_usdt,
        net_pnl_usdt=figures.net_pnl_usdt,
        pnl_complete=figures.pnl_complete,
        legs={"long": _leg_totals(figures.legs[Leg.LONG]), "short": _leg_totals(figures.legs[Leg.SHORT])},
    )


def _leg_totals(figures: LegFigures) -> LegTotals:
    return LegTotals.model_validate(figures)
