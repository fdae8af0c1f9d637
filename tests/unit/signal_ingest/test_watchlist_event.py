"""Merging: consecutive triggered observations of a pair become one event, in batches, one by one, or restarted."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signal_ingest.domain.merging import MergeRules, keys_touched, merge
from signal_ingest.domain.observation import Observation
from signal_ingest.domain.trigger import JudgedObservation, Refusal
from signal_ingest.domain.watchlist_event import (
    TRANSITIONS,
    EventPrediction,
    EventStatus,
    FactorSummary,
    IllegalStep,
    Step,
    WatchlistEvent,
    close,
    next_status,
)
from support.observed_pairs import MERGING, at, observation, refused, triggered

THREE = replace(MERGING, consecutive=3)


class Watchlist:
    """What the database would hold: live events by pair, and the closed ones."""

    def __init__(self, rules: MergeRules) -> None:
        self.rules = rules
        self.events: dict[int, WatchlistEvent] = {}

    def take(self, batch: Sequence[JudgedObservation], predictions: dict[int, EventPrediction] | None = None) -> None:
        keys = set(keys_touched(batch))
        live = [e for e in self.events.values() if e.merged and e.key in keys and e.status is not EventStatus.CLOSED]
        for change in merge(live, batch, predictions or {}, self.rules).changes:
            id_ = change.after.id or len(self.events) + 1
            self.events[id_] = replace(change.after, id=id_)

    def restart(self) -> None:
        """All that survives is what was stored as JSON."""
        for id_, event in self.events.items():
            stored = json.loads(json.dumps({name: summary.as_figures() for name, summary in event.factors.items()}))
            factors = {name: FactorSummary(**figures) for name, figures in stored.items()}
            evidence = json.loads(json.dumps(event.last_observation))
            self.events[id_] = replace(event, factors=factors, last_observation=evidence)

    def story(self) -> list[WatchlistEvent]:
        """All events without their ids, in an order that does not depend on them."""
        return sorted((replace(event, id=None) for event in self.events.values()), key=repr)


def only_event(rules: MergeRules, *batch: JudgedObservation) -> WatchlistEvent:
    watchlist = Watchlist(rules)
    watchlist.take(batch)
    (event,) = watchlist.events.values()
    return event


def test_every_move_is_in_the_table_or_refused() -> None:
    for status, step in product(EventStatus, Step):
        if (status, step) in TRANSITIONS:
            assert next_status(status, step) is TRANSITIONS[status, step]
        else:
            with pytest.raises(IllegalStep, match=status):
                next_status(status, step)


def test_a_closed_event_takes_nothing_in() -> None:
    assert not [step for status, step in TRANSITIONS if status is EventStatus.CLOSED]


def test_the_first_observation_opens_an_event_when_one_is_enough() -> None:
    event = only_event(MERGING, triggered(observation(5)))
    assert (event.status, event.version, event.observations, event.opened_at) == (EventStatus.OPEN, 1, 1, at(5))


@pytest.mark.parametrize(("count", "status"), [(2, EventStatus.FORMING), (3, EventStatus.OPEN), (4, EventStatus.OPEN)])
def test_an_event_opens_with_the_third_of_three_consecutive_observations(count: int, status: EventStatus) -> None:
    event = only_event(THREE, *(triggered(observation(second)) for second in range(count)))
    assert event.status is status
    assert event.opened_at == (at(2) if count >= 3 else None)


def test_factors_keep_count_first_last_min_max_and_mean() -> None:
    seen = [triggered(observation(s, factors={"depth": value})) for s, value in enumerate((3.0, 1.0, 5.0, 4.0))]
    event = only_event(MERGING, *seen)
    assert event.factors["depth"] == FactorSummary(count=4, first=3.0, last=4.0, min=1.0, max=5.0, mean=3.25)
    assert event.factors["spread"].count == 4


def test_a_late_observation_counts_but_is_not_the_last() -> None:
    late = triggered(observation(5, factors={"depth": 1.0}))
    event = only_event(MERGING, triggered(observation(10, factors={"depth": 2.0})), late)
    assert (event.first_observed_at, event.last_observed_at, event.observations) == (at(5), at(10), 2)
    assert (event.factors["depth"].first, event.factors["depth"].last) == (1.0, 2.0)
    assert event.last_observation["observed_at"] == at(10).isoformat()


@pytest.mark.parametrize(
    "contradiction",
    [
        refused(observation(2)),
        refused(observation(2, long="bybit", short="binance")),
        triggered(observation(2, long="bybit", short="binance")),
    ],
    ids=["the gap too small", "the other direction too small", "the gap the other way round"],
)
def test_a_contradiction_drops_a_forming_event_but_leaves_an_open_one(contradiction: JudgedObservation) -> None:
    before = [triggered(observation(0)), triggered(observation(1))]
    forming, opened = Watchlist(THREE), Watchlist(MERGING)
    for watchlist in (forming, opened):
        watchlist.take(before)
        watchlist.take([contradiction])
    assert forming.events[1].status is EventStatus.CLOSED
    assert forming.events[1].opened_at is None
    assert opened.events[1].status is EventStatus.OPEN


def test_after_a_contradiction_counting_begins_anew() -> None:
    watchlist = Watchlist(THREE)
    pattern = [triggered, triggered, refused, triggered, triggered]
    watchlist.take([judge(observation(second)) for second, judge in enumerate(pattern)])
    assert [event.status for event in watchlist.events.values()] == [EventStatus.CLOSED, EventStatus.FORMING]
    watchlist.take([triggered(observation(5))])
    assert watchlist.events[2].status is EventStatus.OPEN


def test_a_stale_observation_neither_feeds_nor_drops_an_event() -> None:
    watchlist = Watchlist(THREE)
    watchlist.take([triggered(observation(0))])
    before = watchlist.story()
    watchlist.take([refused(observation(-600), Refusal.STALE_OBSERVATION)])
    assert watchlist.story() == before


@pytest.mark.parametrize(("gap_seconds", "events"), [(179.999, 1), (180, 1), (180.001, 2)])
def test_an_observation_after_the_cooldown_begins_another_event(gap_seconds: float, events: int) -> None:
    watchlist = Watchlist(MERGING)
    watchlist.take([triggered(observation(0))])
    watchlist.take([triggered(observation(gap_seconds))])
    assert len(watchlist.events) == events
    assert sum(event.status is EventStatus.OPEN for event in watchlist.events.values()) == 1


def test_without_merging_every_triggered_observation_is_an_open_event_of_its_own() -> None:
    watchlist = Watchlist(replace(THREE, enabled=False))
    watchlist.take([triggered(observation(0)), triggered(observation(0)), refused(observation(1))])
    assert [(e.status, e.merged, e.observations) for e in watchlist.events.values()] == [
        (EventStatus.OPEN, False, 1)
    ] * 2


def test_the_prediction_is_that_of_the_newest_observation() -> None:
    older, newer = (EventPrediction(pnl, 0.9, 240, "caller") for pnl in (0.01, 0.02))
    watchlist = Watchlist(MERGING)
    watchlist.take([triggered(observation(10))], {0: newer})
    watchlist.take([triggered(observation(5))], {0: older})
    assert watchlist.events[1].prediction == newer


def test_types_are_merged_apart() -> None:
    watchlist = Watchlist(MERGING)
    watchlist.take([triggered(observation(0)), triggered(observation(0, type_="A")), triggered(observation(0))])
    assert sorted((e.key.type, e.observations) for e in watchlist.events.values()) == [("A", 1), ("B", 2)]


def test_what_went_quiet_is_closed_one_version_later() -> None:
    event = close(only_event(MERGING, triggered(observation(0))), Step.WENT_QUIET, at(200))
    assert (event.status, event.version, event.closed_at) == (EventStatus.CLOSED, 2, at(200))


@st.composite
def judged_sequences(draw: st.DrawFn) -> list[JudgedObservation]:
    judged, now = [], 0.0
    for _ in range(draw(st.integers(1, 25))):
        now += draw(st.sampled_from([0, 1, 60, 180, 181, -30]))
        seen: Observation = observation(
            now,
            symbol=draw(st.sampled_from(["SOL", "ETH"])),
            short_price=draw(st.sampled_from(["203", "204", "210.5"])),
            factors={"depth": draw(st.floats(-1e6, 1e6))} if draw(st.booleans()) else {},
        )
        if draw(st.booleans()):
            seen = replace(seen, long=seen.short, short=seen.long)
        judged.append(triggered(seen) if draw(st.integers(0, 3)) else refused(seen))
    return judged


@given(
    judged_sequences(),
    st.lists(st.integers(0, 25), max_size=6),
    st.integers(1, 4),
    st.booleans(),
)
def test_a_batch_and_any_cut_of_it_with_restarts_between_give_the_same_events(
    judged: list[JudgedObservation], cuts: list[int], consecutive: int, merging: bool
) -> None:
    rules = MergeRules(merging, consecutive, timedelta(minutes=3))
    whole, in_parts = Watchlist(rules), Watchlist(rules)
    whole.take(judged)
    places = sorted({0, *(cut for cut in cuts if cut < len(judged)), len(judged)})
    for start, end in pairwise(places):
        in_parts.take(judged[start:end])
        in_parts.restart()
    assert in_parts.story() == whole.story()


@given(judged_sequences(), st.integers(1, 4))
def test_a_pair_never_has_two_live_events_and_no_observation_is_lost(
    judged: list[JudgedObservation], consecutive: int
) -> None:
    watchlist = Watchlist(replace(MERGING, consecutive=consecutive))
    watchlist.take(judged)
    live = [event.key for event in watchlist.events.values() if event.status is not EventStatus.CLOSED]
    assert len(live) == len(set(live))
    assert sum(e.observations for e in watchlist.events.values()) == sum(one.triggered for one in judged)
