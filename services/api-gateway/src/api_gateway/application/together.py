"""Many who ask the same at the same time are answered by one reading, which began after the last of them asked.

Nobody gets an older answer than a reading of his own would have given, and however many ask, no more than one
reading of a kind is at work.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

KeyType = TypeVar("KeyType")
AnswerType = TypeVar("AnswerType")


class Together(Generic[KeyType, AnswerType]):
    """Shares the readings of `read`, each kind by its key."""

    def __init__(self, read: Callable[[KeyType], Awaitable[AnswerType]]) -> None:
        self._read = read
        self._next: dict[KeyType, asyncio.Task[AnswerType]] = {}
        self._turns: dict[KeyType, asyncio.Lock] = {}

    async def ask(self, key: KeyType) -> AnswerType:
        """What a reading says that has not begun yet; raises what it raises."""
        if key not in self._next:
            self._next[key] = asyncio.create_task(self._in_turn(key))
        return await asyncio.shield(self._next[key])

    async def _in_turn(self, key: KeyType) -> AnswerType:
        turn = self._turns.setdefault(key, asyncio.Lock())
        try:
            async with turn:
                del self._next[key]
                return await self._read(key)
        finally:
            if key not in self._next:
                self._turns.pop(key, None)
