"""The executor's own endpoint: what would open now. It sends nothing and changes nothing."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel

from common.messages.contracts import WatchlistEvent
from executor.application.candidates import Candidates, Judged
from executor.application.ports import EntryPlan
from executor.domain.refusal import Refusal

CANDIDATES_MAX = 20


class RefusalView(BaseModel):
    """The first rule that fails, by its name in the specification."""

    reason: str
    retryable: bool
    evidence: dict[str, Any]


class PlanView(BaseModel):
    """What would be committed: base quantity, swept prices in USDT, and the figures that led to it."""

    long_venue: str
    short_venue: str
    quantity: Decimal
    long_price: Decimal
    short_price: Decimal
    take_profit_pnl: float
    execution: dict[str, Any]


class CandidateView(BaseModel):
    """One open event; `signal_id` is null where no signal was recorded yet."""

    event: WatchlistEvent
    signal_id: int | None
    attempts: int
    next_attempt_at: datetime | None
    would_open: bool
    refusal: RefusalView | None
    plan: PlanView | None


class CandidatesView(BaseModel):
    """All open events that are no trade yet, last observed first."""

    judged_at: datetime
    items: list[CandidateView]


def candidate_routes(candidates: Candidates) -> APIRouter:
    """`/candidates`."""
    router = APIRouter(tags=["trading"])

    @router.get("/candidates")
    async def waiting(limit: Annotated[int, Query(ge=1, le=CANDIDATES_MAX)] = 10) -> CandidatesView:
        """The same decision as opening, up to and including the preflight, with the books of this moment."""
        look = await candidates.look(limit)
        return CandidatesView(judged_at=look.judged_at, items=[_view(judged) for judged in look.judged])

    return router


def _view(judged: Judged) -> CandidateView:
    waiting, verdict = judged.waiting, judged.verdict
    return CandidateView(
        event=waiting.event,
        signal_id=waiting.trade.id if waiting.trade else None,
        attempts=waiting.trade.attempts if waiting.trade else 0,
        next_attempt_at=waiting.next_attempt_at,
        would_open=isinstance(verdict, EntryPlan),
        refusal=_refusal(verdict) if isinstance(verdict, Refusal) else None,
        plan=_plan(verdict) if isinstance(verdict, EntryPlan) else None,
    )


def _refusal(refusal: Refusal) -> RefusalView:
    return RefusalView(reason=refusal.reason, retryable=refusal.retryable, evidence=refusal.evidence)


def _plan(plan: EntryPlan) -> PlanView:
    return PlanView(
        long_venue=plan.long_venue,
        short_venue=plan.short_venue,
        quantity=plan.quantity,
        long_price=plan.long_price,
        short_price=plan.short_price,
        take_profit_pnl=plan.take_profit_pnl,
        execution=plan.snapshot["execution"],
    )
