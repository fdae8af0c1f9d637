"""The health of the whole: every service is asked at once, and the one that does not answer is named."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from pydantic import BaseModel, ConfigDict, Field

from api_gateway.application.ports import ServiceAnswer, ServiceProbe

READY = "ready"
UNREACHABLE = "unreachable"


class SystemHealth(BaseModel):
    """`problems` has a sentence for each service that is not ready; empty when all are."""

    model_config = ConfigDict(frozen=True)

    status: str = Field(examples=["ready"])
    services: dict[str, ServiceAnswer]
    problems: list[str]


async def gather_health(
    own: Callable[[], Awaitable[ServiceAnswer]], probe: ServiceProbe, service_urls: Mapping[str, str]
) -> SystemHealth:
    """Asks the gateway itself and all other services in parallel."""
    answers = await asyncio.gather(own(), *(probe.ask(service, url) for service, url in service_urls.items()))
    problems = [sentence_of(answer) for answer in answers if answer.status != READY]
    return SystemHealth(
        status="not_ready" if problems else READY,
        services={answer.service: answer for answer in answers},
        problems=problems,
    )


def sentence_of(answer: ServiceAnswer) -> str:
    """What is wrong with a service that is not ready."""
    if answer.problem is not None:
        return f"{answer.service} is {answer.status}: {answer.problem}"
    wrong = [f"{name}: {state}" for name, state in answer.dependencies.items() if state != "ok"]
    return f"{answer.service} is {answer.status}: {'; '.join(wrong) or 'it names no dependency'}"
