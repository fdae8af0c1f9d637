"""What position-monitor asks of the executor, and when it asks again.

Ids are natural keys, `topic-n`: the n-th time that one thing is asked for. Two monitors that decide the same make
the same id, and a restarted one counts on from what was recorded.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from position_monitor.domain.exits import Action, Verdict
from position_monitor.domain.trade import Asked, Trade

SCALE_IN_ASK_AGAIN = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Request:
    """One wish to the executor. `entries` is set of a scale-in: how many entries the trade had."""

    signal_id: int
    symbol: str
    topic: str
    number: int
    reason: str
    entries: int | None = None

    @property
    def message_id(self) -> str:
        """Unique on the bus and in the outbox."""
        return f"{self.topic}-{self.number}"


def request_of(trade: Trade, verdict: Verdict) -> Request | None:
    """The request that a verdict makes, numbered after the ones already made; None where it asks for nothing."""
    topic, entries = _topic(trade, verdict), None
    if topic is None:
        return None
    if verdict.action is Action.SCALE_IN:
        entries = len(trade.entries)
    asked = trade.asked.get(topic)
    return Request(trade.signal_id, trade.symbol, topic, asked.times + 1 if asked else 1, verdict.reason, entries)


def is_due(trade: Trade, verdict: Verdict, close_again_after: timedelta, now: datetime) -> bool:
    """Whether the verdict's request is to be made now: at once the first time, then at intervals of strategy time."""
    last_at = _last_asked_at(trade, verdict)
    wait = SCALE_IN_ASK_AGAIN if verdict.action is Action.SCALE_IN else close_again_after
    return last_at is None or now - last_at >= wait


def _topic(trade: Trade, verdict: Verdict) -> str | None:
    match verdict.action:
        case Action.CLOSE:
            return f"close-{trade.signal_id}-{verdict.reason}"
        case Action.CLOSE_AGAIN:
            # A topic of its own: the close may have been the operator's, whose ids another service counts.
            return f"close-{trade.signal_id}-again"
        case Action.SCALE_IN:
            return f"scale-in-{trade.signal_id}-{len(trade.entries)}"
    return None


def _last_asked_at(trade: Trade, verdict: Verdict) -> datetime | None:
    if verdict.action is not Action.CLOSE_AGAIN:
        asked: Asked | None = trade.asked.get(_topic(trade, verdict) or "")
        return asked.last_at if asked else None
    closes = [asked.last_at for topic, asked in trade.asked.items() if topic.startswith("close-")]
    if trade.close_requested_at is not None:
        closes.append(trade.close_requested_at)
    return max(closes, default=None)
