"""Readiness: a service is ready when every dependency that it really has answers now."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from common.messaging.bus import Bus
from common.messaging.failures import BUS_ERRORS
from common.messaging.outbox import Outbox
from common.persistence.database import DATABASE_AWAY, Pool

CHECK_TIMEOUT_SECONDS = 1.5
POSTGRES_TIMEOUT_SECONDS = 1.0
MESSAGE_WAITS_SECONDS_MAX = 10.0
"""A committed message that the bus has not taken after so long says that nothing goes out."""

Check = Callable[[], Awaitable[str | None]]
"""Answers None when the dependency is well, otherwise what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """The outcome of all checks: `problems` by dependency; empty when ready."""

    checked: tuple[str, ...]
    problems: Mapping[str, str]


async def check_all(checks: Mapping[str, Check]) -> Readiness:
    """Runs all checks at once; one that does not answer in time is a problem."""

    async def bounded(check: Check) -> str | None:
        try:
            return await asyncio.wait_for(check(), CHECK_TIMEOUT_SECONDS)
        except TimeoutError:
            return f"no answer within {CHECK_TIMEOUT_SECONDS} s"

    outcomes = await asyncio.gather(*(bounded(check) for check in checks.values()))
    problems = {name: outcome for name, outcome in zip(checks, outcomes, strict=True) if outcome is not None}
    return Readiness(tuple(checks), problems)


def postgres_check(pool: Pool) -> Check:
    """Postgres answers a query."""

    async def check() -> str | None:
        try:
            await pool.fetchval("SELECT 1", timeout=POSTGRES_TIMEOUT_SECONDS)
        except DATABASE_AWAY as error:
            return f"{type(error).__name__}: {error}"
        return None

    return check


def nats_check(bus: Bus) -> Check:
    """NATS has every stream, and every consumer of this service."""

    async def check() -> str | None:
        if not bus.is_connected:
            return "disconnected; reconnecting"
        try:
            await bus.ask_for_all()
        except BUS_ERRORS as error:
            return f"{type(error).__name__}: {error}"
        return None

    return check


def outbox_check(outbox: Outbox) -> Check:
    """What is committed is published: no message waits for long."""

    async def check() -> str | None:
        waits_seconds = outbox.oldest_waits_seconds()
        if waits_seconds > MESSAGE_WAITS_SECONDS_MAX:
            return f"the oldest message has waited for the bus for {waits_seconds:.0f} s"
        return None

    return check
