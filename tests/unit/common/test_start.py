"""A service waits a while for what it needs, then says in a sentence what did not come."""

import pytest

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

    with pytest.raises(TimeoutError, match=r"the database could not be reached within 0.05 s.*nobody there"):
        await within_patience("the database", connect, patience_seconds=0.05)


async def test_what_is_wrong_rather_than_away_is_not_tried_again() -> None:
    async def connect() -> str:
        raise ValueError("no such thing")

    with pytest.raises(ValueError, match="no such thing"):
        await within_patience("the database", connect)
