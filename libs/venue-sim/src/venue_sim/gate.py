"""The door of a venue with its faults: what becomes of each request, before HTTP carries it out.

A request that meets a wire fault is carried out first where the fault says that it took effect, and then answered
with the fault, late, or not at all. Nothing waits here: how long, and that a connection ends, is in the `Reply`.
"""

from dataclasses import dataclass, replace
from http import HTTPStatus

from venue_sim.dialects.wire import Answer, Call, Dialect
from venue_sim.faults import WIRE, FaultKind, Target
from venue_sim.venue import Venue

_BAN = frozenset({FaultKind.BAN})


@dataclass(frozen=True, slots=True)
class Reply:
    """What a client gets after `wait_seconds`; without an answer its connection is cut."""

    answer: Answer | None
    wait_seconds: float = 0.0


class FaultGate:
    """Stands before a dialect."""

    def __init__(self, venue: Venue, dialect: Dialect) -> None:
        self._venue = venue
        self._dialect = dialect

    def handshake(self) -> Answer | None:
        """With what a stream is refused before it begins: bans are for whoever knocks. None: it may begin."""
        now = self._venue.moment()
        fault = self._venue.faults.take(Target(None, signed=False), _BAN, now)
        if fault is None:
            return None
        answer = self._dialect.fault_answer(fault.spec, fault.remaining_seconds(now))
        # Where requests are refused in the body of a success, a handshake has its status only.
        return (
            answer if answer.status >= HTTPStatus.BAD_REQUEST else replace(answer, status=HTTPStatus.TOO_MANY_REQUESTS)
        )

    def reply(self, call: Call) -> Reply:
        """Answers a request, as the faults in force let it."""
        self._venue.settle()
        now = self._venue.moment()
        faults = self._venue.faults
        fault = None if faults.is_quiet(now) else faults.take(self._dialect.target(call), WIRE, now)
        if fault is None:
            return Reply(self._dialect.answer(call))
        spec = fault.spec
        answer = self._dialect.answer(call) if spec.takes_effect else None
        if spec.kind is FaultKind.DELAY:
            return Reply(answer, spec.seconds)
        if spec.kind is FaultKind.TIMEOUT:
            return Reply(None, spec.seconds)
        if spec.kind is FaultKind.DROP:
            return Reply(None)
        return Reply(self._dialect.fault_answer(spec, fault.remaining_seconds(now)))
