"""Services that start while venues ban are told so before they ask: nobody lengthens a ban that others know of."""

import time
from pathlib import Path

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from common.messaging.bus import Bus
from local_stack.stack import LocalStack
from support.service_group import ServiceGroup, service_group

SERVICES = ("signal_ingest", "executor", "position_monitor")
BANNED = {
    "signal_ingest": ("tandem_scanner_venue_failures_total", 'reason="venue_banned"'),
    "executor": ("tandem_order_streams_lost_total", 'why="venue_banned"'),
    "position_monitor": ("tandem_book_streams_lost_total", 'why="venue_banned"'),
}
"""What each counts when it wanted to ask a venue and knew that it must not."""


class Asked:
    """Counts what reaches the venues, but for the test's own commands."""

    def __init__(self) -> None:
        self.times = 0

    def around(self, app: ASGIApp) -> ASGIApp:
        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            self.times += not scope["path"].startswith("/control")
            await app(scope, receive, send)

        return counted


async def test_a_service_that_starts_asks_no_venue_of_which_others_know_that_it_bans(
    postgres_server: LocalStack, nats_server: LocalStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("common.messaging.venue_limits.ANSWER_SECONDS_MAX", 20.0)
    asked = Asked()
    settings = {"SCANNER_ENABLED": "1"}
    async with service_group(
        postgres_server, nats_server, tmp_path, SERVICES, speed=1, settings=settings, around=asked.around
    ) as group:
        await group.open_trade(group.symbol())
        for service in SERVICES:
            await group.parts.kill(part_name(service))
        assert asked.times
        await ban(nats_server, *group.venues)
        asked.times = 0
        for service in SERVICES:
            await group.parts.restart(part_name(service))
            await wants_to_ask(group, service)
        assert asked.times == 0


def part_name(service: str) -> str:
    return service.replace("_", "-")


async def ban(nats: LocalStack, *venues: str) -> None:
    """Another process met a ban of these venues."""
    bus = await Bus.connect(nats.nats_url, "test")
    for venue in venues:
        await bus.venue_limits().change(f"ban.{venue}", lambda _: f"{time.time() + 600:.3f}".encode())
    await bus.close()


async def wants_to_ask(group: ServiceGroup, service: str) -> None:
    """Waits until the service would have asked both venues."""
    name, why = BANNED[service]

    async def look() -> bool | None:
        lines = (await group.http.get(f"{group.service_urls[service]}/metrics")).text.splitlines()
        counted = [line for line in lines if line.startswith(f"{name}{{") and why in line and not line.endswith(" 0.0")]
        return all(any(f'venue="{venue}"' in line for line in counted) for venue in group.venues) or None

    await group.until(look, lambda: f"{service} does not want to ask both venues")
