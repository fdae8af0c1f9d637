"""`POST /signals` and `POST /signals/batch`. Both answer after the commit: what was accepted is stored."""

from datetime import datetime
from typing import Any

from fastapi import FastAPI, Request
from pydantic import BaseModel, ValidationError

from common.persistence.database import DATABASE_AWAY
from common.runtime.bodies import bounded
from common.runtime.clock import Clock
from common.runtime.problems import Problem, field_errors
from signal_ingest.application.ingest import Ingest, Recorded
from signal_ingest.application.listings import Listings
from signal_ingest.domain.observation import Observation
from signal_ingest.entrypoints.observation_form import ObservationForm, form_schema

SIGNAL_BYTES_MAX = 64 * 1024
BATCH_BYTES_MAX = 8 * 1024 * 1024
BATCH_LINES_MAX = 10_000

_BATCH_BODY = {
    "requestBody": {
        "required": True,
        "description": "One observation a line, in the form of POST /signals.",
        "content": {
            "application/x-ndjson": {
                "schema": {"type": "string", "pattern": r"\S"},
                "example": '{"symbol": "SOL", "type": "B", "long": {"venue": "binance", "price": "181.2"}, '
                '"short": {"venue": "bybit", "price": "186.9"}}\n',
            }
        },
    }
}


class SignalAnswer(BaseModel):
    """What became of one observation. The event is the one it went into, as the commit left it."""

    triggered: bool
    refusal: str | None
    event_id: int | None
    event_status: str | None
    version: int | None


class RefusedLine(BaseModel):
    """A line that was not accepted; lines count from 1."""

    line: int
    errors: list[dict[str, Any]]


class BatchAnswer(BaseModel):
    """How many lines were stored, how many of them triggered, and the lines that were refused."""

    accepted: int
    triggered: int
    refused: list[RefusedLine]


class _Refused(Exception):
    """One observation cannot be accepted."""

    def __init__(self, errors: list[dict[str, Any]], *, is_json: bool = True) -> None:
        super().__init__(", ".join(str(error["field"]) for error in errors))
        self.errors = errors
        self.is_json = is_json


def add_signal_routes(app: FastAPI, ingest: Ingest, listings: Listings, clock: Clock) -> None:
    """Adds both endpoints."""
    form = {"required": True, "content": {"application/json": {"schema": form_schema(listings.venues)}}}

    @app.post("/signals", status_code=201, tags=["signals"], openapi_extra={"requestBody": form})
    async def post_signal(request: Request) -> SignalAnswer:
        """Stores one observation and says what became of it."""
        body = await _bounded_body(request, SIGNAL_BYTES_MAX)
        try:
            observation = _read(body, listings, clock.now())
        except _Refused as refused:
            if not refused.is_json:
                raise Problem(400, "the body is not JSON", refused.errors) from None
            raise Problem(422, f"not accepted: {refused}", refused.errors) from None
        return _answer((await _record(ingest, [observation]))[0])

    @app.post("/signals/batch", tags=["signals"], openapi_extra=_BATCH_BODY)
    async def post_batch(request: Request) -> BatchAnswer:
        """Stores every good line, in one transaction, and names each bad one; empty lines are skipped."""
        body = await _bounded_body(request, BATCH_BYTES_MAX)
        lines = [(number, line) for number, line in enumerate(body.split(b"\n"), 1) if line.strip()]
        if len(lines) > BATCH_LINES_MAX:
            raise Problem(413, f"the batch has {len(lines)} lines: allowed are {BATCH_LINES_MAX}")
        if not lines:
            raise Problem(422, "the batch is empty: it needs one observation a line, and at least one line")
        now = clock.now()
        observations: list[Observation] = []
        refused: list[RefusedLine] = []
        for number, line in lines:
            try:
                observations.append(_read(line, listings, now))
            except _Refused as wrong:
                refused.append(RefusedLine(line=number, errors=wrong.errors))
        recorded = await _record(ingest, observations) if observations else []
        triggered = sum(one.judged.triggered for one in recorded)
        return BatchAnswer(accepted=len(recorded), triggered=triggered, refused=refused)


def _read(text: bytes, listings: Listings, now: datetime) -> Observation:
    try:
        observation = ObservationForm.model_validate_json(text).observation(now)
    except ValidationError as error:
        details = error.errors()
        is_json = not any(detail["type"] == "json_invalid" for detail in details)
        raise _Refused(field_errors(details), is_json=is_json) from None
    objections = listings.objections(observation, now)
    if objections:
        raise _Refused([{"field": o.field, "value": o.value, "allowed": o.allowed} for o in objections])
    return observation


async def _record(ingest: Ingest, observations: list[Observation]) -> list[Recorded]:
    try:
        return await ingest.record(observations)
    except DATABASE_AWAY as error:
        detail = "the database is away and the commit was not confirmed: send it again"
        raise Problem(503, f"{detail} ({type(error).__name__})") from error


def _answer(recorded: Recorded) -> SignalAnswer:
    placement = recorded.placement
    return SignalAnswer(
        triggered=recorded.judged.triggered,
        refusal=recorded.judged.refusal,
        event_id=placement.event_id if placement else None,
        event_status=placement.status if placement else None,
        version=placement.version if placement else None,
    )


async def _bounded_body(request: Request, bytes_max: int) -> bytes:
    """The whole body; answered with 413 as soon as it is longer than `bytes_max`."""
    return await Request(request.scope, bounded(request.receive, bytes_max)).body()
