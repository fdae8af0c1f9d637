"""Telling people: what is to be told is recorded once for all gateways, and sent until it arrived or is too old.

A gateway that has something to tell records it under the fact's own key; whichever gateway claims it sends it. Only
where the database is away, which everybody has to know, each gateway says by itself what it sees.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal, Protocol

import structlog

from api_gateway.application.alert_texts import ErrorRow, UnwoundEntry, of_ban, of_error, of_unwind
from api_gateway.application.health import READY, SystemHealth, sentence_of
from api_gateway.application.measurements import SystemFigures
from api_gateway.application.ports import LedgerAway, ServiceAnswer
from api_gateway.domain.alerts import Alert, AlertKind, AlertMessage, back_off_seconds, messages_of
from common.runtime.clock import Clock

log = structlog.get_logger(__name__)

LOOKS_UNTIL_DOWN = 2
"""A service that is not ready at one look may just be starting."""

AlertState = Literal["waiting", "delivered", "throttled", "unwanted", "given_up"]


@dataclass(frozen=True, slots=True)
class ClaimedAlert:
    """An alert that this gateway is to send: `delivered_to` are the places of the addresses that have it already."""

    id: int
    alert: Alert
    raised_at_seconds: float
    attempts: int
    delivered_to: frozenset[int]


class AlertStore(Protocol):
    """Alerts of all gateways; methods raise as the database does."""

    async def record(self, alerts: Sequence[Alert]) -> None:
        """Records what is not recorded yet, to be sent, or as throttled or unwanted.

        Raises:
            LedgerAway: it is not known whether they were recorded.
        """
        ...

    async def claim(self) -> list[ClaimedAlert]:
        """What is to be sent now, oldest first; nobody else gets it for a while."""
        ...

    async def settle(
        self, alert_id: int, state: AlertState, delivered_to: Sequence[int], next_attempt_in_seconds: float
    ) -> None:
        """What became of an attempt."""
        ...

    async def new_errors(self) -> list[ErrorRow]:
        """What services wrote down lately and nobody was told."""
        ...

    async def new_unwinds(self) -> list[UnwoundEntry]:
        """Stray legs that were taken back lately and nobody was told."""
        ...


class Channel(Protocol):
    """One address that alerts go to. `name` says which, and nothing that is secret."""

    name: str

    async def send(self, message: AlertMessage) -> bool:
        """Whether the address took the message; answers within a bounded time."""
        ...


class AlertDesk:
    """Sends what was recorded."""

    def __init__(self, store: AlertStore, channels: Sequence[Channel], give_up_seconds: float, clock: Clock) -> None:
        self._store = store
        self._channels = channels
        self._give_up_seconds = give_up_seconds
        self._clock = clock

    async def gather_news(self) -> None:
        """Records what the tables tell and no message brings."""
        alerts = [of_error(row) for row in await self._store.new_errors()]
        alerts += [of_unwind(row) for row in await self._store.new_unwinds()]
        if alerts:
            await self._store.record(alerts)

    async def send_due(self) -> None:
        """Sends what is due, to every address that does not have it yet."""
        claimed = await self._store.claim()
        if not claimed:
            return
        took = await asyncio.gather(*(self._send(place, claimed) for place in range(len(self._channels))))
        places = {place for place, is_taken in enumerate(took) if is_taken}
        for one in claimed:
            await self._settle(one, one.delivered_to | places)

    async def say_now(self, alert: Alert) -> bool:
        """Sends without a record; whether anybody took it."""
        took = await asyncio.gather(*(_send_all(channel, [alert]) for channel in self._channels))
        return any(took)

    async def _send(self, place: int, claimed: Sequence[ClaimedAlert]) -> bool:
        return await _send_all(self._channels[place], [one.alert for one in claimed if place not in one.delivered_to])

    async def _settle(self, one: ClaimedAlert, delivered_to: frozenset[int]) -> None:
        state: AlertState = "waiting"
        if delivered_to >= set(range(len(self._channels))):
            state = "delivered"
        elif self._clock.unix_seconds() - one.raised_at_seconds > self._give_up_seconds:
            log.error("alert.given_up", alert_id=one.id, kind=one.alert.kind, attempts=one.attempts)
            state = "given_up"
        await self._store.settle(one.id, state, sorted(delivered_to), back_off_seconds(one.attempts))


async def _send_all(channel: Channel, alerts: Sequence[Alert]) -> bool:
    for message in messages_of(alerts):
        if not await channel.send(message):
            log.warning("alert.not_delivered", address=channel.name, alerts=len(alerts))
            return False
    return True


@dataclass
class ServiceWatch:
    """Looks at the services: which are not ready, and which are banned by a venue."""

    gather_health: Callable[[], Awaitable[SystemHealth]]
    gather_figures: Callable[[], Awaitable[SystemFigures]]
    store: AlertStore
    desk: AlertDesk
    clock: Clock
    _down_looks: dict[str, int] = field(default_factory=dict)
    _told_down: set[str] = field(default_factory=set)

    async def look(self) -> None:
        """One look; somebody is told of what changed since the looks before."""
        health, figures = await asyncio.gather(self.gather_health(), self.gather_figures())
        for answer in health.services.values():
            if answer.status == READY:
                await self._is_up(answer)
            else:
                await self._is_down(answer)
        now = self.clock.unix_seconds()
        alerts = [
            of_ban(service, venue.venue, venue.banned_until.timestamp(), now)
            for service, figure in figures.services.items()
            for venue in figure.venues
            if venue.banned_until is not None and venue.banned_until.timestamp() > now
        ]
        if alerts:
            with suppress(LedgerAway):  # which is told already; a ban that lasts is found again
                await self.store.record(alerts)

    async def _is_up(self, answer: ServiceAnswer) -> None:
        self._down_looks.pop(answer.service, None)
        if answer.service not in self._told_down:
            return
        title = f"{answer.service} is ready again"
        if await self._tell(AlertKind.SERVICE_UP, answer, title, f"{title}. See: tandem status"):
            self._told_down.discard(answer.service)

    async def _is_down(self, answer: ServiceAnswer) -> None:
        looks = self._down_looks[answer.service] = self._down_looks.get(answer.service, 0) + 1
        if looks < LOOKS_UNTIL_DOWN or answer.service in self._told_down:
            return
        title = sentence_of(answer)
        text = f"{title}. See: tandem status; runbook: TandemServiceDown, TandemNotReady"
        if await self._tell(AlertKind.SERVICE_DOWN, answer, title, text):
            self._told_down.add(answer.service)

    async def _tell(self, kind: AlertKind, answer: ServiceAnswer, title: str, text: str) -> bool:
        key = f"{kind}-{answer.service}-{self.clock.unix_seconds():.3f}"
        alert = Alert(key, kind, answer.service, title, text)
        try:
            await self.store.record([alert])
        except LedgerAway:
            return await self.desk.say_now(alert)
        return True
