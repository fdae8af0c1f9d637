"""The subjects on the bus, and the streams that keep them: for how long, and how much.

`watchlist.event.*` tells of events, `signal.*` and `trade.*.requested` ask the executor for work, `trade.changed`
is news. All of it repeats what Postgres holds: a lost message is found again there.

A wish of the strategy is about the market of its moment: one that nobody took within ten minutes is dropped by its
stream, and made anew by who still has it. What an operator says of the trading state is not repeated by anybody, so
it has a stream of its own that keeps it.
"""

from dataclasses import dataclass

EVENT_OPENED = "watchlist.event.opened"
EVENT_CHANGED = "watchlist.event.changed"
EVENT_CLOSED = "watchlist.event.closed"
RETRY_DUE = "signal.retry.due"
RETRY_ENDED = "signal.retry.ended"
CLOSE_REQUESTED = "trade.close.requested"
SCALE_IN_REQUESTED = "trade.scale_in.requested"
FLATTEN_REQUESTED = "position.flatten.requested"
TRADING_STATE_REQUESTED = "trading.state.requested"
TRADE_CHANGED = "trade.changed"

ALL_EVENTS = "watchlist.event.*"
ALL_RETRIES = "signal.retry.*"

EVENT_STREAM = "WATCHLIST"
COMMAND_STREAM = "COMMANDS"
OPERATOR_STREAM = "OPERATOR"
NEWS_STREAM = "NEWS"
FEED_STREAM = "FEED"
"""The streams that a reader wants to follow, in one order: the server copies them into it."""
FEED_SOURCES = (NEWS_STREAM, EVENT_STREAM, OPERATOR_STREAM)

STREAM_SUBJECTS = {
    EVENT_STREAM: [ALL_EVENTS],
    COMMAND_STREAM: [ALL_RETRIES, CLOSE_REQUESTED, SCALE_IN_REQUESTED, FLATTEN_REQUESTED],
    OPERATOR_STREAM: [TRADING_STATE_REQUESTED],
    NEWS_STREAM: [TRADE_CHANGED],
}


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """What a stream keeps at the most: real seconds, and bytes; the oldest messages go first."""

    age_seconds: int
    size_bytes: int


_WEEK_SECONDS = 7 * 24 * 3600
_MEBIBYTE = 1024 * 1024

STREAM_LIMITS = {
    EVENT_STREAM: StreamLimits(_WEEK_SECONDS, 512 * _MEBIBYTE),
    COMMAND_STREAM: StreamLimits(600, 128 * _MEBIBYTE),
    OPERATOR_STREAM: StreamLimits(_WEEK_SECONDS, 16 * _MEBIBYTE),
    NEWS_STREAM: StreamLimits(_WEEK_SECONDS, 128 * _MEBIBYTE),
    FEED_STREAM: StreamLimits(24 * 3600, 64 * _MEBIBYTE),
}
