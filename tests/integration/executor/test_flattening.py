"""An operator brings a venue's position to zero: through the trade that holds it, and beyond it only when told to."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from typing import Any, cast

import pytest

from common.domain.identifiers import Side
from common.messages.contracts import FlattenRequested
from common.persistence.database import Pool
from common.persistence.journal import Journal
from common.venues.errors import OrderOutcomeUnknown, VenueUnreachable
from common.venues.ports import OrderIntent
from executor.adapters.flattens import PostgresFlattens
from executor.application import pauses
from executor.application.ports import TradeBusyError
from executor.domain.trading_state import TradingState
from support.embedded_stack import Database
from support.executor_desk import ExecutorDesk, event, executor_desk
from support.fake_venue import FakeVenue
from support.running_stack import eventually


@pytest.fixture
async def desk(database: Database) -> AsyncIterator[ExecutorDesk]:
    async with executor_desk(database) as made:
        yield made


def wish(number: int = 1, **changes: Any) -> FlattenRequested:
    values: dict[str, Any] = {
        "request_id": f"flatten-binance-SOL-{number}",
        "venue": "binance",
        "symbol": "SOL",
        "include_unowned": False,
        "requested_by": "operator:ada",
        "why": "test",
    }
    return FlattenRequested(**values | changes)


async def buy_by_hand(venue: FakeVenue, quantity: str, side: Side = Side.BUY) -> None:
    """A position of the operator's own."""
    await venue.send(OrderIntent(venue.venue, "SOL", side, Decimal(quantity), f"by-hand-{side}", False, Decimal(191)))
    venue.sent.clear()


async def stored(desk: ExecutorDesk, number: int = 1) -> Any:
    row = await desk.pool.fetchrow(
        "SELECT * FROM watchlist.operator_flatten WHERE request_id = $1", f"flatten-binance-SOL-{number}"
    )
    assert row is not None
    return row


async def held(venue: FakeVenue) -> Decimal:
    positions = await venue.positions(["SOL"])
    return positions["SOL"].quantity if "SOL" in positions else Decimal(0)


async def test_a_trade_is_closed_on_both_venues_and_the_venue_itself_says_zero(desk: ExecutorDesk) -> None:
    book = await desk.open_trade(event())
    await desk.flattening.handle(wish())
    assert (await desk.trades.book(book.trade.id)).trade.status == "closed"
    assert [await held(venue) for venue in desk.venues.values()] == [0, 0]
    row = await stored(desk)
    assert row["state"] == "flat"
    assert Decimal(row["evidence"]["venue_quantity"]) == 0
    assert row["evidence"]["read_at"]
    assert "position_flatten:flat" in {
        found["decision"] for found in await desk.pool.fetch("SELECT decision FROM watchlist.audit")
    }


async def test_a_position_that_no_trade_holds_is_left_alone_unless_it_is_named(desk: ExecutorDesk) -> None:
    binance = desk.venues["binance"]
    await buy_by_hand(binance, "2.5")
    await desk.flattening.handle(wish(1))
    assert binance.sent == []
    row = await stored(desk, 1)
    assert (row["state"], Decimal(row["evidence"]["venue_quantity"])) == ("refused", Decimal("2.5"))
    assert "include_unowned" in row["evidence"]["reason"]
    await desk.flattening.handle(wish(2, include_unowned=True))
    row = await stored(desk, 2)
    assert (row["state"], Decimal(row["evidence"]["venue_quantity"])) == ("flat", Decimal(0))
    assert [(intent.side, intent.quantity, intent.reduce_only) for intent in binance.sent] == [
        (Side.SELL, Decimal("2.5"), True)
    ]
    [order] = row["evidence"]["orders"]
    assert (order["status"], Decimal(order["filled_quantity"])) == ("filled", Decimal("2.5"))


async def booked(desk: ExecutorDesk) -> list[tuple[str, Decimal, Decimal | None]]:
    rows = await desk.pool.fetch("SELECT fill_id, quantity, fee_usdt FROM watchlist.operator_flatten_fill ORDER BY id")
    return [(row["fill_id"], row["quantity"], row["fee_usdt"]) for row in rows]


async def test_what_a_trade_held_is_in_its_own_account_with_the_fees_of_the_flatten(desk: ExecutorDesk) -> None:
    book = await desk.open_trade(event())
    await desk.flattening.handle(wish())
    await desk.bookkeeper.sweep()
    desk.clock.forward(minutes=2)
    await desk.bookkeeper.sweep()
    await desk.flatten_books.sweep()
    row = await desk.signal(event())
    truth = [fill for venue in desk.venues.values() for fill in venue.ledger.account.fills]
    assert row["close_reason"] == "operator"
    assert row["close_evidence"]["flatten"] == "flatten-binance-SOL-1"
    assert row["fees_usdt"] == sum(fill.fee for fill in truth)
    assert row["net_pnl_usdt"] == -sum(fill.side.sign * fill.price * fill.quantity + fill.fee for fill in truth)
    assert await desk.pool.fetchval("SELECT count(*) FROM watchlist.live_trade_fill") == len(truth)
    assert await booked(desk) == []
    assert book.trade.id == row["id"]


async def test_what_no_trade_held_keeps_its_fills_and_fees_with_the_wish(desk: ExecutorDesk) -> None:
    binance = desk.venues["binance"]
    await buy_by_hand(binance, "2.5")
    await desk.flattening.handle(wish(include_unowned=True))
    for _ in range(2):
        await desk.flatten_books.sweep()
    *_, fill = binance.ledger.account.fills
    assert await booked(desk) == [(fill.fill_id, Decimal("2.5"), fill.fee)]


async def test_a_fee_that_is_told_later_is_added_and_a_venue_that_is_away_is_asked_again(
    desk: ExecutorDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    binance = desk.venues["binance"]
    await buy_by_hand(binance, "1")
    await desk.flattening.handle(wish(include_unowned=True))
    monkeypatch.setattr(pauses, "PAUSE_SECONDS_MAX", 0.0)
    original = binance.fills

    async def without_fees(*arguments: Any) -> Any:
        return [replace(fill, fee_usdt=None) for fill in await original(*arguments)]

    binance.unreachable = True
    await desk.flatten_books.sweep()
    assert await booked(desk) == []
    binance.unreachable = False
    monkeypatch.setattr(binance, "fills", without_fees)
    await desk.flatten_books.sweep()
    assert [fee for _, _, fee in await booked(desk)] == [None]
    monkeypatch.setattr(binance, "fills", original)
    await desk.flatten_books.sweep()
    assert [fee for _, _, fee in await booked(desk)] == [binance.ledger.account.fills[-1].fee]
    monkeypatch.setattr(binance, "fills", None)
    await desk.flatten_books.sweep()  # asks nobody: all is known


async def test_an_order_whose_wish_comes_no_more_is_asked_for_all_the_same(
    desk: ExecutorDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process ends right after the send, and the bus has dropped the wish."""
    binance = desk.venues["binance"]
    await buy_by_hand(binance, "1")
    monkeypatch.setattr(desk.flattening._sender, "send", sent_and_forgotten(binance))
    with pytest.raises(ConnectionAbortedError):
        await desk.flattening.handle(wish(include_unowned=True))
    monkeypatch.setattr(pauses, "PAUSE_SECONDS_MAX", 0.0)
    again = ExecutorDesk(desk.pool, desk.clock, desk.venues, owner="desk-2")
    for _ in range(2):
        await again.flatten_books.sweep()
    assert await desk.pool.fetchval("SELECT status FROM watchlist.operator_flatten_order") == "filled"
    assert [quantity for _, quantity, _ in await booked(desk)] == [Decimal(1)]


def sent_and_forgotten(venue: FakeVenue) -> Any:
    """Sends the orders, and stores nothing of it."""

    async def send(orders: Any, *_: Any) -> None:
        for order in orders:
            intent = OrderIntent(
                order.venue,
                order.symbol,
                order.side,
                order.quantity,
                order.client_order_id,
                True,
                order.reference_price,
            )
            await venue.send(intent)
        raise ConnectionAbortedError

    return send


async def test_two_executors_at_the_same_wish_send_one_order(desk: ExecutorDesk) -> None:
    binance = desk.venues["binance"]
    await buy_by_hand(binance, "1")
    again = ExecutorDesk(desk.pool, desk.clock, desk.venues, owner="desk-2")
    ended = await asyncio.gather(
        *(one.flattening.handle(wish(include_unowned=True)) for one in (desk, again)), return_exceptions=True
    )
    assert all(result is None or isinstance(result, TradeBusyError) for result in ended)
    assert len(binance.sent) == 1
    await desk.flattening.handle(wish(include_unowned=True))
    assert (await stored(desk))["state"] == "flat"


async def test_a_wish_that_somebody_else_begins_in_the_same_moment_is_the_same_wish(desk: ExecutorDesk) -> None:
    """A row that is committed while our statement waits for it is not in that statement's snapshot."""

    async def waiting() -> int:
        waits = "wait_event_type = 'Lock' AND datname = current_database()"
        return int(await desk.pool.fetchval(f"SELECT count(*) FROM pg_stat_activity WHERE {waits}"))

    async with desk.pool.acquire() as connection:
        begins = connection.transaction()
        await begins.start()
        journal = Journal("executor", desk.pool, desk.clock)
        first = await PostgresFlattens(cast("Pool", connection), journal, desk.clock).begin(wish())
        second = asyncio.create_task(desk.flattens.begin(wish()))
        await eventually("the second one to begin waits for the first", waiting)
        await begins.commit()
    assert await second == first


async def test_a_short_position_is_bought_back_also_in_a_halt(desk: ExecutorDesk) -> None:
    binance = desk.venues["binance"]
    await buy_by_hand(binance, "1", Side.SELL)
    await desk.states.change(TradingState.HALTED, "test", "test", {})
    await desk.flattening.handle(wish(include_unowned=True))
    assert (await stored(desk))["state"] == "flat"
    assert [intent.side for intent in binance.sent] == [Side.BUY]


async def test_an_order_without_an_answer_is_asked_for_and_never_sent_again(desk: ExecutorDesk) -> None:
    binance = desk.venues["binance"]
    await buy_by_hand(binance, "1")
    binance.fail_next_send(OrderOutcomeUnknown("binance", "no answer"), after_acceptance=True)
    await desk.flattening.handle(wish(include_unowned=True))
    assert (await stored(desk))["state"] == "flat"
    assert len(binance.sent) == 1
    assert await desk.pool.fetchval("SELECT status FROM watchlist.operator_flatten_order") == "filled"


async def test_what_an_earlier_process_sent_is_found_again(desk: ExecutorDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process ends between the send and the outcome; the wish is delivered again to another one."""
    binance = desk.venues["binance"]
    await buy_by_hand(binance, "1")
    sender = desk.flattening._sender
    original = sender._attempt

    async def dies(*arguments: Any) -> Any:
        await original(*arguments)
        raise ConnectionAbortedError

    monkeypatch.setattr(sender, "_attempt", dies)
    with pytest.raises(ConnectionAbortedError):
        await desk.flattening.handle(wish(include_unowned=True))
    monkeypatch.undo()
    again = ExecutorDesk(desk.pool, desk.clock, desk.venues, owner="desk-2")
    await again.flattening.handle(wish(include_unowned=True))
    assert (await stored(desk))["state"] == "flat"
    assert len(binance.sent) == 1


async def test_the_same_wish_twice_does_nothing_the_second_time(desk: ExecutorDesk) -> None:
    await desk.flattening.handle(wish())
    await buy_by_hand(desk.venues["binance"], "1")
    await desk.flattening.handle(wish(include_unowned=True))
    assert (await stored(desk))["state"] == "flat"
    assert desk.venues["binance"].sent == []


async def test_a_venue_that_is_away_leaves_the_wish_at_work_and_says_what_it_waits_for(
    desk: ExecutorDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> object:
        raise VenueUnreachable("binance", "no route")

    monkeypatch.setattr(desk.venues["binance"], "positions", away)
    with pytest.raises(VenueUnreachable):
        await desk.flattening.handle(wish())
    row = await stored(desk)
    assert row["state"] == "working"
    assert "no route" in row["evidence"]["waits_for"]
    monkeypatch.undo()
    await desk.flattening.handle(wish())
    assert (await stored(desk))["state"] == "flat"


async def test_a_trade_that_is_being_opened_is_waited_for(desk: ExecutorDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    book = await desk.open_trade(event())
    await desk.pool.execute("UPDATE watchlist.live_trade_signal SET status = 'opening'")
    with pytest.raises(TradeBusyError):
        await desk.flattening.handle(wish())
    assert (await stored(desk))["state"] == "working"
    assert book.trade.id


async def test_an_unknown_venue_or_symbol_is_refused_with_what_is_allowed(desk: ExecutorDesk) -> None:
    await desk.flattening.handle(wish(1, venue="okx"))
    assert (await stored(desk, 1))["evidence"]["allowed"] == ["binance", "bybit"]
    await desk.flattening.handle(wish(2, symbol="NOSUCH"))
    assert (await stored(desk, 2))["state"] == "refused"


async def test_what_would_open_is_said_without_sending_or_storing_anything(desk: ExecutorDesk) -> None:
    before = await desk.pool.fetchval("SELECT count(*) FROM watchlist.audit")
    trade, _ = await desk.signals.record_signal(event())
    plan = await desk.opener.decide(trade, event(), is_dry=True)
    assert plan.quantity > 0  # type: ignore[union-attr]
    refused = await desk.opener.decide(trade, replace_prediction(0.001), is_dry=True)
    assert refused.reason == "below_threshold"  # type: ignore[union-attr]
    assert not any(venue.sent for venue in desk.venues.values())
    assert await desk.pool.fetchval("SELECT count(*) FROM watchlist.audit") == before
    assert (await desk.signal(event()))["status"] == "new"


def replace_prediction(pnl_hat: float) -> Any:
    prediction = event().prediction
    assert prediction is not None
    return event(prediction=prediction.model_copy(update={"pnl_hat": pnl_hat}))
