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
    MOVING_STATE_BY_KEY = "moving the trading state under a key"
    CHANGING = "changing an open event"
    LEFT_ALONE = "an event that nobody heard of"
    REFUSING = "refusing a scale-in"
    STICKING = "an order that sticks"
    CLOSING_SLOWLY = "closing at a slow venue"
    TAKING_OVER = "taking a close over"
    QUARANTINING = "a message that nobody can read"
    GIVING_UP = "a message that nobody handles"
    QUARANTINING_NEWS = "news that nobody can read"
    SIGNING_IN = "signing in"
    SIGNING_OUT = "signing out"
    FUNDING = "funding"
    CORRECTING = "correcting a final account"


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
_PAPER = "executor.adapters.paper.ledger"
_ALERTS = "api_gateway.adapters.alert_store"
_SESSIONS = "api_gateway.adapters.sessions"
_ANSWERS = "api_gateway.adapters.command_answers"
_COUNTERFACTUALS = "position_monitor.adapters.postgres_counterfactuals"
_DECISIONS = "position_monitor.adapters.postgres_decisions"

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
ADD_FUNDING = Target("add_funding", _BOOKS, "PostgresBookkeeping.add_funding", "payments")
FINALISE = Target("finalise", _BOOKS, "PostgresBookkeeping.finalise")
TAKE_LEASE = Target("take a lease", _TRADES, "PostgresTradeLedger.take_lease", "trade")
RELEASE_LEASE = Target("release the lease", _TRADES, "PostgresTradeLedger.release_lease", "trade")
RENEW_LEASES = Target("renew the leases", _TRADES, "PostgresTradeLedger.renew_leases", "working")
TAKE_OVER = Target("take_close_over", _TRADES, "PostgresTradeLedger.take_close_over")
REFUSE_SCALE_IN = Target("refuse the scale-in", _SIGNALS, "PostgresSignalLedger.refused_scale_in")
PREPARE = Target("prepare the account", "common.venues.ccxt.account", "CcxtAccount.prepare")
CANCEL = Target("cancel", "common.venues.ccxt.orders", "CcxtOrderDesk.cancel")
SAVE_POSITIONS = Target("save the positions", _BOOKS, "PostgresBookkeeping.save_positions", "held")
ALARM = Target("sound the alarm", "common.persistence.journal", "Journal.failed", "told")
QUARANTINE = Target("quarantine", "common.persistence.journal", "Journal.quarantine", "watchlist.event.")
TERM = Target("end of a quarantined message", "nats.aio.msg", "Msg.term", "watchlist.event.")
NAK = Target("nak", "nats.aio.msg", "Msg.nak", "watchlist.event.")
CHANGE_ACK = Target("ack of the event's change", "nats.aio.msg", "Msg.ack", "watchlist.event.changed")
END_ACK = Target("ack of the event's end", "nats.aio.msg", "Msg.ack", "watchlist.event.closed")
PLACE_ON_PAPER = Target("place on paper", _PAPER, "PaperLedger.place")
LEVERAGE_ON_PAPER = Target("leverage on paper", _PAPER, "PaperLedger.set_leverage")
TERMS_ON_PAPER = Target("funding terms on paper", _PAPER, "PaperLedger.save_terms")
SETTLE_ON_PAPER = Target("settle on paper", _PAPER, "PaperLedger.settle")
EVENT_ACK = Target("ack of the event", "nats.aio.msg", "Msg.ack", "watchlist.event.opened")
RETRY_ACK = Target("ack of the retry", "nats.aio.msg", "Msg.ack", "signal.retry.due")
RETRY_ENDED_ACK = Target("ack of the retries' end", "nats.aio.msg", "Msg.ack", "signal.retry.ended")
SCALE_IN_ACK = Target("ack of the scale-in", "nats.aio.msg", "Msg.ack", "trade.scale_in.requested")
CLOSE_ACK = Target("ack of the close", "nats.aio.msg", "Msg.ack", "trade.close.requested")
NEWS = Target("publish trade.changed", "common.messaging.bus", "Bus.publish", "trade.changed")
RECORD = Target("record", "signal_ingest.adapters.watchlist_store", "PostgresWatchlist.record", "any")
EVENT = Target("publish event.opened", "common.messaging.bus", "Bus.publish", "watchlist.event.opened")
CHANGE = Target("publish event.changed", "common.messaging.bus", "Bus.publish", "watchlist.event.changed")
END = Target("publish event.closed", "common.messaging.bus", "Bus.publish", "watchlist.event.closed")
AGAIN = Target("announce again", "signal_ingest.adapters.watchlist_store", "PostgresWatchlist.announce_again", "any")
RETRY_WISH = Target("publish signal.retry", "common.messaging.bus", "Bus.publish", "signal.retry.")
QUIET = Target("close_quiet", "signal_ingest.adapters.watchlist_store", "PostgresWatchlist.close_quiet", "any")
RETRY = Target("publish the retry", "signal_ingest.adapters.skipped_signals", "PostgresSkippedSignals.publish", "any")
DECIDE = Target("record the verdict", _DECISIONS, "PostgresDecisions.record", "wish")
SAMPLE = Target("record a sample", _DECISIONS, "PostgresDecisions.record", "sample")
FOLLOW = Target("follow what was skipped", _COUNTERFACTUALS, "PostgresCounterfactuals.begin")
LOOK_ON = Target("look at what was skipped", _COUNTERFACTUALS, "PostgresCounterfactuals.save")
LEAD = Target("look at the leader's lock", "common.persistence.leadership", "Leadership.look", "any")
NEWS_ACK = Target("ack of the news", "nats.aio.msg", "Msg.ack", "trade.changed")
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

RECORD_ALERT = Target("record an alert", _ALERTS, "PostgresAlerts.record", "alerts")
CLAIM_ALERT = Target("claim alerts", _ALERTS, "PostgresAlerts.claim", "claimed")
SEND_ALERT = Target("send an alert", "api_gateway.adapters.apprise_channels", "AppriseChannel.send", "sent")
SETTLE_ALERT = Target("settle an alert", _ALERTS, "PostgresAlerts.settle", "any")
QUARANTINE_NEWS = Target("quarantine the news", "common.persistence.journal", "Journal.quarantine", "trade.changed")
TERM_NEWS = Target("end of quarantined news", "nats.aio.msg", "Msg.term", "trade.changed")
BEGIN_ANSWER = Target("take a key", _ANSWERS, "PostgresCommandAnswers.begin", "any")
KEEP_ANSWER = Target("keep the answer", _ANSWERS, "PostgresCommandAnswers.finish", "any")
BEGIN_SESSION = Target("begin a session", _SESSIONS, "PostgresSessions.begin", "any")
END_SESSION = Target("end the session", _SESSIONS, "PostgresSessions.end", "any")

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
    *_around(EXECUTOR, Stage.OPENING, PREPARE, _ONE_STATEMENT, BOTH_LEGS),
    *_around(EXECUTOR, Stage.OPENING, SAVE_POSITIONS, _ONE_STATEMENT),
    *_around(EXECUTOR, Stage.STICKING, CANCEL, _ON_THE_WIRE),
    *_around(EXECUTOR, Stage.CHANGING, CHANGE_ACK, _ONE_STATEMENT),
    *_around(EXECUTOR, Stage.GOING_QUIET, END_ACK, _ONE_STATEMENT),
    *_around(EXECUTOR, Stage.REFUSING, REFUSE_SCALE_IN, _ONE_STATEMENT),
    *_around(EXECUTOR, Stage.CLOSED_BY_HAND, ALARM, _ONE_STATEMENT),
    *_around(EXECUTOR, Stage.TAKING_OVER, TAKE_OVER, _COMMIT),
    *_around(EXECUTOR, Stage.SCALING_IN, TAKE_LEASE, _ONE_STATEMENT),
    *_around(EXECUTOR, Stage.SCALING_IN, RELEASE_LEASE, _ONE_STATEMENT),
    *_around(EXECUTOR, Stage.CLOSING, TAKE_LEASE, _ONE_STATEMENT),
    *_around(EXECUTOR, Stage.CLOSING, RELEASE_LEASE, _ONE_STATEMENT),
    *_around(EXECUTOR, Stage.CLOSING_SLOWLY, RENEW_LEASES, _ONE_STATEMENT),
    *_around(EXECUTOR, Stage.QUARANTINING, QUARANTINE, _COMMIT),
    *_around(EXECUTOR, Stage.QUARANTINING, TERM, _ONE_STATEMENT),
    *_around(EXECUTOR, Stage.GIVING_UP, NAK, _ONE_STATEMENT),
    *_around(EXECUTOR, Stage.FUNDING, ADD_FUNDING, _COMMIT),
    *_around(EXECUTOR, Stage.CORRECTING, ADD_FUNDING, (Side.UNCOMMITTED,)),
    *_around(EXECUTOR, Stage.SETTLING, FINALISE, _COMMIT),
    *_around(INGEST, Stage.OPENING, RECORD, (*_COMMIT, Side.AFTER)),
    *_around(INGEST, Stage.OPENING, EVENT, _ONE_STATEMENT),
    *_around(INGEST, Stage.CHANGING, CHANGE, _ONE_STATEMENT),
    *_around(INGEST, Stage.GOING_QUIET, QUIET, (Side.UNCOMMITTED, Side.COMMITTED)),
    *_around(INGEST, Stage.GOING_QUIET, END, _ONE_STATEMENT),
    *_around(INGEST, Stage.LEFT_ALONE, AGAIN, _ONE_STATEMENT),
    *_around(INGEST, Stage.RETRYING, RETRY, _COMMIT),
    *_around(INGEST, Stage.RETRYING, RETRY_WISH, _ONE_STATEMENT),
    *_around(MONITOR, Stage.OPENING, NEWS_ACK, _ONE_STATEMENT),
    *_around(MONITOR, Stage.OPENING, SAMPLE, _COMMIT),
    *_around(MONITOR, Stage.SKIPPING, FOLLOW, _ONE_STATEMENT),
    *_around(MONITOR, Stage.SKIPPING, LOOK_ON, _ONE_STATEMENT),
    *_around(MONITOR, Stage.TAKING_PROFIT, LEAD, _ONE_STATEMENT),
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
    *_around(GATEWAY, Stage.MOVING_STATE_BY_KEY, BEGIN_ANSWER, _ONE_STATEMENT),
    *_around(GATEWAY, Stage.MOVING_STATE_BY_KEY, KEEP_ANSWER, _ONE_STATEMENT),
    *_around(GATEWAY, Stage.OPENING, RECORD_ALERT, _COMMIT),
    *_around(GATEWAY, Stage.OPENING, NEWS_ACK, _ONE_STATEMENT),
    *_around(GATEWAY, Stage.OPENING, CLAIM_ALERT, (Side.AFTER,)),
    *_around(GATEWAY, Stage.OPENING, SEND_ALERT, _ONE_STATEMENT),
    *_around(GATEWAY, Stage.OPENING, SETTLE_ALERT, _ONE_STATEMENT),
    *_around(GATEWAY, Stage.QUARANTINING_NEWS, QUARANTINE_NEWS, (Side.UNCOMMITTED, Side.COMMITTED)),
    *_around(GATEWAY, Stage.QUARANTINING_NEWS, TERM_NEWS, _ONE_STATEMENT),
    *_around(GATEWAY, Stage.SIGNING_IN, BEGIN_SESSION, _ONE_STATEMENT),
    *_around(GATEWAY, Stage.SIGNING_OUT, END_SESSION, _ONE_STATEMENT),
)

PAPER_POINTS: tuple[Point, ...] = (
    *_around(EXECUTOR, Stage.FUNDING, SETTLE_ON_PAPER, (Side.UNCOMMITTED, Side.COMMITTED)),
    *_around(EXECUTOR, Stage.OPENING, LEVERAGE_ON_PAPER, _ONE_STATEMENT),
    *_around(EXECUTOR, Stage.OPENING, TERMS_ON_PAPER, _ONE_STATEMENT),
    *_around(EXECUTOR, Stage.OPENING, BEGIN_ENTRY, (Side.COMMITTED,)),
    *_around(EXECUTOR, Stage.OPENING, PLACE_ON_PAPER, _COMMIT, BOTH_LEGS),
    *_around(EXECUTOR, Stage.OPENING, FILL_ENTRY, (Side.UNCOMMITTED,)),
    *_around(EXECUTOR, Stage.OPENING, ADD_FILLS, (Side.UNCOMMITTED,)),
    *_around(EXECUTOR, Stage.SCALING_IN, PLACE_ON_PAPER, _COMMIT, BOTH_LEGS),
    *_around(EXECUTOR, Stage.CLOSING, PLACE_ON_PAPER, _COMMIT, BOTH_LEGS),
    *_around(EXECUTOR, Stage.CLOSING, FINISH_CLOSE, (Side.UNCOMMITTED,)),
    *_around(EXECUTOR, Stage.SETTLING, FINALISE, (Side.UNCOMMITTED,)),
)
"""The same on paper, where the orders, the payments and the balance are in our own database."""

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

WATCHED: tuple[Point, ...] = (*POINTS, *PAPER_POINTS, *NATS_TROUBLE, *POSTGRES_TROUBLE, *PAUSES)
"""All of them, wherever a service is ended or held there."""
