"""What may open waits until the ledger was compared with the venues; what closes or halts does not."""

import asyncio
from typing import Any, cast

from common.messaging.bus import Bus
from executor.bootstrap import CONSUMERS, consuming


class ListeningBus:
    """Remembers which consumers were begun."""

    def __init__(self) -> None:
        self.begun: set[str] = set()

    async def consume(self, stream: str, durable: str, *_: Any, **__: Any) -> None:
        self.begun.add(durable)


async def nothing(*_: Any) -> None:
    return


async def test_nothing_that_opens_is_consumed_before_the_first_look() -> None:
    bus, has_looked = ListeningBus(), asyncio.Event()
    tasks = [asyncio.create_task(one) for one in consuming(cast("Bus", bus), nothing, nothing, has_looked)]
    await asyncio.sleep(0)
    assert bus.begun == {"executor-closes", "executor-trading-state"} | {
        f"executor-{name}" for name, *_ in CONSUMERS if "flatten" in name
    }
    has_looked.set()
    await asyncio.gather(*tasks)
    assert bus.begun == {f"executor-{name}" for name, *_ in CONSUMERS}
