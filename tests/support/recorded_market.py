"""Recorded markets for replays: closes, funding, and the books that are assumed around the closes.

The recordings lie beside the checkout (`../shared/data/market`) and are closes of bars, not quotes. A bar that opens
at 21:35 says its close at 21:40, and nothing is known between two closes. A venue shows the rate of its next settlement
all the time before it; the interval is the distance between the settlements on both sides of now. What is not in the
file is unknown, never zero.
"""

import csv
import gzip
import tomllib
from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from common.domain.funding import FundingTerms
from common.domain.instruments import Instrument, floor_to_step
from common.domain.order_book import BookSide, OrderBook
from signal_ingest.domain.pair_scan import VenueQuote

RECORDINGS = Path(__file__).parents[3] / "shared" / "data" / "market"
CASES = Path(__file__).parents[1] / "replay" / "cases"
READ_AT_SECONDS = 0.0
"""When every book was received, on the monotonic clock: in a replay all books are new."""

_BPS = Decimal("0.0001")


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BookShape(_Model):
    """The book around a close, the same on both sides. Distances in basis points of the close."""

    half_spread_bps: Decimal
    levels: int
    level_step_bps: Decimal
    level_usdt: Decimal


class Lots(_Model):
    """A contract's trading rules, in base units and USDT."""

    price_tick: Decimal
    quantity_step: Decimal
    quantity_min: Decimal
    notional_min: Decimal


class VenueTerms(_Model):
    """What a venue charges, and what lies on the account there."""

    taker_fee: Decimal
    balance_usdt: Decimal
    instruments: dict[str, Lots]


class ReplayCase(_Model):
    """One replay: which recording, and everything that is assumed about it. `settings` are those that differ."""

    title: str
    recording: str
    settings: dict[str, str]
    book: BookShape
    venues: dict[str, VenueTerms]


@dataclass(frozen=True, slots=True)
class Moment:
    """Closes at one time, by symbol and venue, in USDT."""

    at: datetime
    closes: dict[str, dict[str, Decimal]]


@dataclass(frozen=True, slots=True)
class Settlement:
    """One funding settlement; `rate` is the fraction of notional that a long pays."""

    at: datetime
    rate: Decimal


class FundingCalendar:
    """One contract's settlements as recorded."""

    def __init__(self, venue: str, symbol: str, settlements: list[Settlement]) -> None:
        self._venue, self._symbol = venue, symbol
        self._settlements = sorted(settlements, key=lambda settlement: settlement.at)
        self._times = [settlement.at for settlement in self._settlements]

    def terms(self, now: datetime) -> FundingTerms | None:
        """Rate and time of the next settlement after `now`; None where the file does not tell of both its sides."""
        place = bisect_right(self._times, now)
        if not 0 < place < len(self._times):
            return None
        last, following = self._settlements[place - 1], self._settlements[place]
        interval_hours = (following.at - last.at) / timedelta(hours=1)
        return FundingTerms(self._venue, self._symbol, float(following.rate), interval_hours, following.at)

    def settled(self, after: datetime, until: datetime) -> list[Settlement]:
        """The settlements in (after, until]."""
        return self._settlements[bisect_right(self._times, after) : bisect_right(self._times, until)]


class RecordedMarket:
    """One recording under the assumptions of one case."""

    def __init__(self, case: ReplayCase) -> None:
        self.case = case
        self.moments = _read_moments(case.recording)
        self._calendars = _read_funding(case.recording)

    def calendar(self, venue: str, symbol: str) -> FundingCalendar | None:
        """The contract's funding, or None where the recording has none."""
        return self._calendars.get((venue, symbol))

    def terms(self, venue: str, symbol: str, now: datetime) -> FundingTerms | None:
        """The funding terms that the venue shows now, or None while they are unknown."""
        calendar = self.calendar(venue, symbol)
        return calendar.terms(now) if calendar else None

    def instrument(self, venue: str, symbol: str) -> Instrument:
        """The contract's assumed trading rules."""
        lots = self.case.venues[venue].instruments[symbol]
        return Instrument(venue, symbol, lots.quantity_step, lots.quantity_min, lots.notional_min, lots.price_tick)

    def quotes(self, moment: Moment) -> dict[str, list[VenueQuote]]:
        """What the scanner reads: the best prices and the funding of every symbol and venue."""
        return {
            symbol: [
                VenueQuote(
                    venue,
                    self._price(venue, symbol, close, -1),
                    self._price(venue, symbol, close, 1),
                    self.terms(venue, symbol, moment.at),
                )
                for venue, close in closes.items()
            ]
            for symbol, closes in moment.closes.items()
        }

    def book(self, venue: str, symbol: str, moment: Moment) -> OrderBook | None:
        """The assumed book around the close, or None where the recording has no bar."""
        close = moment.closes.get(symbol, {}).get(venue)
        if close is None:
            return None
        bids, asks = (self._side(venue, symbol, close, sign) for sign in (-1, 1))
        return OrderBook(venue, symbol, bids, asks, READ_AT_SECONDS)

    def _side(self, venue: str, symbol: str, close: Decimal, sign: int) -> BookSide:
        shape, step = self.case.book, self.case.venues[venue].instruments[symbol].quantity_step
        prices = [self._price(venue, symbol, close, sign, level) for level in range(shape.levels)]
        return BookSide(tuple((price, floor_to_step(shape.level_usdt / price, step)) for price in prices))

    def _price(self, venue: str, symbol: str, close: Decimal, sign: int, level: int = 0) -> Decimal:
        """The price of one level, rounded to a tick away from the close."""
        shape, tick = self.case.book, self.case.venues[venue].instruments[symbol].price_tick
        away = (shape.half_spread_bps + level * shape.level_step_bps) * _BPS
        rounding = ROUND_FLOOR if sign < 0 else ROUND_CEILING
        return (close * (1 + sign * away) / tick).to_integral_value(rounding) * tick


def load_case(name: str) -> ReplayCase:
    """The case of that name; one that names a `base` says only what differs from it.

    Raises:
        pydantic.ValidationError: naming the field.
    """
    return ReplayCase.model_validate(_read_case(name))


def _read_case(name: str) -> dict[str, Any]:
    given = tomllib.loads((CASES / f"{name}.toml").read_text())
    if "base" not in given:
        return given
    base = _read_case(given.pop("base"))
    return {**base, **given, "settings": {**base["settings"], **given["settings"]}}


@cache
def _read_moments(recording: str) -> list[Moment]:
    rows: dict[int, dict[str, dict[str, Decimal]]] = defaultdict(lambda: defaultdict(dict))
    (path,) = RECORDINGS.glob(f"{recording}_prices_*.csv.gz")
    with gzip.open(path, "rt", newline="") as lines:
        for row in csv.DictReader(lines):
            rows[int(row["ts_ms"])][row["symbol"]][row["venue"]] = Decimal(row["close"])
    opened = sorted(rows)
    bar_ms = min(second - first for first, second in pairwise(opened))
    return [Moment(_utc(at_ms + bar_ms), dict(rows[at_ms])) for at_ms in opened]


@cache
def _read_funding(recording: str) -> dict[tuple[str, str], FundingCalendar]:
    found: dict[tuple[str, str], list[Settlement]] = defaultdict(list)
    with (RECORDINGS / f"{recording}_funding.csv").open(newline="") as lines:
        for row in csv.DictReader(lines):
            found[row["venue"], row["symbol"]].append(Settlement(_utc(int(row["ts_ms"])), Decimal(row["rate"])))
    return {contract: FundingCalendar(*contract, settlements) for contract, settlements in found.items()}


def _utc(unix_ms: int) -> datetime:
    """To the minute: settlements are stamped some milliseconds late."""
    return datetime.fromtimestamp(unix_ms // 60_000 * 60, UTC)
