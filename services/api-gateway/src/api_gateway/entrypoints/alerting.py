"""Alerts: what the bus brings, what was told, and a test of the addresses."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Protocol
from uuid import uuid4

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from api_gateway.application.alert_texts import of_trade
from api_gateway.application.ports import LedgerAway, Listing
from api_gateway.application.views import AlertRecord, Page
from api_gateway.domain.alerts import Alert, AlertKind
from api_gateway.entrypoints.conditional import UNCHANGED, conditional
from api_gateway.entrypoints.operating import operator_of
from api_gateway.entrypoints.parameters import AlertParameters, AlertTest
from api_gateway.entrypoints.reading import wanted_page
from common.messages.contracts import TradeChanged
from common.messages.envelope import Envelope
from common.messaging.consumer import Handler
from common.runtime.clock import Clock
from common.runtime.problems import Problem

POLL_SECONDS = 0.1


class Recorder(Protocol):
    """Where alerts are recorded; both raise LedgerAway."""

    async def record(self, alerts: Sequence[Alert]) -> None: ...

    async def state_of(self, key: str) -> str: ...


class AlertTestOutcome(BaseModel):
    """`is_delivered` once every address took the test alert."""

    key: str
    is_delivered: bool
    waited_seconds: float
    told: str = Field(examples=["every address took the test alert"])
    see: str = "/api/alerts"


def trade_news_handler(recorder: Recorder, news_age_max_seconds: float, clock: Clock) -> Handler:
    """Records the alert of a trade's news; what is older than an alert would be tried for is nobody's any more."""

    async def handle(envelope: Envelope) -> None:
        committed_at = envelope.committed_at_seconds
        if committed_at is not None and clock.unix_seconds() - committed_at > news_age_max_seconds:
            return
        alert = of_trade(envelope.read(TradeChanged))
        if alert is not None:
            await recorder.record([alert])

    return handle


def alert_routes(alerts: Listing[AlertRecord], recorder: Recorder, clock: Clock, *, has_addresses: bool) -> APIRouter:
    """What people were told, and a test."""
    router = APIRouter(prefix="/api/alerts", tags=["operations"])

    @router.get("", response_model=Page[AlertRecord], responses=UNCHANGED)
    async def listed(wanted: Annotated[AlertParameters, Query()], request: Request) -> Response:
        """Alerts, newest first, and how far the telling has come. Empty while ALERT_URLS is."""
        return conditional(request, await alerts.page(wanted_page(wanted, "kind", "state")))

    not_yet = {"model": AlertTestOutcome, "description": "Not delivered yet; it is tried again until it is too old"}

    @router.post("/test", responses={202: not_yet})
    async def test(wanted: AlertTest, request: Request, response: Response) -> AlertTestOutcome:
        """Sends a test alert: 200 once every address took it."""
        if not has_addresses:
            raise Problem(409, "alerts are off: ALERT_URLS and ALERT_URLS_FILE name no address")
        who = operator_of(request, wanted.who).who
        key = f"test-{uuid4()}"
        text = f"{who} asked for this test. Nothing happened."
        try:
            await recorder.record([Alert(key, AlertKind.TEST, key, "Tandem: a test alert", text)])
            outcome = await _wait(recorder, clock, key, wanted.wait_seconds)
        except LedgerAway as error:
            raise Problem(503, "the database does not answer, and alerts are recorded before they are sent") from error
        response.status_code = 200 if outcome.is_delivered else 202
        return outcome

    return router


async def _wait(recorder: Recorder, clock: Clock, key: str, wait_seconds: float) -> AlertTestOutcome:
    started = clock.monotonic()
    while True:
        is_delivered = await recorder.state_of(key) == "delivered"
        waited = round(clock.monotonic() - started, 3)
        if is_delivered or waited >= wait_seconds:
            told = (
                "every address took the test alert"
                if is_delivered
                else "not every address took the test alert yet; the gateway's log names those that did not"
            )
            return AlertTestOutcome(key=key, is_delivered=is_delivered, waited_seconds=waited, told=told)
        await asyncio.sleep(min(POLL_SECONDS, wait_seconds - waited))
