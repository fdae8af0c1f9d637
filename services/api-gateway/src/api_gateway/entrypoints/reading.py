"""The reading side: the overview, whole trades, and keyset pages of everything else."""

from typing import Annotated

from fastapi import APIRouter, Query

from api_gateway.application.overview import OverviewDesk
from api_gateway.application.ports import Listings, SignalFilter, TradeReader
from api_gateway.application.positions import TradePosition, positions
from api_gateway.application.scale_in import ScaleInState, scale_in_page
from api_gateway.application.trade import Trade, whole_trade
from api_gateway.application.views import (
    AuditRecord,
    ErrorRecord,
    Event,
    Observation,
    Order,
    Overview,
    Page,
    Sample,
    SignalSummary,
)
from api_gateway.domain.scale_in_outlook import ScaleInLimits
from api_gateway.entrypoints.parameters import (
    AuditParameters,
    ErrorParameters,
    EventParameters,
    ObservationParameters,
    OrderParameters,
    OverviewParameters,
    PageParameters,
    SampleParameters,
    ScaleInParameters,
    SignalId,
    SignalParameters,
)
from common.runtime.problems import Problem


def unknown_signal(signal_id: int) -> Problem:
    """The answer for an id that no signal has."""
    wrong = {"field": "signal_id", "value": signal_id, "allowed": "the id of a signal; see /api/live_trading/signals"}
    return Problem(404, f"there is no signal {signal_id}", [wrong])


def trade_routes(desk: OverviewDesk, trades: TradeReader, limits: ScaleInLimits) -> APIRouter:
    """Signals and trades."""
    router = APIRouter(prefix="/api/live_trading", tags=["trading"])

    @router.get("/overview")
    async def overview(wanted: Annotated[OverviewParameters, Query()]) -> Overview:
        """Settings in effect, trading state, totals, and the newest signals and errors."""
        return await desk.overview(wanted.limit)

    @router.get("/signals")
    async def signals(wanted: Annotated[SignalParameters, Query()]) -> Page[SignalSummary]:
        """Signals, newest first."""
        return await desk.signals(SignalFilter(wanted.limit, wanted.before, wanted.status, wanted.symbol))

    @router.get("/signals/{signal_id}")
    async def signal(signal_id: SignalId) -> Trade:
        """One trade whole: its rows, what they add up to, and its story in order, down to the swept levels."""
        trade = await whole_trade(trades, signal_id)
        if trade is None:
            raise unknown_signal(signal_id)
        return trade

    @router.get("/positions")
    async def open_positions(wanted: Annotated[PageParameters, Query()]) -> Page[TradePosition]:
        """Active trades, newest first: what the ledger holds on each leg, and what its venue said last."""
        return await positions(trades, wanted.limit, wanted.before)

    @router.get("/scale_in")
    async def scale_in(wanted: Annotated[ScaleInParameters, Query()]) -> Page[ScaleInState]:
        """The audit view of scale-in rescue."""
        return await scale_in_page(trades, limits, wanted.status, wanted.limit, wanted.before)

    return router


def listing_routes(listings: Listings) -> APIRouter:
    """Plain lists, newest first."""
    router = APIRouter(prefix="/api", tags=["lists"])

    @router.get("/live_trading/events")
    async def events(wanted: Annotated[EventParameters, Query()]) -> Page[Event]:
        """Watchlist events."""
        filters = {"status": wanted.status, "symbol": wanted.symbol, "type": wanted.type}
        return await listings.events.page(wanted.limit, wanted.before, filters)

    @router.get("/live_trading/observations")
    async def observations(wanted: Annotated[ObservationParameters, Query()]) -> Page[Observation]:
        """What the scanner and others saw, triggered or refused. By `refusal` alone it may look far."""
        filters = {"symbol": wanted.symbol, "refusal": wanted.refusal, "event_id": wanted.event_id}
        return await listings.observations.page(wanted.limit, wanted.before, filters)

    @router.get("/live_trading/orders")
    async def orders(wanted: Annotated[OrderParameters, Query()]) -> Page[Order]:
        """Orders of all trades."""
        filters = {"signal_id": wanted.signal_id, "status": wanted.status, "venue": wanted.venue}
        return await listings.orders.page(wanted.limit, wanted.before, filters)

    @router.get("/live_trading/samples")
    async def samples(wanted: Annotated[SampleParameters, Query()]) -> Page[Sample]:
        """Valuations of one trade, with the evidence of each verdict."""
        filters = {"signal_id": wanted.signal_id, "verdict": wanted.verdict}
        return await listings.samples.page(wanted.limit, wanted.before, filters)

    @router.get("/live_trading/errors")
    async def errors(wanted: Annotated[ErrorParameters, Query()]) -> Page[ErrorRecord]:
        """What went wrong, in any service."""
        filters = {"signal_id": wanted.signal_id, "service": wanted.service, "kind": wanted.kind}
        return await listings.errors.page(wanted.limit, wanted.before, filters)

    @router.get("/audit")
    async def audit(wanted: Annotated[AuditParameters, Query()]) -> Page[AuditRecord]:
        """Decisions of all services, with the figures that made them."""
        filters = {"signal_id": wanted.signal_id, "service": wanted.service, "decision": wanted.decision}
        return await listings.audit.page(wanted.limit, wanted.before, filters)

    return router
