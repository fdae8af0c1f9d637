"""Reads what a service measures, in the format of Prometheus; the gateway's own from its own registry."""

import asyncio

import httpx
import prometheus_client
from prometheus_client.parser import text_string_to_metric_families

from api_gateway.application.measurements import Measured, MeasuresAway

ANSWER_SECONDS_MAX = 1.5


class HttpMeasures:
    """`MeasureProbe` over `/metrics`."""

    def __init__(self) -> None:
        # Neighbours are never behind a proxy, whatever the environment says for other programs.
        self._http = httpx.AsyncClient(timeout=ANSWER_SECONDS_MAX, trust_env=False)

    async def measures(self, url: str | None) -> list[Measured]:
        """All metrics of the service at `url` within 1.5 s, None being this one.

        Raises:
            MeasuresAway: it does not answer, or with something else.
        """
        if url is None:
            return _measured(prometheus_client.generate_latest().decode())
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                response = await self._http.get(f"{url}/metrics")
            return _measured(response.raise_for_status().text)
        except TimeoutError as error:
            raise MeasuresAway(f"no answer within {ANSWER_SECONDS_MAX} s") from error
        except httpx.HTTPError as error:
            raise MeasuresAway(f"{type(error).__name__}: {error}") from error
        except ValueError as error:
            raise MeasuresAway(f"an answer that is no metrics: {error}") from error

    async def close(self) -> None:
        """Closes connections."""
        await self._http.aclose()


def _measured(text: str) -> list[Measured]:
    families = text_string_to_metric_families(text)
    return [Measured(one.name, one.labels, one.value) for family in families for one in family.samples]
