"""The subjects on the bus and the streams that keep them.

`watchlist.event.*` tells of events, `signal.*` and `trade.*.requested` ask the executor for work, `trade.changed`
is news. All of it repeats what Postgres holds: a lost message is found again there.
"""

EVENT_OPENED = "watchlist.event.opened"
EVENT_CHANGED = "watchlist.event.changed"
EVENT_CLOSED = "watchlist.event.closed"
RETRY_DUE = "signal.retry.due"
RETRY_ENDED = "signal.retry.ended"
CLOSE_REQUESTED = "trade.close.requested"
SCALE_IN_REQUESTED = "trade.scale_in.requested"
TRADING_STATE_REQUESTED = "trading.state.requested"
TRADE_CHANGED = "trade.changed"

EVENT_STREAM = "WATCHLIST"
COMMAND_STREAM = "COMMANDS"
NEWS_STREAM = "NEWS"

STREAM_SUBJECTS = {
    EVENT_STREAM: ["watchlist.event.*"],
    COMMAND_STREAM: ["signal.retry.*", CLOSE_REQUESTED, SCALE_IN_REQUESTED, TRADING_STATE_REQUESTED],
    NEWS_STREAM: [TRADE_CHANGED],
}
