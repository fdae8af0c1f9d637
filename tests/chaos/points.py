"""Every named point at which a process is ended: around each commit, each send and each acknowledgement.

A point is a method of a service and a side of it. `uncommitted` is inside of the transaction, right before its commit;
`committed` right after it, with nothing published yet; `sent` is an order on the wire without an answer.
"""

from dataclasses import dataclass
from enum import StrEnum


class Side(StrEnum):
    """Where around a method."""

    BEFORE = "before"
    UNCOMMITTED = "uncommitted"
    COMMITTED = "committed"
    SENT = "sent"
    AFTER = "after"


class Stage(StrEnum):
    """What has to happen for the point to be passed."""

    OPENING = "opening"
    SCALING_IN = "scaling in"
    CLOSING = "closing"
    TAKING_PROFIT = "taking profit"
    SKIPPING = "skipping"
    RETRYING = "retrying"
    EXPIRING = "expiring"
    GOING_QUIET = "going quiet"
    SETTLING = "settling"
    UNWINDING = "unwinding"
    CLOSED_BY_HAND = "closed by hand"
    FLATTENING = "flattening"
    FLATTENING_BY_HAND = "flattening what no trade holds"
    MOVING_STATE = "moving the trading state"


@dataclass(frozen=True)
class Target:
    """A method, by where it is. `only` says which of its calls count; see `crashing.counts`."""

    name: str
    module: str
    method: str
    only: str = "symbol"


@dataclass(frozen=True)
class Point:
    """One point on the way of one symbol through the services; `nth` call counts."""

    service: str
    target: Target
    side: Side
    stage: Stage
    nth: int = 1

    @property
    def name(self) -> str:
        which = f" #{self.nth}" if self.nth > 1 else ""
        return f"{self.target.name} {self.side}{which}"


EXECUTOR, INGEST, MONITOR, GATEWAY = "executor", "signal_ingest", "position_monitor", "api_gateway"

_TRADES = "executor.adapters.trade_ledger"
_SIGNALS = "executor.adapters.signal_ledger"
_BOOKS = "executor.adapters.bookkeeping"
_FLATTENS = "executor.adapters.flattens"
_STATES = "executor.adapters.trading_states"

RECORD_SIGNAL = Target("record_signal", _SIGNALS, "PostgresSignalLedger.record_signal")
SKIP = Target("skip", _SIGNALS, "PostgresSignalLedger.skip")
EXPIRE = Target("expire", _SIGNALS, "PostgresSignalLedger.expire", "any")
BEGIN_ENTRY = Target("begin_entry", _TRADES, "PostgresTradeLedger.begin_entry")
SEND = Target("send", "common.venues.ccxt.orders", "CcxtOrderDesk.send")
RECORD_OUTCOME = Target("record_outcome", _TRADES, "PostgresTradeLedger.record_outcome")
FILL_ENTRY = Target("fill_entry", _TRADES, "PostgresTradeLedger.fill_entry")
FAIL_ENTRY = Target("fail_entry", _TRADES, "PostgresTradeLedger.fail_entry")
ADD_EXTERNAL = Target("add_external", _TRADES, "PostgresTradeLedger.add_external")
BEGIN_CLOSE = Target("begin_close", _TRADES, "PostgresTradeLedger.begin_close")
ADD_ORDERS = Target("add_orders", _TRADES, "PostgresTradeLedger.add_orders")
FINISH_CLOSE = Target("finish_close", _TRADES, "PostgresTradeLedger.finish_close")
ADD_FILLS = Target("add_fills", _BOOKS, "PostgresBookkeeping.add_fills", "fills")
ADD_FUNDING = Target("add_funding", _BOOKS, "PostgresBookkeeping.add_funding")
FINALISE = Target("finalise", _BOOKS, "PostgresBookkeeping.finalise")
EVENT_ACK = Target("ack of the event", "nats.aio.msg", "Msg.ack", "watchlist.event.opened")
RETRY_ACK = Target("ack of the retry", "nats.aio.msg", "Msg.ack", "signal.retry.due")
RETRY_ENDED_ACK = Target("ack of the retries' end", "nats.aio.msg", "Msg.ack", "signal.retry.ended")
SCALE_IN_ACK = Target("ack of the scale-in", "nats.aio.msg", "Msg.ack", "trade.scale_in.requested")
CLOSE_ACK = Target("ack of the close", "nats.aio.msg", "Msg.ack", "trade.close.requested")
NEWS = Target("publish trade.changed", "common.messaging.bus", "Bus.publish", "trade.changed")
RECORD = Target("record", "signal_ingest.adapters.watchlist_store", "PostgresWatchlist.record", "any")
EVENT = Target("publish event.opened", "common.messaging.bus", "Bus.publish", "watchlist.event.opened")
QUIET = Target("close_quiet", "signal_ingest.adapters.watchlist_store", "PostgresWatchlist.close_quiet", "any")
RETRY = Target("publish the retry", "signal_ingest.adapters.skipped_signals", "PostgresSkippedSignals.publish", "any")
DECIDE = Target(
    "record the verdict", "position_monitor.adapters.postgres_decisions", "PostgresDecisions.record", "wish"
)
WISH = Target("publish the wish", "common.messaging.bus", "Bus.publish", "trade.")
FORCE_CLOSE = Target("request", "api_gateway.adapters.close_requests", "PostgresCloseDesk.request")
FLATTEN = Target("ask to flatten", "api_gateway.adapters.flatten_requests", "PostgresFlattenDesk.request", "any")
FLATTEN_WISH = Target("publish the flatten", "common.messaging.bus", "Bus.publish", "position.flatten.requested")
BEGIN_FLATTEN = Target("begin_flatten", _FLATTENS, "PostgresFlattens.begin")
ADD_FLATTEN_ORDER = Target("add the flatten's order", _FLATTENS, "PostgresFlattens.add_order")
FLATTEN_OUTCOME = Target("outcome of the flatten's order", _FLATTENS, "PostgresFlattens.record_outcome")
ADD_FLATTEN_FILLS = Target("fills of the flatten's order", _FLATTENS, "PostgresFlattens.add_fills", "fills")
TELL_FLATTEN = Target("tell of the flatten", _FLATTENS, "PostgresFlattens.tell", "any")
FLATTEN_ACK = Target("ack of the flatten", "nats.aio.msg", "Msg.ack", "position.flatten.requested")
ASK_FOR_STATE = Target("ask for a state", "api_gateway.adapters.state_requests", "PostgresStateDesk.request", "any")
STATE_WISH = Target("publish the state's wish", "common.messaging.bus", "Bus.publish", "trading.state.requested")
CHANGE_STATE = Target("change the state", _STATES, "PostgresTradingStates.change", "any")
STATE_ACK = Target("ack of the state's wish", "nats.aio.msg", "Msg.ack", "trading.state.requested")

_COMMIT = (Side.BEFORE, Side.UNCOMMITTED, Side.COMMITTED)
_ONE_STATEMENT = (Side.BEFORE, Side.AFTER)
_ON_THE_WIRE = (Side.BEFORE, Side.SENT, Side.AFTER)


def _around(
    service: str, stage: Stage, target: Target, sides: tuple[Side, ...], times: tuple[int, ...] = (1,)
) -> list[Point]:
    return [Point(service, target, side, stage, nth) for nth in times for side in sides]


BOTH_LEGS = (1, 2)
THE_UNWIND = (3,)
"""The order after both legs."""
THE_SECOND_TAKEN = (2,)
"""The same, counted among the orders that were not rejected."""

POINTS: tuple[Point, ...] = (
    *_around(EXECUTOR, Stage.OPENING, RECORD_SIGNAL, _ONE_STATEMENT),
    *_around(EXECUTOR, Stage.SKIPPING, SKIP, _COMMIT),
    *_around(EXECUTOR, Stage.RETRYING, RETRY_ACK, _ONE_STATEMENT),
    *_around(EXECUTOR, Stage.EXPIRING, EXPIRE, _COMMIT),
    *_around(EXECUTOR, Stage.EXPIRING, RETRY_ENDED_ACK, _ONE_STATEMENT),
    *_around(EXECUTOR, Stage.OPENING, BEGIN_ENTRY, _COMMIT),
    *_around(EXECUTOR, Stage.OPENING, SEND, _ON_THE_WIRE, BOTH_LEGS),
    *_around(EXECUTOR, Stage.OPENING, RECORD_OUTCOME, _ONE_STATEMENT, BOTH_LEGS),
    *_around(EXECUTOR, Stage.OPENING, FILL_ENTRY, _COMMIT),
    *_around(EXECUTOR, Stage.OPENING, NEWS, _ONE_STATEMENT),
    *_around(EXECUTOR, Stage.OPENING, EVENT_ACK, _ONE_STATEMENT),
    *_around(EXECUTOR, Stage.OPENING, ADD_FILLS, _COMMIT),
    *_around(EXECUTOR, Stage.SCALING_IN, BEGIN_ENTRY, _COMMIT),
    *_around(EXECUTOR, Stage.SCALING_IN, SEND, _ON_THE_WIRE, BOTH_LEGS),
    *_around(EXECUTOR, Stage.SCALING_IN, RECORD_OUTCOME, _ONE_STATEMENT, BOTH_LEGS),
    *_around(EXECUTOR, Stage.SCALING_IN, FILL_ENTRY, _COMMIT),
    *_around(EXECUTOR, Stage.SCALING_IN, SCALE_IN_ACK, _ONE_STATEMENT),
    *_around(EXECUTOR, Stage.UNWINDING, ADD_ORDERS, _COMMIT),
    *_around(EXECUTOR, Stage.UNWINDING, SEND, (Side.BEFORE, Side.SENT), THE_UNWIND),
    *_around(EXECUTOR, Stage.UNWINDING, SEND, (Side.AFTER,), THE_SECOND_TAKEN),
    *_around(EXECUTOR, Stage.UNWINDING, RECORD_OUTCOME, _ONE_STATEMENT, THE_UNWIND),
    *_around(EXECUTOR, Stage.UNWINDING, FAIL_ENTRY, _COMMIT),
    *_around(EXECUTOR, Stage.CLOSED_BY_HAND, ADD_EXTERNAL, _COMMIT),
    *_around(EXECUTOR, Stage.CLOSING, BEGIN_CLOSE, _COMMIT),
    *_around(EXECUTOR, Stage.CLOSING, ADD_ORDERS, _COMMIT),
    *_around(EXECUTOR, Stage.CLOSING, SEND, _ON_THE_WIRE, BOTH_LEGS),
    *_around(EXECUTOR, Stage.CLOSING, RECORD_OUTCOME, _ONE_STATEMENT, BOTH_LEGS),
    *_around(EXECUTOR, Stage.CLOSING, FINISH_CLOSE, _COMMIT),
    *_around(EXECUTOR, Stage.CLOSING, CLOSE_ACK, _ONE_STATEMENT),
    *_around(EXECUTOR, Stage.FLATTENING, BEGIN_FLATTEN, _ONE_STATEMENT),
    *_around(EXECUTOR, Stage.FLATTENING, BEGIN_CLOSE, (Side.COMMITTED,)),
    *_around(EXECUTOR, Stage.FLATTENING, SEND, (Side.SENT,), BOTH_LEGS),
    *_around(EXECUTOR, Stage.FLATTENING, TELL_FLATTEN, _COMMIT),
    *_around(EXECUTOR, Stage.FLATTENING, FLATTEN_ACK, _ONE_STATEMENT),
    *_around(EXECUTOR, Stage.FLATTENING_BY_HAND, ADD_FLATTEN_ORDER, _ONE_STATEMENT),
    *_around(EXECUTOR, Stage.FLATTENING_BY_HAND, SEND, _ON_THE_WIRE),
    *_around(EXECUTOR, Stage.FLATTENING_BY_HAND, FLATTEN_OUTCOME, _ONE_STATEMENT),
    *_around(EXECUTOR, Stage.FLATTENING_BY_HAND, ADD_FLATTEN_FILLS, _ONE_STATEMENT),
    *_around(EXECUTOR, Stage.FLATTENING_BY_HAND, TELL_FLATTEN, _COMMIT),
    *_around(EXECUTOR, Stage.MOVING_STATE, CHANGE_STATE, _COMMIT),
    *_around(EXECUTOR, Stage.MOVING_STATE, STATE_ACK, _ONE_STATEMENT),
    *_around(EXECUTOR, Stage.SETTLING, ADD_FUNDING, _ONE_STATEMENT),
    *_around(EXECUTOR, Stage.SETTLING, FINALISE, _COMMIT),
    *_around(INGEST, Stage.OPENING, RECORD, (*_COMMIT, Side.AFTER)),
    *_around(INGEST, Stage.OPENING, EVENT, _ONE_STATEMENT),
    *_around(INGEST, Stage.GOING_QUIET, QUIET, (Side.UNCOMMITTED, Side.COMMITTED)),
    *_around(INGEST, Stage.RETRYING, RETRY, _COMMIT),
    *_around(MONITOR, Stage.TAKING_PROFIT, DECIDE, _COMMIT),
    *_around(MONITOR, Stage.TAKING_PROFIT, WISH, _ONE_STATEMENT),
    *_around(MONITOR, Stage.SCALING_IN, DECIDE, _COMMIT),
    *_around(MONITOR, Stage.SCALING_IN, WISH, _ONE_STATEMENT),
    *_around(GATEWAY, Stage.CLOSING, FORCE_CLOSE, (*_COMMIT, Side.AFTER)),
    *_around(GATEWAY, Stage.CLOSING, WISH, _ONE_STATEMENT),
    *_around(GATEWAY, Stage.FLATTENING, FLATTEN, (*_COMMIT, Side.AFTER)),
    *_around(GATEWAY, Stage.FLATTENING, FLATTEN_WISH, _ONE_STATEMENT),
    *_around(GATEWAY, Stage.MOVING_STATE, ASK_FOR_STATE, (*_COMMIT, Side.AFTER)),
    *_around(GATEWAY, Stage.MOVING_STATE, STATE_WISH, _ONE_STATEMENT),
)

NATS_TROUBLE: tuple[Point, ...] = (
    Point(EXECUTOR, RECORD_SIGNAL, Side.AFTER, Stage.OPENING),
    Point(EXECUTOR, SEND, Side.SENT, Stage.OPENING),
    Point(EXECUTOR, NEWS, Side.BEFORE, Stage.OPENING),
    Point(EXECUTOR, EVENT_ACK, Side.BEFORE, Stage.OPENING),
    Point(EXECUTOR, SEND, Side.SENT, Stage.CLOSING),
    Point(EXECUTOR, CLOSE_ACK, Side.BEFORE, Stage.CLOSING),
    Point(INGEST, EVENT, Side.BEFORE, Stage.OPENING),
    Point(MONITOR, WISH, Side.BEFORE, Stage.TAKING_PROFIT),
    Point(GATEWAY, WISH, Side.BEFORE, Stage.CLOSING),
)
"""Where a service is held while NATS is in trouble."""

POSTGRES_TROUBLE: tuple[Point, ...] = (
    Point(EXECUTOR, BEGIN_ENTRY, Side.UNCOMMITTED, Stage.OPENING),
    Point(EXECUTOR, BEGIN_ENTRY, Side.COMMITTED, Stage.OPENING),
    Point(EXECUTOR, SEND, Side.AFTER, Stage.OPENING),
    Point(EXECUTOR, FILL_ENTRY, Side.UNCOMMITTED, Stage.OPENING),
    Point(EXECUTOR, BEGIN_CLOSE, Side.UNCOMMITTED, Stage.CLOSING),
    Point(EXECUTOR, ADD_ORDERS, Side.COMMITTED, Stage.CLOSING),
    Point(EXECUTOR, SEND, Side.AFTER, Stage.CLOSING),
    Point(EXECUTOR, FINISH_CLOSE, Side.UNCOMMITTED, Stage.CLOSING),
    Point(INGEST, RECORD, Side.UNCOMMITTED, Stage.OPENING),
    Point(MONITOR, DECIDE, Side.UNCOMMITTED, Stage.TAKING_PROFIT),
    Point(GATEWAY, FORCE_CLOSE, Side.UNCOMMITTED, Stage.CLOSING),
)
"""Where a service is held while PostgreSQL is in trouble."""

PAUSES: tuple[Point, ...] = (
    Point(EXECUTOR, BEGIN_ENTRY, Side.AFTER, Stage.OPENING),
    Point(EXECUTOR, SEND, Side.BEFORE, Stage.OPENING),
    Point(EXECUTOR, RECORD_OUTCOME, Side.BEFORE, Stage.OPENING),
    Point(EXECUTOR, ADD_ORDERS, Side.AFTER, Stage.UNWINDING),
    Point(EXECUTOR, ADD_ORDERS, Side.AFTER, Stage.CLOSING),
    Point(EXECUTOR, RECORD_OUTCOME, Side.BEFORE, Stage.CLOSING),
)
"""Where an executor stands still for so long that another one takes its trade over, outside of any transaction."""
