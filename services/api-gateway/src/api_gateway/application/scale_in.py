"""The audit view of scale-in rescue: where each trade stands, and by which evidence it got there."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from api_gateway.application.ports import ScaleInRead, TradeReader, Wanted
from api_gateway.application.summaries import filled_entries
from api_gateway.application.views import Entry, Page, SampleFigures, SignalDetail, SignalStatus
from api_gateway.domain.scale_in_outlook import (
    ScaleInLimits,
    last_scale_in_at,
    next_trigger_spread_pct,
    summarise_entries,
)


class ScaleInState(BaseModel):
    """One trade's scale-in state (SPEC 7). Spreads are fractions; `recorded` is `payload.scale_in` as it stands.

    The limits are the settings in effect, by which the next scale-in will be judged; those of the last entry are in
    `recorded`.
    """

    model_config = ConfigDict(frozen=True)

    signal_id: int
    symbol: str
    long_venue: str
    short_venue: str
    status: SignalStatus
    opened_at: datetime | None
    enabled: bool
    entries_count: int
    max_entries: int
    trigger_mult: float
    entry_spread_pct_first: float | None
    next_trigger_spread_pct: float | None
    last_scale_in_at: datetime | None
    take_profit_pnl: float | None
    entry_metric_weighted: float | None
    tp_exit_spread_pct: float | None
    force_close_at: datetime | None
    latest_sample: SampleFigures | None
    entries: list[Entry]
    used_evidence: Any
    recorded: dict[str, Any]


async def scale_in_page(reader: TradeReader, in_effect: ScaleInLimits, wanted: Wanted) -> Page[ScaleInState]:
    """One page of trades, newest first."""
    read = await reader.scale_in(wanted.one_more())
    items = [_state(trade, read, in_effect) for trade in read.trades[: wanted.limit]]
    return Page(items=items, next=items[-1].signal_id if len(read.trades) > wanted.limit else None)


def _state(trade: SignalDetail, read: ScaleInRead, limits: ScaleInLimits) -> ScaleInState:
    rows: Sequence[Entry] = read.entries.get(trade.id, ())
    entries = filled_entries(rows)
    recorded: dict[str, Any] = trade.payload.get("scale_in") or {}
    added_up = summarise_entries(entries, trade.take_profit_pnl)
    return ScaleInState(
        signal_id=trade.id,
        symbol=trade.symbol,
        long_venue=trade.long_venue,
        short_venue=trade.short_venue,
        status=trade.status,
        opened_at=trade.opened_at,
        enabled=limits.enabled,
        entries_count=added_up.entries_count,
        max_entries=limits.max_entries,
        trigger_mult=limits.trigger_mult,
        entry_spread_pct_first=added_up.entry_spread_pct_first,
        next_trigger_spread_pct=next_trigger_spread_pct(entries, limits),
        last_scale_in_at=last_scale_in_at(entries),
        take_profit_pnl=trade.take_profit_pnl,
        entry_metric_weighted=added_up.entry_metric_weighted,
        tp_exit_spread_pct=added_up.tp_exit_spread_pct,
        force_close_at=trade.force_close_at,
        latest_sample=read.samples.get(trade.id),
        entries=list(rows),
        used_evidence=recorded.get("used_evidence"),
        recorded=recorded,
    )
