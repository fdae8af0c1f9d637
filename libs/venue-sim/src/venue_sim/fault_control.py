"""The control interface of faults and interventions: arm, show, end; and make things happen at the venue."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from venue_sim.faults import ArmedFault, FaultSpec
from venue_sim.interventions import Intervention
from venue_sim.moment import Moment
from venue_sim.responses import command_endpoint, json_response
from venue_sim.venue import Venue


def fault_routes(venue: Venue) -> list[Route]:
    """The routes /control/faults and /control/actions."""

    def listed() -> list[str]:
        return list(venue.instruments)

    def arm(spec: FaultSpec) -> None:
        if spec.symbol is not None:
            venue.instrument(spec.symbol)
        venue.faults.arm(spec, venue.moment())

    def state() -> dict[str, Any]:
        return fault_state(venue)

    async def show(_request: Request) -> Response:
        return json_response(state())

    async def clear(_request: Request) -> Response:
        venue.faults.clear()
        return json_response(state())

    def positions() -> dict[str, Any]:
        held = {position.symbol: format(position.quantity, "f") for position in venue.account.open_positions()}
        return {"venue": venue.name, "now": venue.now().isoformat(), "positions": held}

    return [
        Route("/control/faults", command_endpoint(FaultSpec, arm, state, listed), methods=["POST"]),
        Route("/control/faults", show, methods=["GET"]),
        Route("/control/faults", clear, methods=["DELETE"]),
        Route("/control/actions", command_endpoint(Intervention, venue.intervene, positions, listed), methods=["POST"]),
    ]


def fault_state(venue: Venue) -> dict[str, Any]:
    """Every fault since the last clearing, and how often each kind has happened."""
    now = venue.moment()
    faults = venue.faults.ever_armed(now)
    fired: dict[str, int] = {}
    for fault in faults:
        kind = fault.spec.kind.value
        fired[kind] = fired.get(kind, 0) + fault.fired
    return {
        "venue": venue.name,
        "now": now.market.isoformat(),
        "faults": [_fault(fault, now) for fault in faults],
        "fired": fired,
    }


def _fault(fault: ArmedFault, now: Moment) -> dict[str, Any]:
    return {
        "number": fault.number,
        "live": fault.is_live(now),
        "fired": fault.fired,
        "armed_at": fault.armed_at.market.isoformat(),
        "last_fired_at": fault.last_fired_at.market.isoformat() if fault.last_fired_at else None,
        "fault": fault.spec.model_dump(mode="json", exclude_unset=True),
    }
