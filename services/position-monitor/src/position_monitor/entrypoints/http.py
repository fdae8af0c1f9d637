"""The service's own endpoint: every watched trade as it stands now, why, and what would happen next."""

from datetime import datetime
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from common.domain.identifiers import Leg
from common.domain.position import Valuation
from position_monitor.application.monitor import Monitor
from position_monitor.application.watch import Judgement


class NextView(BaseModel):
    """The lines whose crossing would change the verdict."""

    tp_exit_spread_pct: float | None
    take_profit_pnl: float | None
    scale_in_trigger_spread_pct: float | None
    force_close_at: datetime | None
    seconds_to_force_close: float | None


class PositionView(BaseModel):
    """One watched trade. `evidence` holds every figure of the verdict."""

    signal_id: int
    symbol: str
    long_venue: str
    short_venue: str
    status: str
    entries: int
    judged_at: datetime
    verdict: str
    reason: str
    valuation: Valuation | None
    funding_per_hour: float | None
    next: NextView
    evidence: dict[str, Any]


class Positions(BaseModel):
    """All watched trades that have been judged, oldest first."""

    items: list[PositionView]


def add_positions(app: FastAPI, monitor: Monitor) -> None:
    """Adds GET /positions."""

    @app.get("/positions", tags=["positions"])
    async def positions() -> Positions:
        """Current valuations, from memory."""
        return Positions(items=[_view(judgement) for judgement in monitor.judgements()])


def _view(judgement: Judgement) -> PositionView:
    trade, market, evidence = judgement.trade, judgement.market, judgement.evidence
    return PositionView(
        signal_id=trade.signal_id,
        symbol=trade.symbol,
        long_venue=trade.venues[Leg.LONG],
        short_venue=trade.venues[Leg.SHORT],
        status=trade.status,
        entries=len(trade.entries),
        judged_at=judgement.at,
        verdict=str(judgement.verdict.action),
        reason=judgement.verdict.reason,
        valuation=market.valuation,
        funding_per_hour=market.funding_per_hour,
        next=NextView(
            tp_exit_spread_pct=evidence["tp_exit_spread_pct"],
            take_profit_pnl=trade.take_profit_pnl,
            scale_in_trigger_spread_pct=evidence["next_trigger_spread_pct"],
            force_close_at=evidence["force_close_at"],
            seconds_to_force_close=evidence["seconds_to_force_close"],
        ),
        evidence=evidence,
    )
