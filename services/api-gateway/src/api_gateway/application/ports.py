"""What the gateway's use cases need from outside: reading the ledger, asking for a close, asking other services."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from api_gateway.application.views import (
    ActiveTotals,
    AuditRecord,
    Counterfactual,
    CounterfactualSummary,
    Entry,
    ErrorLine,
    ErrorRecord,
    Event,
    Fill,
    Funding,
    HistoryCount,
    Observation,
    Order,
    Page,
    Recent,
    Sample,
    SampleFigures,
    SignalDetail,
    SignalRow,
    TradingState,
    VenuePosition,
)
from api_gateway.domain.scale_in_outlook import FilledEntry
from common.runtime.access import Credential

RowType = TypeVar("RowType")


class LedgerAway(Exception):
    """The database cannot be reached now."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows: ids below `before`, newest first, at most `limit`. None filters nothing.

    `equals` by column, or as the list means it; `venue` on either leg; `since` and `until`, both included, of the time
    at which a row began.
    """

    limit: int
    before: int
    equals: Mapping[str, object | None] = field(default_factory=dict)
    venue: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def one_more(self) -> "Wanted":
        """The same with one row more, which says whether there is a following page."""
        return replace(self, limit=self.limit + 1)


@dataclass(frozen=True, slots=True)
class Operator:
    """Who gives a command: the credential's name, the address it came from, and who it says to be, where it says so."""

    who: str
    address: str
    said: str | None

    def evidence(self) -> dict[str, str]:
        """As the audit keeps it."""
        return {"who": self.who, "from": self.address, **({"said": self.said} if self.said else {})}


@dataclass(frozen=True, slots=True)
class SignalsRead:
    """Signals, newest first, with their filled entries and latest samples by signal id."""

    signals: Sequence[SignalRow]
    entries: Mapping[int, Sequence[FilledEntry]]
    samples: Mapping[int, SampleFigures]


@dataclass(frozen=True, slots=True)
class OverviewRead:
    """Everything that the overview shows, as of one moment."""

    signals: SignalsRead
    errors: Sequence[ErrorLine]
    trading_state: TradingState
    active: ActiveTotals


@dataclass(frozen=True, slots=True)
class TradeRead:
    """One signal and everything that belongs to it, as of one moment.

    `event_audit` is what was decided about the watchlist events that it rests on; `turning_points` are the samples
    whose verdict or reason is another one than that of the sample before.
    """

    signal: SignalDetail
    event: Event | None
    event_audit: Sequence[AuditRecord]
    entries: Sequence[Entry]
    orders: Sequence[Order]
    fills: Sequence[Fill]
    funding: Sequence[Funding]
    samples: Recent[Sample]
    turning_points: Sequence[Sample]
    audit: Recent[AuditRecord]
    errors: Recent[ErrorRecord]


@dataclass(frozen=True, slots=True)
class ScaleInRead:
    """Trades of one status, newest first, with their filled entries and latest samples by signal id."""

    trades: Sequence[SignalDetail]
    entries: Mapping[int, Sequence[Entry]]
    samples: Mapping[int, SampleFigures]


@dataclass(frozen=True, slots=True)
class PositionsRead:
    """Active trades, newest first, their orders by signal id, and what the venues said last."""

    trades: Sequence[SignalRow]
    orders: Mapping[int, Sequence[Order]]
    venue_positions: Sequence[VenuePosition]


class OverviewReader(Protocol):
    """The hot path: a small, fixed number of indexed queries."""

    async def overview(self, limit: int) -> OverviewRead: ...

    async def signals(self, wanted: Wanted) -> SignalsRead: ...


class HistoryCounter(Protocol):
    """Counts the whole history; takes as long as the history is."""

    async def count_history(self) -> HistoryCount: ...


class TradeReader(Protocol):
    """Whole trades."""

    async def trade(self, signal_id: int) -> TradeRead | None: ...

    async def scale_in(self, wanted: Wanted) -> ScaleInRead: ...

    async def positions(self, wanted: Wanted) -> PositionsRead:
        """Active trades; of the filters, `status`, `symbol` and `venue` count."""
        ...


class Listing(Protocol[RowType]):
    """One table, newest rows first."""

    async def page(self, wanted: Wanted) -> Page[RowType]:
        """One page; see `Wanted`."""
        ...


class Listings(Protocol):
    """Every table that is shown as a plain list."""

    @property
    def events(self) -> Listing[Event]: ...

    @property
    def observations(self) -> Listing[Observation]: ...

    @property
    def orders(self) -> Listing[Order]: ...

    @property
    def samples(self) -> Listing[Sample]: ...

    @property
    def errors(self) -> Listing[ErrorRecord]: ...

    @property
    def counterfactuals(self) -> Listing[Counterfactual]: ...

    @property
    def audit(self) -> Listing[AuditRecord]: ...


class CounterfactualReader(Protocol):
    """What skipping for each reason cost or saved."""

    async def summary(self, since: datetime | None, until: datetime | None) -> CounterfactualSummary:
        """By reason, over what was skipped between both (included; None: no bound)."""
        ...


class TradeStatus(BaseModel):
    """Where a trade stands in closing."""

    model_config = ConfigDict(frozen=True)

    signal_id: int
    symbol: str
    status: str = Field(examples=["closed"])
    close_reason: str | None = Field(examples=["operator"])
    closed_at: datetime | None = Field(examples=["2026-11-22T12:00:00Z"])


class CloseDesk(Protocol):
    """Asks the executor for a close."""

    async def status(self, signal_id: int) -> TradeStatus | None:
        """Where the trade stands; None of an unknown one.

        Raises:
            LedgerAway: nobody knows now.
        """
        ...

    async def request(self, trade: TradeStatus, operator: Operator, why: str) -> str:
        """Commits the request and its audit together, and returns the request's id.

        Raises:
            LedgerAway: nothing was committed, or nobody knows whether it was.
        """
        ...


class ExecutorAway(Exception):
    """The executor gives no answer."""


class CandidateLook(Protocol):
    """Asks the executor what would open now."""

    async def look(self, limit: int) -> dict[str, Any]:
        """The executor's own answer; raises ExecutorAway."""
        ...


class SessionDesk(Protocol):
    """Sessions of the page; every method raises as the database does."""

    lasts_seconds: float

    async def begin(self, credential: Credential) -> str:
        """A new session's secret."""
        ...

    async def end(self, session: str) -> None: ...


class VenueBudget(BaseModel):
    """What all services may ask of a venue within `seconds`, `reserve` of it kept for closing, and what is `left`."""

    model_config = ConfigDict(frozen=True)

    units: int
    reserve: int
    left: int
    seconds: int


class VenueStanding(BaseModel):
    """Until when a venue bans us, as far as one service knows, and what is left of its limits."""

    model_config = ConfigDict(frozen=True)

    banned_until: datetime | None
    budgets: dict[str, VenueBudget]


class ServiceAnswer(BaseModel):
    """What one service says of itself; `problem` where it says nothing that can be read."""

    model_config = ConfigDict(frozen=True)

    service: str
    url: str | None
    status: str = Field(examples=["ready"])
    dependencies: dict[str, str]
    venues: dict[str, VenueStanding] = {}
    problem: str | None


class Setting(BaseModel):
    """One setting in effect: a secret's value is hidden; `source` is `environment` or `default`."""

    model_config = ConfigDict(frozen=True)

    value: Any
    source: Literal["environment", "default"]


class SettingsAnswer(BaseModel):
    """What one service runs with, by variable; `problem` where it says nothing that can be read."""

    model_config = ConfigDict(frozen=True)

    service: str
    url: str | None
    settings: dict[str, Setting]
    problem: str | None


class ServiceProbe(Protocol):
    """Asks another service for its readiness."""

    async def ask(self, service: str, url: str) -> ServiceAnswer:
        """The service's own answer, or status `unreachable` with the problem; never raises for a dead service."""
        ...


class SettingsProbe(Protocol):
    """Asks another service for its settings."""

    async def settings(self, service: str, url: str, credential: Mapping[str, str]) -> SettingsAnswer:
        """The service's settings in effect, or the problem; never raises for a dead service.

        `credential` are the caller's own headers: who may not read a service's settings does not read them here either.
        """
        ...
