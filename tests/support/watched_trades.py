"""Open trades, books and markets for tests of the monitor: sensible ones, of which a test says what matters."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import log
from typing import Any

from common.domain.funding import FundingTerms
from common.domain.identifiers import Leg, Purpose
from common.domain.order_book import OrderBook, book_side
from common.domain.position import LegFill
from common.domain.scale_in import FreshEvent, ScaleInRules
from position_monitor.domain.exits import ExitRules, Position
from position_monitor.domain.market import Market, Quote, look
from position_monitor.domain.trade import FilledEntry, Trade

OPENED_AT = datetime(2025, 10, 10, 21, 0, tzinfo=UTC)
NOW = OPENED_AT + timedelta(hours=1)
VENUES = {Leg.LONG: "binance", Leg.SHORT: "bybit"}
LOT = Decimal("0.01")
LOTS = {Leg.LONG: LOT, Leg.SHORT: LOT}
LONG_ENTRY, SHORT_ENTRY = Decimal(100), Decimal(102)
FIRST_PCT = 0.02


def entry(number: int = 1, **changes: Any) -> FilledEntry:
    """An entry of 51 USDT a leg that sold at 102 what was bought at 100."""
    plain = FilledEntry(number, Decimal(51), log(1.02), FIRST_PCT, OPENED_AT)
    return replace(plain, **changes)


def fills_of(quantity: Decimal = Decimal("0.5")) -> tuple[LegFill, ...]:
    """Both legs of one entry."""
    return (
        LegFill(Leg.LONG, Purpose.OPEN, quantity, LONG_ENTRY),
        LegFill(Leg.SHORT, Purpose.OPEN, quantity, SHORT_ENTRY),
    )


def trade(**changes: Any) -> Trade:
    """An open trade of one entry: half a SOL on each leg, take-profit at 1 % of spread."""
    plain = Trade(
        signal_id=7,
        symbol="SOL",
        status="open",
        venues=VENUES,
        opened_at=OPENED_AT,
        force_close_at=OPENED_AT + timedelta(days=7),
        take_profit_pnl=0.01,
        close_requested_at=None,
        close_reason=None,
        entries=(entry(),),
        fills=fills_of(),
        fees_usdt=Decimal("0.05"),
        funding=(),
        order_in_flight=False,
        last_order_at=OPENED_AT,
    )
    return replace(plain, **changes)


def fresh_event(**changes: Any) -> FreshEvent:
    """An event seen a minute ago that meets the thresholds."""
    return replace(FreshEvent(11, NOW - timedelta(minutes=1), 0.02, 0.95), **changes)


def scale_in_rules(**changes: Any) -> ScaleInRules:
    """The defaults of SPEC 9, with a cap that is exact."""
    plain = ScaleInRules(
        enabled=True,
        max_entries=4,
        trigger_multiplier=1.5,
        min_interval_minutes=30,
        signal_max_age_minutes=30,
        notional_cap_usdt=Decimal(200),
        pnl_threshold=0.0085,
        win_prob_threshold=0.85,
    )
    return replace(plain, **changes)


def exit_rules(**changes: Any) -> ExitRules:
    """The defaults of SPEC 9."""
    plain = ExitRules(
        stop_loss_funding_per_hour=0.003,
        stop_loss_total_share=0.01,
        max_hold=timedelta(days=7),
        next_entry_notional_usdt=Decimal(50),
        scale_in=scale_in_rules(),
    )
    return replace(plain, **changes)


def book(
    venue: str, bid: Decimal | str, ask: Decimal | str, *, size: str = "100", received_at: float = 0.0
) -> OrderBook:
    """One deep level on each side."""
    return OrderBook(venue, "SOL", book_side([(bid, size)]), book_side([(ask, size)]), received_at)


def books_at(long_sell: str, short_buy: str, *, received_at: float = 0.0, size: str = "100") -> dict[Leg, OrderBook]:
    """Books on which the long leg sells and the short leg buys back at exactly these prices."""
    return {
        Leg.LONG: book("binance", long_sell, Decimal(long_sell) + 1, received_at=received_at, size=size),
        Leg.SHORT: book("bybit", Decimal(short_buy) - 1, short_buy, received_at=received_at, size=size),
    }


def terms(venue: str, rate: float = 0.0, interval_hours: float = 8.0, next_at: datetime | None = None) -> FundingTerms:
    """Funding terms of SOL."""
    return FundingTerms(venue, "SOL", rate, interval_hours, next_at)


def flat_terms() -> dict[Leg, FundingTerms]:
    """Both contracts known and free."""
    return {leg: terms(venue) for leg, venue in VENUES.items()}


def market(
    watched: Trade,
    long_sell: str = "101",
    short_buy: str = "102.5",
    *,
    funding: Mapping[Leg, FundingTerms] | None = None,
    age_seconds: float = 0.0,
    size: str = "100",
) -> Market:
    """The market of `watched` at these exit prices."""
    books = books_at(long_sell, short_buy, size=size)
    quotes = {leg: Quote(books[leg], age_seconds) for leg in Leg}
    return look(watched, quotes, flat_terms() if funding is None else funding, Decimal(0), 2.0)


def no_market(watched: Trade, *, funding: Mapping[Leg, FundingTerms] | None = None) -> Market:
    """A market whose books are away."""
    quotes = {leg: Quote(None, failure="venue_unreachable") for leg in Leg}
    return look(watched, quotes, flat_terms() if funding is None else funding, Decimal(0), 2.0)


def position(watched: Trade, **changes: Any) -> Position:
    """A trade whose hedge is not suspected, while Tandem may open."""
    return replace(Position(watched, None, may_open=True), **changes)
