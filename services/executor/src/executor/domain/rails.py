"""The rails that move trading to `reducing` by themselves. The first one that is hit is the reason."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True)
class Rails:
    """The limits; a zero turns a rail off."""

    daily_loss_usdt: Decimal
    unwinds_per_hour: int
    clock_offset_seconds: float


@dataclass(frozen=True, slots=True)
class Standing:
    """How things stand: net P&L of the trades that closed within a day, entries unwound within an hour, and each
    venue's clock against this machine's (None where it is not known)."""

    day_net_pnl_usdt: Decimal
    unwinds_in_hour: int
    clock_offsets_seconds: Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class RailHit:
    """Which rail was hit, with its figures."""

    reason: str
    evidence: dict[str, Any]


def rail_hit(standing: Standing, rails: Rails) -> RailHit | None:
    """The first rail that is hit, or None. A limit that is just reached is hit."""
    if rails.daily_loss_usdt and standing.day_net_pnl_usdt <= -rails.daily_loss_usdt:
        evidence = {"net_pnl_usdt": str(standing.day_net_pnl_usdt), "limit_usdt": str(rails.daily_loss_usdt)}
        return RailHit("daily_loss_limit", evidence)
    if rails.unwinds_per_hour and standing.unwinds_in_hour >= rails.unwinds_per_hour:
        return RailHit("repeated_unwinds", {"unwinds": standing.unwinds_in_hour, "limit": rails.unwinds_per_hour})
    for venue, offset in sorted(standing.clock_offsets_seconds.items()):
        if rails.clock_offset_seconds and offset is not None and abs(offset) >= rails.clock_offset_seconds:
            figures = {"venue": venue, "offset_seconds": offset, "limit_seconds": rails.clock_offset_seconds}
            return RailHit("clock_offset", figures)
    return None
