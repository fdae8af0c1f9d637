"""The trading state as the desks ask for it: shared by who asks at once, and never older than the question."""

import asyncio
from collections.abc import Callable
from typing import cast

import pytest

from common.persistence.database import Pool
from common.persistence.journal import Journal
from common.runtime.clock import Clock
from common.venues.errors import OrderNotSent
from executor.adapters.trading_states import PostgresTradingStates
from executor.domain.trading_state import TradingState


class SlowDatabase:
    """Reads the state when a statement arrives, and answers when the test lets it."""

    def __init__(self) -> None:
        self.state = "active"
        self.statements = 0
        self.answers = asyncio.Event()
        self.failure: Exception | None = None

    async def fetchval(self, statement: str) -> str:
        self.statements += 1
        state = self.state
        await self.answers.wait()
        if self.failure is not None:
            raise self.failure
        return state


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  # what is waited for is a fact, not an event
            await asyncio.sleep(0)


@pytest.fixture
def database() -> SlowDatabase:
    return SlowDatabase()


@pytest.fixture
def states(database: SlowDatabase) -> PostgresTradingStates:
    return PostgresTradingStates(cast("Pool", database), cast("Journal", None), cast("Clock", None))


async def test_who_asks_in_the_same_moment_shares_one_statement(
    database: SlowDatabase, states: PostgresTradingStates
) -> None:
    database.answers.set()
    assert list(await asyncio.gather(states.current(), states.current())) == [TradingState.ACTIVE, TradingState.ACTIVE]
    assert database.statements == 1


async def test_who_asks_once_the_statement_is_under_way_is_told_of_what_changed_since(
    database: SlowDatabase, states: PostgresTradingStates
) -> None:
    early = asyncio.ensure_future(states.current())
    await until(lambda: database.statements == 1)
    database.state = "halted"
    late = asyncio.ensure_future(states.current())
    await until(lambda: database.statements == 2)
    database.answers.set()
    assert list(await asyncio.gather(early, late)) == [TradingState.ACTIVE, TradingState.HALTED]


async def test_who_gives_up_leaves_the_other_its_answer(database: SlowDatabase, states: PostgresTradingStates) -> None:
    first, second = (asyncio.ensure_future(states.current()) for _ in range(2))
    await until(lambda: database.statements == 1)
    first.cancel()
    database.answers.set()
    assert await second is TradingState.ACTIVE
    assert first.cancelled()


async def test_a_database_that_is_away_lets_nobody_send(database: SlowDatabase, states: PostgresTradingStates) -> None:
    database.failure = ConnectionRefusedError("away")
    database.answers.set()
    answers = await asyncio.gather(states.current(), states.current(), return_exceptions=True)
    assert [type(answer) for answer in answers] == [OrderNotSent] * 2
    database.failure = None
    assert await states.current() is TradingState.ACTIVE
