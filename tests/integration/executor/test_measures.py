"""What the executor shows of its ledger, and what its log says when an order fails."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from prometheus_client import REGISTRY

from common.messages.contracts import CloseRequested
from common.runtime import tracing
from common.runtime.logging import configure_logging
from common.venues.errors import OrderRejected
from common.venues.ports import OrderIntent, OrderReport
from executor.adapters.exposure import Exposure
from executor.adapters.trading_states import PostgresRailFigures
from executor.domain.trading_state import TradingState
from support.embedded_stack import Database
from support.executor_desk import ExecutorDesk, event, executor_desk


@pytest.fixture
async def desk(database: Database) -> AsyncIterator[ExecutorDesk]:
    async with executor_desk(database) as made:
        yield made


@pytest.fixture
def _traced() -> Iterator[None]:
    provider = tracing.configure_tracing("test")
    yield
    provider.shutdown()
    tracing.forget_tracing()


def shown(name: str, **labels: str) -> float:
    value = REGISTRY.get_sample_value(name, labels)
    assert value is not None, f"{name} {labels} is not shown"
    return value


def exposure(desk: ExecutorDesk) -> Exposure:
    return Exposure(desk.pool, desk.states, PostgresRailFigures(desk.pool), desk.venues, desk.clock)


async def refuse(intent: OrderIntent) -> OrderReport:
    raise OrderRejected(intent.venue, "margin is insufficient", "-2019")


async def test_an_open_trade_is_shown_with_its_notional_on_each_venue(desk: ExecutorDesk) -> None:
    look = exposure(desk)
    await look.measure()
    assert shown("tandem_trades", status="open") == 0
    book = await desk.open_trade(event())
    await look.measure()
    assert shown("tandem_trades", status="open") == 1
    held = {order.venue: float(order.filled_quantity * order.price) for order in book.orders}
    assert {venue: pytest.approx(shown("tandem_notional_usdt", venue=venue)) for venue in held} == held
    assert min(held.values()) > 900
    assert shown("tandem_one_legged_seconds") == 0
    assert shown("tandem_trading_state", state="active") == 1
    await desk.closing.handle(
        CloseRequested(signal_id=book.trade.id, reason="operator", requested_by="operator:ada", evidence={})
    )
    await look.measure()
    assert shown("tandem_trades", status="open") == 0
    assert shown("tandem_notional_usdt", venue="bybit") == 0


async def test_a_leg_that_stands_alone_is_counted_in_seconds_until_it_is_matched(desk: ExecutorDesk) -> None:
    look = exposure(desk)
    book = await desk.open_trade(event())
    lone = book.orders[0]
    await desk.pool.execute("UPDATE watchlist.live_trade_order SET filled_quantity = 5 WHERE id = $1", lone.id)
    await look.measure()
    await asyncio.sleep(0.02)
    await look.measure()
    assert 0.02 <= shown("tandem_one_legged_seconds") < 60
    residual = {"residual": {lone.leg.value: "-0.2"}}
    await desk.pool.execute("UPDATE watchlist.live_trade_entry SET snapshot = snapshot || $1", residual)
    await look.measure()
    assert shown("tandem_one_legged_seconds") == 0


async def test_what_hangs_is_shown_with_its_age(desk: ExecutorDesk) -> None:
    book = await desk.open_trade(event())
    look = exposure(desk)
    await desk.pool.execute("UPDATE watchlist.live_trade_order SET status = 'unknown' WHERE id = $1", book.orders[0].id)
    await desk.pool.execute(
        "UPDATE watchlist.live_trade_signal SET status = 'closing', close_requested_at = $1", desk.clock.now()
    )
    desk.clock.forward(seconds=90)
    await desk.states.change(TradingState.REDUCING, "a rail", "executor", {})
    await look.measure()
    assert shown("tandem_unresolved_order_oldest_seconds") == 90
    assert shown("tandem_closing_oldest_seconds") == 90
    assert shown("tandem_unfinalised_oldest_seconds") == 0
    assert (shown("tandem_trading_state", state="active"), shown("tandem_trading_state", state="reducing")) == (0, 1)


@pytest.mark.usefixtures("_traced")
async def test_a_line_about_an_order_carries_its_trade_and_the_trades_trace(
    desk: ExecutorDesk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(desk.venues["bybit"], "send", refuse)
    configure_logging("executor", "info", desk.clock)
    with tracing.span("observation"):
        await desk.opener.handle_event(event())
    row = await desk.signal(event())
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {"order.failed", "entry.unwinding"} <= {line["event"] for line in lines}
    assert {line["signal_id"] for line in lines} == {row["id"]}
    assert {line["trace_id"] for line in lines} == {row["traceparent"].split("-")[1]}
    assert all(line["span_id"] for line in lines)


async def test_a_retry_goes_on_with_the_trace_that_the_signal_began_in(desk: ExecutorDesk) -> None:
    """The message of a retry comes from a round over all signals: its trace is not the trade's."""
    provider = tracing.configure_tracing("test")
    seen: list[Any] = []
    original = desk.venues["bybit"].send

    async def send(intent: OrderIntent) -> OrderReport:
        seen.append(tracing.traceparent())
        return await original(intent)

    desk.venues["bybit"].send = send  # type: ignore[method-assign]
    with tracing.span("observation"):
        trade, _ = await desk.signals.record_signal(event())
        began = tracing.traceparent()
    with tracing.span("another"):
        await desk.opener.handle_event(event())
    provider.shutdown()
    tracing.forget_tracing()
    assert began is not None
    assert [text.split("-")[1] for text in seen] == [began.split("-")[1]]
    assert trade.traceparent == began
