"""Where the processes of one installation share what they know of the venues' limits."""

from collections.abc import Callable
from typing import Protocol

Change = Callable[[bytes | None], bytes | None]
"""From what is stored, or None, to what is to be stored; None to leave it as it is. May be asked more than once."""


class SharingAway(Exception):
    """Nothing can be shared now."""


class SharedLimits(Protocol):
    """Texts by key, the same for all processes."""

    async def change(self, key: str, change: Change) -> None:
        """Changes one text, as if nobody else did meanwhile.

        Raises:
            SharingAway: it was not changed, or nobody said so.
        """
        ...

    async def follow(self, keys: str, heard: Callable[[str, bytes], None]) -> None:
        """Tells of every text whose key begins with `keys.`: first as it is, then within milliseconds of each change.

        Without end; a text may be told more than once. While nothing can be shared it waits.
        """
        ...


class NothingShared:
    """`SharedLimits` of a process that is alone."""

    async def change(self, key: str, change: Change) -> None:
        raise SharingAway

    async def follow(self, keys: str, heard: Callable[[str, bytes], None]) -> None:
        return
