"""What callers may ask for. Unknown parameters are refused: a misspelt filter must not look like an empty answer."""

from typing import Annotated, Literal

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field

from api_gateway.application.views import EventStatus, OrderStatus, SignalStatus
from common.domain.identifiers import SYMBOL_PATTERN, VENUE_PATTERN

ID_MAX = 2**62

Id = Annotated[int, Field(ge=1, le=ID_MAX)]
SignalId = Annotated[int, Path(ge=1, le=ID_MAX)]
Symbol = Annotated[str, Field(pattern=SYMBOL_PATTERN)]
Venue = Annotated[str, Field(pattern=VENUE_PATTERN)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_.-]{0,79}$")]
Decision = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_.:-]{0,119}$")]
"""A decision of the audit; a colon stands before its reason."""
Line = Annotated[
    str, Field(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$")
]
"""One line of text that says something."""


class _Parameters(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class OverviewParameters(_Parameters):
    limit: int = Field(20, ge=1, le=200)


class PageParameters(_Parameters):
    limit: int = Field(50, ge=1, le=200)
    before: int = Field(ID_MAX, ge=1, le=ID_MAX, description="the `next` of the page before")


class SignalParameters(PageParameters):
    status: SignalStatus | None = None
    symbol: Symbol | None = None


class EventParameters(PageParameters):
    status: EventStatus | None = None
    symbol: Symbol | None = None
    type: Literal["A", "B", "C"] | None = None


class ObservationParameters(PageParameters):
    symbol: Symbol | None = None
    refusal: Name | None = None
    event_id: Id | None = None


class OrderParameters(PageParameters):
    signal_id: Id | None = None
    status: OrderStatus | None = None
    venue: Venue | None = None


class SampleParameters(PageParameters):
    signal_id: Id
    verdict: Name | None = None


class ErrorParameters(PageParameters):
    signal_id: Id | None = None
    service: Name | None = None
    kind: Name | None = None


class AuditParameters(PageParameters):
    signal_id: Id | None = None
    service: Name | None = None
    decision: Decision | None = None


class ScaleInParameters(PageParameters):
    status: Literal["opening", "open", "closing", "closed"] = "open"


class ForceCloseRequest(_Parameters):
    """Close one trade now. `wait_seconds` is how long to wait for the outcome, in real seconds."""

    signal_id: Annotated[int, Field(ge=1, le=ID_MAX, strict=True)]
    who: Line
    why: Line
    wait_seconds: float = Field(10, ge=0, le=30)


class TradingStateWish(_Parameters):
    """Move trading to `state`. `wait_seconds` is how long to wait for the outcome, in real seconds."""

    state: Literal["active", "reducing", "halted"]
    who: Line
    why: Line
    wait_seconds: float = Field(10, ge=0, le=30)
