"""What somebody has to know is stored once an hour, and not silenced before it is stored."""

from typing import Any, cast

import pytest

from common.persistence.journal import Journal
from executor.adapters.alarms import SILENT_FOR, JournalAlarms
from support.observed_pairs import MOMENT
from support.standing_clock import StandingClock


class AwayAtFirst:
    """A journal whose database comes back after the first failure."""

    def __init__(self) -> None:
        self.kinds: list[str] = []
        self._is_away = True

    async def failed(self, kind: str, *_: object, **__: object) -> None:
        if self._is_away:
            self._is_away = False
            raise ConnectionError("the database is away")
        self.kinds.append(kind)


async def test_an_alarm_that_could_not_be_stored_is_sounded_again_and_then_once_an_hour() -> None:
    journal, clock = AwayAtFirst(), StandingClock(MOMENT)
    alarms = JournalAlarms(cast("Journal", journal), clock)

    async def sound() -> list[Any]:
        await alarms.sound("unwind_loss", "it cost too much", {}, signal_id=1)
        return journal.kinds

    with pytest.raises(ConnectionError):
        await sound()
    assert await sound() == ["unwind_loss"]
    assert await sound() == ["unwind_loss"]
    clock.pass_(SILENT_FOR.total_seconds())
    assert await sound() == ["unwind_loss", "unwind_loss"]
