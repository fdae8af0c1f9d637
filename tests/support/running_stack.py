"""The whole stack as a test sees it: the services over HTTP, and conditions that are waited for with a deadline."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

import httpx

from local_stack.reconciliation import VenueLedger
from local_stack.stack import LocalStack
from local_stack.trades import Trade, trade_of

T = TypeVar("T")

_POLL_SECONDS = 0.1


async def eventually(what: str, look: Callable[[], Awaitable[T | None]], within_seconds: float = 60) -> T:
    """What `look` answers as soon as it is neither None nor false; fails with `what` after the deadline."""
    deadline = time.monotonic() + within_seconds
    while time.monotonic() < deadline:
        if found := await look():
            return found
        await asyncio.sleep(_POLL_SECONDS)
    raise AssertionError(f"not within {within_seconds} s: {what}")


@dataclass(frozen=True)
class RunningStack:
    """A stack with all services, and a client for all of its addresses."""

    stack: LocalStack
    http: httpx.AsyncClient

    async def ask(self, service: str, path: str) -> httpx.Response:
        """GET of one service, whatever it answers."""
        return await self.http.get(self.stack.service_url(service) + path)

    async def read(self, path: str) -> dict[str, Any]:
        """GET of the gateway, with decimals kept."""
        response = (await self.ask("api_gateway", path)).raise_for_status()
        content: dict[str, Any] = json.loads(response.text, parse_float=Decimal)
        return content

    async def first(self, path: str) -> dict[str, Any] | None:
        """The newest row of one of the gateway's lists."""
        items = (await self.read(path))["items"]
        return items[0] if items else None

    async def post(self, path: str, content: str) -> httpx.Response:
        """POST of a text to signal-ingest."""
        return await self.http.post(self.stack.service_url("signal_ingest") + path, content=content)

    async def trade(self, signal_id: int) -> Trade:
        return trade_of(await self.read(f"/api/live_trading/signals/{signal_id}"))

    async def ledgers(self) -> list[VenueLedger]:
        """The venues' own books."""
        addresses = [f"{venue.url}/control/ledger" for venue in self.stack.venues]
        answers = [(await self.http.get(address)).raise_for_status() for address in addresses]
        return [VenueLedger.model_validate(json.loads(one.text, parse_float=Decimal)) for one in answers]
