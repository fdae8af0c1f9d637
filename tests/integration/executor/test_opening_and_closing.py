"""From an event to a hedged trade and back to cash, on a real database with venues in memory."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from common.domain.identifiers import Leg, Side
from common.messages.contracts import Prediction, RetryDue, RetryEnded
from common.persistence.database import Connection, connect_pool
from common.venues.errors import OrderOutcomeUnknown, OrderRejected, VenueUnreachable
from common.venues.ports import OrderIntent, OrderReport
from executor.application import orders, planning, recovery
from executor.application.planning import Proposal
from executor.domain.entry_sweep import EntrySweep
from executor.domain.records import TradeBook
from support.embedded_stack import Database
from support.executor_desk import ExecutorDesk, event, executor_desk, gap, quote
from support.ledger_rows import LedgerRows

WAITED_SECONDS = 100.0


@pytest.fixture
async def desk(database: Database) -> AsyncIterator[Any]:
    async with executor_desk(database) as made:
        yield made


@pytest.fixture
async def rows(database: Database) -> AsyncIterator[Any]:
    pool = await connect_pool(database.owner_dsn, "test")
    yield LedgerRows(pool)
    await pool.close()


def held(desk: ExecutorDesk) -> dict[str, Decimal]:
    """What each venue's own ledger holds of SOL."""
    return {name: venue.ledger.account.position("SOL").quantity for name, venue in desk.venues.items()}


def database_is_slow(desk: ExecutorDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes `WAITED_SECONDS` until an entry's transaction gets to its intents."""
    look = desk.trades._refuse_unless_active
    monotonic = desk.clock.monotonic

    async def slow(connection: Connection, *, alone: bool) -> None:
        monkeypatch.setattr(desk.clock, "monotonic", lambda: monotonic() + WAITED_SECONDS)
        await look(connection, alone=alone)

    monkeypatch.setattr(desk.trades, "_refuse_unless_active", slow)


def predicted(pnl_hat: float) -> Prediction:
    return Prediction(pnl_hat=pnl_hat, win_prob=0.9, horizon_min=240, source="caller")


def foreign_order(venue: str) -> OrderIntent:
    return OrderIntent(venue, "SOL", Side.BUY, Decimal(1), "somebody-else", False, Decimal(188))


async def test_a_good_event_becomes_a_hedged_trade_of_equal_base_quantity(desk: ExecutorDesk) -> None:
    book = await desk.open_trade(event())
    assert held(desk) == {"bybit": Decimal("5.2"), "binance": Decimal("-5.2")}
    assert [entry.quantity for entry in book.filled_entries] == [Decimal("5.2")]
    assert book.trade.take_profit_pnl == pytest.approx(0.7 * 0.009)
    row = await desk.signal(event())
    assert row["force_close_at"] - row["opened_at"] == timedelta(days=7)
    assert await desk.decisions(book.trade.id) == ["entry_begun", "opened"]


async def test_intents_are_committed_before_anything_is_sent(
    desk: ExecutorDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    original = desk.venues["bybit"].send

    async def send(intent: OrderIntent) -> OrderReport:
        seen.append(await desk.pool.fetchval("SELECT count(*) FROM watchlist.live_trade_order"))
        return await original(intent)

    monkeypatch.setattr(desk.venues["bybit"], "send", send)
    await desk.open_trade(event())
    assert seen == [2]


async def test_the_same_event_twice_opens_once(desk: ExecutorDesk) -> None:
    await asyncio.gather(desk.opener.handle_event(event()), desk.opener.handle_event(event()))
    await desk.opener.handle_event(event())
    assert [len(venue.sent) for venue in desk.venues.values()] == [1, 1]


async def test_two_events_of_one_symbol_at_once_open_one_trade(desk: ExecutorDesk) -> None:
    await asyncio.gather(desk.opener.handle_event(event(1)), desk.opener.handle_event(event(2)))
    statuses = sorted([(await desk.signal(event(n)))["status"] for n in (1, 2)])
    assert statuses == ["open", "skipped"]
    assert abs(held(desk)["bybit"]) == Decimal("5.2")


@pytest.mark.parametrize(
    ("changes", "reason", "is_retried"),
    [
        ({"type": "A"}, "type_not_traded", False),
        ({"long_venue": "okx"}, "venue_not_allowed", False),
        (
            {"prediction": Prediction(pnl_hat=0.008, win_prob=0.9, horizon_min=1, source="caller")},
            "below_threshold",
            True,
        ),
        (
            {"prediction": Prediction(pnl_hat=0.05, win_prob=0.9, horizon_min=1, source="x")},
            "entry_spread_too_small",
            True,
        ),
        ({"prediction": None}, "below_threshold", True),
    ],
)
async def test_a_skipped_signal_keeps_its_reason_and_its_next_attempt(
    desk: ExecutorDesk, changes: Any, reason: Any, is_retried: Any
) -> None:
    await desk.opener.handle_event(event(**changes))
    row = await desk.signal(event())
    assert (row["status"], row["reason"], row["attempts"]) == ("skipped", reason, 1)
    expected = desk.clock.now() + timedelta(seconds=10) if is_retried else None
    assert row["next_attempt_at"] == expected
    assert not any(venue.sent for venue in desk.venues.values())


async def test_a_retry_opens_once_the_gap_is_there_and_an_outdated_one_does_nothing(desk: ExecutorDesk) -> None:
    gap(desk.venues, "188", "188.2")
    await desk.opener.handle_event(event())
    signal_id = (await desk.signal(event()))["id"]
    retry = RetryDue(signal_id=signal_id, attempt=1, event=event())
    await desk.opener.handle_retry(retry)
    row = await desk.signal(event())
    assert (row["attempts"], row["next_attempt_at"]) == (2, desk.clock.now() + timedelta(seconds=30))
    gap(desk.venues, "188", "191")
    await desk.opener.handle_retry(retry)  # the attempt that it was due for has been made
    assert (await desk.signal(event()))["status"] == "skipped"
    await desk.opener.handle_retry(retry.model_copy(update={"attempt": 2}))
    assert (await desk.signal(event()))["status"] == "open"


async def test_a_signal_that_is_no_longer_eligible_expires_visibly(desk: ExecutorDesk) -> None:
    gap(desk.venues, "188", "188.2")
    await desk.opener.handle_event(event())
    ended = RetryEnded(
        signal_id=(await desk.signal(event()))["id"], attempt=1, reason="event_closed", evidence={"a": 1}
    )
    await desk.opener.handle_retry_ended(ended)
    row = await desk.signal(event())
    assert (row["status"], row["reason"], row["next_attempt_at"]) == ("expired", "event_closed", None)


async def test_a_retry_that_comes_too_late_for_its_event_expires_the_signal_too(desk: ExecutorDesk) -> None:
    gap(desk.venues, "188", "188.2")
    await desk.opener.handle_event(event())
    signal_id = (await desk.signal(event()))["id"]
    past = event(status="closed", at=desk.clock.now() - timedelta(hours=2))
    await desk.opener.handle_retry(RetryDue(signal_id=signal_id, attempt=1, event=past))
    row = await desk.signal(event())
    assert (row["status"], row["reason"], row["next_attempt_at"]) == ("expired", "event_closed", None)


async def test_news_of_an_open_event_that_waited_until_the_event_was_over_opens_nothing(
    desk: ExecutorDesk, rows: LedgerRows
) -> None:
    """As after an outage of the executor: the stream keeps for days that an event was opened."""
    long_ago = desk.clock.now() - timedelta(hours=2)
    event_id = await rows.event(status="closed", at=long_ago)
    await desk.opener.handle_event(event(event_id, at=long_ago))
    row = await desk.signal(event(event_id))
    assert (row["status"], row["reason"], row["next_attempt_at"]) == ("skipped", "event_closed", None)


async def test_news_that_waited_is_acted_upon_while_the_event_is_still_open(
    desk: ExecutorDesk, rows: LedgerRows
) -> None:
    """On the event as it stands now, not as it was told."""
    long_ago = desk.clock.now() - timedelta(hours=2)
    event_id = await rows.event(at=long_ago, long_venue="bybit", short_venue="binance", pnl_hat=0.0099)
    book = await desk.open_trade(event(event_id, at=long_ago))
    assert book.trade.pnl_hat == 0.0099


async def test_a_thin_book_opens_nothing(desk: ExecutorDesk) -> None:
    quote(desk.venues["bybit"], "187.99", "188.01", depth="2")
    await desk.opener.handle_event(event())
    assert (await desk.signal(event()))["reason"] == "insufficient_depth"


async def test_an_unreachable_venue_opens_nothing_on_the_other(desk: ExecutorDesk) -> None:
    desk.venues["bybit"].unreachable = True
    await desk.opener.handle_event(event())
    assert (await desk.signal(event()))["reason"] == "venue_unreachable"
    assert desk.venues["binance"].sent == []


async def test_a_position_that_tandem_did_not_open_fails_the_preflight_and_is_left_alone(desk: ExecutorDesk) -> None:
    await desk.venues["bybit"].send(foreign_order("bybit"))
    await desk.opener.handle_event(event())
    row = await desk.signal(event())
    assert (row["status"], row["reason"]) == ("skipped", "preflight_failed")
    assert (row["reason_evidence"]["leg"], row["reason_evidence"]["limit"]) == ("long", "position")
    assert held(desk) == {"bybit": Decimal(1), "binance": 0}


async def test_one_rejected_leg_is_unwound_on_the_other_and_the_trade_fails_flat(desk: ExecutorDesk) -> None:
    desk.venues["binance"].fail_next_send(OrderRejected("binance", "no"))
    await desk.opener.handle_event(event())
    assert (await desk.signal(event()))["status"] == "failed"
    assert held(desk) == {"bybit": 0, "binance": 0}
    purposes = [(o.leg, o.purpose, o.status) for o in (await desk.book(event())).orders]
    assert purposes == [
        (Leg.LONG, "open", "filled"),
        (Leg.SHORT, "open", "rejected"),
        (Leg.LONG, "unwind", "filled"),
    ]


async def test_an_unknown_outcome_that_took_effect_is_found_and_never_sent_again(desk: ExecutorDesk) -> None:
    desk.venues["binance"].fail_next_send(OrderOutcomeUnknown("binance", "timeout"), after_acceptance=True)
    await desk.open_trade(event())
    assert len(desk.venues["binance"].sent) == 1
    assert held(desk) == {"bybit": Decimal("5.2"), "binance": Decimal("-5.2")}


async def test_an_unknown_outcome_that_did_not_is_given_up_only_after_its_time_and_unwound(
    desk: ExecutorDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders, "GIVE_UP_AFTER_SECONDS", 0.2)
    desk.venues["binance"].fail_next_send(OrderOutcomeUnknown("binance", "timeout"), after_acceptance=False)
    await desk.opener.handle_event(event())
    assert (await desk.signal(event()))["status"] == "failed"
    assert held(desk) == {"bybit": 0, "binance": 0}
    assert len(desk.venues["binance"].sent) == 1


async def test_what_the_database_was_waited_for_does_not_age_an_intent(
    desk: ExecutorDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "BEGIN_WITHIN_SECONDS", 2 * WAITED_SECONDS)
    database_is_slow(desk, monkeypatch)
    await desk.open_trade(event())


async def test_a_plan_that_the_database_kept_waiting_is_made_anew(
    desk: ExecutorDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as slow:
        database_is_slow(desk, slow)
        await desk.opener.handle_event(event())
    row = await desk.signal(event())
    assert (row["status"], row["reason"]) == ("skipped", "book_stale")
    assert not (await desk.book(event())).orders
    await desk.opener.handle_retry(RetryDue(signal_id=row["id"], attempt=1, event=event()))
    assert (await desk.signal(event()))["status"] == "open"


async def test_books_that_grew_old_while_the_accounts_were_asked_are_not_traded_on(
    desk: ExecutorDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    preflight, monotonic = desk.opener._planner._preflight, desk.clock.monotonic

    async def slow(proposal: Proposal, sweep: EntrySweep) -> Any:
        monkeypatch.setattr(desk.clock, "monotonic", lambda: monotonic() + WAITED_SECONDS)
        return await preflight(proposal, sweep)

    monkeypatch.setattr(desk.opener._planner, "_preflight", slow)
    await desk.opener.handle_event(event())
    row = await desk.signal(event())
    assert (row["status"], row["reason"]) == ("skipped", "book_stale")
    assert row["reason_evidence"]["waited_for"] == "accounts"
    assert row["next_attempt_at"] is not None
    assert not (await desk.book(event())).orders


async def test_an_intent_that_is_too_old_is_not_sent(desk: ExecutorDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders, "SEND_WITHIN_SECONDS", -1.0)
    await desk.opener.handle_event(event())
    assert (await desk.signal(event()))["status"] == "failed"
    assert not any(venue.sent for venue in desk.venues.values())


async def test_closing_is_reduce_only_on_both_legs_and_ends_flat(desk: ExecutorDesk) -> None:
    book = await desk.open_trade(event())
    gap(desk.venues, "188", "188.1")
    book = await desk.close(book)
    assert (book.trade.status, book.trade.close_reason) == ("closed", "take_profit")
    assert held(desk) == {"bybit": 0, "binance": 0}
    assert [intent.reduce_only for venue in desk.venues.values() for intent in venue.sent] == [False, True, False, True]


async def test_a_failed_closing_leg_is_tried_again_at_once(desk: ExecutorDesk) -> None:
    book = await desk.open_trade(event())
    desk.venues["bybit"].fail_next_send(OrderRejected("bybit", "no"))
    assert (await desk.close(book)).trade.status == "closed"
    assert [intent.reduce_only for intent in desk.venues["bybit"].sent] == [False, True, True]


async def test_a_leg_that_keeps_failing_is_left_for_the_cooldown_and_then_closed(desk: ExecutorDesk) -> None:
    book = await desk.open_trade(event())
    for _ in range(3):
        desk.venues["bybit"].fail_next_send(OrderRejected("bybit", "no"))
    book = await desk.close(book)
    assert book.trade.status == "closing"
    for one in (desk, ExecutorDesk(desk.pool, desk.clock, desk.venues, owner="desk-2")):
        await one.recovery.settle_all()
        assert len(desk.venues["bybit"].sent) == 4, "the cooldown is not over"
    desk.clock.forward(seconds=120)
    await desk.recovery.settle_all()
    assert (await desk.trades.book(book.trade.id)).trade.status == "closed"
    assert held(desk) == {"bybit": 0, "binance": 0}


async def test_a_close_whose_venue_does_not_answer_is_tried_less_and_less_often(
    desk: ExecutorDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    for pause in ("SETTLE_PAUSE_SECONDS_FIRST", "SETTLE_PAUSE_SECONDS_MAX"):
        monkeypatch.setattr(recovery, pause, 600.0)
    book = await desk.open_trade(event())
    asked = 0

    async def away(book: TradeBook) -> TradeBook:
        nonlocal asked
        asked += 1
        raise VenueUnreachable("binance", "no answer")

    await desk.pool.execute("UPDATE watchlist.live_trade_signal SET status = 'closing'")
    with monkeypatch.context() as unreachable:
        unreachable.setattr(desk.closing._runner, "resolve", away)
        for _ in range(3):
            await desk.recovery.settle_all()
    assert asked == 1
    assert (await desk.trades.book(book.trade.id)).trade.status == "closing"


async def test_the_leg_that_a_killed_process_did_not_get_to_is_closed_by_the_next_one_at_once(
    desk: ExecutorDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders, "GIVE_UP_AFTER_SECONDS", 0.2)
    book = await desk.open_trade(event())

    async def dies(intent: OrderIntent) -> OrderReport:
        raise asyncio.CancelledError

    with monkeypatch.context() as killed:
        killed.setattr(desk.venues["binance"], "send", dies)
        with pytest.raises(asyncio.CancelledError):
            await desk.close(book)
    assert held(desk) == {"bybit": 0, "binance": Decimal("-5.2")}
    later = ExecutorDesk(desk.pool, desk.clock, desk.venues, owner="desk-2")
    await later.recovery.settle_all()
    assert held(desk) == {"bybit": 0, "binance": 0}
    assert (await desk.signal(event()))["status"] == "closed"


@pytest.mark.parametrize("state", ["active", "halted"])
async def test_what_became_of_a_closing_order_is_asked_without_a_cooldown_and_in_any_state(
    desk: ExecutorDesk, rows: LedgerRows, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    monkeypatch.setattr(orders, "RESOLVE_WITHIN_SECONDS", 0.1)
    book = await desk.open_trade(event())
    desk.venues["binance"].fail_next_send(OrderOutcomeUnknown("binance", "timeout"), after_acceptance=True)

    async def silent(symbol: str, client_order_id: str) -> OrderReport:
        raise VenueUnreachable("binance", "no answer")

    with monkeypatch.context() as away:
        away.setattr(desk.venues["binance"], "order", silent)
        book = await desk.close(book)
    assert len(book.unresolved_orders) == 1
    await rows.pool.execute("UPDATE watchlist.trading_state SET state = $1", state)
    await desk.recovery.settle_all()
    book = await desk.trades.book(book.trade.id)
    assert not book.unresolved_orders
    assert book.trade.status == ("closed" if state == "active" else "closing")


async def test_a_trade_is_finalised_once_and_equals_the_venues_ledgers(desk: ExecutorDesk) -> None:
    book = await desk.open_trade(event())
    desk.clock.forward(hours=5)  # over the settlement at 16:00
    gap(desk.venues, "188", "188.1")
    book = await desk.close(book)
    await desk.bookkeeper.sweep()
    assert (await desk.signal(event()))["net_pnl_usdt"] is None, "funding may still appear"
    desk.clock.forward(minutes=1)
    await desk.bookkeeper.sweep()
    await desk.bookkeeper.sweep()
    row = await desk.signal(event())
    made = sum(venue.ledger.account.balance for venue in desk.venues.values()) - 20_000
    assert row["net_pnl_usdt"] == made
    paid = [payment.amount for venue in desk.venues.values() for payment in venue.ledger.account.payments]
    assert len(paid) == 2
    assert row["funding_usdt"] == sum(paid)
    assert (await desk.decisions(book.trade.id)).count("finalised") == 1


async def test_a_restart_settles_what_an_earlier_process_left_between_send_and_store(
    desk: ExecutorDesk, database: Database
) -> None:
    book = await desk.open_trade(event())
    await desk.pool.execute("UPDATE watchlist.live_trade_order SET status = 'intent', filled_quantity = 0")
    await desk.pool.execute("UPDATE watchlist.live_trade_entry SET status = 'opening'")
    await desk.pool.execute("UPDATE watchlist.live_trade_signal SET status = 'opening', opened_at = NULL")
    async with executor_desk(database) as later:
        later.venues = desk.venues
        later.__post_init__()
        await later.recovery.settle_all()
        assert (await later.trades.book(book.trade.id)).trade.status == "open"
    assert [len(venue.sent) for venue in desk.venues.values()] == [1, 1]


async def test_a_lease_keeps_a_second_executor_away_until_it_is_stale(desk: ExecutorDesk) -> None:
    book = await desk.open_trade(event())
    other = ExecutorDesk(desk.pool, desk.clock, desk.venues, owner="desk-2")
    assert await desk.trades.take_lease(book.trade.id)
    assert not await other.trades.take_lease(book.trade.id)
    await desk.pool.execute("UPDATE watchlist.live_trade_signal SET lease_until_seconds = 0")
    assert await other.trades.take_lease(book.trade.id)
