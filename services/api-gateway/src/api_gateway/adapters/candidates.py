"""Asks the executor, which alone has the rules, the books and the accounts, what would open now."""

import asyncio
from typing import Any

import httpx

from api_gateway.application.ports import ExecutorAway

ANSWER_SECONDS_MAX = 20.0
"""A look reads books several times, some 0.7 s apart, as opening does."""


class HttpCandidates:
    """The executor's `/candidates`."""

    def __init__(self, executor_url: str) -> None:
        self._url = f"{executor_url}/candidates"
        # Neighbours are never behind a proxy, whatever the environment says for other programs.
        self._http = httpx.AsyncClient(timeout=ANSWER_SECONDS_MAX, trust_env=False)

    async def look(self, limit: int) -> dict[str, Any]:
        """The executor's own answer.

        Raises:
            ExecutorAway: with what is wrong.
        """
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                response = await self._http.get(self._url, params={"limit": limit})
            response.raise_for_status()
            answer: dict[str, Any] = response.json()
        except TimeoutError as error:
            raise ExecutorAway(f"no answer within {ANSWER_SECONDS_MAX:.0f} s") from error
        except (httpx.HTTPError, ValueError) as error:
            raise ExecutorAway(f"{type(error).__name__}: {error}") from error
        return answer

    async def close(self) -> None:
        """Closes connections."""
        await self._http.aclose()
