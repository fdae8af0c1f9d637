"""Every setting of SPEC 9 is shown by the overview with its source, has a test of its effect, and stops each service
with a sentence where it is wrong."""

import asyncio
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from api_gateway.settings import GatewaySettings
from common.persistence.retention import RetentionSettings
from common.runtime.settings import SettingsError, ShownSettings, TradingSettings, load
from executor.settings import ExecutorSettings
from local_stack.services import SERVICES as ALL_SERVICES
from position_monitor.settings import MonitorSettings
from signal_ingest.settings import IngestSettings
from support.ledger_rows import NOON
from support.service_group import LIVE, QUICK, ServiceGroup

SERVICES = ("position_monitor", "api_gateway")
SPEED = 1.0

SETTINGS = {
    "LIVE_TRADING_ENABLED": "0",
    "LIVE_TRADING_MODE": "live",
    "LIVE_TRADING_CONFIRM_LIVE": "yes",
    "LIVE_TRADING_ALLOWED_EXCHANGES": "bybit,binance",
    "LIVE_TRADING_PNL_THRESHOLD": "0.0123",
    "LIVE_TRADING_WIN_PROB_THRESHOLD": "0.77",
    "LIVE_TRADING_HORIZON_MIN": "60",
    "LIVE_TRADING_MAX_CONCURRENT": "3",
    "LIVE_TRADING_PER_LEG_USDT": "75.5",
    "LIVE_TRADING_LEVERAGE": "5",
    "LIVE_TRADING_TP_RATIO": "0.6",
    "LIVE_TRADING_OB_CONFIRM_SAMPLES": "5",
    "LIVE_TRADING_OB_CONFIRM_SLEEP_SEC": "0.2",
    "LIVE_TRADING_MAX_BOOK_AGE_SEC": "0.000001",
    "LIVE_TRADING_MAX_ABS_FUNDING": "0.002",
    "LIVE_TRADING_MONITOR_SEC": "15",
    "LIVE_TRADING_MAX_HOLD_DAYS": "2.5",
    "LIVE_TRADING_STOP_LOSS_TOTAL_PCT": "0.02",
    "LIVE_TRADING_STOP_LOSS_FUNDING_PER_HOUR_PCT": "0.004",
    "LIVE_TRADING_CLOSE_RETRY_COOLDOWN_SEC": "45",
    "LIVE_TRADING_LOOKBACK_MIN": "8",
    "LIVE_TRADING_SCALE_IN_ENABLED": "0",
    "LIVE_TRADING_SCALE_IN_MAX_ENTRIES": "2",
    "LIVE_TRADING_SCALE_IN_TRIGGER_MULT": "1.75",
    "LIVE_TRADING_SCALE_IN_MIN_INTERVAL_MIN": "12",
    "LIVE_TRADING_SCALE_IN_SIGNAL_MAX_AGE_MIN": "14",
    "LIVE_TRADING_SCALE_IN_MAX_TOTAL_NOTIONAL": "500.5",
    "WATCHLIST_TYPEB_SPREAD": "0.02",
    "WATCHLIST_MAX_PLAUSIBLE_SPREAD": "0.2",
    "WATCHLIST_TYPEB_FUNDING_FILTER_MODE": "range",
    "WATCHLIST_TYPEB_FUNDING_NET_COST_MAX": "0.002",
    "WATCHLIST_TYPEB_FUNDING_NET_COST_HORIZON_H": "16",
    "WATCHLIST_TYPEB_FUNDING_MIN": "-0.003",
    "WATCHLIST_TYPEB_FUNDING_MAX": "0.004",
    "WATCHLIST_EVENT_MERGE": "0",
    "WATCHLIST_CONSECUTIVE": "2",
    "WATCHLIST_COOLDOWN_MIN": "6",
}
"""Each at a value that is not its default."""

WRONG = {
    "LIVE_TRADING_ENABLED": ["yes", "true", ""],
    "LIVE_TRADING_MODE": ["dry", "LIVE", ""],
    "LIVE_TRADING_CONFIRM_LIVE": ["no", "YES"],
    "LIVE_TRADING_ALLOWED_EXCHANGES": ["binance", "binance,binance", "Binance,bybit", "binance;bybit", ""],
    "LIVE_TRADING_PNL_THRESHOLD": ["-0.001", "1", "0,01", "nan", "inf"],
    "LIVE_TRADING_WIN_PROB_THRESHOLD": ["-0.1", "1.01", "85%", "nan"],
    "LIVE_TRADING_HORIZON_MIN": ["0", "-5", "inf"],
    "LIVE_TRADING_MAX_CONCURRENT": ["0", "2.5", "many"],
    "LIVE_TRADING_PER_LEG_USDT": ["0", "-50", "NaN", "Infinity", "50 USDT"],
    "LIVE_TRADING_LEVERAGE": ["0", "126", "2x"],
    "LIVE_TRADING_TP_RATIO": ["0", "1.01", "nan"],
    "LIVE_TRADING_OB_CONFIRM_SAMPLES": ["0", "101", "1.5"],
    "LIVE_TRADING_OB_CONFIRM_SLEEP_SEC": ["-0.1", "61", "nan"],
    "LIVE_TRADING_MAX_BOOK_AGE_SEC": ["0", "-1", "inf"],
    "LIVE_TRADING_MAX_ABS_FUNDING": ["-0.1", "1"],
    "LIVE_TRADING_MONITOR_SEC": ["0", "-60", "inf"],
    "LIVE_TRADING_MAX_HOLD_DAYS": ["0", "-7", "inf", "1e12"],
    "LIVE_TRADING_STOP_LOSS_TOTAL_PCT": ["0", "1", "-0.01"],
    "LIVE_TRADING_STOP_LOSS_FUNDING_PER_HOUR_PCT": ["0", "1", "-0.003"],
    "LIVE_TRADING_CLOSE_RETRY_COOLDOWN_SEC": ["0", "-120", "inf", "1e20"],
    "LIVE_TRADING_LOOKBACK_MIN": ["0", "-3", "inf", "1e20"],
    "LIVE_TRADING_SCALE_IN_ENABLED": ["on", "2"],
    "LIVE_TRADING_SCALE_IN_MAX_ENTRIES": ["0", "101", "4.5"],
    "LIVE_TRADING_SCALE_IN_TRIGGER_MULT": ["1", "0.5", "nan", "inf"],
    "LIVE_TRADING_SCALE_IN_MIN_INTERVAL_MIN": ["-1", "nan", "inf", "1e20"],
    "LIVE_TRADING_SCALE_IN_SIGNAL_MAX_AGE_MIN": ["0", "-30", "inf", "1e20"],
    "LIVE_TRADING_SCALE_IN_MAX_TOTAL_NOTIONAL": ["-1", "NaN"],
    "WATCHLIST_TYPEB_SPREAD": ["0", "1", "1%"],
    "WATCHLIST_MAX_PLAUSIBLE_SPREAD": ["0", "1"],
    "WATCHLIST_TYPEB_FUNDING_FILTER_MODE": ["none", "NET_COST", ""],
    "WATCHLIST_TYPEB_FUNDING_NET_COST_MAX": ["-1", "1", "nan"],
    "WATCHLIST_TYPEB_FUNDING_NET_COST_HORIZON_H": ["0", "-8", "inf"],
    "WATCHLIST_TYPEB_FUNDING_MIN": ["-1", "1"],
    "WATCHLIST_TYPEB_FUNDING_MAX": ["-1", "1"],
    "WATCHLIST_EVENT_MERGE": ["no", "-1"],
    "WATCHLIST_CONSECUTIVE": ["0", "1.5"],
    "WATCHLIST_COOLDOWN_MIN": ["0", "-3", "inf", "1e20"],
}

HERE = Path(__file__).parent
ADDRESSES = {"DATABASE_URL": "postgresql://role:word@127.0.0.1:1/x"}
EVERY = {name.upper() for name in TradingSettings.model_fields}


def test_no_setting_is_missing_from_these_tables() -> None:
    assert set(SETTINGS) == EVERY
    assert set(WRONG) == EVERY


def test_every_table_value_differs_from_the_default() -> None:
    given, default = load(TradingSettings, SETTINGS).in_effect(), load(TradingSettings, {}).in_effect()
    assert [name for name in EVERY if given[name]["value"] == default[name]["value"]] == []


def test_every_setting_has_its_effect_tested_through_the_running_services() -> None:
    """A setting counts as tested where a module runs services with it and asserts what came of it."""
    modules = [path.read_text() for path in HERE.glob("test_*_settings.py")]
    set_somewhere = {name for module in modules for name in re.findall(r'^    "([A-Z_]+)": "', module, re.MULTILINE)}
    # The two that decide whether the executor starts at all are tested here.
    assert EVERY - set_somewhere == {"LIVE_TRADING_MODE", "LIVE_TRADING_CONFIRM_LIVE"}


async def test_the_overview_shows_every_setting_with_its_value_and_that_the_environment_set_it(
    group: ServiceGroup,
) -> None:
    shown = (await group.get("api_gateway", "/api/live_trading/overview"))["live_trading_config"]
    assert set(shown) == EVERY
    assert {name for name, item in shown.items() if item["source"] == "environment"} == EVERY
    assert {name: item["value"] for name, item in shown.items()} == {
        name: item["value"] for name, item in load(TradingSettings, SETTINGS).in_effect().items()
    }
    assert shown["LIVE_TRADING_PER_LEG_USDT"]["value"] == "75.5"
    assert shown["LIVE_TRADING_SCALE_IN_ENABLED"]["value"] is False
    assert shown["LIVE_TRADING_ALLOWED_EXCHANGES"]["value"] == ["bybit", "binance"]


async def test_max_book_age_leaves_the_monitor_without_a_price_too(group: ServiceGroup) -> None:
    trade = await group.rows.trade(group.symbol(), at=NOON)
    await group.rows.entry(trade)
    await group.sample(trade.id, "no_book", "book_stale")
    [position] = (await group.get("position_monitor", "/positions"))["items"]
    assert position["evidence"]["rule"]["age_seconds_max"] == 1e-6


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_a_wrong_value_is_answered_with_variable_value_and_what_is_allowed(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load(TradingSettings, {**SETTINGS, name: value})
    sentences = str(refused.value).splitlines()
    assert len(sentences) == 1
    assert sentences[0].startswith(f"{name}={value!r}: "), sentences
    assert len(sentences[0]) > len(f"{name}={value!r}: ") + 10


def test_bounds_that_contradict_each_other_are_named() -> None:
    wrong = {"WATCHLIST_TYPEB_FUNDING_MIN": "0.002", "WATCHLIST_TYPEB_FUNDING_MAX": "0.001"}
    with pytest.raises(SettingsError, match="WATCHLIST_TYPEB_FUNDING_MIN is above WATCHLIST_TYPEB_FUNDING_MAX"):
        load(TradingSettings, wrong)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (TradingSettings, "LIVE_TRADING_PER_LEG_USD"),
        (TradingSettings, "WATCHLIST_COOLDOWN"),
        (ExecutorSettings, "EXECUTOR_DAILY_LOSS_LIMIT"),
        (MonitorSettings, "MONITOR_BOOK_POLL_SECONDS"),
        (IngestSettings, "SCANNER_INTERVAL"),
        (IngestSettings, "PREDICTION_FEE"),
        (RetentionSettings, "RETENTION_AUDIT_MONTH"),
    ],
)
def test_a_name_that_is_no_setting_is_refused(kind: type[ShownSettings], name: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name} is not a setting"):
        load(kind, {**ADDRESSES, name: "50"})


def test_what_is_another_services_is_nobodys_mistake() -> None:
    neighbours = {"EXECUTOR_URL": "http://executor:4012", "EXECUTOR_DATABASE_URL": ADDRESSES["DATABASE_URL"]}
    others = {"EXECUTOR_RAILS_SEC": "5", "MONITOR_BOOK_POLL_SEC": "1", "SCANNER_ENABLED": "0"}
    for kind in (TradingSettings, ExecutorSettings, MonitorSettings, IngestSettings, GatewaySettings):
        load(kind, {**ADDRESSES, **neighbours, **others})


async def end_of(service: str, environment: Mapping[str, str]) -> tuple[int, str]:
    """Exit code and errors of a service that does not start."""
    own = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": "postgresql://role:word-not-to-be-told@127.0.0.1:1/x",
        "NATS_URL": "nats://127.0.0.1:1",
        **{f"VENUE_{venue}_{part}": "word-not-to-be-told" for venue in ("BINANCE", "BYBIT") for part in _KEY_PARTS},
    }
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", service, env={**own, **environment}, stdout=pipe, stderr=pipe
    )
    async with asyncio.timeout(60):
        output, errors = await process.communicate()
    assert process.returncode is not None
    assert b"word-not-to-be-told" not in output + errors
    return process.returncode, errors.decode()


_KEY_PARTS = ("API_KEY", "API_SECRET")


@pytest.mark.parametrize("service", ALL_SERVICES)
async def test_a_service_with_wrong_settings_ends_with_a_sentence_for_each(service: str) -> None:
    wrong = {"LIVE_TRADING_TP_RATIO": "1.5", "WATCHLIST_CONSECUTIVE": "none", "LIVE_TRADING_TPRATIO": "0.5"}
    code, errors = await end_of(service, {**LIVE, **wrong})
    assert code == 2
    assert "Traceback" not in errors
    _, *sentences = errors.strip().splitlines()
    assert sorted(sentence.split("=")[0].split(" ")[0] for sentence in sentences) == sorted(wrong)


async def test_the_executor_starts_in_live_mode_only_confirmed_and_with_keys() -> None:
    told = {
        "LIVE_TRADING_CONFIRM_LIVE=yes": {"LIVE_TRADING_CONFIRM_LIVE": ""},
        "VENUE_BYBIT_API_SECRET": {"VENUE_BYBIT_API_SECRET": ""},
    }
    ends = await asyncio.gather(*(end_of("executor", {**LIVE, **changes}) for changes in told.values()))
    for sentence, (code, errors) in zip(told, ends, strict=True):
        assert code == 2
        assert sentence in errors


def test_the_groups_own_settings_are_none_of_the_tables() -> None:
    shared: Mapping[str, Any] = {**LIVE, **QUICK}
    confirmation = {"LIVE_TRADING_OB_CONFIRM_SAMPLES", "LIVE_TRADING_OB_CONFIRM_SLEEP_SEC"}
    mode = {"LIVE_TRADING_MODE", "LIVE_TRADING_CONFIRM_LIVE", "LIVE_TRADING_ALLOWED_EXCHANGES"}
    assert EVERY & set(shared) == confirmation | mode
