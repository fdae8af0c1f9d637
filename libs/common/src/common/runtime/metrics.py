"""What every service counts for Prometheus: the bus, the outbox, the venues, HTTP, loops and dependencies.

Names begin with `tandem_`, units are last, labels come from closed lists: never a trade, an order or a symbol. What can
be counted stands at zero from the start, so that the first one is seen as an increase.
"""

from typing import Any

from prometheus_client import Counter, Gauge, Histogram

FAST_SECONDS = (0.0005, 0.001, 0.002, 0.004, 0.008, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Bounds for paths that should take milliseconds; those of the budget (1, 2, 8, 10, 15 and 25 ms) are near."""

HANDLED, TRY_LATER, FAILED, QUARANTINED = "handled", "try_later", "failed", "quarantined"
ANSWERED, REFUSED, UNREACHABLE, BANNED = "answered", "refused", "unreachable", "banned"
SILENCE, SEQUENCE, CROSSED, RENEWAL = "silence", "sequence", "crossed", "renewal"
_VENUE_WHYS = ("venue_unreachable", "venue_banned", "venue_budget_spent", "venue_refused")

DEPENDENCY_UP = Gauge("tandem_dependency_up", "1 while /health/ready finds it well", ["dependency"])
OUTBOX_OLDEST_SECONDS = Gauge(
    "tandem_outbox_oldest_seconds", "How long the oldest committed message has waited for the bus, real seconds"
)
MESSAGES = Counter("tandem_messages_total", "Messages delivered, by what became of them", ["consumer", "outcome"])
CONSUMER_WAITING = Gauge("tandem_consumer_waiting_messages", "Messages not delivered yet", ["consumer"])
CONSUMER_UNANSWERED = Gauge("tandem_consumer_unanswered_messages", "Messages delivered and not answered", ["consumer"])
LOOP_FAILURES = Counter("tandem_loop_failures_total", "Rounds of background work that failed", ["loop"])
HTTP_SECONDS = Histogram(
    "tandem_http_request_seconds", "HTTP requests answered", ["method", "route", "status"], buckets=FAST_SECONDS
)
VENUE_REQUEST_SECONDS = Histogram(
    "tandem_venue_request_seconds", "Requests to a venue, by how they ended", ["venue", "outcome"], buckets=FAST_SECONDS
)
VENUE_BANS = Counter("tandem_venue_bans_total", "Answers by which a venue bans us", ["venue"])
VENUE_BANNED_UNTIL = Gauge("tandem_venue_banned_until_timestamp_seconds", "When the last ban ends", ["venue"])
VENUE_BUDGET_USED = Counter(
    "tandem_venue_budget_used_total", "Units of a venue's request limit that this process spent", ["venue", "budget"]
)
VENUE_BUDGET_LEFT = Gauge(
    "tandem_venue_budget_left", "Units that no process has leased yet, without the reserve", ["venue", "budget"]
)
VENUE_BUDGET_REFUSALS = Counter(
    "tandem_venue_budget_refusals_total", "Requests not sent because a venue's limit was spent", ["venue", "budget"]
)
BOOKS_READ = Counter("tandem_books_read_total", "Order books read, from a stream or by a request", ["venue", "source"])
BOOK_STREAMS_LOST = Counter("tandem_book_streams_lost_total", "Streamed books that were lost, by why", ["venue", "why"])
ORDER_STREAM_UP = Gauge(
    "tandem_order_stream_up", "1 while the venue confirms that it tells us of our own orders", ["venue"]
)
ORDER_STREAMS_LOST = Counter(
    "tandem_order_streams_lost_total", "Streams of own orders that ended and were begun anew, by why", ["venue", "why"]
)
ORDERS_HEARD = Counter(
    "tandem_orders_heard_total", "Orders somebody waited for whose end was heard from the stream", ["venue"]
)
VENUE_CLOCK_OFFSET = Gauge(
    "tandem_venue_clock_offset_seconds", "The venue's clock less this machine's, at least, as last asked", ["venue"]
)


class ConsumerMeasures:
    """What is counted of one durable consumer."""

    def __init__(self, consumer: str) -> None:
        self._waiting = CONSUMER_WAITING.labels(consumer)
        self._unanswered = CONSUMER_UNANSWERED.labels(consumer)
        self._messages = {
            outcome: MESSAGES.labels(consumer, outcome) for outcome in (HANDLED, TRY_LATER, FAILED, QUARANTINED)
        }

    def count(self, outcome: str) -> None:
        """One delivery ended so."""
        self._messages[outcome].inc()

    def lag(self, info: Any) -> None:
        """What the server says of the consumer."""
        self._waiting.set(info.num_pending or 0)
        self._unanswered.set(info.num_ack_pending or 0)


class VenueMeasures:
    """What is counted of one venue's requests and bans."""

    def __init__(self, venue: str) -> None:
        self._requests = {
            outcome: VENUE_REQUEST_SECONDS.labels(venue, outcome)
            for outcome in (ANSWERED, REFUSED, UNREACHABLE, BANNED)
        }
        self._bans = VENUE_BANS.labels(venue)
        self._banned_until = VENUE_BANNED_UNTIL.labels(venue)

    def request(self, outcome: str, seconds: float) -> None:
        """One request that left this process ended so."""
        self._requests[outcome].observe(seconds)

    def banned(self) -> None:
        """The venue answered with a ban."""
        self._bans.inc()

    def banned_until(self, until_seconds: float) -> None:
        """The venue is left alone until then (unix time), whichever process met the ban."""
        self._banned_until.set(until_seconds)


class BudgetMeasures:
    """What is counted of one budget of a venue."""

    def __init__(self, venue: str, budget: str) -> None:
        self._used = VENUE_BUDGET_USED.labels(venue, budget)
        self._left = VENUE_BUDGET_LEFT.labels(venue, budget)
        self._refusals = VENUE_BUDGET_REFUSALS.labels(venue, budget)

    def used(self, units: int) -> None:
        """So much was spent."""
        self._used.inc(units)

    def left(self, units: int) -> None:
        """So much is left for everybody."""
        self._left.set(units)

    def refused(self) -> None:
        """A request was not sent."""
        self._refusals.inc()


class BookStreamMeasures:
    """What is counted of one venue's streamed books."""

    def __init__(self, venue: str) -> None:
        self._read = {source: BOOKS_READ.labels(venue, source) for source in ("stream", "request")}
        self._lost = {why: BOOK_STREAMS_LOST.labels(venue, why) for why in (SILENCE, SEQUENCE, CROSSED, *_VENUE_WHYS)}

    def read(self, source: str) -> None:
        """One book was read from there."""
        self._read[source].inc()

    def lost(self, why: str) -> None:
        """A streamed book was lost: for one of the reasons here, or that of a `VenueError`."""
        self._lost[why].inc()


class OrderStreamMeasures:
    """What is counted of one venue's stream of own orders."""

    def __init__(self, venue: str) -> None:
        self._up = ORDER_STREAM_UP.labels(venue)
        self._lost = {why: ORDER_STREAMS_LOST.labels(venue, why) for why in (RENEWAL, *_VENUE_WHYS)}
        self._heard = ORDERS_HEARD.labels(venue)

    def up(self, is_up: bool) -> None:
        """Whether the venue tells us of our orders now."""
        self._up.set(is_up)

    def lost(self, why: str) -> None:
        """The stream ended: to be renewed, or for the reason of a `VenueError`."""
        self._lost[why].inc()

    def heard(self) -> None:
        """An order ended that somebody waits for."""
        self._heard.inc()
