"""The command `tandem` against the real gateway over a real database: what an operator reads, and what is recorded."""

import asyncio
import os
import pty
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from pathlib import Path

import pytest
import pytest_asyncio

from common.messages.contracts import CloseRequested, FlattenRequested, TradingStateRequested
from common.messages.envelope import Envelope
from support.embedded_stack import Database
from support.ledger_rows import NOON, LedgerRows
from support.tandem_command import Ended, tandem

from .conftest import Gateway, listening, until

Run = Callable[..., Awaitable[Ended]]

ADA = ("--who", "ada", "--why", "venue maintenance", "--wait", "0")


@pytest_asyncio.fixture(loop_scope="session")
async def address(gateway: Gateway) -> AsyncIterator[str]:
    """The gateway listening on loopback."""
    async with listening(gateway.app) as url:
        yield url


@pytest.fixture
def run(address: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs one command against the gateway, beside it."""
    monkeypatch.setenv("TANDEM_GATEWAY", address)

    async def run_beside(*arguments: str) -> Ended:
        return await asyncio.to_thread(tandem, *arguments)

    return run_beside


async def outbox(rows: LedgerRows) -> list[Envelope]:
    records = await rows.pool.fetch("SELECT body FROM watchlist.outbox ORDER BY id")
    return [Envelope.model_validate_json(record["body"]) for record in records]


async def test_the_status_shows_what_is_held_what_drifts_and_who_is_away(run: Run, rows: LedgerRows) -> None:
    trade = await rows.trade()
    await rows.entry(trade)
    await rows.sample(trade)
    await rows.venue_position("binance", "SOL", "0.01")
    await rows.error()
    ended = await run("status")
    assert ended.code == 1
    for service in ("signal_ingest", "executor", "position_monitor"):
        assert f"{service} is unreachable" in ended.sentence
    assert ended.out.startswith("Trading is active (paper on binance, ")
    for part in (
        "api-gateway",
        "1 of at most 10 trades",
        "binance/bybit",
        "Ledger and venue differ",
        "Newest errors and alarms",
    ):
        assert part in ended.out
    drifting = [line.split() for line in ended.out.splitlines() if "SOL on b" in line]
    assert [(row[1], row[4], row[6]) for row in drifting] == [("long", "binance", "0.01"), ("short", "bybit", "-")]


async def test_the_status_as_json_has_the_same_parts(run: Run, rows: LedgerRows) -> None:
    await rows.entry(await rows.trade())
    ended = await run("status", "--json")
    assert ended.code == 1
    assert len(ended.json["problems"]) == 3
    assert [trade["symbol"] for trade in ended.json["trades"]] == ["SOL"]
    assert ended.json["overview"]["trading_state"]["state"] == "active"
    assert ended.json["health"]["services"]["api_gateway"]["status"] == "ready"


async def test_the_status_tells_of_the_services_when_the_database_is_away(run: Run, gateway: Gateway) -> None:
    await gateway.pool.close()
    ended = await run("status")
    assert ended.code == 1
    assert "api-gateway" in ended.out
    assert "the database does not answer now" in ended.sentence


async def test_trades_are_filtered_and_counted(run: Run, rows: LedgerRows) -> None:
    await rows.signal("ETH")
    first = await rows.trade("SOL")
    second = await rows.trade("BTC", status="closed", close_reason="take_profit", net_pnl_usdt=Decimal("6.9"))
    everything = await run("trades")
    assert everything.code == 0
    assert "skipped: entry spread too small" in " ".join(everything.out.split())
    assert "6.90" in everything.out
    assert "closed: take profit" in everything.out
    newest = await run("trades", "--limit", "1", "--json")
    assert [trade["id"] for trade in newest.json] == [second.id]
    filtered = await run("trades", "--status", "open", "--symbol", "SOL", "--json")
    assert [trade["id"] for trade in filtered.json] == [first.id]
    nothing = await run("trades", "--status", "closing")
    assert (nothing.code, nothing.out) == (0, "No such trade.\n")
    wrong = await run("trades", "--symbol", "sol!")
    assert wrong.code == 1
    assert "'sol!'" in wrong.sentence


async def test_a_trade_is_explained_with_its_figures_and_its_money(run: Run, rows: LedgerRows) -> None:
    trade = await rows.trade()
    await rows.entry(trade)
    told = await run("explain", str(trade.id))
    assert told.code == 0
    assert f"Trade {trade.id}, SOL binance/bybit (long/short), open" in told.out
    assert "opened the trade in SOL" in told.out
    assert "Not final" in told.out
    assert "client order id" not in told.out
    assert "client order id" in (await run("explain", str(trade.id), "--figures")).out
    assert (await run("explain", str(trade.id), "--json")).json["signal"]["id"] == trade.id


async def test_a_signal_that_never_opened_is_explained_too(run: Run, rows: LedgerRows) -> None:
    ended = await run("explain", str(await rows.signal()))
    assert ended.code == 0
    assert "skipped: entry spread too small" in ended.out
    assert "It never held a position." in ended.out


@pytest.mark.parametrize("command", [("explain",), ("close", *ADA)])
async def test_an_unknown_trade_is_refused(run: Run, command: tuple[str, ...]) -> None:
    ended = await run(command[0], "4711", *command[1:])
    assert (ended.code, ended.out) == (1, "")
    assert "there is no signal 4711" in ended.sentence


@pytest.mark.parametrize(
    ("command", "state"), [(("halt",), "halted"), (("reduce",), "reducing"), (("resume", "--yes"), "active")]
)
async def test_the_trading_state_is_moved_by_who_and_why(
    run: Run, rows: LedgerRows, command: tuple[str, ...], state: str
) -> None:
    await rows.pool.execute("UPDATE watchlist.trading_state SET state = 'reducing' WHERE $1 = 'active'", state)
    asked = await run(*command, *ADA)
    assert (asked.code, asked.out) == (4, "")
    assert f"Asked for {state}" in asked.sentence
    [envelope] = await outbox(rows)
    wish = envelope.read(TradingStateRequested)
    assert (wish.state, wish.requested_by, wish.why) == (state, "operator:ada", "venue maintenance")
    update = "UPDATE watchlist.trading_state SET state = $1, changed_by = 'operator:ada', changed_at = $2"
    await rows.pool.execute(update, state, NOON)
    done = await run(*command, *ADA, "--json")
    assert (done.code, done.err) == (0, "")
    assert done.json["trading_state"]["state"] == state


async def test_a_test_alert_without_an_address_is_refused_with_the_setting(run: Run) -> None:
    ended = await run("alerts", "test", "--who", "ada")
    assert (ended.code, ended.out) == (1, "")
    assert "ALERT_URLS" in ended.sentence


async def test_a_close_waits_for_its_result(run: Run, rows: LedgerRows) -> None:
    trade = await rows.trade()

    async def executor() -> None:
        await until(lambda: outbox(rows))
        await rows.set_status(trade.id, "closed", close_reason="operator", closed_at=NOON)

    ended, _ = await asyncio.gather(run("close", str(trade.id), "--who", "ada", "--why", "test"), executor())
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == f"Trade {trade.id} (SOL) is closed: both venues were flat at 2025-10-10 12:00:00Z.\n"
    [envelope] = await outbox(rows)
    assert envelope.read(CloseRequested).requested_by == "operator:ada"
    again = await run("close", str(trade.id), *ADA)
    assert again.code == 1
    assert "this one is closed" in again.sentence


async def test_a_close_that_takes_longer_says_so(run: Run, rows: LedgerRows) -> None:
    trade = await rows.trade()
    ended = await run("close", str(trade.id), *ADA, "--json")
    assert ended.code == 4
    assert [outcome["trade"]["status"] for outcome in ended.json] == ["open"]
    assert f"close-{trade.id}-operator-1" in ended.sentence


async def test_all_open_trades_are_closed_at_once_and_one_that_cannot_be_hinders_no_other(
    run: Run, rows: LedgerRows
) -> None:
    opening = await rows.trade("BTC", status="opening")
    trades = [await rows.trade("SOL"), await rows.trade("ETH", status="closing")]
    unconfirmed = await run("close", "--all", *ADA)
    assert unconfirmed.code == 2
    assert "(SOL)" in unconfirmed.sentence
    assert "(ETH)" in unconfirmed.sentence
    assert await outbox(rows) == []
    ended = await run("close", "--all", "--yes", *ADA)
    assert ended.code == 4
    assert {envelope.read(CloseRequested).signal_id for envelope in await outbox(rows)} == {one.id for one in trades}
    mixed = await run("close", str(opening.id), str(trades[0].id), *ADA)
    assert mixed.code == 1
    assert f"Asked to close trade {trades[0].id}" in mixed.err
    assert "this one is opening" in mixed.err


async def test_closing_all_of_nothing_is_done(run: Run) -> None:
    ended = await run("close", "--all", *ADA)
    assert (ended.code, ended.out) == (0, "No trade is open.\n")


@pytest.mark.parametrize(
    ("state", "held", "code", "said"),
    [("flat", "0", 0, "binance says that it holds 0 SOL"), ("refused", "3", 1, "3 SOL")],
)
async def test_a_flatten_waits_for_what_the_venue_says(
    run: Run, rows: LedgerRows, state: str, held: str, code: int, said: str
) -> None:
    trade = await rows.trade()
    unconfirmed = await run("flatten", "binance", "SOL", *ADA)
    assert unconfirmed.code == 2
    assert f"This closes trade {trade.id} (SOL, " in unconfirmed.sentence
    assert await outbox(rows) == []

    async def executor() -> FlattenRequested:
        await until(lambda: outbox(rows))
        [envelope] = await outbox(rows)
        wish = envelope.read(FlattenRequested)
        await rows.pool.execute(
            "INSERT INTO watchlist.operator_flatten VALUES ($1, 'k', 'binance', 'SOL', $2, $3, $4, $5)",
            wish.request_id,
            wish.requested_by,
            state,
            {"venue_quantity": held, "read_at": NOON, **({} if state == "flat" else {"reason": "it may be yours"})},
            NOON,
        )
        return wish

    command = ("flatten", "binance", "SOL", "--yes", "--who", "ada", "--why", "moving")
    ended, wish = await asyncio.gather(run(*command), executor())
    assert ended.code == code
    assert said in ended.out + ended.err
    assert (wish.requested_by, wish.why, wish.include_unowned) == ("operator:ada", "moving", False)


async def test_a_change_of_the_trading_state_is_told_without_an_errors_name(run: Run, rows: LedgerRows) -> None:
    await rows.error(kind="trading_state_changed", message="trading is active: all is well", signal_id=None)
    for ended in (await run("errors"), await run("status")):
        assert "trading is active: all is well" in ended.out
        assert "trading_state_changed" not in ended.out


async def test_errors_are_listed_and_filtered(run: Run, rows: LedgerRows) -> None:
    trade = await rows.trade()
    await rows.error("executor", trade.id)
    await rows.error("signal_ingest")
    assert len((await run("errors", "--json")).json) == 2
    [error] = (await run("errors", "--service", "signal-ingest", "--json")).json
    assert error["service"] == "signal_ingest"
    ended = await run("errors", "--trade", str(trade.id))
    heading, row = ended.out.splitlines()
    assert heading.split()[-1] == "what"
    assert row.split()[2:4] == ["executor", str(trade.id)]


async def test_the_settings_are_shown_with_their_source_and_without_a_secret(run: Run, database: Database) -> None:
    ended = await run("config")
    assert ended.code == 1
    assert "executor does not say what it runs with" in ended.sentence
    row = next(line.split() for line in ended.out.splitlines() if line.startswith("DATABASE_URL"))
    assert row == ["DATABASE_URL", "env", "**********"]
    password = database.dsn_of("api_gateway").split("@")[0].rpartition(":")[2]
    own = await run("config", "--service", "api-gateway", "--json")
    assert (own.code, own.err) == (0, "")
    assert password not in ended.out + own.out
    settings = own.json["services"]["api_gateway"]
    assert settings["LIVE_TRADING_PER_LEG_USDT"] == {"value": "50", "source": "default"}
    changed = await run("config", "--service", "api-gateway", "--changed", "--json")
    assert {one["source"] for one in changed.json["services"]["api_gateway"].values()} == {"environment"}


async def test_the_schema_is_moved_and_asked_for(database: Database, monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    monkeypatch.setenv("DATABASE_URL", database.owner_dsn)
    newest = (await run("migrate", "history", "--json")).json[-1]["revision"]
    at_newest = await run("migrate", "current", "--json")
    assert (at_newest.code, at_newest.json) == (0, {"current": newest, "newest": newest})
    unconfirmed = await run("migrate", "downgrade", "base")
    assert unconfirmed.code == 2
    assert "--yes" in unconfirmed.sentence
    assert (await run("migrate", "current")).code == 0
    refused = await run("migrate", "downgrade", "base", "--yes")
    assert refused.code == 1
    assert "every table with all that is in it" in refused.sentence
    assert (await run("migrate", "current")).code == 0
    gone = await run("migrate", "downgrade", "base", "--destroy-data", "--yes", "--json")
    assert (gone.code, gone.json) == (0, {"before": newest, "after": None})
    assert (await run("migrate", "current")).code == 1
    back = await run("migrate", "upgrade")
    assert (back.code, back.out) == (0, f"The database is at {newest} (before: no schema).\n")


async def test_a_database_that_refuses_or_is_away_is_one_sentence_without_the_password(
    database: Database, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://ada:verysecret@127.0.0.1:1/tandem")
    for command in ("current", "upgrade"):
        ended = await run("migrate", command)
        assert ended.code == 3
        assert "verysecret" not in ended.sentence
    monkeypatch.setenv("DATABASE_URL", database.dsn_of("api_gateway"))
    refused = await run("migrate", "downgrade", "0002", "--yes", "--destroy-data")
    assert refused.code == 1
    assert "refused" in refused.sentence


@pytest.mark.parametrize(("typed", "code"), [("resume", 4), ("yes", 2)])
async def test_resuming_asks_for_the_word_at_a_terminal(address: str, rows: LedgerRows, typed: str, code: int) -> None:
    await rows.pool.execute("UPDATE watchlist.trading_state SET state = 'reducing'")
    ours, theirs = pty.openpty()
    program = str(Path(sys.executable).parent / "tandem")
    command = (program, "resume", "--gateway", address, *ADA)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command, stdin=theirs, stdout=pipe, stderr=pipe, env={"PATH": os.environ["PATH"]}
    )
    os.write(ours, f"{typed}\n".encode())
    async with asyncio.timeout(20):
        out, err = await process.communicate()
    os.close(ours)
    os.close(theirs)
    assert (process.returncode, out) == (code, b"")
    assert b"Trading is reducing, set by migration: first installation." in err
    assert len(await outbox(rows)) == (code == 4)
