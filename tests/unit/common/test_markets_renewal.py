"""What a venue lists changes while Tandem runs: it is read anew, and what is held stays known."""

import asyncio
from typing import Any

import pytest
import structlog
from ccxt.async_support.base.exchange import Exchange
from ccxt.base import errors as ccxt_errors

from common.venues.ccxt.markets import LOOK_AGAIN_SECONDS, RENEW_EVERY_SECONDS, WATCHED_SECONDS, Markets
from common.venues.errors import VenueRefused
from support.ledger_rows import NOON
from support.standing_clock import StandingClock


def market(
    base: str,
    *,
    contract_size: float | None = 1.0,
    lot_step: float = 0.1,
    active: bool = True,
    settle: str = "USDT",
) -> dict[str, Any]:
    return {
        "id": f"{base}{settle}",
        "symbol": f"{base}/{settle}:{settle}",
        "base": base,
        "quote": settle,
        "settle": settle,
        "spot": False,
        "swap": True,
        "linear": True,
        "active": active,
        "contractSize": contract_size,
        "precision": {"amount": lot_step, "price": 0.01},
    }


class ListingExchange(Exchange):  # type: ignore[misc]
    """ccxt, of a venue that lists what the test says; a reading that is `held` answers when it is let go."""

    def __init__(self, *listed: dict[str, Any]) -> None:
        super().__init__()
        self.listed = list(listed)
        self.reloads: list[bool] = []
        self.begun: asyncio.Queue[int] = asyncio.Queue()
        self.failing = False
        self.closed = False
        self.held = asyncio.Event()
        self.held.set()

    async def load_markets(self, reload: bool = False) -> Any:
        self.reloads.append(reload)
        self.begun.put_nowait(len(self.reloads))
        return await super().load_markets(reload)

    async def fetch_markets(self, _parameters: Any) -> Any:
        await self.held.wait()
        if self.failing:
            raise ccxt_errors.RequestTimeout("the test says so")
        return list(self.listed)

    async def close(self) -> None:
        self.closed = True


def made(*listed: dict[str, Any]) -> tuple[Markets, ListingExchange, StandingClock]:
    exchange, clock = ListingExchange(*listed), StandingClock(NOON)
    return Markets("venue", exchange, clock), exchange, clock


async def renewed(markets: Markets) -> None:
    """Asks, which begins a renewal that is due, and lets the last end."""
    await markets.load()
    assert markets._renewal is not None
    await markets._renewal


async def test_what_is_listed_is_read_once_an_hour_and_nobody_waits_for_it() -> None:
    markets, exchange, clock = made(market("SOL"))
    await markets.load()
    clock.pass_(RENEW_EVERY_SECONDS - 1)
    await markets.load()
    assert exchange.reloads == [False]
    clock.pass_(1)
    exchange.listed.append(market("ETH"))
    exchange.held.clear()
    assert set(await markets.load()) == {"SOL"}
    exchange.held.set()
    await renewed(markets)
    assert set(await markets.load()) == {"SOL", "ETH"}
    assert exchange.reloads == [False, True]


async def test_a_changed_lot_step_or_contract_size_is_taken_over_and_said() -> None:
    markets, exchange, clock = made(market("SOL"), market("ETH"))
    before = await markets.load()
    exchange.listed = [market("SOL", contract_size=10, lot_step=1), market("ETH")]
    clock.pass_(RENEW_EVERY_SECONDS)
    with structlog.testing.capture_logs() as said:
        await renewed(markets)
    after = await markets.load()
    assert after is not before
    assert (after["SOL"]["contractSize"], after["SOL"]["precision"]["amount"]) == (10, 1)
    assert [(line["event"], line["symbol"]) for line in said] == [("markets.rules_changed", "SOL")]
    assert "from 1.0 to 10" in (markets.halted("SOL") or "")
    assert not markets.instrument("SOL", after["SOL"]).halted_for_now
    assert markets.halted("ETH") is None


async def test_a_changed_lot_step_alone_halts_nothing() -> None:
    markets, exchange, clock = made(market("SOL"))
    await markets.load()
    exchange.listed = [market("SOL", lot_step=1)]
    clock.pass_(RENEW_EVERY_SECONDS)
    await renewed(markets)
    assert markets.halted("SOL") is None


@pytest.mark.parametrize("now", [[market("ETH", active=False)], []], ids=["not traded", "not listed"])
async def test_a_contract_that_is_traded_no_longer_stays_known_so_that_it_can_be_closed(now: list[Any]) -> None:
    markets, exchange, clock = made(market("SOL"), market("ETH"))
    await markets.load()
    exchange.listed = [market("SOL"), *now]
    clock.pass_(RENEW_EVERY_SECONDS)
    await renewed(markets)
    assert await markets.unified("ETH") == "ETH/USDT:USDT"
    assert markets.symbol_of("ETH/USDT:USDT") == "ETH"
    assert exchange.market("ETH/USDT:USDT")["contractSize"] == 1.0, "ccxt writes orders of what it knows only"
    assert exchange.safe_market("ETHUSDT")["symbol"] == "ETH/USDT:USDT", "and reads positions of what it knows only"
    assert "does not trade it now" in (markets.halted("ETH") or "")
    assert markets.halted("SOL") is None
    exchange.listed = [market("SOL"), market("ETH")]
    clock.pass_(LOOK_AGAIN_SECONDS)
    await renewed(markets)
    assert markets.halted("ETH") is None
    assert not markets.instrument("ETH", (await markets.load())["ETH"]).halted_for_now


async def test_two_readings_at_once_do_not_take_what_is_kept_for_what_is_listed() -> None:
    markets, exchange, clock = made(market("SOL"), market("ETH"))
    await markets.load()
    exchange.listed = [market("SOL")]
    clock.pass_(RENEW_EVERY_SECONDS)
    exchange.held.clear()
    await markets.load()
    while await asyncio.wait_for(exchange.begun.get(), 20) < 2:
        pass
    clock.pass_(LOOK_AGAIN_SECONDS)
    unknown = asyncio.create_task(markets.market("NEW"))
    assert await asyncio.wait_for(exchange.begun.get(), 20) == 3
    exchange.held.set()
    await asyncio.wait({unknown})
    await renewed(markets)
    assert isinstance(unknown.exception(), VenueRefused)
    assert markets.halted("ETH") is not None
    assert exchange.safe_market("ETHUSDT")["symbol"] == "ETH/USDT:USDT", "one of its id, not two"


async def test_what_was_traded_is_looked_for_every_minute_for_some_hours_and_then_every_hour() -> None:
    markets, exchange, clock = made(market("SOL"), market("ETH"))
    await markets.load()
    exchange.listed = [market("SOL"), market("ETH", active=False)]
    clock.pass_(RENEW_EVERY_SECONDS)
    await renewed(markets)
    clock.pass_(LOOK_AGAIN_SECONDS - 1)
    await renewed(markets)
    assert len(exchange.reloads) == 2
    clock.pass_(1)
    await renewed(markets)
    assert len(exchange.reloads) == 3
    clock.pass_(WATCHED_SECONDS)
    await renewed(markets)
    assert len(exchange.reloads) == 4
    clock.pass_(RENEW_EVERY_SECONDS - 1)
    await renewed(markets)
    assert len(exchange.reloads) == 4


@pytest.mark.parametrize(("others", "looked"), [((), True), ((market("ETH"),), False)], ids=["nothing", "something"])
async def test_a_venue_that_trades_nothing_at_the_start_is_looked_at_again_every_minute(
    others: Any, looked: bool
) -> None:
    markets, exchange, clock = made(market("SOL", active=False), *others)
    await markets.load()
    exchange.listed = [market("SOL"), *others]
    clock.pass_(LOOK_AGAIN_SECONDS)
    await markets.load()
    if markets._renewal is not None:
        await markets._renewal
    assert (markets.halted("SOL") is None) == looked, "what a venue lists and never trades costs no reading a minute"


async def test_what_is_asked_for_and_not_traded_is_looked_at_again_at_most_once_a_minute() -> None:
    markets, exchange, clock = made(market("SOL"), market("ETH", active=False))
    await markets.load()
    await markets.market("ETH")
    assert exchange.reloads == [False]
    exchange.listed = [market("SOL"), market("ETH")]
    clock.pass_(LOOK_AGAIN_SECONDS)
    exchange.held.clear()
    await markets.market("SOL")
    assert markets._renewal is None
    assert (await markets.market("ETH"))["symbol"] == "ETH/USDT:USDT", "nobody waits for it"
    clock.pass_(LOOK_AGAIN_SECONDS)
    await markets.market("ETH")
    exchange.held.set()
    assert markets._renewal is not None
    await markets._renewal
    assert markets.halted("ETH") is None
    assert exchange.reloads == [False, True], "none begins while another lasts"


async def test_what_is_not_traded_when_a_process_starts_is_known_and_halted() -> None:
    markets, _, _ = made(market("SOL"), market("ETH", active=False), market("NEW", active=False, contract_size=None))
    assert set(await markets.load()) == {"SOL", "ETH"}
    assert markets.symbol_of("ETH/USDT:USDT") == "ETH"
    assert markets.halted("SOL") is None
    assert "does not trade it now" in (markets.halted("ETH") or "")
    assert markets.instrument("ETH", (await markets.load())["ETH"]).halted_for_now


async def test_what_is_held_is_not_taken_for_another_contract_of_the_same_base() -> None:
    markets, exchange, clock = made(market("SOL"), market("SOL", settle="USDC"))
    assert await markets.unified("SOL") == "SOL/USDT:USDT"
    exchange.listed = [market("SOL", settle="USDC")]
    clock.pass_(RENEW_EVERY_SECONDS)
    await renewed(markets)
    assert await markets.unified("SOL") == "SOL/USDT:USDT"
    assert markets.halted("SOL") is not None


async def test_a_known_contract_stays_known_and_is_read_anew_when_one_that_would_be_preferred_appears() -> None:
    markets, exchange, clock = made(market("SOL", settle="USDC"))
    await markets.load()
    exchange.listed = [market("SOL"), market("SOL", settle="USDC", contract_size=10.0)]
    clock.pass_(RENEW_EVERY_SECONDS)
    await renewed(markets)
    assert await markets.unified("SOL") == "SOL/USDC:USDC"
    assert "contract size" in (markets.halted("SOL") or "")
    assert markets.symbol_of("SOL/USDT:USDT") is None


@pytest.mark.parametrize(
    ("usdt_active", "usdc_active", "chosen"),
    [(True, True, "USDT"), (False, True, "USDC"), (True, False, "USDT"), (False, False, "USDT")],
)
@pytest.mark.parametrize("turn", [1, -1])
async def test_of_two_contracts_of_one_base_the_one_that_is_traded_counts_then_usdt(
    usdt_active: bool, usdc_active: bool, chosen: str, turn: int
) -> None:
    both = [market("SOL", active=usdt_active), market("SOL", settle="USDC", active=usdc_active)]
    markets, _, _ = made(*both[::turn])
    assert await markets.unified("SOL") == f"SOL/{chosen}:{chosen}"
    assert (markets.halted("SOL") is None) == (usdt_active or usdc_active)


async def test_an_unknown_symbol_is_looked_for_at_most_once_a_minute() -> None:
    markets, exchange, clock = made(market("SOL"))
    await markets.load()
    for _ in range(3):
        with pytest.raises(VenueRefused):
            await markets.unified("NEW")
    assert exchange.reloads == [False]
    clock.pass_(LOOK_AGAIN_SECONDS)
    exchange.listed.append(market("NEW"))
    assert await markets.unified("NEW") == "NEW/USDT:USDT"
    assert exchange.reloads == [False, True]


async def test_a_renewal_that_fails_keeps_what_was_known_and_is_tried_again_after_a_minute() -> None:
    markets, exchange, clock = made(market("SOL"))
    await markets.load()
    clock.pass_(RENEW_EVERY_SECONDS)
    exchange.failing = True
    await renewed(markets)
    assert set(await markets.load()) == {"SOL"}
    assert len(exchange.reloads) == 2
    clock.pass_(LOOK_AGAIN_SECONDS)
    await renewed(markets)
    assert len(exchange.reloads) == 3


async def test_closing_ends_a_renewal_that_hangs() -> None:
    markets, exchange, clock = made(market("SOL"))
    await markets.load()
    clock.pass_(RENEW_EVERY_SECONDS)
    exchange.held.clear()
    await markets.load()
    await asyncio.wait_for(markets.close(), 20)
    assert exchange.closed
