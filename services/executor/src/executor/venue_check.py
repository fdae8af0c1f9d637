"""`python -m executor.venue_check --venue okx [--symbol SOL] [--trade-min] [--json]`: what a venue can do for us.

It runs where the keys are: in the executor's own environment, with its settings. A reading check needs nothing but the
venue and its keys. `--trade-min` also needs live mode and the database, so that each order is written down before it
is sent; trading has to be halted, and nothing may be held of the symbol.
"""

import argparse
import asyncio
import json
import os
import secrets
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict
from typing import Any

from common.persistence.database import DATABASE_AWAY, connect_pool
from common.persistence.journal import Journal
from common.runtime.clock import Clock, SystemClock
from common.runtime.secret_files import with_secret_files
from common.runtime.settings import SettingsError, TradingSettings, load
from common.venues.addresses import venue_addresses
from common.venues.ccxt.limits import VenueLimits
from common.venues.ccxt.market_data import connect_market_data
from common.venues.ccxt.trading import connect_trading_venue
from common.venues.credentials import Credentials, credential_variables, credentials_from
from common.venues.errors import OrderNotSent, VenueError
from common.venues.ports import Account, MarketData, OrderDesk, OrderIntent
from executor.adapters.installation import claim_database
from executor.adapters.trading_states import PostgresTradingStates
from executor.application.venue_check import Card, Failed, Reading, SmallestTrade
from executor.domain.trading_state import TradingState
from executor.settings import ExecutorSettings

SERVICE = "executor"
PASSED, FAILED, USAGE = 0, 1, 2
_HELD_BY_TRADES = """
SELECT count(*) FROM watchlist.live_trade_signal
WHERE symbol = $1 AND $2 IN (long_venue, short_venue) AND status IN ('opening', 'open', 'closing')
"""

Ask = Callable[[str], str]
"""Shows a question and returns what was typed."""


class VenueCheck:
    """One run of the command; `ask` reads the confirmation."""

    def __init__(self, options: argparse.Namespace, environment: Mapping[str, str], ask: Ask, clock: Clock) -> None:
        self._options = options
        self._environment = environment
        self._ask = ask
        self._clock = clock
        self._address = venue_addresses([options.venue], environment)[options.venue]

    async def cards(self) -> list[Card]:
        """All cards in their order.

        Raises:
            SettingsError: the venue is not spoken, or what `--trade-min` needs is not set.
        """
        keys = credentials_from(self._address, self._environment)
        missing = "not set: " + ", ".join(
            name for name in credential_variables(self._address) if not self._environment.get(name)
        )
        async with AsyncExitStack() as resources:
            # A handful of requests, one after the other: bans are heeded, nothing has to be leased for them.
            limits = VenueLimits(self._clock, limited=lambda _: None)
            if keys is None:
                if self._options.trade_min:
                    raise SettingsError(f"--trade-min needs the keys: {missing}")
                market = connect_market_data(self._address, self._clock, limits)
                resources.push_async_callback(market.close)
                return await Reading(market, None, missing, self._options.symbol).cards()
            return await self._with_keys(resources, keys, limits)

    async def _with_keys(self, resources: AsyncExitStack, keys: Credentials, limits: VenueLimits) -> list[Card]:
        market, account, desk = await connect_trading_venue(self._address, keys, self._clock, limits)
        resources.push_async_callback(account.close)
        reading = Reading(market, account, "", self._options.symbol)
        cards = await reading.cards()
        if not self._options.trade_min:
            return cards
        if not all(card.passed for card in cards):
            return [*cards, Card("smallest open", False, "not tried: what it needs does not work")]
        try:
            return cards + await self._trade(resources, reading, (market, account, desk))
        except (Failed, VenueError) as error:
            return [*cards, Card("smallest open", False, f"not tried: {error}")]

    async def _trade(
        self, resources: AsyncExitStack, reading: Reading, venue: tuple[MarketData, Account, OrderDesk]
    ) -> list[Card]:
        journal = await self._halted_database(resources)
        contract = await reading.instrument()

        async def commit(intent: OrderIntent) -> None:
            try:
                await journal.decided("venue_check.order", asdict(intent), symbol=intent.symbol)
            except DATABASE_AWAY as error:
                # What reduces goes out all the same: a position that stays open is worse than a line that is missing.
                if not intent.reduce_only:
                    raise Failed(f"nothing is sent that cannot be written down: {type(error).__name__}") from error

        trade = SmallestTrade(*venue, commit, secrets.token_hex(8), self._clock)
        quantity, value_usdt = await trade.quantity(contract)
        name = self._address.name
        question = (
            f"This buys {quantity} {contract.symbol} for about {value_usdt:.2f} USDT on {name} with your keys, and "
            f"sells it again. Type {name} to go on: "
        )
        if self._ask(question).strip() != name:
            raise Failed("it was not confirmed")
        this, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert this is not None
        loop.add_signal_handler(signal.SIGTERM, this.cancel)
        try:
            return await trade.cards(contract.symbol, quantity)
        finally:
            loop.remove_signal_handler(signal.SIGTERM)

    async def _halted_database(self, resources: AsyncExitStack) -> Journal:
        """The journal of a live database in which trading is halted, so that nobody else trades the symbol."""
        settings, trading = load(ExecutorSettings, self._environment), load(TradingSettings, self._environment)
        if trading.live_trading_mode != "live":
            raise SettingsError("--trade-min sends real orders: it needs LIVE_TRADING_MODE=live")
        try:
            pool = await connect_pool(settings.database_url.get_secret_value(), SERVICE)
            resources.push_async_callback(pool.close)
            await claim_database(pool, trading.live_trading_mode, self._clock)
            journal = Journal(SERVICE, pool, self._clock)
            state = await PostgresTradingStates(pool, journal, self._clock).current()
            trades = await pool.fetchval(_HELD_BY_TRADES, self._options.symbol, self._address.name)
        except DATABASE_AWAY as error:
            raise Failed(f"the database cannot be reached: {type(error).__name__}") from error
        except OrderNotSent as error:
            raise Failed(str(error)) from error
        if state is not TradingState.HALTED:
            raise Failed(f"trading is {state}: halt it first (`tandem halt`)")
        if trades:
            raise Failed(f"{trades} trades hold {self._options.symbol} on {self._address.name}: name another symbol")
        return journal


def show(venue: str, cards: Sequence[Card], *, as_json: bool) -> None:
    """Prints the cards."""
    if as_json:
        passed = all(card.passed for card in cards)
        print(json.dumps({"venue": venue, "passed": passed, "cards": [asdict(card) for card in cards]}, indent=2))
        return
    for card in cards:
        print(f"{'pass' if card.passed else 'FAIL'}  {card.capability:<21} {card.said}")


def main(
    arguments: Sequence[str], environment: Mapping[str, str], ask: Ask = input, run: Callable[[Any], Any] = asyncio.run
) -> int:
    """0 when every card passed, 1 when one failed, 2 for wrong settings or usage."""
    parser = argparse.ArgumentParser("python -m executor.venue_check", description="Tries what a venue can do for us.")
    parser.add_argument("--venue", required=True, help="its name, as okx")
    parser.add_argument(
        "--symbol", default="SOL", type=str.upper, help="the contract to try; SOL unless said otherwise"
    )
    parser.add_argument("--trade-min", action="store_true", help="also open and close the smallest position")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    try:
        check = VenueCheck(options, with_secret_files(environment), ask, SystemClock())
        cards = run(check.cards())
    except (SettingsError, ValueError) as error:
        print(error, file=sys.stderr)
        return USAGE
    show(options.venue, cards, as_json=options.json)
    return PASSED if all(card.passed for card in cards) else FAILED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
