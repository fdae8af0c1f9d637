"""The settings of the whole, each service asked for its own: they need not have been started with the same."""

import asyncio
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from api_gateway.application.ports import SettingsAnswer, SettingsProbe


class SystemSettings(BaseModel):
    """`problems` has a sentence for each service that did not say what it runs with."""

    model_config = ConfigDict(frozen=True)

    services: dict[str, SettingsAnswer]
    problems: list[str]


async def gather_settings(
    own: SettingsAnswer, probe: SettingsProbe, service_urls: Mapping[str, str], credential: Mapping[str, str]
) -> SystemSettings:
    """Asks all other services in parallel, with the caller's own `credential`, as headers."""
    others = await asyncio.gather(*(probe.settings(service, url, credential) for service, url in service_urls.items()))
    answers = [own, *others]
    return SystemSettings(
        services={answer.service: answer for answer in answers},
        problems=[f"{answer.service}: {answer.problem}" for answer in answers if answer.problem is not None],
    )
