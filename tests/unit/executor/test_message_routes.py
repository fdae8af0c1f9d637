"""Which consumer brings what to the executor, and what a handler that cannot work now tells the bus."""

from collections import Counter
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from common.messages import subjects
from common.messages.envelope import Envelope
from common.messaging.errors import TryLater
from common.venues.errors import OrderNotSent, VenueBanned, VenueRefused, VenueUnreachable
from executor.application.ports import TradeBusyError
from executor.bootstrap import CONSUMERS
from executor.entrypoints.messages import MessageRouter


def test_every_subject_but_the_news_reaches_exactly_one_consumer() -> None:
    consumed = Counter((stream, subject) for _, stream, wanted, _ in CONSUMERS for subject in wanted)
    kept = [(stream, subject) for stream, names in subjects.STREAM_SUBJECTS.items() for subject in names]
    assert dict(consumed) == dict.fromkeys([one for one in kept if one[0] != subjects.NEWS_STREAM], 1)


def test_closes_share_their_slots_with_nothing_and_the_trading_state_keeps_its_order() -> None:
    wanted = {name: (tuple(found), slots) for name, _, found, slots in CONSUMERS}
    assert wanted["closes"][0] == (subjects.CLOSE_REQUESTED,)
    assert wanted["trading-state"] == ((subjects.TRADING_STATE_REQUESTED,), 1)
    assert len({name for name, *_ in CONSUMERS}) == len(CONSUMERS)


class Fails:
    """A use case that ends in this."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def handle(self, _: object) -> None:
        raise self._error


def asked_to_close(error: Exception) -> tuple[MessageRouter, Envelope]:
    does = cast("Any", SimpleNamespace(closing=Fails(error)))
    payload = {"signal_id": 1, "reason": "operator", "requested_by": "operator:me", "evidence": {}}
    told = Envelope(
        id="close-1",
        subject=subjects.CLOSE_REQUESTED,
        producer="test",
        sent_at=datetime(2025, 10, 10, tzinfo=UTC),
        payload=payload,
    )
    return MessageRouter(does, cast("Any", None)), told


@pytest.mark.parametrize(
    "error",
    [
        TradeBusyError("worked on"),
        VenueUnreachable("binance", "away"),
        VenueBanned("binance", "banned"),
        OrderNotSent("every venue", "the trading state is not known"),
    ],
)
async def test_a_close_that_cannot_be_done_now_comes_again(error: Exception) -> None:
    router, told = asked_to_close(error)
    with pytest.raises(TryLater):
        await router.handle(told)


async def test_a_close_that_a_venue_refuses_is_a_failure() -> None:
    router, told = asked_to_close(VenueRefused("binance", "no permission"))
    with pytest.raises(VenueRefused):
        await router.handle(told)
