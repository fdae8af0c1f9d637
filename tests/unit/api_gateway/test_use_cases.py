"""The gateway's use cases over fakes: waiting for a close, gathering health, counting the history."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from api_gateway.application.force_close import NotClosable, UnknownTrade, force_close
from api_gateway.application.health import gather_health
from api_gateway.application.overview import REST_PER_COUNT, REST_SECONDS_MIN, HistoryTotals, totals
from api_gateway.application.ports import LedgerAway, Operator, ServiceAnswer, TradeStatus
from api_gateway.application.views import ActiveTotals, HistoryCount
from common.runtime.clock import SystemClock

NOON = datetime(2025, 10, 10, 12, tzinfo=UTC)


class StepClock(SystemClock):
    """Real time that moves when a test moves it."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def monotonic(self) -> float:
        return self.seconds


@dataclass
class FakeCloseDesk:
    """Answers with one status after the other; the last one stays. None is a database that is away."""

    statuses: list[str | None]
    requests: list[tuple[int, str, str]] = field(default_factory=list)

    async def status(self, signal_id: int) -> TradeStatus | None:
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        if status is None:
            raise LedgerAway
        if status == "unknown":
            return None
        return TradeStatus(signal_id=signal_id, symbol="SOL", status=status, close_reason=None, closed_at=None)

    async def request(self, trade: TradeStatus, operator: Operator, why: str) -> str:
        self.requests.append((trade.signal_id, operator.who, why))
        return f"close-{trade.signal_id}-operator-{len(self.requests)}"


async def close(desk: FakeCloseDesk, wait_seconds: float) -> tuple[bool, str]:
    outcome = await force_close(desk, SystemClock(), 7, Operator("ada", "127.0.0.1", None), "test", wait_seconds)
    return outcome.is_done, outcome.trade.status


async def test_the_wait_ends_as_soon_as_the_trade_is_closed() -> None:
    desk = FakeCloseDesk(["open", "open", "closing", "closed"])
    assert await close(desk, 20) == (True, "closed")
    assert desk.requests == [(7, "ada", "test")]


async def test_the_wait_ends_in_time_while_the_executor_is_still_at_it() -> None:
    assert await close(FakeCloseDesk(["open", "closing"]), 0.15) == (False, "closing")


async def test_no_wait_answers_with_the_state_after_the_request() -> None:
    assert await close(FakeCloseDesk(["open"]), 0) == (False, "open")


async def test_a_database_that_goes_away_after_the_commit_does_not_undo_the_request() -> None:
    assert await close(FakeCloseDesk(["open", None, "closed"]), 5) == (True, "closed")
    assert await close(FakeCloseDesk(["open", None]), 0) == (False, "open")


async def test_a_database_that_is_away_before_the_request_is_said() -> None:
    with pytest.raises(LedgerAway):
        await close(FakeCloseDesk([None]), 0)


async def test_nothing_is_asked_of_a_trade_that_cannot_be_closed() -> None:
    skipped, unknown = FakeCloseDesk(["skipped"]), FakeCloseDesk(["unknown"])
    with pytest.raises(NotClosable, match="signal 7 is skipped"):
        await close(skipped, 0)
    with pytest.raises(UnknownTrade):
        await close(unknown, 0)
    assert skipped.requests == unknown.requests == []


def answer(service: str, status: str = "ready", problem: str | None = None, **dependencies: str) -> ServiceAnswer:
    return ServiceAnswer(service=service, url=None, status=status, dependencies=dependencies, problem=problem)


class FakeProbe:
    def __init__(self, answers: Iterable[ServiceAnswer]) -> None:
        self.answers = {one.service: one for one in answers}

    async def ask(self, service: str, url: str) -> ServiceAnswer:
        return self.answers[service]


async def own() -> ServiceAnswer:
    return answer("api_gateway", postgres="ok")


async def test_all_ready_is_ready() -> None:
    health = await gather_health(own, FakeProbe([answer("executor", nats="ok")]), {"executor": "http://x"})
    assert (health.status, health.problems) == ("ready", [])
    assert list(health.services) == ["api_gateway", "executor"]


async def test_each_service_that_is_not_ready_is_named_with_what_it_misses() -> None:
    answers = [
        answer("executor", "not_ready", nats="disconnected", postgres="ok"),
        answer("signal_ingest", "unreachable", "ConnectError: refused"),
    ]
    health = await gather_health(own, FakeProbe(answers), dict.fromkeys(("executor", "signal_ingest"), "http://x"))
    assert health.status == "not_ready"
    assert health.problems == [
        "executor is not_ready: nats: disconnected",
        "signal_ingest is unreachable: ConnectError: refused",
    ]


def count(**by_status: int) -> HistoryCount:
    return HistoryCount(counted_at=NOON, by_status=by_status, finalised_trades=1, finalised_net_pnl_usdt=Decimal("0.5"))


class SlowCounter:
    """A count that takes `seconds` of the clock's time."""

    def __init__(self, clock: StepClock, seconds: float) -> None:
        self.clock = clock
        self.seconds = seconds
        self.counts = 0

    async def count_history(self) -> HistoryCount:
        self.counts += 1
        self.clock.seconds += self.seconds
        return count(closed=self.counts)


@pytest.mark.parametrize(("takes", "rests"), [(0.001, REST_SECONDS_MIN), (2.0, 2.0 * REST_PER_COUNT)])
async def test_the_longer_a_count_takes_the_longer_it_rests(takes: float, rests: float) -> None:
    clock = StepClock()
    counter = SlowCounter(clock, takes)
    history = HistoryTotals(counter, clock)
    await history.refresh_when_due()
    clock.seconds += rests * 0.99
    await history.refresh_when_due()
    assert counter.counts == 1
    clock.seconds += rests * 0.02
    await history.refresh_when_due()
    assert counter.counts == 2
    assert history.counted == count(closed=2)


def test_active_counts_are_believed_over_the_counted_history() -> None:
    active = ActiveTotals(by_status={"open": 2, "opening": 0, "closing": 0}, open_notional_usdt=Decimal(100))
    shown = totals(active, count(open=9, closed=4))
    assert shown.by_status == {"open": 2, "opening": 0, "closing": 0, "closed": 4}
    assert totals(active, None).by_status == active.by_status
    assert totals(active, None).finalised_net_pnl_usdt is None
