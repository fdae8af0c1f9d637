"""Asks the other services for their readiness over HTTP; a dead one is an answer too."""

import asyncio

import httpx
from pydantic import BaseModel, ValidationError

from api_gateway.application.health import UNREACHABLE
from api_gateway.application.ports import ServiceAnswer

ANSWER_SECONDS_MAX = 1.5


class _Readiness(BaseModel):
    status: str
    dependencies: dict[str, str]


class HttpServiceProbe:
    """`ServiceProbe` over `/health/ready`."""

    def __init__(self) -> None:
        # Neighbours are never behind a proxy, whatever the environment says for other programs.
        self._http = httpx.AsyncClient(timeout=ANSWER_SECONDS_MAX, trust_env=False)

    async def ask(self, service: str, url: str) -> ServiceAnswer:
        """The service's readiness within 1.5 s, or why there is none."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                response = await self._http.get(f"{url}/health/ready")
            said = _Readiness.model_validate_json(response.content)
        except TimeoutError:
            return _silent(service, url, f"no answer within {ANSWER_SECONDS_MAX} s")
        except httpx.HTTPError as error:
            return _silent(service, url, f"{type(error).__name__}: {error}")
        except ValidationError:
            return _silent(service, url, f"HTTP {response.status_code} with something that is no readiness")
        return ServiceAnswer(service=service, url=url, status=said.status, dependencies=said.dependencies, problem=None)

    async def close(self) -> None:
        """Closes connections."""
        await self._http.aclose()


def _silent(service: str, url: str, problem: str) -> ServiceAnswer:
    return ServiceAnswer(service=service, url=url, status=UNREACHABLE, dependencies={}, problem=problem)
