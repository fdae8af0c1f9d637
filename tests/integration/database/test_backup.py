"""What a backup holds comes back, on a server that never saw it, and a restored Tandem opens nothing by itself."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import asyncpg
import pytest
import pytest_asyncio
from alembic import command

from api_gateway.adapters.listings import TableListings
from api_gateway.adapters.signals import PostgresSignals
from api_gateway.adapters.trades import PostgresTrades
from api_gateway.application.ports import Wanted
from common.domain.identifiers import Leg, Purpose, client_order_id
from common.persistence.database import Pool, connect_pool
from common.persistence.migrate import configuration
from common.persistence.retention import make_months
from executor.domain.trading_state import TradingState
from local_stack.ports import Ports
from local_stack.postgres import installation
from local_stack.services import SERVICES, role_of
from local_stack.stack import LocalStack, StackPlan
from support.embedded_stack import Database, quiet_screen
from support.executor_desk import DeskClock, ExecutorDesk, event, executor_desk, gap
from support.ledger_rows import NOON, LedgerRows

SCRIPTS = Path(__file__).parents[3] / "deploy" / "database"
PASSWORD = "as-at-the-installation"


def surroundings(dsn: str) -> dict[str, str]:
    """libpq's environment for the owner, and the PostgreSQL programs of the embedded server."""
    parts = urlsplit(dsn)
    return {
        "PATH": f"{installation() / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PGHOST": parts.hostname or "",
        "PGPORT": str(parts.port),
        "PGUSER": parts.username or "",
        "PGPASSWORD": unquote(parts.password or ""),
        "PGDATABASE": parts.path[1:],
    }


def call(script: str, argument: Path, environment: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [SCRIPTS / script, argument], env=dict(environment), check=False, capture_output=True, text=True, timeout=110
    )


def backup(database: Database, folder: Path) -> Path:
    done = call("backup.sh", folder, surroundings(database.owner_dsn))
    assert (done.returncode, done.stderr) == (0, "")
    return Path(done.stdout.strip())


@dataclass
class EmptyServer:
    """A server without any of Tandem's roles, and one empty database after the other."""

    stack: LocalStack
    count: int = 0

    async def database(self) -> Database:
        self.count += 1
        name = f"restored_{self.count}"
        await self.stack.cluster.create_database(name)
        services = {service: self.stack.cluster.dsn(name, role_of(service), PASSWORD) for service in SERVICES}
        return Database(self.stack.cluster.dsn(name), services)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmptyServer]:
    plan = StackPlan(nats=False, migrate=False, ports=Ports.ephemeral(), var=tmp_path_factory.mktemp("empty"))
    async with LocalStack(plan, quiet_screen()) as stack:
        yield EmptyServer(stack)


async def restore(server: EmptyServer, dump: Path) -> Database:
    """Restored as README.md says: the script, then the roles' passwords."""
    restored = await server.database()
    done = call("restore.sh", dump, surroundings(restored.owner_dsn))
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    owner = await asyncpg.connect(restored.owner_dsn)
    for service in SERVICES:
        await owner.execute(f"ALTER ROLE {role_of(service)} PASSWORD '{PASSWORD}'")
    await owner.close()
    return restored


async def told_by_the_gateway(database: Database) -> dict[str, Any]:
    """The story of each trade, the overview, and every page, as the gateway's own role reads them."""
    pool = await connect_pool(database.dsn_of("api_gateway"), "api_gateway")
    try:
        trades, overview = PostgresTrades(pool), await PostgresSignals(pool, DeskClock()).overview(50)
        stories = [await trades.trade(signal.id) for signal in overview.signals.signals]
        listings = TableListings(pool)
        pages = {
            name: await getattr(listings, name).page(Wanted(100, 2**62))
            for name in ("events", "observations", "orders", "samples", "errors", "audit")
        }
    finally:
        await pool.close()
    return {"overview": overview, "stories": stories, **pages}


@dataclass
class Trading:
    """One account on two venues, with the ledger of today."""

    desk: ExecutorDesk
    database: Database


@pytest_asyncio.fixture(loop_scope="session")
async def trading(database: Database) -> AsyncIterator[Trading]:
    async with executor_desk(database) as desk:
        yield Trading(desk, database)


@asynccontextmanager
async def executor_on(restored: Database, before: ExecutorDesk) -> AsyncIterator[ExecutorDesk]:
    """An executor on the restored ledger and the same venues."""
    pool: Pool = await connect_pool(restored.dsn_of("executor"), "executor")
    yield ExecutorDesk(pool, before.clock, before.venues, owner="after the restore")
    await pool.close()


def held(desk: ExecutorDesk) -> set[Decimal]:
    return {venue.ledger.account.position("SOL").quantity for venue in desk.venues.values()}


async def test_the_gateway_tells_the_same_after_a_restore(
    trading: Trading, server: EmptyServer, tmp_path: Path, rows: LedgerRows
) -> None:
    book = await trading.desk.open_trade(event())
    await rows.pool.execute(
        "INSERT INTO watchlist.live_trade_spread_sample (signal_id, sampled_at, verdict, pnl_complete, evidence) "
        "SELECT $1, $2::timestamptz + n * interval '20 days', 'hold', false, '{}' FROM generate_series(1, 5) n",
        book.trade.id,
        NOON,
    )
    await rows.observation()
    await rows.message("trade.close.requested-of-that-hour")
    last = await rows.audit("decided")
    owner = await asyncpg.connect(trading.database.owner_dsn)
    await make_months(owner, NOON)
    await owner.close()
    dump = backup(trading.database, tmp_path)
    before = await told_by_the_gateway(trading.database)
    restored = await restore(server, dump)
    after = await told_by_the_gateway(restored)
    for name in ("events", "observations", "orders", "samples", "errors"):
        assert after[name] == before[name]
    assert after["overview"].signals == before["overview"].signals
    (story,), (story_before,) = after["stories"], before["stories"]
    same_key = {"order_key": story_before.signal.order_key}
    assert story.signal.model_copy(update=same_key) == story_before.signal
    for part in ("event", "entries", "orders", "fills", "funding", "samples", "turning_points", "audit", "errors"):
        assert getattr(story, part) == getattr(story_before, part)
    # What differs, because a ledger of yesterday must not trade by itself.
    state = after["overview"].trading_state
    assert (state.state, state.reason) == ("halted", f"restored from {dump.name}")
    assert story.signal.order_key != story_before.signal.order_key
    restored_line, *audit = after["audit"].items
    assert restored_line.decision == "database_restored"
    assert audit == before["audit"].items
    owner = await asyncpg.connect(restored.owner_dsn)
    assert await owner.fetchval("SELECT count(*) FROM watchlist.outbox") >= 1
    assert await owner.fetchval("SELECT count(*) FROM watchlist.outbox WHERE published_at IS NULL") == 0
    await owner.close()
    # What comes next: new ids, and the schema that the tables declare.
    assert restored_line.id == last + 1
    await asyncio.to_thread(command.check, configuration(restored.owner_dsn))


async def test_a_restored_executor_settles_its_trades_opens_nothing_and_goes_on_when_told(
    trading: Trading, server: EmptyServer, tmp_path: Path
) -> None:
    book = await trading.desk.open_trade(event())
    dump = backup(trading.database, tmp_path)
    async with executor_on(await restore(server, dump), trading.desk) as desk:
        await desk.recovery.settle_all()
        await desk.reconciler.sweep(desk.closing.handle)
        assert (await desk.trades.book(book.trade.id)).orders == book.orders
        await desk.opener.handle_event(event(2, symbol="ETH"))
        assert (await desk.signal(event(2)))["reason"] == "trading_halted"
        assert (await desk.close(book)).trade.status == "open"
        await desk.states.change(TradingState.ACTIVE, "compared with the venues", "operator:test", {})
        await desk.close(book)
        assert held(desk) == {Decimal(0)}


async def test_what_was_closed_after_the_backup_is_found_at_the_venues_and_booked(
    trading: Trading, server: EmptyServer, tmp_path: Path
) -> None:
    book = await trading.desk.open_trade(event())
    dump = backup(trading.database, tmp_path)
    gap(trading.desk.venues, "189", "189.2")
    known = {order.client_order_id for order in (await trading.desk.close(book)).orders}
    async with executor_on(await restore(server, dump), trading.desk) as desk:
        await desk.states.change(TradingState.REDUCING, "compared with the venues", "operator:test", {})
        for _ in range(3):
            await desk.reconciler.sweep(desk.closing.handle)
        restored = await desk.trades.book(book.trade.id)
        assert [order.purpose for order in restored.orders if order.purpose != "open"] == ["external", "external"]
        assert [restored.position(leg).quantity for leg in Leg] == [Decimal(0), Decimal(0)]
        # The first close from now on is none that the venues know from the life that was lost.
        of_old = client_order_id(book.trade.order_key, 0, Leg.LONG, Purpose.CLOSE, 1)
        of_now = client_order_id(restored.trade.order_key, 0, Leg.LONG, Purpose.CLOSE, 1)
        assert (of_old in known, of_now in known) == (True, False)


async def test_a_backup_is_of_one_moment_while_services_write(
    trading: Trading, server: EmptyServer, tmp_path: Path, rows: LedgerRows
) -> None:
    """Dump and facts are compared by the restore, so rows between them would fail it."""

    async def write() -> None:
        while True:
            await rows.audit("decided")

    writer = asyncio.create_task(write())
    dump = await asyncio.to_thread(backup, trading.database, tmp_path)
    assert not writer.done()
    writer.cancel()
    await restore(server, dump)


async def test_a_restore_that_differs_from_its_backup_says_in_what(
    trading: Trading, server: EmptyServer, tmp_path: Path, rows: LedgerRows
) -> None:
    await rows.entry(await rows.trade())
    dump = backup(trading.database, tmp_path)
    facts = dump.with_suffix(".facts")
    assert "\nwatchlist.live_trade_fill 2 rows, checksum " in facts.read_text()
    assert "\nfills binance buy 50.0 USDT, fees 0.02500\n" in facts.read_text()
    facts.write_text(facts.read_text().replace("watchlist.live_trade_fill 2 rows", "watchlist.live_trade_fill 3 rows"))
    restored = await server.database()
    done = call("restore.sh", dump, surroundings(restored.owner_dsn))
    assert done.returncode == 1
    assert "< watchlist.live_trade_fill 3 rows" in done.stdout
    assert "do not start on it" in done.stderr


async def test_a_database_with_the_schema_is_not_restored_over(
    trading: Trading, tmp_path: Path, rows: LedgerRows
) -> None:
    dump = backup(trading.database, tmp_path)
    await rows.audit("of today")
    done = call("restore.sh", dump, surroundings(trading.database.owner_dsn))
    assert (done.returncode, done.stderr) == (
        2,
        "the database has the schema already: restore into an empty one\n",
    )
    assert await rows.pool.fetchval("SELECT count(*) FROM watchlist.audit") == 1


@pytest.mark.parametrize("broken", [{"PGPASSWORD": "wrong"}, {"PGPORT": "1"}, {"PGDATABASE": "nowhere"}])
async def test_a_backup_that_fails_leaves_nothing_that_looks_like_one(
    database: Database, tmp_path: Path, broken: dict[str, str]
) -> None:
    done = call("backup.sh", tmp_path, surroundings(database.owner_dsn) | broken)
    assert done.returncode != 0
    assert done.stderr
    assert os.listdir(tmp_path) == []


async def test_a_dump_that_breaks_off_leaves_nothing_that_looks_like_one(database: Database, tmp_path: Path) -> None:
    programs, folder = tmp_path / "programs", tmp_path / "backups"
    programs.mkdir()
    folder.mkdir()
    (programs / "pg_dump").write_text("#!/bin/sh\nfor last; do :; done\necho half > ${last#--file=}\nexit 1\n")
    (programs / "pg_dump").chmod(0o755)
    environment = surroundings(database.owner_dsn)
    done = call("backup.sh", folder, environment | {"PATH": f"{programs}{os.pathsep}{environment['PATH']}"})
    assert (done.returncode, done.stderr) == (1, "pg_dump failed: there is no backup\n")
    assert os.listdir(folder) == []
