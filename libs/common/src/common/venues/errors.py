"""What can go wrong at a venue. Each error answers the question that matters: might there be exposure?"""


class VenueError(Exception):
    """A venue did not give what was asked. `code` is the venue's own, where it gave one."""

    reason = "venue_error"

    def __init__(self, venue: str, message: str, code: str | None = None) -> None:
        super().__init__(f"{venue}: {message}" + (f" ({code})" if code else ""))
        self.venue = venue
        self.message = message
        self.code = code


class VenueUnreachable(VenueError):
    """No usable answer: connection, timeout, 5xx or an answer that does not parse. Nothing is known."""

    reason = "venue_unreachable"


class VenueBanned(VenueError):
    """The venue refuses all requests until `until_seconds` (unix time), where it said so."""

    reason = "venue_banned"

    def __init__(self, venue: str, message: str, code: str | None = None, until_seconds: float | None = None) -> None:
        super().__init__(venue, message, code)
        self.until_seconds = until_seconds


class VenueBudgetSpent(VenueBanned):
    """Not asked: what the venue allows until `until_seconds` is spent, or kept for what is urgent."""

    reason = "venue_budget_spent"


class VenueRefused(VenueError):
    """The venue understood and said no: bad symbol, no permission, wrong mode."""

    reason = "venue_refused"


class OrderRejected(VenueError):
    """The venue refused the order: no exposure."""

    reason = "order_rejected"


class OrderNotSent(VenueError):
    """The order never left this process: no exposure."""

    reason = "order_not_sent"


class OrderOutcomeUnknown(VenueError):
    """The order may have taken effect: ask the venue by client order id, and never send it again."""

    reason = "order_outcome_unknown"
