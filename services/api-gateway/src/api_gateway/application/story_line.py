"""One line of a story, and how figures are written in its sentence."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ConfigDict

_SHOWN_DIGITS = Decimal("0.00000001")


class StoryLine(BaseModel):
    """One sentence; `figures` is the evidence as the service recorded it."""

    model_config = ConfigDict(frozen=True)

    at: datetime
    service: str
    what: str
    figures: dict[str, Any]


def line(at: datetime, service: str, what: str, figures: dict[str, Any]) -> StoryLine:
    return StoryLine(at=at, service=service, what=what, figures=figures)


def words(name: str) -> str:
    """`take_profit` as it is said."""
    return name.replace("_", " ")


def percent(fraction: float) -> str:
    """0.0123 as 1.2300%."""
    return f"{fraction:.4%}"


def text(amount: Decimal | None) -> str | None:
    """A figure to its last digit."""
    return None if amount is None else format(amount, "f")


def plain(amount: Decimal | None) -> str | None:
    """A figure to eight decimals, for reading."""
    return None if amount is None else format(amount.quantize(_SHOWN_DIGITS).normalize(), "f")
