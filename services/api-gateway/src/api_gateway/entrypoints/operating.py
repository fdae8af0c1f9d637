"""The operator's side: the health of the whole, and the commands."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated

from fastapi import APIRouter, Header, Response

from api_gateway.application.configuration import SystemSettings, gather_settings
from api_gateway.application.force_close import ForceClose, NotClosable, UnknownTrade, force_close
from api_gateway.application.health import SystemHealth, gather_health
from api_gateway.application.ports import (
    CloseDesk,
    LedgerAway,
    ServiceAnswer,
    ServiceProbe,
    SettingsAnswer,
    SettingsProbe,
)
from api_gateway.application.trading_state import StateChange, StateDesk, change_trading_state
from api_gateway.domain.closing import CLOSABLE_STATES
from api_gateway.entrypoints.parameters import ForceCloseRequest, TradingStateWish
from api_gateway.entrypoints.reading import unknown_signal
from common.runtime.clock import Clock
from common.runtime.problems import Problem


def health_routes(
    own: Callable[[], Awaitable[ServiceAnswer]], probe: ServiceProbe, service_urls: Mapping[str, str]
) -> APIRouter:
    """The health of all services."""
    router = APIRouter(prefix="/api", tags=["operations"])

    @router.get("/health", responses={503: {"model": SystemHealth, "description": "A service is not ready"}})
    async def health(response: Response) -> SystemHealth:
        """Every service with its dependencies; 503 names the ones that are not ready."""
        system = await gather_health(own, probe, service_urls)
        response.status_code = 503 if system.problems else 200
        return system

    return router


def settings_routes(own: SettingsAnswer, probe: SettingsProbe, service_urls: Mapping[str, str]) -> APIRouter:
    """The settings of all services."""
    router = APIRouter(prefix="/api", tags=["operations"])

    @router.get("/settings")
    async def settings(authorization: Annotated[str | None, Header()] = None) -> SystemSettings:
        """What every service runs with and where it comes from, secrets hidden; `problems` names the silent ones."""
        return await gather_settings(own, probe, service_urls, authorization)

    return router


def command_routes(desk: CloseDesk, states: StateDesk, clock: Clock) -> APIRouter:
    """What an operator can order."""
    router = APIRouter(prefix="/api/live_trading", tags=["commands"])

    @router.post("/force_close", responses={202: {"model": ForceClose, "description": "Asked for, not closed yet"}})
    async def close(wanted: ForceCloseRequest, response: Response) -> ForceClose:
        """Closes one trade: 200 once it is closed, 202 while the executor is still at it."""
        try:
            outcome = await force_close(desk, clock, wanted.signal_id, wanted.who, wanted.why, wanted.wait_seconds)
        except UnknownTrade as error:
            raise unknown_signal(wanted.signal_id) from error
        except NotClosable as error:
            raise _not_closable(error) from error
        except LedgerAway as error:
            detail = (
                "the database does not answer: it is not known whether the request was recorded; asking again is safe"
            )
            raise Problem(503, detail) from error
        response.status_code = 200 if outcome.is_done else 202
        return outcome

    asked_for = {"model": StateChange, "description": "Asked for, not in effect yet"}

    @router.post("/trading_state", responses={202: asked_for})
    async def trading_state(wanted: TradingStateWish, response: Response) -> StateChange:
        """Moves trading to active, reducing (closes only) or halted (only operators reduce): 200 once it is so."""
        try:
            change = await change_trading_state(
                states, clock, wanted.state, wanted.who, wanted.why, wanted.wait_seconds
            )
        except LedgerAway as error:
            detail = "the database does not answer: it is not known whether the wish was recorded; asking again is safe"
            raise Problem(503, detail) from error
        response.status_code = 200 if change.is_done else 202
        return change

    return router


def _not_closable(error: NotClosable) -> Problem:
    allowed = f"a signal whose status is one of {', '.join(CLOSABLE_STATES)}; this one is {error.trade.status}"
    wrong = {"field": "signal_id", "value": error.trade.signal_id, "allowed": allowed}
    return Problem(409, f"{error}: there is nothing to close", [wrong])
