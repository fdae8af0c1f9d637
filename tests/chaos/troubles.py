"""Kinds of trouble: a neighbour killed and started again, or the way to it cut, silent or one-sided."""

from collections.abc import Awaitable, Callable

from chaos.cases import Trouble
from chaos.house import House
from support.fault_proxy import Direction, FaultProxy

SILENCE_SECONDS = 3.0
"""Longer than a publication waits for its answer."""


def killed(part: str) -> Trouble:
    """kill -9, and a new start on the same data."""
    return Trouble(f"kill -9 of {part}", lambda house: house.stack.parts.kill(part), lambda house: house.restart(part))


def cut(part: str) -> Trouble:
    """Every connection to it ends; new ones are welcome."""
    return Trouble(f"connections to {part} cut", lambda house: house.proxy(part).cut(), _nothing)


def silent(part: str) -> Trouble:
    """Nothing that is sent arrives, in either direction, for longer than anybody waits."""
    return _proxied(f"{part} silent for {SILENCE_SECONDS:g} s", part, FaultProxy.blackhole)


def unanswered(part: str) -> Trouble:
    """What is sent arrives and takes effect; no answer comes back: a commit of which nobody knows."""
    return _proxied(
        f"no answer from {part} for {SILENCE_SECONDS:g} s", part, lambda proxy: proxy.half_open(Direction.TO_CLIENT)
    )


def _proxied(name: str, part: str, begin: Callable[[FaultProxy], None]) -> Trouble:
    async def begun(house: House) -> None:
        begin(house.proxy(part))

    def healed(house: House) -> Awaitable[None]:
        return house.proxy(part).heal()

    return Trouble(name, begun, healed, SILENCE_SECONDS)


async def _nothing(_house: House) -> None:
    return
