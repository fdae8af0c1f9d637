"""The trading state where it counts: at the desk, at the commit of an intent, and moved by the rails."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from common.domain.identifiers import Leg
from common.messages.contracts import CloseRequested
from common.persistence.journal import Journal
from common.venues.errors import OrderRejected
from executor.adapters.trade_ledger import ONE_AT_A_TIME
from executor.adapters.trading_states import PostgresRailFigures
from executor.domain.rails import DayPnl, Rails
from executor.domain.trading_state import TradingState
from support.embedded_stack import Database
from support.executor_desk import ExecutorDesk, event, executor_desk, gap
from support.simulated_venues import NOON

_WAITS = """
SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
               AND query LIKE '%trading_state%FOR SHARE')
"""


@pytest.fixture
async def desk(database: Database) -> AsyncIterator[ExecutorDesk]:
    async with executor_desk(database) as made:
        yield made


async def set_state(desk: ExecutorDesk, state: TradingState) -> None:
    await desk.states.change(state, "test", "test", {})


@pytest.mark.parametrize("state", [TradingState.REDUCING, TradingState.HALTED])
async def test_nothing_opens_unless_active(desk: ExecutorDesk, state: TradingState) -> None:
    await set_state(desk, state)
    await desk.opener.handle_event(event())
    row = await desk.signal(event())
    assert (row["status"], row["reason"]) == ("skipped", "trading_halted")
    assert not any(venue.sent for venue in desk.venues.values())


async def test_a_halt_between_decision_and_commit_stops_the_entry(
    desk: ExecutorDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = desk.signals.standing

    async def halting(symbol: str) -> object:
        standing = await original(symbol)
        await set_state(desk, TradingState.HALTED)
        return standing

    monkeypatch.setattr(desk.signals, "standing", halting)
    await desk.opener.handle_event(event())
    assert (await desk.signal(event()))["reason"] == "trading_halted"
    assert not any(venue.sent for venue in desk.venues.values())


async def waits(desk: ExecutorDesk) -> None:
    """Until an entry that begins waits for what somebody else holds."""
    async with asyncio.timeout(30):
        while not await desk.pool.fetchval(_WAITS):  # noqa: ASYNC110  # what the database waits for is no event here
            await asyncio.sleep(0.01)


async def test_an_entry_waits_for_a_change_of_the_state_that_is_not_committed_yet(desk: ExecutorDesk) -> None:
    async with desk.pool.acquire() as connection, connection.transaction():
        await connection.execute("UPDATE watchlist.trading_state SET state = 'halted'")
        opening = asyncio.create_task(desk.opener.handle_event(event()))
        await waits(desk)
    await opening
    assert (await desk.signal(event()))["reason"] == "trading_halted"
    assert not any(venue.sent for venue in desk.venues.values())


async def test_an_entry_sees_a_change_of_the_state_that_came_while_it_waited_for_another_entry(
    desk: ExecutorDesk,
) -> None:
    async with desk.pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", ONE_AT_A_TIME)
        opening = asyncio.create_task(desk.opener.handle_event(event()))
        await waits(desk)
        await set_state(desk, TradingState.HALTED)
    await opening
    assert (await desk.signal(event()))["reason"] == "trading_halted"
    assert not any(venue.sent for venue in desk.venues.values())


async def test_a_halt_between_commit_and_send_is_stopped_at_the_desk_itself(
    desk: ExecutorDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = desk.trades.begin_entry

    async def begin(*arguments: object) -> object:
        book = await original(*arguments)  # type: ignore[arg-type]  # passed through as they came
        await set_state(desk, TradingState.HALTED)
        return book

    monkeypatch.setattr(desk.trades, "begin_entry", begin)
    await desk.opener.handle_event(event())
    assert (await desk.signal(event()))["status"] == "failed"
    assert {order.status for order in (await desk.book(event())).orders} == {"not_sent"}
    assert not any(venue.sent for venue in desk.venues.values())


async def test_while_reducing_trades_are_closed(desk: ExecutorDesk) -> None:
    book = await desk.open_trade(event())
    await set_state(desk, TradingState.REDUCING)
    assert (await desk.close(book)).trade.status == "closed"


async def test_while_halted_only_an_operator_closes(desk: ExecutorDesk) -> None:
    book = await desk.open_trade(event())
    await set_state(desk, TradingState.HALTED)
    assert (await desk.close(book)).trade.status == "open"
    assert [len(venue.sent) for venue in desk.venues.values()] == [1, 1]
    wish = CloseRequested(signal_id=book.trade.id, reason="operator", requested_by="operator:anna", evidence={})
    await desk.closing.handle(wish)
    assert (await desk.trades.book(book.trade.id)).trade.status == "closed"


async def left_half_done(desk: ExecutorDesk, wish: CloseRequested) -> None:
    for _ in range(3):
        desk.venues["bybit"].fail_next_send(OrderRejected("bybit", "no"))
    await desk.closing.handle(wish)
    assert (await desk.trades.book(wish.signal_id)).trade.status == "closing"


async def test_a_close_that_an_operator_took_over_goes_on_in_a_halt(desk: ExecutorDesk) -> None:
    book = await desk.open_trade(event())
    began = CloseRequested(signal_id=book.trade.id, reason="unhedged", requested_by="executor", evidence={})
    await left_half_done(desk, began)
    await set_state(desk, TradingState.HALTED)
    desk.clock.forward(seconds=120)
    await left_half_done(desk, began.model_copy(update={"reason": "operator", "requested_by": "operator:anna"}))
    desk.clock.forward(seconds=120)
    await ExecutorDesk(desk.pool, desk.clock, desk.venues, owner="desk-2").recovery.settle_all()
    trade = (await desk.trades.book(book.trade.id)).trade
    assert (trade.status, trade.close_reason) == ("closed", "unhedged")
    taken_over = "SELECT evidence->>'requested_by' FROM watchlist.audit WHERE decision = 'close_taken_over'"
    assert [row[0] for row in await desk.pool.fetch(taken_over)] == ["operator:anna"]


@pytest.mark.parametrize(("reason", "ends_as"), [("operator", "closed"), ("take_profit", "closing")])
async def test_of_closes_that_were_left_only_an_operators_go_on_in_a_halt(
    desk: ExecutorDesk, reason: str, ends_as: str
) -> None:
    book = await desk.open_trade(event())
    who = "operator:anna" if reason == "operator" else "position_monitor"
    await left_half_done(desk, CloseRequested(signal_id=book.trade.id, reason=reason, requested_by=who, evidence={}))
    await set_state(desk, TradingState.HALTED)
    desk.clock.forward(seconds=120)
    await desk.recovery.settle_all()
    assert (await desk.trades.book(book.trade.id)).trade.status == ends_as


async def test_a_stray_leg_is_unwound_even_while_halted(desk: ExecutorDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.venues["binance"].fail_next_send(OrderRejected("binance", "no"))
    original = desk.trades.record_outcome

    async def record(*arguments: object) -> None:
        await original(*arguments)  # type: ignore[arg-type]  # passed through as they came
        await set_state(desk, TradingState.HALTED)

    monkeypatch.setattr(desk.trades, "record_outcome", record)
    await desk.opener.handle_event(event())
    assert desk.venues["bybit"].ledger.account.position("SOL").quantity == 0
    assert (await desk.signal(event()))["status"] == "failed"


async def test_repeated_unwinds_move_trading_to_reducing_and_it_is_audited(database: Database) -> None:
    async with executor_desk(database) as made:
        desk = ExecutorDesk(made.pool, made.clock, made.venues, rails=Rails(Decimal(0), 2, 0.0))
        for number in (1, 2):
            gap(desk.venues, "188", "191")
            desk.venues["binance"].fail_next_send(OrderRejected("binance", "no"))
            await desk.opener.handle_event(event(number))
            await desk.guardian.sweep()
            expected = TradingState.ACTIVE if number == 1 else TradingState.REDUCING
            assert await desk.states.current() is expected
        reason = await desk.pool.fetchval("SELECT reason FROM watchlist.trading_state")
        audited = await desk.pool.fetchval(
            "SELECT evidence FROM watchlist.audit WHERE decision = 'trading_state_changed'"
        )
        assert reason == "repeated_unwinds"
        assert audited["unwinds"] == 2


async def test_a_change_that_cannot_be_told_is_not_made(desk: ExecutorDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between a commit of the change and one of what alerts are made of, the process could end: nobody would know."""

    async def ended(*_arguments: object, **_named: object) -> None:
        raise ConnectionResetError

    monkeypatch.setattr(Journal, "failed", ended)
    with pytest.raises(ConnectionResetError):
        await set_state(desk, TradingState.REDUCING)
    assert await desk.states.current() is TradingState.ACTIVE


async def test_a_day_of_losses_moves_trading_to_reducing(database: Database) -> None:
    async with executor_desk(database) as made:
        desk = ExecutorDesk(made.pool, made.clock, made.venues, rails=Rails(Decimal(1), 0, 0.0))
        book = await desk.open_trade(event())
        gap(desk.venues, "188", "191.3")
        await desk.close(book)
        desk.clock.forward(minutes=1)
        await desk.bookkeeper.sweep()
        await desk.guardian.sweep()
        assert await desk.states.current() is TradingState.REDUCING


def with_limit(desk: ExecutorDesk, usdt: str) -> ExecutorDesk:
    return ExecutorDesk(desk.pool, desk.clock, desk.venues, rails=Rails(Decimal(usdt), 0, 0.0))


async def day_pnl(desk: ExecutorDesk) -> DayPnl:
    return (await PostgresRailFigures(desk.pool).read(desk.clock.now()))[0]


async def test_a_loss_counts_before_the_venues_ledgers_have_told_of_it(desk: ExecutorDesk) -> None:
    """The last fills are not booked, their fees not known, and the trade is not summed up: it is lost all the same."""
    book = await desk.open_trade(event())
    await desk.bookkeeper.sweep()
    gap(desk.venues, "188", "192")
    await desk.close(book)
    lost = 20_000 - sum(venue.ledger.account.balance for venue in desk.venues.values())
    assert lost > 5
    await with_limit(desk, str(lost)).guardian.sweep()
    assert await desk.states.current() is TradingState.REDUCING


async def test_what_is_not_final_comes_to_the_final_account_and_is_not_counted_beside_it(desk: ExecutorDesk) -> None:
    book = await desk.open_trade(event())
    desk.clock.forward(hours=5)  # over the settlement at 16:00
    gap(desk.venues, "188", "191.3")
    await desk.close(book)
    await desk.bookkeeper.sweep()
    for leg in Leg:
        paid = await desk.venues[book.trade.venue(leg)].funding_payments("SOL", NOON)
        assert await desk.bookkeeping.add_funding(book.trade, leg, paid) == 1
    so_far = await day_pnl(desk)
    desk.clock.forward(minutes=1)
    await desk.bookkeeper.sweep()
    net = (await desk.signal(event()))["net_pnl_usdt"]
    assert so_far == DayPnl(Decimal(0), net)
    assert await day_pnl(desk) == DayPnl(net, Decimal(0))


async def test_a_trade_that_closed_longer_ago_than_a_day_and_is_still_not_final_is_no_loss_of_the_day(
    desk: ExecutorDesk,
) -> None:
    await desk.close(await desk.open_trade(event()))
    assert (await day_pnl(desk)).not_final_usdt < 0
    desk.clock.forward(days=1, seconds=1)
    assert await day_pnl(desk) == DayPnl(Decimal(0), Decimal(0))


async def test_what_an_open_trade_lost_on_another_day_is_no_loss_of_this_one(desk: ExecutorDesk) -> None:
    await desk.open_trade(event())
    assert (await day_pnl(desk)).not_final_usdt < 0, "its fees"
    desk.clock.forward(hours=24, seconds=1)
    assert await day_pnl(desk) == DayPnl(Decimal(0), Decimal(0))


async def test_a_halt_while_the_rails_are_looked_at_stays_a_halt(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with executor_desk(database) as made:
        desk = ExecutorDesk(made.pool, made.clock, made.venues, rails=Rails(Decimal(0), 0, 0.5))

        async def halted_meanwhile() -> float:
            await set_state(desk, TradingState.HALTED)
            return 9.0

        monkeypatch.setattr(desk.venues["binance"], "server_time_offset_seconds", halted_meanwhile)
        await desk.guardian.sweep()
        assert await desk.states.current() is TradingState.HALTED
