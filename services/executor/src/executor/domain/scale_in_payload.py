"""What a trade remembers of its entries, for audit: `payload.scale_in` (SPEC 7)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from common.domain.spread import scale_in_trigger_pct
from executor.domain.records import Entry


@dataclass(frozen=True, slots=True)
class ScaleInSettings:
    """The settings in effect when the payload was written."""

    enabled: bool
    max_entries: int
    trigger_mult: float


def scale_in_payload(entries: Sequence[Entry], settings: ScaleInSettings) -> dict[str, Any]:
    """The payload after `entries` (filled ones, in order) have been opened.

    Raises:
        ValueError: there is no filled entry.
    """
    if not entries or entries[0].entry_spread_pct is None:
        raise ValueError("a trade without a filled entry has no scale-in state")
    first = entries[0].entry_spread_pct
    return {
        "enabled": settings.enabled,
        "max_entries": settings.max_entries,
        "trigger_mult": settings.trigger_mult,
        "entries": [_entry(rank, entry) for rank, entry in enumerate(entries, start=1)],
        "entries_count": len(entries),
        "entry_spread_pct_first": first,
        "next_trigger_spread_pct": scale_in_trigger_pct(first, settings.trigger_mult, len(entries)),
        "last_scale_in_at": _iso(entries[-1].filled_at) if len(entries) > 1 else None,
        "used_evidence": [entry.snapshot.get("evidence") for entry in entries[1:]],
    }


def _entry(rank: int, entry: Entry) -> dict[str, Any]:
    return {
        "k": rank,
        "entry": entry.entry,
        "opened_at": _iso(entry.filled_at),
        "quantity": _text(entry.quantity),
        "notional": _text(entry.notional_usdt),
        "metric": entry.entry_spread_metric,
        "pct": entry.entry_spread_pct,
        "event_id": entry.event_id,
        "prediction": {"pnl_hat": entry.pnl_hat, "win_prob": entry.win_prob},
        "execution": entry.snapshot.get("execution"),
        "confirmation": entry.snapshot.get("confirmation"),
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _text(value: object) -> str | None:
    return None if value is None else str(value)
