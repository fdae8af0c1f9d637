"""The operator's side: the health of the whole, and the commands."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from api_gateway.application.configuration import SystemSettings, gather_settings
from api_gateway.application.flatten import FlattenDesk, Flattened, FlattenStatus, flatten_position
from api_gateway.application.force_close import ForceClose, NotClosable, UnknownTrade, force_close
from api_gateway.application.health import SystemHealth, gather_health
from api_gateway.application.measurements import MeasureProbe, SystemFigures, gather_figures
from api_gateway.application.once import CommandAnswers, InHand, OtherRequest, Wish, once
from api_gateway.application.ports import (
    CloseDesk,
    LedgerAway,
    Operator,
    ServiceAnswer,
    ServiceProbe,
    SettingsAnswer,
    SettingsProbe,
)
from api_gateway.application.trading_state import StateChange, StateDesk, change_trading_state
from api_gateway.domain.closing import CLOSABLE_STATES
from api_gateway.entrypoints.parameters import FlattenRequest, ForceCloseRequest, IdempotencyKey, TradingStateWish
from api_gateway.entrypoints.reading import unknown_signal
from common.runtime.clock import Clock
from common.runtime.guard import credential_of, principal_of
from common.runtime.problems import PROBLEM_CONTENT, Problem

REPLAYED_HEADER = "Idempotency-Replayed"

RequestId = Annotated[str, Path(pattern=r"^flatten-[a-z][a-z0-9_]{1,19}-[A-Z0-9]{1,20}-[0-9]{1,18}$")]


@dataclass(frozen=True, slots=True)
class CommandDesks:
    """What carries out the commands."""

    closes: CloseDesk
    flattens: FlattenDesk
    states: StateDesk
    answers: CommandAnswers


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


def figures_routes(probe: MeasureProbe, service_urls: Mapping[str, str | None]) -> APIRouter:
    """What the services measure."""
    router = APIRouter(prefix="/api", tags=["operations"])

    @router.get("/health/figures")
    async def figures() -> SystemFigures:
        """What waits for the bus, and each venue's bans and clock as each service met them."""
        return await gather_figures(probe, service_urls)

    return router


def settings_routes(own: SettingsAnswer, probe: SettingsProbe, service_urls: Mapping[str, str]) -> APIRouter:
    """The settings of all services."""
    router = APIRouter(prefix="/api", tags=["operations"])

    @router.get("/settings")
    async def settings(request: Request) -> SystemSettings:
        """What every service runs with and where it comes from, secrets hidden; `problems` names the silent ones."""
        return await gather_settings(own, probe, service_urls, credential_of(request))

    return router


def command_routes(desks: CommandDesks, clock: Clock) -> APIRouter:
    """What an operator can order. Each answers with what became of it: 200 done, 202 not yet, and what is known."""
    router = APIRouter(prefix="/api/live_trading", tags=["commands"])

    def not_yet(model: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
        return {202: {"model": model, "description": "Asked for; `told` says how far it is, `see` where to look"}}

    @router.post("/force_close", responses=not_yet(ForceClose), response_model=ForceClose)
    async def close(wanted: ForceCloseRequest, request: Request, idempotency_key: IdempotencyKey = None) -> Response:
        """Closes one trade: 200 once both venues report flat, 202 while the executor is still at it."""

        async def do() -> tuple[int, BaseModel]:
            by = operator_of(request, wanted.who)
            try:
                outcome = await force_close(desks.closes, clock, wanted.signal_id, by, wanted.why, wanted.wait_seconds)
            except UnknownTrade as error:
                raise unknown_signal(wanted.signal_id) from error
            except NotClosable as error:
                raise _not_closable(error) from error
            return 200 if outcome.is_done else 202, outcome

        return await _command(desks.answers, "force_close", wanted, request, idempotency_key, do)

    @router.post(
        "/flatten_position",
        responses={
            **not_yet(Flattened),
            409: {
                "model": Flattened,
                "description": "Ended, and the venue does not say zero; `told` says why. Or not begun",
                "content": PROBLEM_CONTENT,
            },
        },
        response_model=Flattened,
    )
    async def flatten(wanted: FlattenRequest, request: Request, idempotency_key: IdempotencyKey = None) -> Response:
        """Brings what a venue holds of a symbol to zero: 200 with the zero that the venue itself said."""

        async def do() -> tuple[int, BaseModel]:
            outcome = await flatten_position(
                desks.flattens,
                clock,
                wanted.venue,
                wanted.symbol,
                operator_of(request, wanted.who),
                wanted.why,
                wanted.wait_seconds,
                include_unowned=wanted.include_unowned,
            )
            ended = 200 if outcome.status.state == "flat" else 409
            return ended if outcome.is_over else 202, outcome

        return await _command(desks.answers, "flatten_position", wanted, request, idempotency_key, do)

    @router.get("/flattened/{request_id}")
    async def flattened(request_id: RequestId) -> FlattenStatus:
        """How far a flatten has come; `asked` is also what is said of one that nobody asked for."""
        try:
            return await desks.flattens.status(request_id)
        except LedgerAway as error:
            raise Problem(503, "the database does not answer: how far it has come is not known") from error

    @router.post("/trading_state", responses=not_yet(StateChange), response_model=StateChange)
    async def trading_state(
        wanted: TradingStateWish, request: Request, idempotency_key: IdempotencyKey = None
    ) -> Response:
        """Moves trading to active, reducing (closes only) or halted (only operators reduce): 200 once it is so."""

        async def do() -> tuple[int, BaseModel]:
            by = operator_of(request, wanted.who)
            change = await change_trading_state(desks.states, clock, wanted.state, by, wanted.why, wanted.wait_seconds)
            return 200 if change.is_done else 202, change

        return await _command(desks.answers, "trading_state", wanted, request, idempotency_key, do)

    return router


def operator_of(request: Request, said: str | None) -> Operator:
    """The credential's name counts; where access is off there is none, and who it says to be is all that is known."""
    principal = principal_of(request)
    if principal.is_named:
        return Operator(principal.name, principal.address, said)
    return Operator(said or principal.name, principal.address, None)


async def _command(
    answers: CommandAnswers,
    command: str,
    wanted: BaseModel,
    request: Request,
    key: str | None,
    do: Callable[[], Awaitable[tuple[int, BaseModel]]],
) -> Response:
    try:
        if key is None:
            status, outcome = await do()
            return JSONResponse(outcome.model_dump(mode="json"), status)
        done_now = False

        async def watched() -> tuple[int, BaseModel]:
            nonlocal done_now
            done_now = True
            return await do()

        digest = hashlib.sha256(wanted.model_dump_json().encode()).hexdigest()
        found = await once(answers, Wish(principal_of(request).name, key, command, digest), watched)
    except LedgerAway as error:
        detail = "the database does not answer: it is not known whether the request was recorded; asking again is safe"
        raise Problem(503, detail) from error
    match found:
        case InHand():
            raise Problem(409, f"a request with the Idempotency-Key {key} is at work: ask again for its answer")
        case OtherRequest():
            wrong = {"field": "header.Idempotency-Key", "value": key, "allowed": "a key that was not used yet"}
            raise Problem(409, f"the key was used for another request, of {found.command}", [wrong])
    return JSONResponse(found.answer, found.status, None if done_now else {REPLAYED_HEADER: "true"})


def _not_closable(error: NotClosable) -> Problem:
    allowed = f"a signal whose status is one of {', '.join(CLOSABLE_STATES)}; this one is {error.trade.status}"
    wrong = {"field": "signal_id", "value": error.trade.signal_id, "allowed": allowed}
    return Problem(409, f"{error}: there is nothing to close", [wrong])
