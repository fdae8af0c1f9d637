"""Readings that are shared are never older than a reading of one's own."""

import asyncio

import pytest

from api_gateway.application.together import Together


class Source:
    """Reads a value that others change; a reading takes until it is let."""

    def __init__(self) -> None:
        self.value = 0
        self.readings = 0
        self.at_work = 0
        self.goes_on = asyncio.Event()
        self.goes_on.set()

    async def read(self, key: str) -> tuple[str, int]:
        self.readings += 1
        self.at_work += 1
        assert self.at_work == 1
        value = self.value
        await self.goes_on.wait()
        self.at_work -= 1
        if value < 0:
            raise OSError("away")
        return key, value


async def test_whoever_asks_during_a_reading_gets_the_next_one() -> None:
    source = Source()
    together: Together[str, tuple[str, int]] = Together(source.read)
    source.goes_on.clear()
    first = asyncio.create_task(together.ask("a"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    source.value = 1
    later = [asyncio.create_task(together.ask("a")) for _ in range(50)]
    await asyncio.sleep(0)
    source.goes_on.set()
    assert await first == ("a", 0)
    assert set(await asyncio.gather(*later)) == {("a", 1)}
    assert source.readings == 2


async def test_who_leaves_takes_the_answer_from_nobody_else() -> None:
    source = Source()
    together: Together[str, tuple[str, int]] = Together(source.read)
    source.goes_on.clear()
    leaving, staying = (asyncio.create_task(together.ask("a")) for _ in range(2))
    await asyncio.sleep(0)
    leaving.cancel()
    source.goes_on.set()
    assert await staying == ("a", 0)


async def test_a_failure_is_everybodys_who_waited_for_it_and_nobodys_after() -> None:
    source = Source()
    together: Together[str, tuple[str, int]] = Together(source.read)
    source.value = -1
    answers = await asyncio.gather(*(together.ask("a") for _ in range(3)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [OSError] * 3
    source.value = 5
    assert await together.ask("a") == ("a", 5)
    with pytest.raises(KeyError):
        together._turns["a"]
