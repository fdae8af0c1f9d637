"""The scenario file: which venues there are, how their markets move, and what a run must show.

One TOML file (or the same as JSON), one model. The venue processes read the market part, the demo runner the clock,
the settings and the expectations. A file with an unknown key or a value out of bounds is refused with the file, the
field, the value and what is allowed; a scenario that loads can be played.
"""

import json
import tomllib
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from venue_sim.faults import ScriptedFault
from venue_sim.interventions import ScriptedIntervention

Protocol = Literal["binance", "bybit", "okx", "bitget", "gate", "hyperliquid"]
"""Wire protocols that a simulated venue can speak; a venue of any name may speak any of them."""

COUNTS_CONTRACTS = frozenset({"okx", "gate"})
"""Protocols that write quantities in contracts of `contract_size` base units; the others write base units."""
NO_MINIMUM_NOTIONAL = frozenset({"okx", "gate"})
"""Protocols whose contracts have a minimum quantity only."""
SIZE_DECIMALS_ONLY = {"hyperliquid": Decimal(10)}
"""Protocols that say of quantities how many decimals they have and no more, and their one minimum notional."""

VenueName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*$")]
Symbol = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]+$")]
PositiveDecimal = Annotated[Decimal, Field(gt=0)]
FundingInterval = Annotated[int, Field(ge=1, le=24)]


class ScenarioError(ValueError):
    """A scenario file that cannot be played; the text says where, what and what is allowed."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PathPoint(_Table):
    """The mid price at one moment; written `[time, mid]`. Between two points the mid moves linearly."""

    time: AwareDatetime
    mid: PositiveDecimal


class FundingPoint(_Table):
    """The rate that settles at `time`; written `[time, rate]` or `[time, rate, interval_hours]`.

    The rate is the decimal fraction of the notional that longs pay shorts at that settlement. An interval
    given here is the contract's interval from that settlement on.
    """

    time: AwareDatetime
    rate: Decimal
    interval_hours: FundingInterval | None = None


def _named(*names: str) -> BeforeValidator:
    """Lets a table be written as a short list, in the order of `names`."""

    def name_items(value: object) -> object:
        if not isinstance(value, list):
            return value
        if len(value) > len(names):
            raise ValueError(f"has {len(value)} items; allowed is [{', '.join(names)}]")
        return dict(zip(names, value, strict=False))

    return BeforeValidator(name_items)


class BookShape(_Table):
    """How the displayed book is built around the mid price: the same on both sides, refilled at each update."""

    half_spread_bps: PositiveDecimal
    levels: int = Field(ge=1, le=1000)
    step_bps: PositiveDecimal
    notional_per_level_usdt: PositiveDecimal


class Instrument(_Table):
    """One linear USDT perpetual: its trading rules, its book and its path. Quantities are in base units.

    `contract_size` is how many of them one contract is, where the venue's protocol counts contracts.
    """

    price_tick: PositiveDecimal
    quantity_step: PositiveDecimal
    quantity_min: PositiveDecimal
    quantity_max: PositiveDecimal = Decimal(100_000)
    notional_min: Annotated[Decimal, Field(ge=0)] = Decimal(0)
    contract_size: PositiveDecimal = Decimal(1)
    max_leverage: int = Field(ge=1, le=200)
    funding_interval_hours: FundingInterval
    book: BookShape
    path: list[Annotated[PathPoint, _named("time", "mid")]] = Field(min_length=1)
    funding: list[Annotated[FundingPoint, _named("time", "rate", "interval_hours")]] = []

    @model_validator(mode="after")
    def _times_increase(self) -> Self:
        for name, points in (("path", self.path), ("funding", self.funding)):
            for before, after in pairwise(point.time for point in points):
                if after <= before:
                    raise ValueError(f"{name} goes back in time at {after.isoformat()}; allowed is a later time")
        return self


class VenueScenario(_Table):
    """One venue: the protocol it speaks, what it charges, what the account starts with, what it lists, what fails."""

    protocol: Protocol
    taker_fee: Decimal = Field(ge=0, lt=1)
    balance_usdt: Decimal = Field(ge=0)
    instruments: dict[Symbol, Instrument] = Field(min_length=1)
    faults: list[ScriptedFault] = []
    interventions: list[ScriptedIntervention] = []

    @model_validator(mode="after")
    def _rules_can_be_said_on_the_wire(self) -> Self:
        for symbol, instrument in self.instruments.items():
            if instrument.contract_size != 1 and self.protocol not in COUNTS_CONTRACTS:
                raise ValueError(f"instruments.{symbol}.contract_size: {self.protocol} counts base units; allowed is 1")
            if instrument.notional_min and self.protocol in NO_MINIMUM_NOTIONAL:
                raise ValueError(f"instruments.{symbol}.notional_min: {self.protocol} has none; allowed is 0")
            if self.protocol in SIZE_DECIMALS_ONLY:
                _check_size_decimals(symbol, instrument, SIZE_DECIMALS_ONLY[self.protocol])
            if self.protocol == "gate":
                _check_lot(symbol, instrument)
        return self

    @model_validator(mode="after")
    def _scripts_name_listed_symbols(self) -> Self:
        named = [(f"faults.{index}", fault.symbol) for index, fault in enumerate(self.faults)]
        named += [(f"interventions.{index}", step.symbol) for index, step in enumerate(self.interventions)]
        for where, symbol in named:
            if symbol is not None and symbol not in self.instruments:
                raise ValueError(f"{where}.symbol {symbol} is not listed; allowed: {', '.join(self.instruments)}")
        return self


def _check_lot(symbol: str, instrument: Instrument) -> None:
    """Gate's lot is one contract, or the minimum where parts of a contract are traded."""
    if instrument.quantity_step not in (instrument.contract_size, instrument.quantity_min):
        raise ValueError(
            f"instruments.{symbol}.quantity_step: gate's lot is one contract, or the minimum; "
            f"allowed are {instrument.contract_size} and {instrument.quantity_min}"
        )


def _check_size_decimals(symbol: str, instrument: Instrument, notional_min: Decimal) -> None:
    step = instrument.quantity_step
    if step > 1 or step.normalize().as_tuple().digits != (1,):
        raise ValueError(f"instruments.{symbol}.quantity_step {step}: allowed are 1, 0.1, 0.01 and so on")
    if instrument.quantity_min != step:
        raise ValueError(f"instruments.{symbol}.quantity_min {instrument.quantity_min}: allowed is its quantity_step")
    if instrument.notional_min != notional_min:
        raise ValueError(f"instruments.{symbol}.notional_min {instrument.notional_min}: allowed is {notional_min}")


class ClockScenario(_Table):
    """Market time of the run; `speed` is market seconds per real second."""

    starts_at: AwareDatetime
    ends_at: AwareDatetime
    speed: float = Field(gt=0, le=100_000)

    @model_validator(mode="after")
    def _ends_after_start(self) -> Self:
        if self.ends_at <= self.starts_at:
            raise ValueError(f"ends_at {self.ends_at.isoformat()} is not after starts_at; allowed is a later time")
        return self


class Posted(_Table):
    """An observation that somebody posts to signal-ingest at the market time `at`; `body` is what is sent."""

    at: AwareDatetime
    body: dict[str, Any]


class Expectations(_Table):
    """What a run must have shown when it ends; an absent one is not checked.

    The lists name what must have occurred, each at least once: reasons of closes and of skips, decisions of the
    audit, verdicts on open trades as `verdict:reason`, and refusals of observations.
    """

    trades_closed_min: int | None = Field(default=None, ge=0)
    trades_opened_max: int | None = Field(default=None, ge=0)
    entries_min: int | None = Field(default=None, ge=0)
    entries_exactly: int | None = Field(default=None, ge=1)
    """One of the closed trades has so many filled entries, neither fewer nor more."""
    close_reasons: list[str] = []
    skipped_reasons: list[str] = []
    decisions: list[str] = []
    verdicts: list[str] = []
    observations_refused: list[str] = []
    funding_max_usdt: Decimal | None = None
    """The funding of all closed trades together is at most this; below zero: so much was paid."""
    net_pnl_min_usdt: Decimal | None = None


class Scenario(_Table):
    """A whole scenario. `settings` are environment variables for the services, as strings."""

    title: str = Field(min_length=1)
    story: str = Field(min_length=1)
    clock: ClockScenario
    settings: dict[str, str] = {}
    observations: list[Posted] = []
    venues: dict[VenueName, VenueScenario] = Field(min_length=1)
    expect: Expectations = Expectations()

    @model_validator(mode="after")
    def _observations_lie_in_the_run(self) -> Self:
        clock = self.clock
        for posted in self.observations:
            if not clock.starts_at <= posted.at < clock.ends_at:
                raise ValueError(f"observations.at {posted.at.isoformat()} is outside of the clock's run")
        return self


def load_scenario(path: Path) -> Scenario:
    """Reads and checks one scenario file.

    Raises:
        ScenarioError: no such file, no TOML, or a field that is wrong; every wrong field is named.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        siblings = ", ".join(sorted(file.stem for file in path.parent.glob("*.toml"))) or "none"
        raise ScenarioError(f"{path}: no such scenario file; there are: {siblings}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{path}: cannot be read: {error}") from error
    try:
        tables = json.loads(text) if path.suffix == ".json" else tomllib.loads(text, parse_float=Decimal)
    except ValueError as error:
        raise ScenarioError(f"{path}: is no {path.suffix.removeprefix('.').upper()}: {error}") from error
    try:
        return Scenario.model_validate(tables)
    except ValidationError as error:
        raise ScenarioError("\n".join(_describe(path, details) for details in error.errors())) from error


def _describe(path: Path, details: Any) -> str:
    location: tuple[str | int, ...] = details["loc"]
    field = ".".join(str(part) for part in location)
    if details["type"] == "extra_forbidden":
        return f"{path}: {field}: is not a field; allowed here: {', '.join(_allowed_keys(location[:-1]))}"
    if details["type"] == "missing":
        return f"{path}: {field}: is missing; it is required"
    message = details["msg"].removeprefix("Value error, ").removeprefix("Input ")
    value = details["input"]
    shown = "" if isinstance(value, dict | list | BaseModel) else f" = {_plain(value)}"
    return f"{path}: {field or 'the file'}{shown}: {message}"


def _plain(value: object) -> str:
    if isinstance(value, Decimal | datetime):
        return str(value)
    return repr(value)


def _allowed_keys(location: tuple[str | int, ...]) -> list[str]:
    """The fields of the table that `location` leads to."""
    model: Any = Scenario
    for part in location:
        if isinstance(model, type) and issubclass(model, BaseModel):
            model = model.model_fields[str(part)].annotation
        else:
            model = get_args(model)[-1]
        while get_args(model) and hasattr(model, "__metadata__"):
            model = get_args(model)[0]
    return sorted(model.model_fields)
