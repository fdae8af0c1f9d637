"""Every list is read in keyset pages, filtered by known names, and refuses what it does not know."""

from datetime import timedelta
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest

from support.ledger_rows import NOON, LedgerRows

from .conftest import Gateway

PREFIX = "/api/live_trading"
LISTS = [
    f"{PREFIX}/{name}" for name in ("signals", "events", "observations", "positions", "orders", "errors", "scale_in")
]
ROWS = 5


async def fill(rows: LedgerRows) -> int:
    """Five rows for every list; returns the id of the first trade."""
    first = 0
    for number in range(ROWS):
        trade = await rows.trade(f"SYM{number}", at=NOON + timedelta(minutes=number))
        first = first or trade.id
        await rows.entry(trade)
        await rows.error(signal_id=trade.id)
        await rows.observation(symbol=trade.symbol)
    return first


async def read_all(http: httpx.AsyncClient, path: str, **query: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    before: int | None = None
    while True:
        page = (await http.get(path, params=query | ({"before": before} if before else {}))).json()
        items += page["items"]
        before = page["next"]
        if before is None:
            return items
        assert len(page["items"]) == query["limit"]


@pytest.mark.parametrize("path", LISTS)
async def test_pages_hold_everything_once_newest_first(gateway: Gateway, rows: LedgerRows, path: str) -> None:
    await fill(rows)
    whole = await read_all(gateway.http, path, limit=200)
    key = "id" if "id" in whole[0] else "signal_id"
    ids = [item[key] for item in whole]
    assert ids == sorted(set(ids), reverse=True)
    assert len(ids) >= ROWS
    for limit in (1, 2, ROWS):
        assert await read_all(gateway.http, path, limit=limit) == whole


@pytest.mark.parametrize("path", [*LISTS, "/api/audit", f"{PREFIX}/samples"])
async def test_a_misspelt_filter_is_refused_and_named(gateway: Gateway, path: str) -> None:
    answer = await gateway.http.get(path, params={"signal_id": 1, "stauts": "open"})
    assert answer.status_code == 422
    assert "query.stauts" in [error["field"] for error in answer.json()["errors"]]


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("signals", {"status": "opne"}),
        ("signals", {"symbol": "sol"}),
        ("signals", {"symbol": "SOL\x00"}),
        ("signals", {"before": 0}),
        ("signals", {"before": 2**63}),
        ("events", {"type": "D"}),
        ("orders", {"venue": "Binance"}),
        ("orders", {"signal_id": "first"}),
        ("samples", {"signal_id": 0}),
        ("errors", {"service": "the executor"}),
        ("errors", {"symbol": "sol"}),
        ("observations", {"venue": "Bybit"}),
        ("observations", {"from": "yesterday"}),
        ("samples", {"to": "2025-10-10T12:00:00", "signal_id": 1}),
        ("positions", {"status": "closed"}),
        ("scale_in", {"status": "skipped"}),
        ("/api/audit", {"symbol": "sol"}),
        ("/api/audit", {"symbol": ""}),
        ("/api/audit", {"decision": "Opened"}),
    ],
)
async def test_a_wrong_value_is_named_with_what_is_allowed(gateway: Gateway, path: str, query: dict[str, Any]) -> None:
    answer = await gateway.http.get(urljoin(f"{PREFIX}/", path), params=query)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    error = answer.json()["errors"][0]
    name, value = next(iter(query.items()))
    assert (error["field"], error["value"]) == (f"query.{name}", str(value))
    assert error["allowed"]


async def test_samples_need_to_know_of_which_trade(gateway: Gateway) -> None:
    answer = await gateway.http.get(f"{PREFIX}/samples")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "query.signal_id"


async def test_filters_narrow_the_lists(gateway: Gateway, rows: LedgerRows) -> None:
    first = await fill(rows)
    await rows.signal("SYM1", status="expired")

    async def found(path: str, **query: Any) -> list[dict[str, Any]]:
        return await read_all(gateway.http, f"{PREFIX}/{path}", limit=50, **query)

    assert [item["status"] for item in await found("signals", status="expired")] == ["expired"]
    assert [item["status"] for item in await found("signals", symbol="SYM1")] == ["expired", "open"]
    assert len(await found("signals", symbol="SYM1", status="open")) == 1
    assert {item["leg"] for item in await found("orders", venue="bybit")} == {"short"}
    assert len(await found("orders", signal_id=first)) == 2
    assert await found("orders", status="unknown") == []
    assert len(await found("errors", signal_id=first, service="executor", kind="venue_unreachable")) == 1
    assert len(await found("events", symbol="SYM2", status="open", type="B")) == 1
    assert await found("scale_in", status="closing") == []


def at(minute: int) -> str:
    return (NOON + timedelta(minutes=minute)).isoformat()


async def test_observations_by_venue_and_time_whenever_they_were_posted(gateway: Gateway, rows: LedgerRows) -> None:
    """Each page holds what the filter allows, though times do not grow with the ids."""
    made = []
    for minute, long_venue in ((3, "binance"), (0, "okx"), (2, "gate"), (1, "okx"), (2, "okx")):
        when = NOON + timedelta(minutes=minute)
        made.append(await rows.observation(long_venue=long_venue, short_venue="bybit", at=when))

    async def found(**query: Any) -> list[int]:
        items = await read_all(gateway.http, f"{PREFIX}/observations", **{"limit": 1, **query})
        return [made.index(item["id"]) for item in items]

    assert await found(venue="okx") == [4, 3, 1]
    assert await found(venue="bybit", limit=2) == [4, 3, 2, 1, 0]
    assert await found(**{"from": at(2)}) == [4, 2, 0]
    assert await found(to=at(1)) == [3, 1]
    assert await found(**{"from": at(1), "to": at(2)}) == [4, 3, 2]
    assert await found(venue="okx", symbol="SOL", **{"from": at(1), "to": at(1)}) == [3]


async def test_samples_of_a_trade_by_time(gateway: Gateway, rows: LedgerRows) -> None:
    trade, other = await rows.trade(), await rows.trade("ETH")
    made = [await rows.sample(trade, at=NOON + timedelta(minutes=minute)) for minute in range(4)]
    await rows.sample(other)

    async def found(**query: Any) -> list[int]:
        items = await read_all(gateway.http, f"{PREFIX}/samples", limit=1, signal_id=trade.id, **query)
        return [made.index(item["id"]) for item in items]

    assert await found() == [3, 2, 1, 0]
    assert await found(**{"from": at(2)}) == [3, 2]
    assert await found(to=at(1), verdict="hold") == [1, 0]
    assert await found(**{"from": at(1), "to": at(2)}) == [2, 1]


async def test_errors_are_found_by_what_they_are_about_or_by_their_trade(gateway: Gateway, rows: LedgerRows) -> None:
    trade = await rows.trade("SOL")
    strange = {"venue": "okx", "symbol": "ETH"}
    made = [
        await rows.error(signal_id=trade.id, detail={"venue": "bybit"}),
        await rows.error(signal_id=trade.id, detail={"lost_usdt": "3"}),
        await rows.error(detail=strange, at=NOON + timedelta(minutes=1)),
        await rows.error(signal_id=trade.id, detail=strange),
        await rows.error(detail={}),
    ]

    async def found(**query: Any) -> list[int]:
        items = await read_all(gateway.http, f"{PREFIX}/errors", limit=1, **query)
        return [made.index(item["id"]) for item in items]

    assert await found() == [4, 3, 2, 1, 0]
    assert await found(symbol="SOL") == [1, 0]
    assert await found(symbol="ETH") == [3, 2]
    assert await found(venue="bybit") == [1, 0]
    assert await found(venue="binance") == [1]
    assert await found(venue="okx", signal_id=trade.id) == [3]
    assert await found(symbol="ETH", **{"from": at(1)}) == [2]


async def test_scale_in_positions_and_alerts_narrow_by_the_same_names(gateway: Gateway, rows: LedgerRows) -> None:
    for minute, (symbol, status) in enumerate([("SOL", "open"), ("ETH", "closing"), ("BTC", "open")]):
        await rows.trade(symbol, status=status, at=NOON + timedelta(minutes=minute))
    alert = await rows.alert("first")

    async def symbols(path: str, **query: Any) -> list[str]:
        return [item["symbol"] for item in await read_all(gateway.http, f"{PREFIX}/{path}", limit=1, **query)]

    assert await symbols("scale_in", venue="bybit") == ["BTC", "SOL"]
    assert await symbols("scale_in", venue="okx") == []
    assert await symbols("scale_in", **{"from": at(1)}) == ["BTC"]
    assert await symbols("positions", status="closing") == ["ETH"]
    assert await symbols("positions", status="open", venue="binance", symbol="SOL") == ["SOL"]
    assert [item["id"] for item in await read_all(gateway.http, "/api/alerts", limit=1, to=at(0))] == [alert]
    assert await read_all(gateway.http, "/api/alerts", limit=1, **{"from": at(1)}) == []


async def test_the_audit_gathers_all_services_and_narrows_to_one_trade_or_symbol(
    gateway: Gateway, rows: LedgerRows
) -> None:
    trade = await rows.trade()
    await rows.audit("direction_flap", "executor", trade.id)
    await rows.audit("take_profit_rejected", "position_monitor", trade.id)
    await rows.audit("event_opened", "signal_ingest", at=NOON + timedelta(days=40), symbol="ETH")
    await rows.audit("trading_state_changed", at=NOON + timedelta(days=40), symbol=None)
    await rows.audit("event_closed", "signal_ingest", at=NOON + timedelta(days=40))

    async def decisions(**query: Any) -> list[str]:
        return [item["decision"] for item in await read_all(gateway.http, "/api/audit", limit=2, **query)]

    of_sol = ["event_closed", "take_profit_rejected", "direction_flap"]
    assert await decisions() == ["event_closed", "trading_state_changed", "event_opened", *of_sol[1:]]
    assert await decisions(signal_id=trade.id) == ["take_profit_rejected", "direction_flap"]
    assert await decisions(symbol="SOL") == of_sol
    assert await decisions(symbol="SOL", service="executor") == ["direction_flap"]
    assert await decisions(symbol="SOL", **{"from": at(1)}) == ["event_closed"]
    assert await decisions(symbol="ETH") == ["event_opened"]
    assert await decisions(symbol="DOGE") == []
    assert await decisions(service="executor") == ["trading_state_changed", "direction_flap"]
    assert await decisions(decision="event_closed") == ["event_closed"]


async def test_positions_set_the_ledger_beside_the_venues(gateway: Gateway, rows: LedgerRows) -> None:
    trade = await rows.trade()
    await rows.entry(trade, quantity="0.5")
    await rows.filled_order(trade, "long", "unwind", "sell", "100", "0.1")
    await rows.venue_position("binance", "SOL", "0.4")
    await rows.venue_position("bybit", "SOL", "-0.3")
    [position] = (await gateway.http.get(f"{PREFIX}/positions")).json()["items"]
    long, short = position["legs"]
    assert (long["ledger_quantity"], long["venue_quantity"], long["difference"]) == ("0.4", "0.4", "0.0")
    assert (short["ledger_quantity"], short["venue_quantity"], short["difference"]) == ("-0.5", "-0.3", "0.2")
    assert long["average_entry_price"] == "100"


async def test_a_venue_that_nobody_has_read_is_unknown_and_not_flat(gateway: Gateway, rows: LedgerRows) -> None:
    await rows.entry(await rows.trade())
    [position] = (await gateway.http.get(f"{PREFIX}/positions")).json()["items"]
    assert [leg["venue_quantity"] for leg in position["legs"]] == [None, None]
    assert [leg["difference"] for leg in position["legs"]] == [None, None]


async def test_the_scale_in_view_says_where_the_next_entry_would_be(gateway: Gateway, rows: LedgerRows) -> None:
    evidence = [{"event_id": 7, "last_observed_at": "2025-10-10T12:59:00Z"}]
    trade = await rows.trade(payload={"scale_in": {"entries_count": 2, "used_evidence": evidence}})
    await rows.entry(trade, 1, long_buy="100", short_sell="101.2")
    await rows.entry(trade, 2, long_buy="100", short_sell="102", at=NOON + timedelta(hours=1))
    await rows.sample(trade)
    [state] = (await gateway.http.get(f"{PREFIX}/scale_in", params={"status": "open"})).json()["items"]
    assert (state["entries_count"], state["max_entries"], state["trigger_mult"]) == (2, 4, 1.5)
    assert state["entry_spread_pct_first"] == pytest.approx(0.012)
    assert state["next_trigger_spread_pct"] == pytest.approx(0.012 * 1.5**2)
    assert state["last_scale_in_at"] == "2025-10-10T13:00:00Z"
    assert state["used_evidence"] == evidence
    assert state["latest_sample"]["exit_spread_pct"] == 0.0151
    assert [entry["entry"] for entry in state["entries"]] == [1, 2]
