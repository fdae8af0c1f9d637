"""Which venues ban which service, read from the services' own metrics."""

import asyncio
from collections.abc import Mapping

import httpx
from prometheus_client.parser import text_string_to_metric_families

from api_gateway.application.alerting import Ban
from common.runtime.clock import Clock

METRIC = "tandem_venue_banned_until_timestamp_seconds"
ANSWER_SECONDS_MAX = 2.0


class HttpBans:
    """`BanReader` over `/metrics`. A ban that is over at the time of a look is not told of."""

    def __init__(self, service_urls: Mapping[str, str], clock: Clock) -> None:
        self._service_urls = service_urls
        self._clock = clock
        self._http = httpx.AsyncClient(timeout=ANSWER_SECONDS_MAX, trust_env=False)

    async def bans(self) -> list[Ban]:
        asked = (self._bans_of(service, url) for service, url in self._service_urls.items())
        now = self._clock.unix_seconds()
        return [ban for bans in await asyncio.gather(*asked) for ban in bans if ban.until_seconds > now]

    async def _bans_of(self, service: str, url: str) -> list[Ban]:
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                response = await self._http.get(f"{url}/metrics")
            return _read(service, response.text)
        except (httpx.HTTPError, TimeoutError, ValueError):
            return []  # that a service is silent, or no service, is its health's to tell

    async def close(self) -> None:
        """Closes connections."""
        await self._http.aclose()


def _read(service: str, text: str) -> list[Ban]:
    lines = "\n".join(line for line in text.splitlines() if line.startswith((METRIC, f"# TYPE {METRIC}")))
    return [
        Ban(service, sample.labels["venue"], sample.value)
        for family in text_string_to_metric_families(lines)
        for sample in family.samples
        if "venue" in sample.labels
    ]
