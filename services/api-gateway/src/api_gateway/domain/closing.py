"""Which trades an operator may close.

A close is a wish that the executor carries out; what has no position, or is still being opened, has nothing to close.
"""

CLOSABLE_STATES = ("open", "closing")
CLOSED = "closed"


def may_be_closed(status: str) -> bool:
    """A trade that is open, or whose close is not finished and may be asked for again."""
    return status in CLOSABLE_STATES


def close_request_id(signal_id: int, number: int) -> str:
    """The natural key of an operator's n-th request to close one trade."""
    return f"close-{signal_id}-operator-{number}"
