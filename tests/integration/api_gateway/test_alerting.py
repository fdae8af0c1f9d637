"""Alerts arrive at a receiver, once each, whatever the receiver, the database's writers and the gateways do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from api_gateway import bootstrap
from common.messages.contracts import TradeChanged
from common.messages.envelope import Envelope
from common.messages.subjects import TRADE_CHANGED
from common.runtime.clock import SystemClock
from common.runtime.service import end
from common.runtime.settings import SettingsError
from support.alert_receiver import SECRET, Receiver, receiving
from support.embedded_stack import Database
from support.ledger_rows import NOON, LedgerRows

from .conftest import Gateway, gateway_over, until
from .test_process import run

ENTRY = {"entry": 1, "notional_usdt": "50", "entry_spread_pct": 0.012, "next_trigger_spread_pct": 0.018}


@pytest_asyncio.fixture(loop_scope="session")
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver on a port of its own."""
    async with receiving() as receiver:
        yield receiver


@pytest.fixture(autouse=True)
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loops run often, and what failed is tried again soon; who is slow to answer is not down."""
    monkeypatch.setattr("api_gateway.adapters.service_health.ANSWER_SECONDS_MAX", 20.0)
    monkeypatch.setattr("api_gateway.adapters.measures.ANSWER_SECONDS_MAX", 20.0)
    monkeypatch.setattr(bootstrap, "ALERT_SECONDS", 0.05)
    monkeypatch.setattr(bootstrap, "SERVICE_LOOK_SECONDS", 0.1)
    monkeypatch.setattr("api_gateway.application.alerting.back_off_seconds", lambda attempts: 0.2)


@asynccontextmanager
async def alerting(database: Database, nats_url: str, receiver: Receiver, **settings: str) -> AsyncIterator[Gateway]:
    """A gateway that looks, listens and sends."""
    urls = dict.fromkeys(
        ("SIGNAL_INGEST_URL", "EXECUTOR_URL", "POSITION_MONITOR_URL"), f"http://127.0.0.1:{receiver.port}"
    )
    configured = {"ACCESS_REQUIRED": "0", "ALERT_URLS": receiver.url, **urls, **settings}
    async with gateway_over(database, nats_url, configured) as gateway:
        tasks = [asyncio.create_task(work()) for work in gateway.alerting]
        try:
            yield gateway
        finally:
            await end(tasks)


async def tell(gateway: Gateway, version: int, status: str, reason: str, **detail: Any) -> None:
    """News of trade 7, as the executor tells it."""
    news = TradeChanged(
        signal_id=7, version=version, symbol="SOL", status=status, reason=reason, changed_at=NOON, detail=detail
    )
    envelope = Envelope(
        id=f"trade-7-{version}",
        subject=TRADE_CHANGED,
        producer="executor",
        sent_at=NOON,
        committed_at_seconds=SystemClock().unix_seconds(),
        payload=news.model_dump(mode="json"),
    )
    assert await gateway.bus.publish(TRADE_CHANGED, envelope.model_dump_json().encode(), envelope.id)


async def arrives(receiver: Receiver, title: str) -> None:
    async def is_there() -> bool:
        return any(got.startswith(title) for got in receiver.titles)

    await until(is_there)


async def test_every_kind_arrives_once_from_two_gateways(
    database: Database, nats_url: str, rows: LedgerRows, receiver: Receiver, capfd: pytest.CaptureFixture[str]
) -> None:
    trade = await rows.trade("SOL")
    async with AsyncExitStack() as gateways:
        gateway = await gateways.enter_async_context(alerting(database, nats_url, receiver))
        await gateways.enter_async_context(alerting(database, nats_url, receiver))
        await tell(gateway, 1, "open", "opened", **ENTRY)
        await arrives(receiver, "SOL trade 7 opened: 50.0000 USDT a leg at 1.200%")
        await tell(gateway, 2, "open", "scaled_in", **ENTRY | {"entry": 2})
        await arrives(receiver, "SOL trade 7 scaled in, entry 2")
        await tell(gateway, 3, "closing", "unhedged")
        await arrives(receiver, "SOL trade 7 is unhedged")
        await tell(gateway, 4, "closed", "unhedged")
        await arrives(receiver, "SOL trade 7 closed: unhedged")
        await tell(gateway, 5, "closed", "finalised", net_pnl_usdt="-0.5", fees_usdt="0.2")
        await arrives(receiver, "SOL trade 7 earned -0.5000 USDT net")
        await tell(gateway, 6, "open", "entry_failed")
        await arrives(receiver, "SOL trade 7: an entry failed")
        await rows.filled_order(trade, "long", "unwind", "sell", "100", "0.1")
        await arrives(receiver, f"SOL trade {trade.id}: a stray leg of entry")
        await rows.error(kind="drift_missing", message="binance holds nothing", signal_id=trade.id)
        await arrives(receiver, "executor: binance holds nothing")
        await rows.error(kind="trading_state_changed", message="trading is halted: a test", signal_id=None)
        await arrives(receiver, "Trading is halted: a test")
        receiver.banned_until_seconds = SystemClock().unix_seconds() + 60
        await until(lambda: kinds(gateway, "venue_banned", 3))
        receiver.banned_until_seconds = 0
        receiver.is_service_ready = False
        await until(lambda: kinds(gateway, "service_down", 3))
        receiver.is_service_ready = True
        await until(lambda: kinds(gateway, "service_up", 3))
        await until(lambda: nothing_waits(gateway))
        told = await delivered(gateway)
    assert sorted(told) == sorted(
        [
            *("opened", "scaled_in", "unhedged", "closed", "finalised", "entry_failed", "unwound", "alarm"),
            "state_changed",
            *("venue_banned", "service_down", "service_up") * 3,
        ]
    )
    singles = [title for title in receiver.titles if "alerts (" not in title]
    assert len(set(singles)) == len(singles)
    said = "".join(capfd.readouterr())
    assert SECRET not in said


async def kinds(gateway: Gateway, kind: str, count: int) -> bool:
    """Whether so many alerts of a kind are on their way or there."""
    listed = (await gateway.http.get("/api/alerts", params={"kind": kind})).json()["items"]
    return len([one for one in listed if one["state"] in ("waiting", "delivered")]) >= count


async def nothing_waits(gateway: Gateway) -> bool:
    return not (await gateway.http.get("/api/alerts", params={"state": "waiting"})).json()["items"]


async def delivered(gateway: Gateway) -> list[str]:
    listed = (await gateway.http.get("/api/alerts", params={"state": "delivered", "limit": 200})).json()["items"]
    return [one["kind"] for one in listed]


async def test_a_receiver_that_is_away_is_tried_again_and_gets_it_once(
    database: Database, nats_url: str, rows: LedgerRows, receiver: Receiver, capfd: pytest.CaptureFixture[str]
) -> None:
    receiver.status = 503
    async with alerting(database, nats_url, receiver) as gateway:
        await rows.error(kind="unwind_loss", message="unwinding cost 3 USDT", signal_id=None)
        await until(lambda: asked_times(receiver, 3))
        receiver.status = 200
        await arrives(receiver, "executor: unwinding cost 3 USDT")
        await until(lambda: nothing_waits(gateway))
        [alert] = (await gateway.http.get("/api/alerts")).json()["items"]
    assert (alert["state"], alert["delivered_to"]) == ("delivered", [0])
    assert alert["attempts"] >= 4
    assert len(receiver.got) == 1
    said = "".join(capfd.readouterr())
    assert "alert.not_delivered" in said
    assert SECRET not in said


async def asked_times(receiver: Receiver, times: int) -> bool:
    return receiver.asked >= times


async def test_the_same_alarm_of_the_same_trade_is_told_once_and_others_are_not_held_back(
    database: Database, nats_url: str, rows: LedgerRows, receiver: Receiver
) -> None:
    async with alerting(database, nats_url, receiver, ALERT_KINDS="alarm") as gateway:
        for _ in range(3):
            await rows.error(kind="drift_missing", message="first trade", signal_id=1)
        await rows.error(kind="drift_missing", message="second trade", signal_id=2)
        await tell(gateway, 1, "open", "opened", **ENTRY)
        await until(lambda: listed_states(gateway, 5))
        listed = (await gateway.http.get("/api/alerts")).json()["items"]
    assert sorted(one["state"] for one in listed) == ["delivered"] * 2 + ["throttled"] * 2 + ["unwanted"]
    assert sorted(receiver.titles) == ["executor: first trade (trade 1)", "executor: second trade (trade 2)"]


async def listed_states(gateway: Gateway, count: int) -> bool:
    listed = (await gateway.http.get("/api/alerts")).json()["items"]
    return len(listed) == count and all(one["state"] != "waiting" for one in listed)


async def test_a_burst_is_one_message(database: Database, nats_url: str, rows: LedgerRows, receiver: Receiver) -> None:
    for number in range(6):
        await rows.error(kind="drift_missing", message=f"trade {number} drifts", signal_id=number + 1)
    async with alerting(database, nats_url, receiver):
        await arrives(receiver, "Tandem: 6 alerts (6 alarm)")
    assert len(receiver.got) == 1
    assert "trade 5 drifts" in receiver.got[0]["message"]


async def test_while_a_receiver_hangs_everything_else_goes_on(
    database: Database, nats_url: str, rows: LedgerRows, receiver: Receiver
) -> None:
    receiver.hangs = True
    async with alerting(database, nats_url, receiver) as gateway:
        await rows.error(kind="unwind_loss", message="first", signal_id=None)
        await until(lambda: asked_times(receiver, 1))
        await tell(gateway, 1, "open", "opened", **ENTRY)
        await until(lambda: kinds(gateway, "opened", 1))
        async with asyncio.timeout(20):
            assert (await gateway.http.get("/api/live_trading/overview")).status_code == 200
        receiver.released.set()
        await arrives(receiver, "SOL trade 7 opened")


async def test_a_test_alert_says_whether_it_arrived(database: Database, nats_url: str, receiver: Receiver) -> None:
    async with alerting(database, nats_url, receiver, ALERT_KINDS="opened") as gateway:
        done = await gateway.http.post("/api/alerts/test", json={"who": "ada", "wait_seconds": 30})
        receiver.status = 500
        not_yet = await gateway.http.post("/api/alerts/test", json={"wait_seconds": 0.3})
    assert (done.status_code, done.json()["is_delivered"]) == (200, True)
    assert receiver.got[0]["message"] == "ada asked for this test. Nothing happened."
    assert (not_yet.status_code, not_yet.json()["is_delivered"]) == (202, False)


async def test_without_an_address_alerts_are_off_and_say_so(gateway: Gateway) -> None:
    answer = await gateway.http.post("/api/alerts/test", json={})
    assert answer.status_code == 409
    assert "ALERT_URLS" in answer.json()["detail"]
    assert gateway.alerting == []


@pytest.mark.parametrize(
    ("settings", "place"),
    [
        ({"ALERT_URLS": f"json://127.0.0.1/ slack://{SECRET}"}, "ALERT_URLS, address 2 (slack://...)"),
        ({"ALERT_URLS": SECRET}, "ALERT_URLS, address 1 (without a scheme"),
        ({"ALERT_URLS": f"https-not://{SECRET}"}, "ALERT_URLS, address 1 (without a scheme"),
        ({"ALERT_URLS_FILE": "/nowhere/urls"}, "ALERT_URLS_FILE='/nowhere/urls'"),
        ({"ALERT_KINDS": "opened,shut"}, "ALERT_KINDS="),
        ({"ALERT_THROTTLE_SEC": "-1"}, "ALERT_THROTTLE_SEC='-1'"),
        ({"ALERT_GIVE_UP_MIN": "0"}, "ALERT_GIVE_UP_MIN='0'"),
    ],
)
def test_a_wrong_setting_is_named_by_its_place_and_never_by_an_address(
    settings: dict[str, str], place: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SettingsError) as refused:
        bootstrap.read_configuration({"DATABASE_URL": "postgresql://a@b/x", "ACCESS_REQUIRED": "0", **settings})
    assert place in str(refused.value)
    assert SECRET not in str(refused.value) + "".join(capfd.readouterr())


async def test_a_wrong_address_in_the_file_stops_the_process(tmp_path: Path) -> None:
    file = tmp_path / "urls"
    file.write_text(f"json://127.0.0.1/\nmailto://ada:{SECRET}@\n")
    environment = {"DATABASE_URL": "postgresql://a@127.0.0.1:1/x", "ACCESS_REQUIRED": "0", "ALERT_URLS_FILE": str(file)}
    code, output, errors = await run("-m", "api_gateway", environment=environment)
    assert code == 2
    assert "ALERT_URLS_FILE, address 2 (mailto://...)" in errors
    assert SECRET not in output + errors


async def test_without_a_throttle_every_alarm_is_told(
    database: Database, nats_url: str, rows: LedgerRows, receiver: Receiver
) -> None:
    async with alerting(database, nats_url, receiver, ALERT_THROTTLE_SEC="0") as gateway:
        for _ in range(2):
            await rows.error(kind="drift_missing", message="first trade", signal_id=1)
        await until(lambda: listed_states(gateway, 2))
    assert len(receiver.got) == 2


async def test_an_alert_that_nobody_takes_is_given_up(
    database: Database, nats_url: str, rows: LedgerRows, receiver: Receiver
) -> None:
    receiver.status = 500
    async with alerting(database, nats_url, receiver, ALERT_GIVE_UP_MIN="0.01") as gateway:
        await rows.error()
        await until(lambda: listed_states(gateway, 1))
        [alert] = (await gateway.http.get("/api/alerts")).json()["items"]
    assert alert["state"] == "given_up"


async def test_the_settings_are_shown_without_the_addresses(
    database: Database, nats_url: str, receiver: Receiver
) -> None:
    async with alerting(database, nats_url, receiver) as gateway:
        shown = (await gateway.http.get("/settings")).text
    assert "ALERT_THROTTLE_SEC" in shown
    assert SECRET not in shown
