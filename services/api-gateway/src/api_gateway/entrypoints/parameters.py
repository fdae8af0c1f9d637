"""What callers may ask for. Unknown parameters are refused: a misspelt filter must not look like an empty answer."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import Header, Path
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from api_gateway.application.alerting import AlertState
from api_gateway.application.views import CounterfactualStatus, EventStatus, OrderStatus, SignalStatus
from api_gateway.domain.alerts import AlertKind
from common.domain.identifiers import SYMBOL_PATTERN, VENUE_PATTERN
from common.runtime import inputs
from common.runtime.inputs import ID_MAX

EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)

Id = Annotated[int, Field(ge=1, le=ID_MAX)]
SignalId = Annotated[int, Path(ge=1, le=ID_MAX, examples=[1])]
Symbol = Annotated[str, Field(pattern=SYMBOL_PATTERN, examples=["SOL"])]
Venue = Annotated[str, Field(pattern=VENUE_PATTERN, examples=["binance"])]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_.-]{0,79}$")]
Reason = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,79}$")]
Time = Annotated[inputs.Time, AfterValidator(lambda time: max(EARLIEST, min(time, LATEST)))]
"""Nothing happened before or after these, and the database does not know every year."""
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


class TimedParameters(PageParameters):
    """`from` and `to` are both included; RFC 3339 with an offset (`Z`)."""

    since: Time | None = Field(None, alias="from")
    until: Time | None = Field(None, alias="to")


class SignalParameters(TimedParameters):
    """`reason` is why a signal is no trade; the times are of `created_at`."""

    status: SignalStatus | None = None
    symbol: Symbol | None = None
    venue: Venue | None = None
    reason: Reason | None = None


class EventParameters(TimedParameters):
    """The times are of `first_observed_at`."""

    status: EventStatus | None = None
    symbol: Symbol | None = None
    venue: Venue | None = None
    type: Literal["A", "B", "C"] | None = None


class PositionParameters(PageParameters):
    status: Literal["opening", "open", "closing"] | None = None
    symbol: Symbol | None = None
    venue: Venue | None = None


class ObservationParameters(TimedParameters):
    """The times are of `observed_at`."""

    symbol: Symbol | None = None
    venue: Venue | None = None
    refusal: Name | None = None
    event_id: Id | None = None


class OrderParameters(TimedParameters):
    """The times are of `intended_at`."""

    signal_id: Id | None = None
    status: OrderStatus | None = None
    symbol: Symbol | None = None
    venue: Venue | None = None


class SampleParameters(TimedParameters):
    """Of one trade, which is of one symbol and two venues; the times are of `sampled_at`."""

    signal_id: Id
    verdict: Name | None = None


class ErrorParameters(TimedParameters):
    """`symbol` and `venue` are what the error is about, or its trade's; the times are of `occurred_at`."""

    signal_id: Id | None = None
    symbol: Symbol | None = None
    venue: Venue | None = None
    service: Name | None = None
    kind: Name | None = None


class CounterfactualParameters(TimedParameters):
    """`reason` is the first one that the signal was skipped for; the times are of `skipped_at`."""

    reason: Reason | None = None
    status: CounterfactualStatus | None = None
    symbol: Symbol | None = None
    venue: Venue | None = None


class SummaryParameters(_Parameters):
    """`from` and `to` are both included, and of `skipped_at`."""

    since: Time | None = Field(None, alias="from")
    until: Time | None = Field(None, alias="to")


class AuditParameters(TimedParameters):
    """`symbol` is what the decision is about; the times are of `decided_at`."""

    signal_id: Id | None = None
    symbol: Symbol | None = None
    service: Name | None = None
    decision: Decision | None = None


class ScaleInParameters(TimedParameters):
    """The times are of the signal's `created_at`."""

    status: Literal["opening", "open", "closing", "closed"] = "open"
    symbol: Symbol | None = None
    venue: Venue | None = None


class CandidateParameters(_Parameters):
    limit: int = Field(10, ge=1, le=20)


class _Command(_Parameters):
    """`who` is for a gateway whose access is off: a credential has a name, which is the one that counts, and `who` is
    kept beside it. `wait_seconds` is how long to wait for the outcome, in real seconds.
    """

    who: Line | None = None
    why: Line
    wait_seconds: float = Field(10, ge=0, le=30, strict=True)


class ForceCloseRequest(_Command):
    """Close one trade now."""

    model_config = ConfigDict(json_schema_extra={"example": {"signal_id": 1, "why": "venue maintenance at noon"}})

    signal_id: inputs.RowId


class FlattenRequest(_Command):
    """Bring what a venue holds of a symbol to zero: a trade's leg by closing the trade, and the rest, which may be your
    own position, only with `include_unowned`.
    """

    model_config = ConfigDict(
        json_schema_extra={"example": {"venue": "binance", "symbol": "SOL", "why": "the account is being moved"}}
    )

    venue: Venue
    symbol: Symbol
    include_unowned: Annotated[bool, Field(strict=True)] = False


class TradingStateWish(_Command):
    """Move trading to `state`."""

    model_config = ConfigDict(json_schema_extra={"example": {"state": "halted", "why": "venue maintenance at noon"}})

    state: Literal["active", "reducing", "halted"]


class AlertParameters(TimedParameters):
    """`state` is how far the telling has come; the times are of `raised_at`."""

    kind: AlertKind | None = None
    state: AlertState | None = None


class AlertTest(_Parameters):
    """Send a test alert; `wait_seconds` is how long to wait for its delivery, in real seconds."""

    who: Line | None = None
    wait_seconds: float = Field(15, ge=0, le=30, strict=True)


class SignIn(_Parameters):
    """A token that this gateway knows."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"token": "as `python -m common.runtime.new_token` said it"}}
    )

    token: Annotated[str, Field(min_length=1, max_length=500)]


IdempotencyKey = Annotated[
    str | None,
    Header(
        pattern=r"^[!-~]{1,200}$",
        description="The same key again is answered with what was answered first; kept for a day.",
    ),
]
