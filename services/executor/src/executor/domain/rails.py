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
class DayPnl:
    """What a day has made, in USDT: the net of the trades that became final in it, and what all that are not final,
    whether open, closing or over, have realised: of those that are open or closing only losses of the day.
    """

    final_usdt: Decimal
    not_final_usdt: Decimal

    @property
    def net_usdt(self) -> Decimal:
        """Both."""
        return self.final_usdt + self.not_final_usdt


@dataclass(frozen=True, slots=True)
class Standing:
    """How things stand: the day's P&L, entries unwound within an hour, and each venue's clock against this machine's
    (None where it is not known)."""

    day: DayPnl
    unwinds_in_hour: int
    clock_offsets_seconds: Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class RailHit:
    """Which rail was hit, with its figures."""

    reason: str
    evidence: dict[str, Any]


def rail_hit(standing: Standing, rails: Rails) -> RailHit | None:
    """The first rail that is hit, or None. A limit that is just reached is hit."""
    day = standing.day
    if rails.daily_loss_usdt and day.net_usdt <= -rails.daily_loss_usdt:
        figures = {"net_pnl": day.net_usdt, "of_which_not_final": day.not_final_usdt, "limit": rails.daily_loss_usdt}
        return RailHit("daily_loss_limit", {f"{name}_usdt": str(value) for name, value in figures.items()})
    if rails.unwinds_per_hour and standing.unwinds_in_hour >= rails.unwinds_per_hour:
        return RailHit("repeated_unwinds", {"unwinds": standing.unwinds_in_hour, "limit": rails.unwinds_per_hour})
    for venue, offset in sorted(standing.clock_offsets_seconds.items()):
        if rails.clock_offset_seconds and offset is not None and abs(offset) >= rails.clock_offset_seconds:
            evidence = {"venue": venue, "offset_seconds": offset, "limit_seconds": rails.clock_offset_seconds}
            return RailHit("clock_offset", evidence)
    return None
