"""The venues' limits of a process that shares them with nobody, and yet leases them."""

import asyncio

from common.venues.shared_limits import Change


class SharedInMemory:
    """`SharedLimits` of one process."""

    def __init__(self) -> None:
        self.texts: dict[str, bytes] = {}

    async def change(self, key: str, change: Change) -> None:
        changed = change(self.texts.get(key))
        if changed is not None:
            self.texts[key] = changed

    async def follow(self, keys: str, heard: object) -> None:
        await asyncio.Event().wait()
