"""The check of a venue, on every protocol: it sees what works, says what does not, and leaves no position behind."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from common.persistence.database import connect_pool
from common.runtime.clock import SystemClock
from common.venues.addresses import VenueAddress
from common.venues.ccxt.trading import connect_trading_venue
from common.venues.errors import OrderOutcomeUnknown, OrderRejected, VenueUnreachable
from common.venues.ports import OrderIntent, OrderReport
from executor.application import venue_check as trying
from executor.application.venue_check import Card, SmallestTrade
from executor.venue_check import main
from support.embedded_stack import Database
from support.simulated_venues import KEY, PASSPHRASE, PROTOCOLS, SECRET, TRADING_KEYS, running_venue

EVERY = pytest.mark.parametrize("protocol", PROTOCOLS)
READ = ["markets", "order book", "funding and interval", "clock", "account mode", "balance", "positions", "leverage"]


def environment(protocol: str, url: str, **more: str) -> dict[str, str]:
    prefix = f"VENUE_{protocol.upper()}"
    keys = {f"{prefix}_API_KEY": KEY, f"{prefix}_API_SECRET": SECRET, f"{prefix}_API_PASSPHRASE": PASSPHRASE}
    return {f"{prefix}_URL": url, **keys, **more}


async def checked(
    arguments: Sequence[str], given: dict[str, str], capsys: pytest.CaptureFixture[str], typed: str = ""
) -> tuple[int, dict[str, Any], str]:
    """Exit code, the printed JSON and what was said on stderr; the command runs in a thread with a loop of its own."""

    def run(work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result()

    loop = asyncio.get_running_loop()
    code = await asyncio.to_thread(main, [*arguments, "--json"], given, lambda _: typed, run)
    said = capsys.readouterr()
    return code, json.loads(said.out or "{}"), said.err


@EVERY
async def test_a_venue_that_works_passes(protocol: str, capsys: pytest.CaptureFixture[str]) -> None:
    async with running_venue(protocol) as venue:
        venue.clock.moment = SystemClock().now()
        venue.venue.set_leverage("SOL", 7)
        asked = ["--venue", protocol, "--symbol", "SOL"]
        code, told, _ = await checked(asked, environment(protocol, venue.url), capsys)
    assert [card["capability"] for card in told["cards"]] == READ
    assert [card for card in told["cards"] if not card["passed"]] == []
    assert told["cards"][-1]["said"].endswith("; 7 now")
    assert (code, told["passed"]) == (0, True)


@pytest.mark.parametrize("protocol", [name for name in PROTOCOLS if name != "hyperliquid"])
async def test_what_fails_has_the_venues_words(protocol: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Hyperliquid shows an account to everybody, whatever the key."""
    async with running_venue(protocol) as venue:
        venue.clock.moment = SystemClock().now()
        wrong = environment(protocol, venue.url) | {f"VENUE_{protocol.upper()}_API_SECRET": "wrong"}
        code, told, _ = await checked(["--venue", protocol], wrong, capsys)
    failed = {card["capability"]: card["said"] for card in told["cards"] if not card["passed"]}
    assert code == 1
    assert failed["balance"].startswith(f"{protocol}: ")
    assert not {"markets", "order book", "clock"} & failed.keys()
    assert "wrong" not in json.dumps(told)


@EVERY
async def test_without_keys_what_is_public_is_tried(protocol: str, capsys: pytest.CaptureFixture[str]) -> None:
    async with running_venue(protocol) as venue:
        venue.clock.moment = SystemClock().now()
        given = {f"VENUE_{protocol.upper()}_URL": venue.url}
        code, told, _ = await checked(["--venue", protocol], given, capsys)
        nothing, unlisted, _ = await checked(["--venue", protocol, "--symbol", "nope"], given, capsys)
    failed = {card["capability"]: card["said"] for card in told["cards"] if not card["passed"]}
    assert (code, nothing) == (1, 1)
    assert failed.keys() == {"account mode", "balance", "positions", "leverage"}
    assert f"VENUE_{protocol.upper()}_API_KEY" in failed["balance"]
    assert unlisted["cards"][0]["said"].startswith("NOPE is not among the ")


async def test_a_venue_that_is_away_fails_every_card(capsys: pytest.CaptureFixture[str]) -> None:
    code, told, _ = await checked(["--venue", "okx"], environment("okx", "http://127.0.0.1:9"), capsys)
    assert code == 1
    assert not any(card["passed"] for card in told["cards"])
    assert "ClientConnectorError" in told["cards"][0]["said"]


@pytest.mark.parametrize("venue", ["kraken", "OKX"])
async def test_a_venue_that_is_not_spoken_is_wrong_usage(venue: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, told, said = await checked(["--venue", venue], {}, capsys)
    assert (code, told) == (2, {})
    assert venue in said


@dataclass
class Desk:
    """A real desk, and what a test does to its orders."""

    real: Any
    venue: str
    around: Callable[[OrderIntent, Callable[[OrderIntent], Awaitable[OrderReport]]], Awaitable[OrderReport]]
    sent: list[OrderIntent] = field(default_factory=list)

    async def send(self, intent: OrderIntent) -> OrderReport:
        self.sent.append(intent)
        return await self.around(intent, self.real.send)

    async def cancel(self, symbol: str, client_order_id: str) -> None:
        await self.real.cancel(symbol, client_order_id)


async def as_it_is(intent: OrderIntent, send: Callable[[OrderIntent], Awaitable[OrderReport]]) -> OrderReport:
    return await send(intent)


@asynccontextmanager
async def smallest(
    protocol: str, around: Any = as_it_is
) -> AsyncIterator[tuple[SmallestTrade, Desk, list[OrderIntent], Any]]:
    committed: list[OrderIntent] = []

    async def commit(intent: OrderIntent) -> None:
        committed.append(intent)

    async with running_venue(protocol) as venue:
        address = VenueAddress(protocol, protocol, venue.url)
        market, account, real = await connect_trading_venue(address, TRADING_KEYS, SystemClock())
        desk = Desk(real, protocol, around)
        try:
            yield SmallestTrade(market, account, desk, commit, "00" * 8, SystemClock()), desk, committed, market
        finally:
            await account.close()


async def played(protocol: str, around: Any = as_it_is) -> tuple[list[Card], Decimal, list[str], list[str]]:
    """Cards, what the venue still holds, and the ids that were committed and sent."""
    async with smallest(protocol, around) as (trade, desk, committed, market):
        quantity, _ = await trade.quantity((await market.instruments())["SOL"])
        cards = await trade.cards("SOL", quantity)
        held = sum((p.quantity for p in await _positions(trade)), Decimal(0))
    return cards, held, [i.client_order_id for i in committed], [i.client_order_id for i in desk.sent]


async def _positions(trade: SmallestTrade) -> list[Any]:
    return list((await trade._account.positions(["SOL"])).values())


@EVERY
async def test_the_smallest_trade_opens_closes_and_is_flat(protocol: str) -> None:
    cards, held, committed, sent = await played(protocol)
    assert [(card.capability, card.passed) for card in cards] == [("smallest open", True), ("close", True)], cards
    assert held == 0
    assert committed == sent
    assert len(sent) == 2


@EVERY
async def test_an_order_whose_answer_is_lost_is_found_and_closed(protocol: str) -> None:
    async def lost(intent: OrderIntent, send: Any) -> OrderReport:
        report = await send(intent)
        if not intent.reduce_only:
            raise OrderOutcomeUnknown(protocol, "the answer was lost")
        return report  # type: ignore[no-any-return]

    cards, held, _, sent = await played(protocol, lost)
    assert (cards[0].passed, cards[1].passed) == (False, True)
    assert held == 0
    assert len(sent) == 2


async def test_a_check_that_is_stopped_in_the_middle_closes_first() -> None:
    opened = asyncio.Event()

    async def slow(intent: OrderIntent, send: Any) -> OrderReport:
        report = await send(intent)
        opened.set()
        await asyncio.sleep(0.1)
        return report  # type: ignore[no-any-return]

    async with smallest("binance", slow) as (trade, _, _, _):
        work = asyncio.create_task(trade.cards("SOL", Decimal("0.1")))
        await opened.wait()
        work.cancel()
        cards = await work
        assert [card.passed for card in cards] == [True, True]
        assert await _positions(trade) == []


async def test_a_position_that_cannot_be_closed_is_shouted_about(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trying, "ASK_SECONDS_MAX", 0.01)

    async def stuck(intent: OrderIntent, send: Any) -> OrderReport:
        if intent.reduce_only:
            raise OrderRejected("binance", "no closing today", "-1")
        return await send(intent)  # type: ignore[no-any-return]

    cards, held, _, _ = await played("binance", stuck)
    assert not cards[1].passed
    assert cards[1].said.startswith("A POSITION IN SOL MAY BE OPEN")
    assert "no closing today" in cards[1].said
    assert held > 0


async def test_positions_that_are_shown_late_are_waited_for() -> None:
    async with smallest("binance") as (trade, _, _, _):
        real = trade._account
        hidden = 3

        class Late:
            venue = "binance"

            async def positions(self, symbols: Any) -> Any:
                nonlocal hidden
                hidden -= 1
                if hidden == 1:
                    raise VenueUnreachable("binance", "away for a moment")
                return {} if hidden > 0 else await real.positions(symbols)

            async def order(self, symbol: str, client_order_id: str) -> Any:
                return await real.order(symbol, client_order_id)

        trade._account = Late()  # type: ignore[assignment]
        cards = await trade.cards("SOL", Decimal("0.1"))
        assert [card.passed for card in cards] == [True, True]
        assert await real.positions(["SOL"]) == {}


async def test_real_orders_need_live_mode_a_halt_and_the_name_typed(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--venue", "binance", "--trade-min"]
    async with running_venue("binance") as venue:
        venue.clock.moment = SystemClock().now()
        given = environment("binance", venue.url, DATABASE_URL=database.dsn_of("executor"))
        code, _, said = await checked(arguments, given, capsys, "binance")
        assert code == 2
        assert "LIVE_TRADING_MODE=live" in said

        live = given | {"LIVE_TRADING_MODE": "live", "LIVE_TRADING_CONFIRM_LIVE": "yes"}
        code, told, _ = await checked(arguments, live, capsys, "binance")
        assert (code, told["cards"][-1]["said"]) == (1, "not tried: trading is active: halt it first (`tandem halt`)")

        pool = await connect_pool(database.owner_dsn, "test")
        await pool.execute("UPDATE watchlist.trading_state SET state = 'halted'")
        code, told, _ = await checked(arguments, live, capsys, "yes")
        assert (code, told["cards"][-1]["said"]) == (1, "not tried: it was not confirmed")
        assert await pool.fetchval("SELECT count(*) FROM watchlist.audit WHERE decision = 'venue_check.order'") == 0

        code, told, _ = await checked(arguments, live, capsys, "binance")
        assert (code, told["passed"]) == (0, True), told
        assert await pool.fetchval("SELECT count(*) FROM watchlist.audit WHERE decision = 'venue_check.order'") == 2
        await pool.close()
