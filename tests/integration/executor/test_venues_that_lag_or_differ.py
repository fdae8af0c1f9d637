"""What venues do to a trade that is not in the book: they lag, reject late, forget prices, and act without us."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from common.domain.identifiers import Leg, Side
from common.messages.contracts import CloseRequested
from common.venues.errors import OrderOutcomeUnknown, OrderRejected, VenueUnreachable
from common.venues.ports import OrderIntent, OrderReport, OrderState
from executor.adapters import trade_ledger
from executor.application import closing, orders, reconciling, recovery
from executor.domain.reconciliation import DriftKind
from support.embedded_stack import Database
from support.executor_desk import ExecutorDesk, event, executor_desk, gap, quote
from support.fake_venue import FakeVenue
from support.running_stack import eventually


@pytest.fixture
async def desk(database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ExecutorDesk]:
    monkeypatch.setattr(closing, "POSITION_READ_SECONDS", 0.01)
    async with executor_desk(database) as made:
        yield made


def held(desk: ExecutorDesk) -> list[Decimal]:
    return [desk.venues[name].ledger.account.position("SOL").quantity for name in ("bybit", "binance")]


async def by_hand(venue: FakeVenue, side: Side, quantity: str, name: str = "by-hand") -> None:
    """Somebody trades on the account beside Tandem."""
    await venue.send(OrderIntent(venue.venue, "SOL", side, Decimal(quantity), name, False, Decimal(190)))


async def errors(desk: ExecutorDesk) -> list[str]:
    return [row["kind"] for row in await desk.pool.fetch("SELECT kind FROM watchlist.live_trade_error ORDER BY id")]


async def test_a_position_that_lags_after_the_fill_is_closed_all_the_same(
    desk: ExecutorDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = await desk.open_trade(event())
    for venue in desk.venues.values():
        answers: Any = iter([{}, {}, {}])
        original = venue.positions

        async def lagging(symbols: Any = None, answers: Any = answers, original: Any = original) -> Any:
            return next(answers, None) or await original(symbols)

        monkeypatch.setattr(venue, "positions", lagging)
    assert (await desk.close(book)).trade.status == "closed"
    assert held(desk) == [0, 0]


class AwayPool:
    """A pool whose server just went away."""

    async def fetchval(self, *_: object) -> None:
        raise asyncpg.InterfaceError("connection lost")


async def test_a_database_that_failed_while_a_lease_was_taken_leaves_the_trade_workable(
    desk: ExecutorDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = await desk.open_trade(event())
    with monkeypatch.context() as broken:
        broken.setattr(desk.trades, "_pool", AwayPool())
        with pytest.raises(asyncpg.InterfaceError):
            await desk.trades.take_lease(book.trade.id)
    assert (await desk.close(book)).trade.status == "closed"


async def test_an_order_that_is_accepted_and_rejected_later_is_settled_with_few_questions(
    desk: ExecutorDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    async def accepted(intent: OrderIntent) -> OrderReport:
        return OrderReport(intent.client_order_id, "77", OrderState.WORKING, Decimal(0), None)

    async def rejected(symbol: str, client_order_id: str) -> OrderReport:
        asked.append(client_order_id)
        return OrderReport(client_order_id, "77", OrderState.REJECTED, Decimal(0), None)

    monkeypatch.setattr(desk.venues["binance"], "send", accepted)
    monkeypatch.setattr(desk.venues["binance"], "order", rejected)
    await desk.opener.handle_event(event())
    assert (await desk.signal(event()))["status"] == "failed"
    assert held(desk) == [0, 0]
    assert len(asked) == 1


async def test_a_fill_without_a_price_is_a_fill(desk: ExecutorDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    original = desk.venues["binance"].send

    async def priceless(intent: OrderIntent) -> OrderReport:
        report = await original(intent)
        return OrderReport(report.client_order_id, report.venue_order_id, report.state, report.filled_quantity, None)

    monkeypatch.setattr(desk.venues["binance"], "send", priceless)
    book = await desk.open_trade(event())
    assert held(desk) == [Decimal("5.2"), Decimal("-5.2")]
    await desk.bookkeeper.sweep()
    short = (await desk.trades.book(book.trade.id)).opening_order(book.filled_entries[0], Leg.SHORT)
    assert short.average_price == Decimal("190.99")


async def test_a_venue_that_does_not_answer_gives_the_trade_back_unresolved(
    desk: ExecutorDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders, "RESOLVE_WITHIN_SECONDS", 0.1)
    lost = OrderOutcomeUnknown("binance", "timeout")
    desk.venues["binance"].fail_next_send(lost, after_acceptance=True)
    original = desk.venues["binance"].order

    async def silent(symbol: str, client_order_id: str) -> OrderReport:
        raise VenueUnreachable("binance", "no answer")

    monkeypatch.setattr(desk.venues["binance"], "order", silent)
    await desk.opener.handle_event(event())
    assert (await desk.signal(event()))["status"] == "opening"
    monkeypatch.setattr(desk.venues["binance"], "order", original)
    await desk.recovery.settle_all()
    assert (await desk.signal(event()))["status"] == "open"


async def test_a_leg_closed_by_hand_is_booked_by_its_fill_and_the_other_leg_is_closed(desk: ExecutorDesk) -> None:
    book = await desk.open_trade(event())
    await by_hand(desk.venues["binance"], Side.BUY, "5.2")
    for _ in range(2):
        await desk.reconciler.sweep(desk.closing.handle)
    book = await desk.trades.book(book.trade.id)
    assert (book.trade.status, book.trade.close_reason) == ("closed", "unhedged")
    assert held(desk) == [0, 0]
    assert f"drift_{DriftKind.EXTERNAL_CLOSE}" in await errors(desk)
    desk.clock.forward(minutes=1)
    await desk.bookkeeper.sweep()
    made = sum(venue.ledger.account.balance for venue in desk.venues.values()) - 20_000
    assert (await desk.signal(event()))["net_pnl_usdt"] == made


async def test_a_trade_that_somebody_works_on_is_left_for_the_next_look_at_the_venues(
    desk: ExecutorDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closing, "LEASE_WAIT_SECONDS", 0.1)
    monkeypatch.setattr(trade_ledger, "LEASE_SECONDS", 60.0)
    book = await desk.open_trade(event())
    await by_hand(desk.venues["binance"], Side.BUY, "5.2")
    await desk.reconciler.sweep(desk.closing.handle)
    other = ExecutorDesk(desk.pool, desk.clock, desk.venues, owner="desk-2")

    async def taken_meanwhile(request: CloseRequested) -> None:
        assert await other.trades.take_lease(request.signal_id)
        await desk.closing.handle(request)

    await desk.reconciler.sweep(taken_meanwhile)
    assert (await desk.trades.book(book.trade.id)).trade.status == "open"
    await other.trades.release_lease(book.trade.id)
    await desk.reconciler.sweep(desk.closing.handle)
    assert (await desk.trades.book(book.trade.id)).trade.status == "closed"


async def test_without_the_missing_fill_no_account_is_made_up(
    desk: ExecutorDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = await desk.open_trade(event())
    await by_hand(desk.venues["binance"], Side.BUY, "5.2")
    original = desk.venues["binance"].fills

    async def no_fills(*_: object) -> list[Any]:
        return []

    monkeypatch.setattr(desk.venues["binance"], "fills", no_fills)
    book = await desk.close(book)
    assert book.trade.status == "closing", "the venue shows less than the ledger and nothing explains it"
    assert held(desk) == [0, 0], "what can be closed is closed"
    monkeypatch.setattr(desk.venues["binance"], "fills", original)
    desk.clock.forward(minutes=5)
    await desk.recovery.settle_all()
    assert (await desk.trades.book(book.trade.id)).trade.status == "closed"


async def test_a_position_beside_ours_is_reported_and_left_alone(desk: ExecutorDesk) -> None:
    book = await desk.open_trade(event())
    await by_hand(desk.venues["bybit"], Side.BUY, "1")
    for _ in range(2):
        await desk.reconciler.sweep(desk.closing.handle)
    assert f"drift_{DriftKind.EXTERNAL_OPEN}" in await errors(desk)
    assert (await desk.trades.book(book.trade.id)).trade.status == "open"
    assert (await desk.close(book)).trade.status == "closed"
    assert held(desk) == [1, 0]


async def test_a_fill_that_is_partly_somebodys_own_is_booked_for_our_part(desk: ExecutorDesk) -> None:
    book = await desk.open_trade(event())
    await by_hand(desk.venues["binance"], Side.SELL, "3")
    await by_hand(desk.venues["binance"], Side.BUY, "8.2", "by-hand-2")
    for _ in range(2):
        await desk.reconciler.sweep(desk.closing.handle)
    assert (await desk.trades.book(book.trade.id)).trade.status == "closed"
    assert held(desk) == [0, 0]
    desk.clock.forward(minutes=1)
    await desk.bookkeeper.sweep()
    bought = desk.venues["binance"].ledger.account.fills[-1]
    row = await desk.pool.fetchrow("SELECT * FROM watchlist.live_trade_fill WHERE fill_id = $1", bought.fill_id)
    assert row is not None
    assert (row["quantity"], row["fee_usdt"]) == (Decimal("5.2"), bought.fee * Decimal("5.2") / Decimal("8.2"))
    assert (await desk.signal(event()))["net_pnl_usdt"] is not None


async def test_who_sells_more_than_we_hold_keeps_the_rest_and_the_trade_ends(desk: ExecutorDesk) -> None:
    book = await desk.open_trade(event())
    await by_hand(desk.venues["binance"], Side.BUY, "8.2")
    for _ in range(2):
        await desk.reconciler.sweep(desk.closing.handle)
    assert (await desk.trades.book(book.trade.id)).trade.status == "closed"
    assert held(desk) == [0, 3]
    for _ in range(2):
        await desk.reconciler.sweep(desk.closing.handle)
    assert "position_without_trade:binance:SOL" in await errors(desk)


async def test_funding_on_a_position_that_stayed_after_our_leg_is_not_the_trades(
    desk: ExecutorDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = await desk.open_trade(event())
    await by_hand(desk.venues["bybit"], Side.BUY, "3")
    binance = desk.venues["binance"]
    original = binance.send

    async def suspended(intent: OrderIntent) -> OrderReport:
        raise OrderRejected("binance", "suspended")

    monkeypatch.setattr(binance, "send", suspended)
    assert (await desk.close(book)).trade.status == "closing"
    assert held(desk) == [3, Decimal("-5.2")]
    await desk.bookkeeper.sweep()
    desk.clock.forward(hours=9)
    desk.bookkeeper._funding_read.clear()
    await desk.bookkeeper.sweep()
    monkeypatch.setattr(binance, "send", original)
    paid = await desk.pool.fetch("SELECT leg FROM watchlist.live_trade_funding")
    assert {row["leg"] for row in paid} == {"short"}


async def test_funding_booked_before_it_was_known_whose_position_it_was_on_does_not_count(desk: ExecutorDesk) -> None:
    book = await desk.open_trade(event())
    await by_hand(desk.venues["binance"], Side.BUY, "8.2")
    desk.clock.forward(hours=9)
    await desk.bookkeeper.sweep()
    for _ in range(2):
        await desk.reconciler.sweep(desk.closing.handle)
    desk.clock.forward(minutes=2)
    desk.bookkeeper._fills_read.forget_all_but(())
    for _ in range(2):
        desk.bookkeeper._funding_read.clear()
        await desk.bookkeeper.sweep()
    paid = await desk.pool.fetch("SELECT leg, amount_usdt FROM watchlist.live_trade_funding")
    assert {row["leg"] for row in paid} == {"long", "short"}
    row = await desk.signal(event())
    assert row["id"] == book.trade.id
    assert row["funding_usdt"] == sum(row["amount_usdt"] for row in paid if row["leg"] == "long")


async def test_a_position_beside_ours_that_goes_again_changes_nothing(desk: ExecutorDesk) -> None:
    book = await desk.open_trade(event())
    for number, side in enumerate((Side.BUY, Side.SELL)):
        await by_hand(desk.venues["bybit"], side, "1", f"by-hand-{number}")
        for _ in range(2):
            await desk.reconciler.sweep(desk.closing.handle)
    assert (await desk.trades.book(book.trade.id)).trade.status == "open"
    assert await errors(desk) == [f"drift_{DriftKind.EXTERNAL_OPEN}"]
    assert (await desk.close(book)).trade.status == "closed"
    assert held(desk) == [0, 0]


async def test_a_stray_leg_that_somebody_closed_first_is_booked_and_the_entry_ends(
    desk: ExecutorDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciling, "LOOK_AGAIN_SECONDS", 0.01)
    desk.venues["binance"].fail_next_send(OrderRejected("binance", "no"))
    venue = desk.venues["bybit"]
    original = venue.send

    async def beaten(intent: OrderIntent) -> OrderReport:
        if intent.reduce_only and venue.ledger.account.position("SOL").quantity:
            monkeypatch.setattr(venue, "send", original)
            await by_hand(venue, Side.SELL, "5.2")
        return await original(intent)

    monkeypatch.setattr(venue, "send", beaten)
    await desk.opener.handle_event(event())
    book = await desk.book(event())
    assert book.trade.status == "failed"
    assert book.position(Leg.LONG).quantity == 0
    assert [order.purpose for order in book.orders] == ["open", "open", "unwind", "external"]
    desk.clock.forward(minutes=1)
    await desk.bookkeeper.sweep()
    assert (await desk.signal(event()))["net_pnl_usdt"] == venue.ledger.account.balance - 10_000


async def test_a_stray_leg_that_is_gone_without_a_fill_is_not_forgotten(
    desk: ExecutorDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciling, "LOOK_AGAIN_SECONDS", 0.01)
    desk.venues["binance"].fail_next_send(OrderRejected("binance", "no"))
    venue = desk.venues["bybit"]
    original = venue.send

    async def refused(intent: OrderIntent) -> OrderReport:
        if intent.reduce_only:
            raise OrderRejected("bybit", "there is nothing to reduce")
        return await original(intent)

    async def nothing(symbols: Any = None) -> Any:
        return {}

    monkeypatch.setattr(venue, "send", refused)
    opened = venue.positions
    monkeypatch.setattr(venue, "positions", nothing)
    await desk.opener.handle_event(event())
    assert (await desk.book(event())).trade.status == "opening"
    monkeypatch.setattr(venue, "send", original)
    monkeypatch.setattr(venue, "positions", opened)
    await desk.recovery.settle_all()
    assert (await desk.book(event())).trade.status == "failed"
    assert held(desk) == [0, 0]


async def test_a_fill_that_was_missed_is_found_by_its_order(desk: ExecutorDesk) -> None:
    book = await desk.open_trade(event())
    await desk.pool.execute(
        "UPDATE watchlist.live_trade_order SET status = 'cancelled', filled_quantity = 0 WHERE leg = 'short'"
    )
    for _ in range(2):
        await desk.reconciler.sweep(desk.closing.handle)
    book = await desk.trades.book(book.trade.id)
    assert book.trade.status == "open"
    assert book.position(Leg.SHORT).quantity == Decimal("5.2")
    assert f"drift_{DriftKind.MISSED_FILL}" in await errors(desk)


async def test_a_fee_that_is_told_later_is_booked_later(desk: ExecutorDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    book = await desk.open_trade(event())
    original = desk.venues["bybit"].fills
    with monkeypatch.context() as early:

        async def without_fee(symbol: str, since: Any) -> list[Any]:
            return [replace(fill, fee_usdt=None) for fill in await original(symbol, since)]

        early.setattr(desk.venues["bybit"], "fills", without_fee)
        await desk.bookkeeper.sweep()
    await desk.close(book)
    desk.clock.forward(minutes=2)
    desk.bookkeeper._fills_read.forget_all_but(())
    await desk.bookkeeper.sweep()
    desk.bookkeeper._funding_read.clear()
    await desk.bookkeeper.sweep()
    assert (await desk.signal(event()))["net_pnl_usdt"] is not None


async def test_a_failed_entry_has_its_account_too(desk: ExecutorDesk) -> None:
    desk.venues["binance"].fail_next_send(OrderRejected("binance", "no"))
    await desk.opener.handle_event(event())
    desk.clock.forward(minutes=1)
    await desk.bookkeeper.sweep()
    row = await desk.signal(event())
    assert row["status"] == "failed"
    assert row["net_pnl_usdt"] == desk.venues["bybit"].ledger.account.balance - 10_000
    assert row["net_pnl_usdt"] < 0


async def test_a_failed_entry_that_left_less_than_its_venue_trades_has_its_account_too(
    desk: ExecutorDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.venues["binance"].fail_next_send(OrderRejected("binance", "no"))
    venue = desk.venues["bybit"]
    original = venue.send

    async def hardly_filled(intent: OrderIntent) -> OrderReport:
        quote(venue, "187.99", "188.01", depth="0.05")
        return await original(intent)

    monkeypatch.setattr(venue, "send", hardly_filled)
    await desk.opener.handle_event(event())
    assert held(desk) == [Decimal("0.05"), 0]
    desk.clock.forward(minutes=1)
    await desk.bookkeeper.sweep()
    row = await desk.signal(event())
    assert row["status"] == "failed"
    assert row["net_pnl_usdt"] == venue.ledger.account.balance - 10_000 - Decimal("0.05") * Decimal("188.01")


async def test_the_loser_of_a_race_does_not_release_the_winners_claim(
    desk: ExecutorDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    original = desk.venues["bybit"].send

    async def send(intent: OrderIntent) -> OrderReport:
        await desk.opener.handle_event(event())  # the same event again, while the first handling sends
        seen.append(await desk.trades.take_lease((await desk.signal(event()))["id"]))
        return await original(intent)

    monkeypatch.setattr(desk.venues["bybit"], "send", send)
    await desk.open_trade(event())
    assert seen == [False]


async def test_a_trade_is_nobody_elses_until_its_lease_is_given_back(desk: ExecutorDesk) -> None:
    """A release that is still on its way would take the lease from whoever had got it meanwhile."""
    signal_id = (await desk.open_trade(event())).trade.id

    async def waiting() -> int:
        waits = "wait_event_type = 'Lock' AND datname = current_database()"
        return int(await desk.pool.fetchval(f"SELECT count(*) FROM pg_stat_activity WHERE {waits}"))

    assert await desk.trades.take_lease(signal_id)
    async with desk.pool.acquire() as connection:
        holds = connection.transaction()
        await holds.start()
        await connection.execute("SELECT FROM watchlist.live_trade_signal WHERE id = $1 FOR UPDATE", signal_id)
        release = asyncio.create_task(desk.trades.release_lease(signal_id))
        await eventually("the release waits for the row", waiting)
        assert not desk.trades.claim(signal_id)
        await holds.commit()
    await release
    assert await desk.trades.take_lease(signal_id)


async def test_unwinding_that_fails_is_tried_again_with_pauses_and_somebody_is_told(
    desk: ExecutorDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    for pause in ("SETTLE_PAUSE_SECONDS_FIRST", "SETTLE_PAUSE_SECONDS_MAX"):
        monkeypatch.setattr(recovery, pause, 600.0)  # longer than any machine takes for the sweeps of this test
    desk.venues["binance"].fail_next_send(OrderRejected("binance", "no"))
    original = desk.venues["bybit"].send

    async def only_opens(intent: OrderIntent) -> OrderReport:
        if intent.reduce_only:
            raise OrderRejected("bybit", "suspended")
        return await original(intent)

    desk.venues["bybit"].send = only_opens  # type: ignore[method-assign]  # one venue of this test
    await desk.opener.handle_event(event())
    for _ in range(20):
        await desk.recovery.settle_all()
    tried = [order for order in (await desk.book(event())).orders if order.purpose == "unwind"]
    assert len(tried) == 10, "five at once, five in the one sweep that the pause let through"
    assert "unwind_not_done" in await errors(desk)


async def test_a_badly_filled_entry_does_not_make_an_unchanged_gap_look_widened(
    desk: ExecutorDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = desk.venues["binance"].send

    async def slipping(intent: OrderIntent) -> OrderReport:
        gap(desk.venues, "188", "188.2")
        report = await original(intent)
        gap(desk.venues, "188", "191")
        return report

    monkeypatch.setattr(desk.venues["binance"], "send", slipping)
    book = await desk.open_trade(event())
    entry = book.filled_entries[0]
    assert entry.entry_spread_metric is not None
    assert entry.entry_spread_metric < 0.002
    assert entry.entry_spread_pct == pytest.approx(entry.snapshot["execution"]["entry_spread_pct"])


async def test_a_close_larger_than_the_venues_maximum_goes_out_in_parts(
    desk: ExecutorDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = await desk.open_trade(event())
    original = desk.venues["bybit"].instruments

    async def smaller() -> Any:
        return {name: replace(rules, quantity_max=Decimal(2)) for name, rules in (await original()).items()}

    monkeypatch.setattr(desk.venues["bybit"], "instruments", smaller)
    assert (await desk.close(book)).trade.status == "closed"
    assert [intent.quantity for intent in desk.venues["bybit"].sent[1:]] == [Decimal(2), Decimal(2), Decimal("1.2")]


async def test_an_operators_close_whose_message_was_lost_is_found_in_the_audit(desk: ExecutorDesk) -> None:
    book = await desk.open_trade(event())
    await desk.pool.execute(
        "INSERT INTO watchlist.audit (service, decided_at, decision, signal_id, evidence) "
        "VALUES ('api_gateway', $1, 'close_requested', $2, $3)",
        desk.clock.now(),
        book.trade.id,
        {"who": "anna", "why": "test"},
    )
    await desk.recovery.settle_all()
    row = await desk.signal(event())
    assert (row["status"], row["close_reason"]) == ("closed", "operator")


async def test_a_position_on_a_symbol_that_is_not_traded_is_told(desk: ExecutorDesk) -> None:
    await by_hand(desk.venues["bybit"], Side.BUY, "1")
    await desk.reconciler.sweep(desk.closing.handle)
    assert await errors(desk) == []
    await desk.reconciler.sweep(desk.closing.handle)
    assert await errors(desk) == ["position_without_trade:bybit:SOL"]
    assert held(desk) == [1, 0]


async def test_an_order_is_signed_with_the_time_at_which_it_was_still_allowed(desk: ExecutorDesk) -> None:
    await desk.open_trade(event())
    for venue in desk.venues.values():
        [intent] = venue.sent
        assert intent.signed_at_seconds is not None
        assert 0 <= desk.clock.unix_seconds() - intent.signed_at_seconds < 60
