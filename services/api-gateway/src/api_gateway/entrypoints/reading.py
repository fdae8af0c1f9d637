"""The reading side: the overview, whole trades, and keyset pages of everything else."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ValidationError

from api_gateway.application.overview import OverviewDesk
from api_gateway.application.ports import (
    CandidateLook,
    CounterfactualReader,
    ExecutorAway,
    Listings,
    TradeReader,
    Wanted,
)
from api_gateway.application.positions import TradePosition, positions
from api_gateway.application.scale_in import ScaleInState, scale_in_page
from api_gateway.application.together import Together
from api_gateway.application.trade import Trade, whole_trade
from api_gateway.application.views import (
    AuditRecord,
    Counterfactual,
    CounterfactualSummary,
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
from api_gateway.entrypoints.conditional import UNCHANGED, Rendered, conditional, render
from api_gateway.entrypoints.parameters import (
    AuditParameters,
    CandidateParameters,
    CounterfactualParameters,
    ErrorParameters,
    EventParameters,
    ObservationParameters,
    OrderParameters,
    OverviewParameters,
    PageParameters,
    PositionParameters,
    SampleParameters,
    ScaleInParameters,
    SignalId,
    SignalParameters,
    SummaryParameters,
    TimedParameters,
)
from common.runtime.problems import Problem


class Candidate(BaseModel):
    """One open event: what would open now (`plan`), or the rule that refuses it (`refusal`)."""

    event: dict[str, Any]
    signal_id: int | None
    attempts: int
    next_attempt_at: datetime | None
    would_open: bool
    refusal: dict[str, Any] | None
    plan: dict[str, Any] | None


class Candidates(BaseModel):
    """All open events that are no trade yet, last observed first, as judged at `judged_at`."""

    judged_at: datetime
    items: list[Candidate]


def unknown_signal(signal_id: int) -> Problem:
    """The answer for an id that no signal has."""
    wrong = {"field": "signal_id", "value": signal_id, "allowed": "the id of a signal; see /api/live_trading/signals"}
    return Problem(404, f"there is no signal {signal_id}", [wrong])


def trade_routes(desk: OverviewDesk, trades: TradeReader, limits: ScaleInLimits) -> APIRouter:
    """Signals and trades."""

    async def read(limit: int) -> Rendered:
        return render(await desk.overview(limit), but={"timestamp"})

    shared = Together(read)
    router = APIRouter(prefix="/api/live_trading", tags=["trading"])

    @router.get("/overview", response_model=Overview, responses=UNCHANGED)
    async def overview(wanted: Annotated[OverviewParameters, Query()], request: Request) -> Response:
        """Settings in effect, trading state, totals, and the newest signals and errors."""
        return conditional(request, await shared.ask(wanted.limit))

    @router.get("/signals", response_model=Page[SignalSummary], responses=UNCHANGED)
    async def signals(wanted: Annotated[SignalParameters, Query()], request: Request) -> Response:
        """Signals, newest first."""
        return conditional(request, await desk.signals(wanted_page(wanted, "status", "symbol", "reason")))

    @router.get("/signals/{signal_id}", response_model=Trade, responses=UNCHANGED)
    async def signal(signal_id: SignalId, request: Request) -> Response:
        """One trade whole: its rows, what they add up to, and its story in order, down to the swept levels."""
        trade = await whole_trade(trades, signal_id)
        if trade is None:
            raise unknown_signal(signal_id)
        return conditional(request, trade)

    @router.get("/positions", response_model=Page[TradePosition], responses=UNCHANGED)
    async def open_positions(wanted: Annotated[PositionParameters, Query()], request: Request) -> Response:
        """Active trades, newest first: what the ledger holds on each leg, and what its venue said last."""
        return conditional(request, await positions(trades, wanted_page(wanted, "status", "symbol")))

    @router.get("/scale_in", response_model=Page[ScaleInState], responses=UNCHANGED)
    async def scale_in(wanted: Annotated[ScaleInParameters, Query()], request: Request) -> Response:
        """The audit view of scale-in rescue."""
        return conditional(request, await scale_in_page(trades, limits, wanted_page(wanted, "status", "symbol")))

    return router


def candidate_routes(executor: CandidateLook) -> APIRouter:
    """What would open now."""
    router = APIRouter(prefix="/api/live_trading", tags=["trading"])

    @router.get("/candidates")
    async def candidates(wanted: Annotated[CandidateParameters, Query()]) -> Candidates:
        """Open events with a dry revalidation by the executor, which reads books and accounts and sends nothing."""
        try:
            return Candidates.model_validate(await executor.look(wanted.limit))
        except (ExecutorAway, ValidationError) as error:
            detail = f"the executor does not answer, so what would open now is not known: {error}"
            raise Problem(503, detail) from error

    return router


def wanted_page(asked: PageParameters, *equal: str) -> Wanted:
    """The page; `equal` are the parameters that are columns of the same name."""
    timed = asked if isinstance(asked, TimedParameters) else None
    return Wanted(
        limit=asked.limit,
        before=asked.before,
        equals={name: getattr(asked, name) for name in equal},
        venue=getattr(asked, "venue", None),
        since=timed.since if timed else None,
        until=timed.until if timed else None,
    )


def listing_routes(listings: Listings, summaries: CounterfactualReader) -> APIRouter:
    """Plain lists, newest first."""
    router = APIRouter(prefix="/api", tags=["lists"])

    @router.get("/live_trading/events", response_model=Page[Event], responses=UNCHANGED)
    async def events(wanted: Annotated[EventParameters, Query()], request: Request) -> Response:
        """Watchlist events."""
        return conditional(request, await listings.events.page(wanted_page(wanted, "status", "symbol", "type")))

    @router.get("/live_trading/observations", response_model=Page[Observation], responses=UNCHANGED)
    async def observations(wanted: Annotated[ObservationParameters, Query()], request: Request) -> Response:
        """What was seen, triggered or refused. By `refusal`, by `venue` or by `to` alone it may look far."""
        return conditional(
            request, await listings.observations.page(wanted_page(wanted, "symbol", "refusal", "event_id"))
        )

    @router.get("/live_trading/orders", response_model=Page[Order], responses=UNCHANGED)
    async def orders(wanted: Annotated[OrderParameters, Query()], request: Request) -> Response:
        """Orders of all trades."""
        return conditional(request, await listings.orders.page(wanted_page(wanted, "signal_id", "status", "symbol")))

    @router.get("/live_trading/samples", response_model=Page[Sample], responses=UNCHANGED)
    async def samples(wanted: Annotated[SampleParameters, Query()], request: Request) -> Response:
        """Valuations of one trade, with the evidence of each verdict."""
        return conditional(request, await listings.samples.page(wanted_page(wanted, "signal_id", "verdict")))

    @router.get("/live_trading/errors", response_model=Page[ErrorRecord], responses=UNCHANGED)
    async def errors(wanted: Annotated[ErrorParameters, Query()], request: Request) -> Response:
        """What went wrong, in any service."""
        page = wanted_page(wanted, "signal_id", "symbol", "service", "kind")
        return conditional(request, await listings.errors.page(page))

    @router.get("/live_trading/counterfactuals", response_model=Page[Counterfactual], responses=UNCHANGED)
    async def counterfactuals(wanted: Annotated[CounterfactualParameters, Query()], request: Request) -> Response:
        """What skipped and expired type B signals would have made by the books seen afterwards."""
        page = wanted_page(wanted, "reason", "status", "symbol")
        return conditional(request, await listings.counterfactuals.page(page))

    @router.get("/live_trading/counterfactuals/summary", response_model=CounterfactualSummary, responses=UNCHANGED)
    async def counterfactual_summary(wanted: Annotated[SummaryParameters, Query()], request: Request) -> Response:
        """The same by the reason of the skip: how many, the share that would have won, and the median P&L."""
        return conditional(request, await summaries.summary(wanted.since, wanted.until))

    @router.get("/audit", response_model=Page[AuditRecord], responses=UNCHANGED)
    async def audit(wanted: Annotated[AuditParameters, Query()], request: Request) -> Response:
        """Decisions of all services, with the figures that made them. By `symbol` come those about one symbol, and none
        about trading as a whole.
        """
        page = wanted_page(wanted, "signal_id", "symbol", "service", "decision")
        return conditional(request, await listings.audit.page(page))

    return router
