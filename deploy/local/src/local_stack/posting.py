"""Posts the observations of a scenario to signal-ingest when their market time has come."""

import json
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import httpx

from common.runtime.clock import ReplayClock
from local_stack.ending import NoAnswer
from venue_sim.scenario import Posted


async def post_observations(
    observations: Sequence[Posted], clock: ReplayClock, http: httpx.AsyncClient, url: str, tell: Callable[[str], None]
) -> None:
    """Posts each at its time, and tells what signal-ingest made of it.

    Raises:
        NoAnswer: signal-ingest refused one or did not answer.
    """
    for posted in sorted(observations, key=lambda one: one.at):
        while (wait_seconds := (posted.at - clock.now()).total_seconds()) > 0:
            await clock.sleep(wait_seconds)
        body = json.dumps(posted.body, default=_plain)
        try:
            response = await http.post(f"{url}/signals", content=body, headers={"content-type": "application/json"})
        except httpx.TransportError as error:
            raise NoAnswer(f"signal-ingest did not take an observation: {error!r}") from error
        if response.is_error:
            raise NoAnswer(f"signal-ingest refused an observation of the scenario: {response.text}")
        tell(_sentence(posted.body, response.json()))


def _sentence(body: dict[str, Any], answer: dict[str, Any]) -> str:
    became = f"event {answer['event_id']}" if answer["triggered"] else f"refused, {answer['refusal']}"
    return f"{body.get('symbol')} observation posted: {became}"


def _plain(value: object) -> float | str:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form")
