"""A service waits a while for what it needs, then says in a sentence what did not come; and it ends when told to."""

import asyncio

import pytest

from common.runtime import service
from common.runtime.start import within_patience


async def test_what_comes_late_is_waited_for() -> None:
    failures = [ConnectionRefusedError("not yet"), ConnectionRefusedError("not yet")]

    async def connect() -> str:
        if failures:
            raise failures.pop()
        return "connected"

    assert await within_patience("the database", connect) == "connected"


async def test_what_does_not_come_is_named_with_the_last_failure() -> None:
    async def connect() -> str:
        raise ConnectionRefusedError("nobody there")

    with pytest.raises(TimeoutError, match=r"the database could not be reached within 0.3 s.*nobody there"):
        await within_patience("the database", connect, patience_seconds=0.3)


async def test_an_attempt_that_fails_while_it_is_cancelled_does_not_make_the_patience_endless() -> None:
    async def connect() -> str:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise ConnectionResetError("just then") from None
        return "connected"

    with pytest.raises(TimeoutError, match=r"within 0.05 s.*just then"):
        await asyncio.wait_for(within_patience("the database", connect, patience_seconds=0.05), 20)


async def test_work_that_swallows_a_cancellation_is_ended_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "CANCELLED_AGAIN_SECONDS", 0.01)
    swallowed: list[str] = []

    async def work() -> None:
        while len(swallowed) < 2:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                swallowed.append("a cancellation")
        await asyncio.sleep(60)

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    async with asyncio.timeout(20):
        await service.end([task])
    assert len(swallowed) == 2


async def test_what_is_wrong_rather_than_away_is_not_tried_again() -> None:
    async def connect() -> str:
        raise ValueError("no such thing")

    with pytest.raises(ValueError, match="no such thing"):
        await within_patience("the database", connect)
