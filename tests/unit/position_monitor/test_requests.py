"""What is asked of the executor: ids that are natural keys, counted on from what was recorded."""

from datetime import timedelta

import pytest

from position_monitor.domain.exits import Action, Verdict
from position_monitor.domain.requests import SCALE_IN_ASK_AGAIN, is_due, request_of
from position_monitor.domain.trade import Asked, Trade
from support.watched_trades import NOW, entry, trade

COOLDOWN = timedelta(seconds=120)
CLOSE = Verdict(Action.CLOSE, "take_profit", {})
AGAIN = Verdict(Action.CLOSE_AGAIN, "operator", {})
SCALE_IN = Verdict(Action.SCALE_IN, "triggered", {})


def id_of(watched: Trade, verdict: Verdict) -> str | None:
    made = request_of(watched, verdict)
    return made.message_id if made else None


def test_the_first_request_is_number_one() -> None:
    two_entries = trade(entries=(entry(), entry(2)))
    assert id_of(trade(), CLOSE) == "close-7-take_profit-1"
    assert id_of(trade(status="closing"), AGAIN) == "close-7-again-1"
    assert id_of(two_entries, SCALE_IN) == "scale-in-7-2-1"


def test_a_restart_counts_on_from_what_was_recorded() -> None:
    watched = trade(asked={"close-7-take_profit": Asked(3, NOW), "scale-in-7-1": Asked(1, NOW)})
    assert id_of(watched, CLOSE) == "close-7-take_profit-4"
    assert id_of(watched, SCALE_IN) == "scale-in-7-1-2"
    assert id_of(watched, Verdict(Action.CLOSE, "max_hold_days", {})) == "close-7-max_hold_days-1"


@pytest.mark.parametrize("action", [Action.HOLD, Action.NO_BOOK])
def test_holding_asks_for_nothing(action: Action) -> None:
    assert request_of(trade(), Verdict(action, "any", {})) is None


def test_a_scale_in_request_says_how_many_entries_it_was_made_for() -> None:
    made = request_of(trade(entries=(entry(), entry(2))), SCALE_IN)
    assert made is not None
    assert made.entries == 2


@pytest.mark.parametrize(
    ("verdict", "topic", "wait"),
    [
        (CLOSE, "close-7-take_profit", COOLDOWN),
        (AGAIN, "close-7-take_profit", COOLDOWN),
        (AGAIN, "close-7-again", COOLDOWN),
        (SCALE_IN, "scale-in-7-1", SCALE_IN_ASK_AGAIN),
    ],
)
@pytest.mark.parametrize(("microseconds", "due"), [(-1, False), (0, True), (1, True)])
def test_it_is_asked_again_after_its_wait(
    verdict: Verdict, topic: str, wait: timedelta, microseconds: int, due: bool
) -> None:
    asked_at = NOW - wait - timedelta(microseconds=microseconds)
    assert is_due(trade(asked={topic: Asked(1, asked_at)}), verdict, COOLDOWN, NOW) is due


def test_a_close_that_somebody_else_asked_for_is_given_its_time_too() -> None:
    just_now = trade(status="closing", close_requested_at=NOW - timedelta(seconds=119))
    long_ago = trade(status="closing", close_requested_at=NOW - timedelta(seconds=120))
    assert not is_due(just_now, AGAIN, COOLDOWN, NOW)
    assert is_due(long_ago, AGAIN, COOLDOWN, NOW)


def test_another_reason_to_close_does_not_wait_for_the_first_one() -> None:
    watched = trade(asked={"close-7-take_profit": Asked(1, NOW)})
    assert is_due(watched, Verdict(Action.CLOSE, "max_hold_days", {}), COOLDOWN, NOW)
