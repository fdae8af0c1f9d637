"""A command that is asked for again under the same key is not done again: what was answered first is answered."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import BaseModel

from api_gateway.application.ports import LedgerAway


@dataclass(frozen=True, slots=True)
class Wish:
    """A command under the key that its caller gave it; keys belong to who uses them."""

    who: str
    key: str
    command: str
    body_sha256: str


@dataclass(frozen=True, slots=True)
class Begun:
    """The key is new: do it."""


@dataclass(frozen=True, slots=True)
class InHand:
    """Another request with the key is at work."""


@dataclass(frozen=True, slots=True)
class OtherRequest:
    """The key was used for something else."""

    command: str


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """What was answered, with its HTTP status."""

    status: int
    answer: dict[str, Any]


class CommandAnswers(Protocol):
    """Stored answers; every method raises LedgerAway."""

    async def begin(self, wish: Wish) -> Begun | StoredAnswer | InHand | OtherRequest: ...

    async def finish(self, wish: Wish, status: int, answer: dict[str, Any]) -> None: ...

    async def drop(self, wish: Wish) -> None:
        """Frees the key of a command that came to nothing."""
        ...


Do = Callable[[], Awaitable[tuple[int, BaseModel]]]


async def once(answers: CommandAnswers, wish: Wish, do: Do) -> StoredAnswer | InHand | OtherRequest:
    """Does it, or says what became of it when it was done under this key."""
    begun = await answers.begin(wish)
    if not isinstance(begun, Begun):
        return begun
    is_done = False
    try:
        status, model = await do()
        is_done = True
    finally:
        if not is_done:
            with suppress(LedgerAway):
                await answers.drop(wish)
    answer = model.model_dump(mode="json")
    with suppress(LedgerAway):  # it is done; a key that stays in hand is free again after a minute
        await answers.finish(wish, status, answer)
    return StoredAnswer(status, answer)
