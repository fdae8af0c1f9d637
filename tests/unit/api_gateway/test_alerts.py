"""What alerts say, how many become one message, and how services are watched."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from api_gateway.application.alert_texts import ErrorRow, UnwoundEntry, of_ban, of_error, of_trade, of_unwind
from api_gateway.application.alerting import AlertDesk, ClaimedAlert, ServiceWatch
from api_gateway.application.health import SystemHealth
from api_gateway.application.measurements import ServiceFigures, SystemFigures, VenueFigures
from api_gateway.application.ports import LedgerAway, ServiceAnswer
from api_gateway.domain.alerts import (
    BACK_OFF_LONGEST_SECONDS,
    Alert,
    AlertKind,
    AlertMessage,
    back_off_seconds,
    messages_of,
)
from common.messages.contracts import TradeChanged
from common.runtime.clock import SystemClock

NOON = datetime(2025, 10, 10, 12, tzinfo=UTC)


def news(status: str, reason: str | None, **detail: Any) -> TradeChanged:
    return TradeChanged(
        signal_id=7, version=3, symbol="SOL", status=status, reason=reason, changed_at=NOON, detail=detail
    )


ENTRY = {"entry": 2, "notional_usdt": "49.98", "entry_spread_pct": 0.01234, "next_trigger_spread_pct": 0.0185}
ACCOUNT = {
    "net_pnl_usdt": "1.25",
    "spread_pnl_usdt": "1.5",
    "fees_usdt": "0.3",
    "funding_usdt": "0.05",
}


@pytest.mark.parametrize(
    ("told", "kind", "title"),
    [
        (news("open", "opened", **ENTRY), "opened", "SOL trade 7 opened: 49.9800 USDT a leg at 1.234%"),
        (
            news("open", "scaled_in", **ENTRY),
            "scaled_in",
            "SOL trade 7 scaled in, entry 2: 49.9800 USDT a leg at 1.234%",
        ),
        (news("closed", "take_profit_pnl"), "closed", "SOL trade 7 closed: take_profit_pnl"),
        (news("closed", "finalised", **ACCOUNT), "finalised", "SOL trade 7 earned +1.2500 USDT net"),
        (
            news("closed", "account_corrected", **ACCOUNT, net_pnl_usdt_before="1.5"),
            "finalised",
            "SOL trade 7 earned +1.2500 USDT net, not +1.5000: a venue told of funding late",
        ),
        (news("closing", "unhedged"), "unhedged", "SOL trade 7 is unhedged and being closed"),
        (news("failed", "entry_failed"), "entry_failed", "SOL trade 7: an entry failed"),
        (news("failed", "finalised", **ACCOUNT), "finalised", "SOL trade 7 earned +1.2500 USDT net"),
    ],
)
def test_what_happens_to_a_trade_is_told_with_figures_and_where_to_look(
    told: TradeChanged, kind: str, title: str
) -> None:
    alert = of_trade(told)
    assert alert is not None
    assert (alert.kind, alert.title, alert.key) == (kind, title, "trade-7-3")
    assert alert.text.startswith(title)
    assert "tandem explain 7" in alert.text


def test_the_final_account_names_each_part_with_its_sign() -> None:
    alert = of_trade(news("closed", "finalised", **ACCOUNT | {"funding_usdt": "-0.05"}))
    assert alert is not None
    assert "spread +1.5000, funding -0.0500, fees paid 0.3000 USDT" in alert.text


def test_an_unknown_figure_is_told_as_unknown() -> None:
    alert = of_trade(news("open", "opened", entry=1))
    assert alert is not None
    assert "unknown USDT a leg at unknown" in alert.title


@pytest.mark.parametrize("status", ["skipped", "expired", "opening", "closing"])
def test_a_step_on_the_way_is_nobodys_alert(status: str) -> None:
    assert of_trade(news(status, "below_threshold")) is None


def test_alarms_bans_unwinds_and_the_trading_state_are_told() -> None:
    alarm = of_error(ErrorRow(5, "executor", "drift_missing", 7, "binance holds 0 SOL, the ledger 1"))
    assert (alarm.kind, alarm.about) == ("alarm", "drift_missing (trade 7)")
    assert "[drift_missing]. See: tandem explain 7" in alarm.text
    state = of_error(ErrorRow(6, "executor", "trading_state_changed", None, "trading is reducing: SOL drifts"))
    assert (state.kind, state.title) == ("state_changed", "Trading is reducing: SOL drifts")
    unwind = of_unwind(UnwoundEntry(7, 1, "SOL", "bybit", "sell", Decimal("0.500")))
    assert "sell 0.5 SOL at bybit, reduce-only" in unwind.text
    ban = of_ban("executor", "binance", 1_000_120.0, 1_000_000.0)
    assert "binance bans executor for another 120 s" in ban.text


def alert(number: int, kind: AlertKind = AlertKind.OPENED) -> Alert:
    return Alert(f"k-{number}", kind, f"trade {number}", f"title {number}", f"text {number}")


def test_few_alerts_are_a_message_each_and_a_burst_is_one_with_the_urgent_first() -> None:
    assert [message.title for message in messages_of([alert(1), alert(2)])] == ["title 1", "title 2"]
    [burst] = messages_of([*(alert(number) for number in range(12)), alert(99, AlertKind.ALARM)])
    assert burst.title == "Tandem: 13 alerts (12 opened, 1 alarm)"
    assert burst.text.splitlines()[0] == "title 99"
    assert burst.text.splitlines()[-1] == "and 3 more"
    assert burst.is_urgent


def test_the_back_off_doubles_up_to_its_longest() -> None:
    assert [back_off_seconds(attempts) for attempts in (1, 2, 3)] == [5, 10, 20]
    assert back_off_seconds(500) == BACK_OFF_LONGEST_SECONDS


class MemoryStore:
    def __init__(self) -> None:
        self.recorded: list[Alert] = []
        self.claimed: list[ClaimedAlert] = []
        self.settled: list[tuple[int, str, list[int]]] = []
        self.is_away = False

    async def record(self, alerts: Sequence[Alert]) -> None:
        if self.is_away:
            raise LedgerAway
        self.recorded += alerts

    async def claim(self) -> list[ClaimedAlert]:
        return self.claimed

    async def settle(
        self, alert_id: int, state: str, delivered_to: Sequence[int], next_attempt_in_seconds: float
    ) -> None:
        self.settled.append((alert_id, state, list(delivered_to)))

    async def new_errors(self) -> list[ErrorRow]:
        return []

    async def new_unwinds(self) -> list[UnwoundEntry]:
        return []


class Address:
    def __init__(self, *, takes: bool = True) -> None:
        self.name = "address"
        self.takes = takes
        self.got: list[AlertMessage] = []

    async def send(self, message: AlertMessage) -> bool:
        if self.takes:
            self.got.append(message)
        return self.takes


def claimed(*, age_seconds: float = 0, delivered_to: frozenset[int] = frozenset()) -> ClaimedAlert:
    return ClaimedAlert(1, alert(1), SystemClock().unix_seconds() - age_seconds, 1, delivered_to)


async def test_an_address_that_has_it_gets_it_only_once_and_the_other_again() -> None:
    store, first, second = MemoryStore(), Address(), Address(takes=False)
    desk = AlertDesk(store, [first, second], 60, SystemClock())
    store.claimed = [claimed()]
    await desk.send_due()
    assert store.settled == [(1, "waiting", [0])]
    second.takes, store.claimed = True, [claimed(delivered_to=frozenset({0}))]
    await desk.send_due()
    assert store.settled[-1] == (1, "delivered", [0, 1])
    assert (len(first.got), len(second.got)) == (1, 1)


async def test_what_nobody_takes_is_given_up_when_it_is_too_old() -> None:
    store = MemoryStore()
    store.claimed = [claimed(age_seconds=61)]
    await AlertDesk(store, [Address(takes=False)], 60, SystemClock()).send_due()
    assert store.settled == [(1, "given_up", [])]


class Services:
    """The health of one service, and the bans, as a test says."""

    def __init__(self) -> None:
        self.status = "ready"
        self.banned_until: datetime | None = None

    async def health(self) -> SystemHealth:
        answer = ServiceAnswer(
            service="executor", url=None, status=self.status, dependencies={"nats": "away"}, problem=None
        )
        return SystemHealth(status=self.status, services={"executor": answer}, problems=[])

    async def figures(self) -> SystemFigures:
        venue = VenueFigures(venue="binance", bans=1, banned_until=self.banned_until, clock_offset_seconds=None)
        figures = ServiceFigures(outbox_oldest_seconds=None, consumers=[], venues=[venue], problem=None)
        return SystemFigures(services={"executor": figures})


async def test_a_service_that_stays_down_is_told_once_and_its_return_too() -> None:
    services, store = Services(), MemoryStore()
    watch = ServiceWatch(
        services.health, services.figures, store, AlertDesk(store, [], 60, SystemClock()), SystemClock()
    )
    await watch.look()
    services.status = "not_ready"
    await watch.look()
    assert store.recorded == []
    await watch.look()
    await watch.look()
    assert [alert.title for alert in store.recorded] == ["executor is not_ready: nats: away"]
    services.status = "ready"
    await watch.look()
    await watch.look()
    assert [alert.kind for alert in store.recorded] == ["service_down", "service_up"]


async def test_while_the_database_is_away_a_service_that_is_down_is_told_all_the_same_and_once() -> None:
    services, store, address = Services(), MemoryStore(), Address(takes=False)
    desk = AlertDesk(store, [address], 60, SystemClock())
    watch = ServiceWatch(services.health, services.figures, store, desk, SystemClock())
    services.status, store.is_away = "not_ready", True
    services.banned_until = datetime.now(UTC) + timedelta(minutes=1)
    await watch.look()
    await watch.look()
    address.takes = True
    await watch.look()
    await watch.look()
    assert [message.title for message in address.got] == ["executor is not_ready: nats: away"]


async def test_a_ban_that_lasts_is_told_and_one_that_is_over_is_not() -> None:
    services, store = Services(), MemoryStore()
    desk = AlertDesk(store, [], 60, SystemClock())
    watch = ServiceWatch(services.health, services.figures, store, desk, SystemClock())
    services.banned_until = datetime.now(UTC) - timedelta(seconds=1)
    await watch.look()
    assert store.recorded == []
    services.banned_until = datetime.now(UTC) + timedelta(minutes=1)
    await watch.look()
    assert [(alert.kind, alert.about) for alert in store.recorded] == [("venue_banned", "binance bans executor")]
