"""The fault model alone: what a fault may say, which requests it meets, how often, how long, and by what chance."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from support.simulated_venues import NOON
from venue_sim.faults import (
    BOOKS,
    DISPLAY,
    EXECUTION,
    STREAMS,
    WIRE,
    EndpointClass,
    FaultKind,
    Faults,
    FaultSpec,
    ScriptedFault,
    Target,
)
from venue_sim.moment import Moment

CREATE = Target(EndpointClass.ORDER_CREATE, "SOL")
NEEDED: dict[FaultKind, dict[str, Any]] = {
    FaultKind.SILENCE: {"for_seconds": 60},
    FaultKind.DELAY: {"seconds": 1},
    FaultKind.BAN: {"for_seconds": 10},
    FaultKind.DELAYED_FILL: {"seconds": 1},
    FaultKind.PARTIAL_FILL: {"share": "0.5"},
    FaultKind.EMPTY_SIDE: {"side": "bids"},
    FaultKind.LAG: {"seconds": 1},
}


def moment(seconds: float = 0, *, market_seconds: float = 0) -> Moment:
    """Some real and market seconds after the start."""
    return Moment(NOON + timedelta(seconds=market_seconds), 1000 + seconds)


def spec(**table: Any) -> FaultSpec:
    return FaultSpec.model_validate(table)


def meets(faults: Faults, now: Moment, target: Target = CREATE) -> bool:
    return faults.take(target, WIRE, now) is not None


def test_a_stream_meets_only_faults_of_streams_and_a_request_none_of_them() -> None:
    faults, stream = Faults(), Target(EndpointClass.STREAM, "SOL", signed=False)
    faults.arm(spec(kind="drop", endpoint="any", times=9), moment())
    assert not meets(faults, moment(), stream)
    faults.clear()
    faults.arm(spec(kind="drop", endpoint="stream", symbol="SOL"), moment())
    assert not meets(faults, moment())
    assert not meets(faults, moment(), Target(EndpointClass.STREAM, "ETH", signed=False))
    assert meets(faults, moment(), stream)


def test_every_kind_belongs_to_exactly_one_who_asks() -> None:
    assert frozenset(FaultKind) == WIRE | EXECUTION | DISPLAY | STREAMS
    assert len(WIRE) + len(EXECUTION) + len(DISPLAY) + len(STREAMS) == len(FaultKind)
    assert BOOKS < DISPLAY


@pytest.mark.parametrize("kind", list(FaultKind))
def test_every_kind_can_be_armed_with_what_it_needs_alone(kind: FaultKind) -> None:
    assert spec(kind=kind, **NEEDED.get(kind, {})).kind is kind


@pytest.mark.parametrize("kind", sorted(NEEDED))
def test_kind_without_what_it_needs_is_refused_by_name(kind: FaultKind) -> None:
    (needed,) = NEEDED[kind]
    with pytest.raises(ValidationError, match=f"{needed}: is missing; {kind} needs it"):
        spec(kind=kind)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"kind": "explode"}, "kind"),
        ({"kind": "drop", "typo": 1}, "typo"),
        ({"kind": "drop", "share": "0.5"}, "share: drop has no such parameter; it takes accepted"),
        ({"kind": "dust", "accepted": True}, "accepted: dust has no such parameter; it takes none"),
        ({"kind": "stuck", "endpoint": "book"}, "endpoint: stuck happens to order.create, not to book"),
        ({"kind": "drop", "times": 2, "for_seconds": 3}, "times: a fault ends after"),
        ({"kind": "drop", "times": 0}, "times"),
        ({"kind": "drop", "probability": 0}, "probability"),
        ({"kind": "partial_fill", "share": "1"}, "share"),
        ({"kind": "delay", "seconds": 1, "clock": "market"}, "clock: delay is about the network; allowed is real"),
        ({"kind": "delay", "seconds": float("inf")}, "seconds"),
        ({"kind": "ban", "for_seconds": 1, "status": 503}, "status: allowed for ban is 418"),
        ({"kind": "server_error", "status": 404}, "status: allowed for server_error is 500 to 599"),
        ({"kind": "drop", "symbol": "SOL/USDT"}, "symbol"),
    ],
)
def test_wrong_fault_is_refused_by_the_name_of_the_field(table: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        spec(**table)


def test_fault_happens_once_unless_it_says_otherwise() -> None:
    faults = Faults()
    faults.arm(spec(kind="drop"), moment())
    assert [meets(faults, moment()) for _ in range(3)] == [True, False, False]


def test_fault_happens_as_often_as_it_says() -> None:
    faults = Faults()
    faults.arm(spec(kind="drop", times=2), moment())
    assert [meets(faults, moment()) for _ in range(3)] == [True, True, False]


@pytest.mark.parametrize("clock", ["real", "market"])
def test_fault_lasts_as_long_as_it_says_on_its_own_clock(clock: str) -> None:
    faults = Faults()
    faults.arm(spec(kind="drop", for_seconds=10, clock=clock), moment())

    def later(seconds: float) -> Moment:
        return moment(seconds) if clock == "real" else moment(market_seconds=seconds)

    assert [meets(faults, later(seconds)) for seconds in (0, 9.9, 10, 11)] == [True, True, False, False]


def test_fault_meets_only_what_it_is_about() -> None:
    faults = Faults()
    faults.arm(spec(kind="drop", endpoint="order.query", symbol="SOL", times=9), moment())
    assert not meets(faults, moment(), CREATE)
    assert not meets(faults, moment(), Target(EndpointClass.ORDER_QUERY, "ETH"))
    assert not meets(faults, moment(), Target(EndpointClass.ORDER_QUERY, None))
    assert meets(faults, moment(), Target(EndpointClass.ORDER_QUERY, "SOL"))


def test_fault_of_any_endpoint_meets_requests_of_no_class_too() -> None:
    faults = Faults()
    faults.arm(spec(kind="ban", for_seconds=10), moment())
    assert meets(faults, moment(), Target(None, None, signed=False))


def test_clock_error_meets_signed_requests_only() -> None:
    faults = Faults()
    faults.arm(spec(kind="nonce", endpoint="any"), moment())
    assert not meets(faults, moment(), Target(EndpointClass.BOOK, "SOL", signed=False))
    assert meets(faults, moment(), Target(EndpointClass.BALANCE))


def test_reduce_only_rejection_meets_reduce_only_orders_only() -> None:
    faults = Faults()
    faults.arm(spec(kind="reject", reason="reduce_only"), moment())
    assert not meets(faults, moment())
    assert meets(faults, moment(), Target(EndpointClass.ORDER_CREATE, "SOL", reduce_only=True))


def test_one_request_meets_one_fault_of_each_that_asks_and_the_first_armed() -> None:
    faults = Faults()
    first = faults.arm(spec(kind="drop"), moment())
    second = faults.arm(spec(kind="malformed"), moment())
    execution = faults.arm(spec(kind="stuck"), moment())
    assert faults.take(CREATE, WIRE, moment()) is first
    assert faults.take(CREATE, EXECUTION, moment()) is execution
    assert (second.fired, faults.take(CREATE, WIRE, moment())) == (0, second)


def test_chance_is_the_seeds_and_can_be_repeated() -> None:
    def pattern(seed: int) -> list[bool]:
        faults = Faults()
        faults.arm(spec(kind="drop", times=1000, probability=0.3, seed=seed), moment())
        return [meets(faults, moment()) for _ in range(200)]

    assert pattern(1) == pattern(1) != pattern(2)
    assert 30 <= sum(pattern(1)) <= 90


def test_found_fault_is_counted_only_when_it_is_fired() -> None:
    faults = Faults()
    armed = faults.arm(spec(kind="drop"), moment())
    assert faults.find(CREATE, WIRE, moment()) is faults.find(CREATE, WIRE, moment()) is armed
    faults.fire(armed, moment(5))
    assert (armed.fired, armed.last_fired_at, armed.is_live(moment(5))) == (1, moment(5), False)


def test_script_arms_its_faults_at_their_market_time() -> None:
    at = NOON + timedelta(minutes=1)
    faults = Faults([ScriptedFault.model_validate({"kind": "drop", "at": at})])
    assert faults.ever_armed(moment(market_seconds=59)) == []
    assert not meets(faults, moment(market_seconds=59))
    assert meets(faults, moment(market_seconds=60))


def test_clearing_ends_what_is_armed_and_what_the_script_would_arm() -> None:
    faults = Faults([ScriptedFault.model_validate({"kind": "drop", "at": NOON + timedelta(minutes=1)})])
    faults.arm(spec(kind="drop"), moment())
    faults.clear()
    assert not meets(faults, moment(market_seconds=120))
    assert faults.ever_armed(moment(market_seconds=120)) == []


@pytest.mark.parametrize(("kind", "takes_effect"), [("delay", True), ("duplicate", True), ("reject", False)])
def test_whether_a_request_takes_effect_is_the_kinds(kind: str, takes_effect: bool) -> None:
    assert spec(kind=kind, **NEEDED.get(FaultKind(kind), {})).takes_effect is takes_effect


@pytest.mark.parametrize("accepted", [True, False])
def test_whether_a_lost_request_takes_effect_is_said(accepted: bool) -> None:
    assert spec(kind="timeout", accepted=accepted).takes_effect is accepted
