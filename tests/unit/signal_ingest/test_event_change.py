"""An event opens in one change only: neither in those before, while it forms, nor in those after."""

import pytest

from signal_ingest.domain.merging import EventChange
from signal_ingest.domain.watchlist_event import Step, WatchlistEvent, absorb, begin, close, confirm
from support.observed_pairs import at, observation

FORMING = begin(observation(0), None, merged=True)
OPEN = confirm(FORMING)
DROPPED = close(FORMING, Step.INTERRUPTED, at(1))
LONGER = absorb(OPEN, observation(1), None)
QUIET = close(OPEN, Step.WENT_QUIET, at(600))


@pytest.mark.parametrize(
    ("before", "after", "opened"),
    [
        (None, FORMING, False),
        (None, OPEN, True),
        (FORMING, OPEN, True),
        (FORMING, DROPPED, False),
        (OPEN, LONGER, False),
        (OPEN, QUIET, False),
        (FORMING, QUIET, True),
        (None, QUIET, True),
    ],
)
def test_an_event_opened_here_if_it_was_not_open_before(
    before: WatchlistEvent | None, after: WatchlistEvent, opened: bool
) -> None:
    assert EventChange(before, after).opened is opened
