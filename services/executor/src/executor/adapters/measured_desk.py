"""Measures and traces the sending of orders, between the guard and the venue."""

import time
from collections import OrderedDict

from opentelemetry.trace import SpanKind

from common.domain.identifiers import pair_key
from common.messaging.consumer import in_hand
from common.runtime.clock import Clock
from common.runtime.tracing import span
from common.venues.ports import OrderDesk, OrderIntent, OrderReport
from executor.adapters.measures import LEG_SKEW_SECONDS, OPENING_SECONDS, ORDER_SECONDS, SENT

PAIRS_KEPT = 256
"""First legs that wait for their second; one whose second never leaves is forgotten."""


def measure_opening(clock: Clock, until: str) -> None:
    """How long ago the message that is being handled was committed; nothing outside of a message."""
    message = in_hand.get()
    if message is not None and message.committed_at_seconds is not None:
        seconds = clock.unix_seconds() - message.committed_at_seconds
        OPENING_SECONDS.labels(message.subject, until).observe(max(0.0, seconds))


class LegSkew:
    """Watches both legs of each pair leave. One for all desks."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._first: OrderedDict[str, float] = OrderedDict()

    def leaving(self, intent: OrderIntent) -> None:
        """An order is handed to its venue now."""
        key, now = pair_key(intent.client_order_id), self._clock.monotonic()
        first = self._first.pop(key, None)
        if first is None:
            self._first[key] = now
            if len(self._first) > PAIRS_KEPT:
                self._first.popitem(last=False)
            return
        LEG_SKEW_SECONDS.observe(now - first)
        if not intent.reduce_only:
            measure_opening(self._clock, SENT)


class MeasuredDesk:
    """See `OrderDesk`."""

    def __init__(self, desk: OrderDesk, skew: LegSkew) -> None:
        self.venue = desk.venue
        self._desk = desk
        self._skew = skew
        self._seconds = ORDER_SECONDS.labels(desk.venue)

    async def send(self, intent: OrderIntent) -> OrderReport:
        self._skew.leaving(intent)
        started = time.perf_counter()
        shown: dict[str, str | int] = {
            "venue": intent.venue,
            "symbol": intent.symbol,
            "side": intent.side,
            "quantity": str(intent.quantity),
            "client_order_id": intent.client_order_id,
            "reduce_only": intent.reduce_only,
        }
        with span("send leg", kind=SpanKind.CLIENT, attributes=shown):
            try:
                return await self._desk.send(intent)
            finally:
                self._seconds.observe(time.perf_counter() - started)

    async def cancel(self, symbol: str, client_order_id: str) -> None:
        await self._desk.cancel(symbol, client_order_id)
