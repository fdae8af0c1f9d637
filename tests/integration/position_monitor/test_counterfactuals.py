"""Skipped signals in a real Postgres, as position-monitor's own role: found, followed over a restart, and ended."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest_asyncio

from common.persistence.database import Pool, connect_pool
from position_monitor.adapters.postgres_counterfactuals import PostgresCounterfactuals
from position_monitor.adapters.postgres_ledger import SERVICE
from position_monitor.domain.counterfactual import Counterfactual, Mark, Skipped
from support.embedded_stack import Database
from support.ledger_rows import NOON, LedgerRows

MINUTE = timedelta(minutes=1)


@pytest_asyncio.fixture(loop_scope="session")
async def pool(database: Database) -> AsyncIterator[Pool]:
    pool = await connect_pool(database.dsn_of(SERVICE), SERVICE)
    yield pool
    await pool.close()


@pytest_asyncio.fixture(loop_scope="session")
async def rows(database: Database) -> AsyncIterator[LedgerRows]:
    owner = await connect_pool(database.owner_dsn, "test")
    yield LedgerRows(owner)
    await owner.close()


async def skipped(rows: LedgerRows, **columns: Any) -> int:
    event_id = await rows.event(last_observation={"spread": -0.03})
    return await rows.signal(event_id=event_id, reason="below_threshold", pnl_hat=0.01, **columns)


async def only(store: PostgresCounterfactuals) -> Skipped:
    [found] = await store.found(NOON - MINUTE)
    return found


def begun(found: Skipped) -> Counterfactual:
    return Counterfactual(found, NOON, Decimal("0.5"), Decimal(100), Decimal(102), NOON + timedelta(days=1), NOON)


async def row(rows: LedgerRows) -> dict[str, Any]:
    found = await rows.pool.fetchrow("SELECT * FROM watchlist.live_trade_counterfactual")
    assert found is not None
    return dict(found)


async def test_type_b_signals_that_were_skipped_lately_are_found_once(pool: Pool, rows: LedgerRows) -> None:
    store = PostgresCounterfactuals(pool, 0.7)
    signal_id = await skipped(rows)
    await skipped(rows, type="A")
    await skipped(rows, at=NOON - timedelta(hours=1))
    await rows.trade("BTC")
    found = await only(store)
    assert (found.signal_id, found.reason, found.width) == (signal_id, "below_threshold", 0.03)
    assert found.take_profit_pnl is not None
    assert round(found.take_profit_pnl, 9) == 0.007
    await store.begin(begun(found))
    await store.begin(begun(found))
    assert await store.found(NOON - MINUTE) == []
    assert await store.followed() == [begun(found)]


async def test_another_process_goes_on_where_the_first_one_was(pool: Pool, rows: LedgerRows) -> None:
    await skipped(rows)
    store = PostgresCounterfactuals(pool, 0.7)
    one = begun(await only(store))
    await store.begin(one)
    best = Mark(NOON + MINUTE, Decimal("100.5"), Decimal("101.25"), Decimal("0.123456789"))
    looked = replace(one, looked_at=NOON + MINUTE, looks=1, missed=1, best=best, worst=best)
    await store.save(looked)
    assert await PostgresCounterfactuals(pool, 0.7).followed() == [looked]
    done = replace(looked, looks=2, exit=best, exit_reason="take_profit", is_over=True)
    await store.save(done)
    assert await store.followed() == []
    stored = await row(rows)
    assert (stored["status"], stored["complete"], stored["exit_reason"]) == ("over", True, "take_profit")
    assert stored["exit_pnl_usdt"] == Decimal("0.123456789")


async def test_an_incomplete_one_says_so_and_has_no_figures(pool: Pool, rows: LedgerRows) -> None:
    await skipped(rows)
    store = PostgresCounterfactuals(pool, 0.7)
    await store.refuse(await only(store), "insufficient_depth")
    stored = await row(rows)
    assert (stored["status"], stored["complete"], stored["exit_reason"]) == ("no_entry", False, "insufficient_depth")
    assert (stored["quantity"], stored["best_pnl_usdt"], stored["exit_pnl_usdt"]) == (None, None, None)
    assert await store.found(NOON - MINUTE) == []


async def test_one_that_is_traded_after_all_or_displaced_is_followed_no_more(pool: Pool, rows: LedgerRows) -> None:
    signal_id = await skipped(rows)
    store = PostgresCounterfactuals(pool, 0.7)
    await store.begin(begun(await only(store)))
    await rows.set_status(signal_id, "opening")
    assert await store.followed() == []
    assert (await row(rows))["status"] == "opened"
    await rows.pool.execute("UPDATE watchlist.live_trade_counterfactual SET status = 'followed'")
    await rows.set_status(signal_id, "expired")
    [one] = await store.followed()
    await store.displace(one)
    assert (await row(rows))["status"] == "displaced"
