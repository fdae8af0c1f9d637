"""Asks the other services over HTTP for their readiness and their settings; a dead one is an answer too."""

import asyncio
from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from api_gateway.application.health import UNREACHABLE
from api_gateway.application.ports import ServiceAnswer, Setting, SettingsAnswer, VenueStanding

ANSWER_SECONDS_MAX = 1.5

NO_HEADERS: Mapping[str, str] = MappingProxyType({})
Said = TypeVar("Said", bound=BaseModel)


class _Readiness(BaseModel):
    status: str
    dependencies: dict[str, str]
    venues: dict[str, VenueStanding] = {}


class _Settings(BaseModel):
    settings: dict[str, Setting]


class _Silent(Exception):
    """The service says nothing that can be read; the text says why."""


class HttpServiceProbe:
    """`ServiceProbe` over `/health/ready`, and `SettingsProbe` over `/settings`."""

    def __init__(self) -> None:
        # Neighbours are never behind a proxy, whatever the environment says for other programs.
        self._http = httpx.AsyncClient(timeout=ANSWER_SECONDS_MAX, trust_env=False)

    async def ask(self, service: str, url: str) -> ServiceAnswer:
        """The service's readiness within 1.5 s, or why there is none."""
        try:
            said = await self._get(_Readiness, f"{url}/health/ready", "readiness")
        except _Silent as silence:
            return ServiceAnswer(service=service, url=url, status=UNREACHABLE, dependencies={}, problem=str(silence))
        return ServiceAnswer(
            service=service,
            url=url,
            status=said.status,
            dependencies=said.dependencies,
            venues=said.venues,
            problem=None,
        )

    async def settings(self, service: str, url: str, credential: Mapping[str, str]) -> SettingsAnswer:
        """The service's settings in effect within 1.5 s, or why there are none."""
        try:
            said = await self._get(_Settings, f"{url}/settings", "settings", credential)
        except _Silent as silence:
            return SettingsAnswer(service=service, url=url, settings={}, problem=str(silence))
        return SettingsAnswer(service=service, url=url, settings=said.settings, problem=None)

    async def _get(self, kind: type[Said], url: str, what: str, headers: Mapping[str, str] = NO_HEADERS) -> Said:
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                response = await self._http.get(url, headers=headers)
            return kind.model_validate_json(response.content)
        except TimeoutError as error:
            raise _Silent(f"no answer within {ANSWER_SECONDS_MAX} s") from error
        except httpx.HTTPError as error:
            raise _Silent(f"{type(error).__name__}: {error}") from error
        except ValidationError as error:
            raise _Silent(f"HTTP {response.status_code} with something that is no {what}") from error

    async def close(self) -> None:
        """Closes connections."""
        await self._http.aclose()
