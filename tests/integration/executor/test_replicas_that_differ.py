"""An executor beside one that knows more venues: trades there are left alone, and told of."""

from collections.abc import AsyncIterator
from decimal import Decimal

import pytest
import structlog
from prometheus_client import REGISTRY

from common.domain.identifiers import Side
from common.messages.contracts import CloseRequested, FlattenRequested, ScaleInRequested
from common.runtime.settings import TradingSettings, load
from common.venues.errors import OrderOutcomeUnknown, OrderRejected
from common.venues.ports import OrderIntent
from executor.adapters.exposure import Exposure
from executor.adapters.trading_states import PostgresRailFigures
from executor.application import orders
from executor.application.ports import TradeBusyError
from executor.bootstrap import venues_to_reach
from executor.domain.records import TradeBook
from support.embedded_stack import Database
from support.executor_desk import SETTINGS, ExecutorDesk, event, executor_desk, gap

KNOWN = "binance"
KEYS = {f"VENUE_{name}_API_{part}": part for name in ("BINANCE", "OKX") for part in ("KEY", "SECRET", "PASSPHRASE")}


@pytest.fixture
async def desk(database: Database) -> AsyncIterator[ExecutorDesk]:
    async with executor_desk(database) as made:
        yield made


@pytest.fixture
def smaller(desk: ExecutorDesk) -> ExecutorDesk:
    """The executor that does not know bybit."""
    return ExecutorDesk(desk.pool, desk.clock, {KNOWN: desk.venues[KNOWN]}, owner="desk-2")


async def everything_by_itself(desk: ExecutorDesk) -> None:
    """What an executor does without being asked; twice, as what differs is believed at the second look."""
    for _ in range(2):
        await desk.reconciler.sweep(desk.closing.handle)
        await desk.recovery.settle_all()
        await desk.bookkeeper.sweep()
        await desk.flatten_books.sweep()
        await desk.guardian.sweep()


async def told_of(desk: ExecutorDesk) -> list[str]:
    rows = await desk.pool.fetch("SELECT message FROM watchlist.live_trade_error WHERE kind = 'trade_left_alone'")
    return [row["message"] for row in rows]


def close(book: TradeBook, who: str = "position_monitor") -> CloseRequested:
    return CloseRequested(signal_id=book.trade.id, reason="take_profit", requested_by=who, evidence={})


async def test_an_open_trade_is_left_to_who_knows_its_venues_and_told_of_once(
    desk: ExecutorDesk, smaller: ExecutorDesk
) -> None:
    book = await desk.open_trade(event())
    with structlog.testing.capture_logs() as logged:
        await everything_by_itself(smaller)
    (line,) = [line for line in logged if line["event"] == "trade.left_alone"]
    assert (line["signal_id"], line["unknown_venues"]) == (book.trade.id, ["bybit"])
    (message,) = await told_of(desk)
    assert "SOL trade is on bybit, which this executor does not know" in message
    assert smaller.reconciler.has_looked.is_set(), "it opens trades of its own"
    assert await desk.trades.book(book.trade.id) == book
    assert (await desk.close(book)).trade.status == "closed"


@pytest.mark.parametrize("status", ["closing", "closed"])
async def test_a_close_is_finished_and_summed_up_by_who_knows_the_venues(
    desk: ExecutorDesk, smaller: ExecutorDesk, status: str
) -> None:
    book = await desk.open_trade(event())
    gap(desk.venues, "188", "188.1")
    if status == "closing":
        for _ in range(3):
            desk.venues["bybit"].fail_next_send(OrderRejected("bybit", "no"))
    assert (await desk.close(book)).trade.status == status
    desk.clock.forward(minutes=3)
    await everything_by_itself(smaller)
    assert (await desk.signal(event()))["status"] == status
    assert (await desk.signal(event()))["finalised_at"] is None
    await everything_by_itself(desk)
    desk.clock.forward(minutes=2)
    await everything_by_itself(desk)
    assert (await desk.signal(event()))["finalised_at"] is not None
    desk.clock.forward(minutes=5)
    await everything_by_itself(smaller)
    assert len(await told_of(desk)) == 1


async def test_an_order_without_an_outcome_waits_for_who_can_ask(
    desk: ExecutorDesk, smaller: ExecutorDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders, "RESOLVE_WITHIN_SECONDS", 0.0)
    desk.venues["bybit"].fail_next_send(OrderOutcomeUnknown("bybit", "no answer"), after_acceptance=True)
    await desk.opener.handle_event(event())
    assert (await desk.signal(event()))["status"] == "opening"
    await everything_by_itself(smaller)
    assert (await desk.signal(event()))["status"] == "opening"
    monkeypatch.undo()
    await everything_by_itself(desk)
    assert (await desk.signal(event()))["status"] == "open"


async def test_what_is_asked_of_the_wrong_one_comes_again(desk: ExecutorDesk, smaller: ExecutorDesk) -> None:
    book = await desk.open_trade(event())
    for _ in range(2):
        with pytest.raises(TradeBusyError, match="does not know"):
            await smaller.closing.handle(close(book))
    with pytest.raises(TradeBusyError, match="does not know"):
        await smaller.scale_in.handle(ScaleInRequested(signal_id=book.trade.id, entries=1, evidence={}))
    assert len(await told_of(desk)) == 1
    await desk.closing.handle(close(book))
    assert (await desk.trades.book(book.trade.id)).trade.status == "closed"


async def test_an_order_of_a_flatten_is_booked_by_who_knows_its_venue(
    desk: ExecutorDesk, smaller: ExecutorDesk
) -> None:
    by_hand = OrderIntent("bybit", "SOL", Side.BUY, Decimal(1), "by-hand", False, Decimal(188))
    await desk.venues["bybit"].send(by_hand)
    wish = FlattenRequested(
        request_id="f-1", venue="bybit", symbol="SOL", requested_by="operator:ada", why="test", include_unowned=True
    )
    await desk.flattening.handle(wish)
    await everything_by_itself(smaller)
    assert await desk.pool.fetchval("SELECT count(*) FROM watchlist.operator_flatten_fill") == 0
    await everything_by_itself(desk)
    assert await desk.pool.fetchval("SELECT count(*) FROM watchlist.operator_flatten_fill") == 1


async def test_how_many_trades_are_left_alone_is_shown(desk: ExecutorDesk, smaller: ExecutorDesk) -> None:
    await desk.open_trade(event())
    for one, count in ((smaller, 1), (desk, 0)):
        await Exposure(one.pool, one.states, PostgresRailFigures(one.pool), one.venues, one.clock).measure()
        assert REGISTRY.get_sample_value("tandem_left_alone_trades") == count


async def test_a_start_without_the_keys_of_a_venue_that_a_trade_is_on_says_so_and_goes_on(desk: ExecutorDesk) -> None:
    await desk.open_trade(event())
    trading = load(TradingSettings, SETTINGS | {"LIVE_TRADING_ALLOWED_EXCHANGES": "binance,okx"})
    with structlog.testing.capture_logs() as logged:
        assert sorted(await venues_to_reach(trading, desk.pool, KEYS)) == ["binance", "okx"]
    (line,) = [line for line in logged if line["event"] == "venue.out_of_reach"]
    assert line["venue"] == "bybit"
    assert "not set: VENUE_BYBIT_API_KEY, VENUE_BYBIT_API_SECRET" in line["error"]
    keys = KEYS | {"VENUE_BYBIT_API_KEY": "key", "VENUE_BYBIT_API_SECRET": "secret"}
    assert sorted(await venues_to_reach(trading, desk.pool, keys)) == ["binance", "bybit", "okx"]
    paper = load(TradingSettings, SETTINGS | {"LIVE_TRADING_MODE": "paper"})
    assert sorted(await venues_to_reach(paper, desk.pool, {})) == ["binance", "bybit"]


@pytest.mark.parametrize(
    ("venue", "environment", "told"),
    [
        ("mysim", {}, "mysim is no venue of this version"),
        ("bybit", {"VENUE_BYBIT_URL": "ftp://there"}, "VENUE_BYBIT_URL='ftp://there'"),
    ],
)
async def test_a_start_without_the_address_of_such_a_venue_says_so_and_goes_on(
    desk: ExecutorDesk, venue: str, environment: dict[str, str], told: str
) -> None:
    await desk.open_trade(event())
    await desk.pool.execute("UPDATE watchlist.live_trade_signal SET long_venue = $1", venue)
    trading = load(TradingSettings, SETTINGS | {"LIVE_TRADING_ALLOWED_EXCHANGES": "binance,okx"})
    with structlog.testing.capture_logs() as logged:
        assert sorted(await venues_to_reach(trading, desk.pool, KEYS | environment)) == ["binance", "okx"]
    (line,) = [line for line in logged if line["event"] == "venue.out_of_reach"]
    assert told in line["error"]


async def test_a_flatten_of_a_trade_waits_for_who_knows_its_venue(desk: ExecutorDesk, smaller: ExecutorDesk) -> None:
    book = await desk.open_trade(event())
    wish = FlattenRequested(
        request_id="f-2", venue="bybit", symbol="SOL", requested_by="operator:ada", why="test", include_unowned=False
    )
    with pytest.raises(TradeBusyError, match="does not trade on bybit"):
        await smaller.flattening.handle(wish)
    row = await desk.pool.fetchrow("SELECT state, evidence FROM watchlist.operator_flatten")
    assert row is not None
    assert (row["state"], row["evidence"]["waits_for"]) == ("working", "an executor that trades on bybit")
    await desk.flattening.handle(wish)
    assert (await desk.trades.book(book.trade.id)).trade.status == "closed"
    assert await desk.pool.fetchval("SELECT state FROM watchlist.operator_flatten") == "flat"
