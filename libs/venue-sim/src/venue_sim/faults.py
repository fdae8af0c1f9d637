"""Faults of a venue as data: which kinds there are, which requests each one meets, and how often it has.

Pure: the moment is an argument and chance is seeded, so the same requests at the same moments meet the same
faults. What a fault does is for those who ask: the gate before the dialect (`WIRE`), the venue when it executes an
order (`EXECUTION`) and when it shows books and its ledger (`DISPLAY`), the streams (`STREAMS`). One request can meet
one fault of each.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from random import Random
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from venue_sim.moment import ClockName, Moment


class EndpointClass(StrEnum):
    """What a request is about, whatever the protocol. `ANY` is in faults only and also matches every other
    request; streams, of books and of own orders, are no requests."""

    ORDER_CREATE = "order.create"
    ORDER_QUERY = "order.query"
    ORDER_CANCEL = "order.cancel"
    BOOK = "book"
    POSITIONS = "positions"
    BALANCE = "balance"
    FILLS = "fills"
    FUNDING = "funding"
    STREAM = "stream"
    ORDER_STREAM = "order_stream"
    ANY = "any"


class FaultKind(StrEnum):
    """Everything that can be made to go wrong."""

    REJECT = "reject"
    TIMEOUT = "timeout"
    DROP = "drop"
    DELAY = "delay"
    SERVER_ERROR = "server_error"
    MALFORMED = "malformed"
    EMPTY_OBJECT = "empty_object"
    BAN = "ban"
    NONCE = "nonce"
    DUPLICATE = "duplicate"
    DELAYED_FILL = "delayed_fill"
    PARTIAL_FILL = "partial_fill"
    STUCK = "stuck"
    DUST = "dust"
    STALE_BOOK = "stale_book"
    CROSSED_BOOK = "crossed_book"
    EMPTY_SIDE = "empty_side"
    LAG = "lag"
    SILENCE = "silence"
    GAP = "gap"


EXECUTION = frozenset({FaultKind.DELAYED_FILL, FaultKind.PARTIAL_FILL, FaultKind.STUCK, FaultKind.DUST})
BOOKS = frozenset({FaultKind.STALE_BOOK, FaultKind.CROSSED_BOOK, FaultKind.EMPTY_SIDE})
DISPLAY = BOOKS | {FaultKind.LAG}
STREAMS = frozenset({FaultKind.SILENCE, FaultKind.GAP})
WIRE = frozenset(FaultKind) - EXECUTION - DISPLAY - STREAMS

_ORDERS = frozenset({EndpointClass.ORDER_CREATE})
_BOOK = frozenset({EndpointClass.BOOK, EndpointClass.STREAM})
_STREAM = frozenset({EndpointClass.STREAM})
_STREAMS = _STREAM | {EndpointClass.ORDER_STREAM}
_LAGGING = frozenset({EndpointClass.POSITIONS, EndpointClass.FILLS, EndpointClass.FUNDING, EndpointClass.ORDER_QUERY})
_ALL = frozenset(EndpointClass) - _STREAMS
_HOLD_SECONDS = 30.0
"""How long a request that times out is held: longer than a client waits."""


@dataclass(frozen=True, slots=True)
class _KindRules:
    """Where a kind can happen (`default` unless the fault says), and which parameters it must and may have."""

    default: EndpointClass
    endpoints: frozenset[EndpointClass]
    needed: frozenset[str] = frozenset()
    allowed: frozenset[str] = frozenset()
    real_time_only: bool = False


_CREATE, _ANY, _SHOW = EndpointClass.ORDER_CREATE, EndpointClass.ANY, EndpointClass.BOOK
_RULES: dict[FaultKind, _KindRules] = {
    FaultKind.REJECT: _KindRules(_CREATE, _ORDERS, allowed=frozenset({"reason"})),
    FaultKind.TIMEOUT: _KindRules(_CREATE, _ALL, allowed=frozenset({"seconds", "accepted"}), real_time_only=True),
    FaultKind.DROP: _KindRules(_CREATE, _ALL | _STREAMS, allowed=frozenset({"accepted"})),
    FaultKind.DELAY: _KindRules(_CREATE, _ALL, needed=frozenset({"seconds"}), real_time_only=True),
    FaultKind.SERVER_ERROR: _KindRules(_CREATE, _ALL, allowed=frozenset({"status", "accepted"})),
    FaultKind.MALFORMED: _KindRules(_CREATE, _ALL, allowed=frozenset({"accepted"})),
    FaultKind.EMPTY_OBJECT: _KindRules(_CREATE, _ALL, allowed=frozenset({"accepted"})),
    FaultKind.BAN: _KindRules(_ANY, _ALL, frozenset({"for_seconds"}), frozenset({"status"}), real_time_only=True),
    FaultKind.NONCE: _KindRules(_CREATE, _ALL),
    FaultKind.DUPLICATE: _KindRules(_CREATE, _ORDERS),
    FaultKind.DELAYED_FILL: _KindRules(_CREATE, _ORDERS, needed=frozenset({"seconds"})),
    FaultKind.PARTIAL_FILL: _KindRules(_CREATE, _ORDERS, needed=frozenset({"share"})),
    FaultKind.STUCK: _KindRules(_CREATE, _ORDERS, allowed=frozenset({"share", "cancel_fills"})),
    FaultKind.DUST: _KindRules(_CREATE, _ORDERS),
    FaultKind.STALE_BOOK: _KindRules(_SHOW, _BOOK),
    FaultKind.CROSSED_BOOK: _KindRules(_SHOW, _BOOK),
    FaultKind.EMPTY_SIDE: _KindRules(_SHOW, _BOOK, needed=frozenset({"side"})),
    FaultKind.LAG: _KindRules(EndpointClass.POSITIONS, _LAGGING, needed=frozenset({"seconds"})),
    FaultKind.SILENCE: _KindRules(EndpointClass.STREAM, _STREAMS, frozenset({"for_seconds"}), real_time_only=True),
    FaultKind.GAP: _KindRules(EndpointClass.STREAM, _STREAM),
}
_STATUSES = {FaultKind.BAN: (418, 429), FaultKind.SERVER_ERROR: tuple(range(500, 600))}
_STATUS_TEXTS = {FaultKind.BAN: "418 (banned) or 429 (too many requests)", FaultKind.SERVER_ERROR: "500 to 599"}
_PARAMETERS = ("reason", "seconds", "accepted", "status", "share", "cancel_fills", "side")

Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]


class FaultSpec(BaseModel):
    """One fault: its kind, the requests that it meets, how often or how long, and the kind's own parameters.

    Without `times` and `for_seconds` it happens once. `clock` is what `for_seconds` and `seconds` are measured with.
    A request that matches meets it with `probability`, drawn in the order of arrival from `seed`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: FaultKind
    endpoint: EndpointClass
    symbol: Annotated[str, Field(pattern=r"^[A-Z0-9]+$")] | None = None
    times: Annotated[int, Field(ge=1)] | None = None
    for_seconds: Seconds | None = None
    clock: ClockName = ClockName.REAL
    probability: Annotated[float, Field(gt=0, le=1)] = 1.0
    seed: int = 0

    reason: Literal["margin", "reduce_only", "generic"] = "generic"
    seconds: Seconds = _HOLD_SECONDS
    accepted: bool = False
    """Whether the request took effect all the same."""
    status: int | None = None
    """HTTP status; each protocol has its own words, and its own default."""
    share: Annotated[Decimal, Field(ge=0, lt=1)] = Decimal(0)
    """Which part of an order fills at once; rounded down to the lot step."""
    cancel_fills: bool = False
    """Whether a cancel finds the order filled."""
    side: Literal["bids", "asks", "both"] = "both"

    @model_validator(mode="before")
    @classmethod
    def _where_the_kind_happens(cls, table: Any) -> Any:
        """The endpoint is the kind's own where none is given."""
        if isinstance(table, dict) and "endpoint" not in table and table.get("kind") in list(FaultKind):
            return {**table, "endpoint": _RULES[FaultKind(table["kind"])].default}
        return table

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        rules = _RULES[self.kind]
        given = self.model_fields_set
        if self.endpoint not in rules.endpoints:
            raise ValueError(f"endpoint: {self.kind} happens to {_list(rules.endpoints)}, not to {self.endpoint}")
        for name in rules.needed - given:
            raise ValueError(f"{name}: is missing; {self.kind} needs it")
        for name in given & (set(_PARAMETERS) - rules.needed - rules.allowed):
            takes = _list(rules.needed | rules.allowed)
            raise ValueError(f"{name}: {self.kind} has no such parameter; it takes {takes}")
        if self.times is not None and self.for_seconds is not None:
            raise ValueError("times: a fault ends after so many times or after for_seconds, not both")
        if self.status is not None and self.status not in _STATUSES[self.kind]:
            raise ValueError(f"status: allowed for {self.kind} is {_STATUS_TEXTS[self.kind]}")
        if rules.real_time_only and self.clock is not ClockName.REAL:
            raise ValueError(f"clock: {self.kind} is about the network; allowed is real")
        return self

    @property
    def times_max(self) -> int | None:
        """After how many times it is over; None while only time ends it."""
        return self.times if self.times is not None or self.for_seconds is not None else 1

    @property
    def takes_effect(self) -> bool:
        """Whether a request that meets this wire fault is carried out all the same."""
        return self.accepted or self.kind in (FaultKind.DELAY, FaultKind.DUPLICATE)


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(str(name) for name in names)) or "none"


class ScriptedFault(FaultSpec):
    """A fault of a scenario: armed at the market time `at`."""

    at: AwareDatetime


@dataclass(frozen=True, slots=True)
class Target:
    """What a request is about. `symbol` None where it is about none or all, `endpoint` None where it has no class."""

    endpoint: EndpointClass | None
    symbol: str | None = None
    signed: bool = True
    reduce_only: bool = False


@dataclass(slots=True)
class ArmedFault:
    """A fault in force, and what it has done so far."""

    number: int
    spec: FaultSpec
    armed_at: Moment
    random: Random = field(repr=False)
    fired: int = 0
    last_fired_at: Moment | None = None

    def is_live(self, now: Moment) -> bool:
        """Whether it can still happen."""
        most = self.spec.times_max
        return (most is None or self.fired < most) and self.remaining_seconds(now) > 0

    def remaining_seconds(self, now: Moment) -> float:
        """Until it ends, on its own clock; infinite where only its count ends it."""
        if self.spec.for_seconds is None:
            return float("inf")
        return self.spec.for_seconds - now.seconds_since(self.armed_at, self.spec.clock)

    def hides(self, booked_at: Moment, now: Moment) -> bool:
        """Whether a lagging ledger does not show yet what was booked at that moment."""
        return now.seconds_since(booked_at, self.spec.clock) < self.spec.seconds

    def meets(self, target: Target) -> bool:
        """Whether this request is one that it happens to."""
        spec = self.spec
        if target.endpoint in _STREAMS and spec.endpoint is not target.endpoint:
            return False
        if spec.endpoint not in (EndpointClass.ANY, target.endpoint):
            return False
        if spec.symbol is not None and spec.symbol != target.symbol:
            return False
        if spec.kind is FaultKind.NONCE and not target.signed:
            return False
        about_reducing = spec.kind is FaultKind.DUST or (spec.kind is FaultKind.REJECT and spec.reason == "reduce_only")
        return target.reduce_only or not about_reducing


class Faults:
    """The faults of one venue: armed by hand or by the scenario's script, found by what a request is about."""

    def __init__(self, script: Iterable[ScriptedFault] = ()) -> None:
        self._script = sorted(script, key=lambda fault: fault.at)
        self._armed: list[ArmedFault] = []
        self._number = 0

    def arm(self, spec: FaultSpec, now: Moment) -> ArmedFault:
        """Puts a fault in force from now on."""
        self._number += 1
        armed = ArmedFault(self._number, spec, now, Random(spec.seed))  # noqa: S311  # chance that can be repeated
        self._armed.append(armed)
        return armed

    def clear(self) -> None:
        """Ends all faults, also those that the script has not armed yet, and forgets what they did."""
        self._armed.clear()
        self._script.clear()

    def ever_armed(self, now: Moment) -> list[ArmedFault]:
        """Every fault since the last clearing, in the order of arming, those that are over included."""
        self._arm_what_is_due(now)
        return list(self._armed)

    def is_quiet(self, now: Moment) -> bool:
        """Whether no request can meet anything now."""
        self._arm_what_is_due(now)
        return not any(fault.is_live(now) for fault in self._armed)

    def find(self, target: Target, kinds: frozenset[FaultKind], now: Moment) -> ArmedFault | None:
        """The fault that a request meets: the first one in force that matches and whose chance comes up.

        It is not counted before `fire`; whoever finds it may see that it would make no difference.
        """
        self._arm_what_is_due(now)
        for fault in self._armed:
            if fault.spec.kind not in kinds or not fault.is_live(now) or not fault.meets(target):
                continue
            if fault.spec.probability >= 1 or fault.random.random() < fault.spec.probability:
                return fault
        return None

    def fire(self, fault: ArmedFault, now: Moment) -> None:
        """Counts that it happened."""
        fault.fired += 1
        fault.last_fired_at = now

    def take(self, target: Target, kinds: frozenset[FaultKind], now: Moment) -> ArmedFault | None:
        """Finds and counts."""
        fault = self.find(target, kinds, now)
        if fault is not None:
            self.fire(fault, now)
        return fault

    def _arm_what_is_due(self, now: Moment) -> None:
        while self._script and self._script[0].at <= now.market:
            self.arm(self._script.pop(0), now)
