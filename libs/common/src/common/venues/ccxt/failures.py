"""What ccxt's errors mean: for a reading, that there is no answer; for an order, whether there may be exposure.

An error text never carries a query string: signed requests have their signature there.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp
from ccxt.base import errors as ccxt_errors

from common.venues.ccxt.bans import BudgetSpent
from common.venues.ccxt.facts import VenueFacts
from common.venues.errors import (
    OrderNotSent,
    OrderOutcomeUnknown,
    OrderRejected,
    VenueBanned,
    VenueBudgetSpent,
    VenueError,
    VenueRefused,
    VenueUnreachable,
)

UNREADABLE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What ccxt or this adapter raises where a venue answers something that is not in its own form."""

_QUERY = re.compile(r"\?\S*")
_TEXT_LENGTH_MAX = 300
_NEVER_CONNECTED = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


@contextmanager
def reading(venue: str) -> Iterator[None]:
    """Turns everything that a reading request can end in into the errors of the ports."""
    try:
        yield
    except ccxt_errors.BaseError as error:
        raise reading_error(venue, error) from error
    except UNREADABLE as error:
        raise VenueUnreachable(venue, f"an answer that cannot be read: {type(error).__name__}") from error


def reading_error(venue: str, error: Exception) -> VenueError:
    """No usable answer, a ban, or a refusal."""
    code, text = venue_code(error), _text(error)
    if isinstance(error, BudgetSpent):
        return VenueBudgetSpent(venue, text, until_seconds=error.until_seconds)
    if isinstance(error, ccxt_errors.DDoSProtection | ccxt_errors.RateLimitExceeded):
        return VenueBanned(venue, text, code, until_seconds=getattr(error, "until_seconds", None))
    if isinstance(error, ccxt_errors.InvalidNonce):
        return VenueRefused(venue, f"the clocks differ: {text}", code)
    if isinstance(error, ccxt_errors.OperationFailed) or _lost_on_the_way(error):
        return VenueUnreachable(venue, text, code)
    return VenueRefused(venue, text, code)


def order_error(venue: str, facts: VenueFacts, error: Exception, *, departed: bool) -> VenueError:
    """Whether the order that ended in `error` may have taken effect. `departed`: it was handed to the network."""
    code, text = venue_code(error), _text(error)
    if not departed or isinstance(error.__cause__, _NEVER_CONNECTED):
        return OrderNotSent(venue, text, code)
    if isinstance(error, ccxt_errors.DuplicateOrderId) or code in facts.duplicate_codes:
        return OrderOutcomeUnknown(venue, f"this client order id was sent before: {text}", code)
    if isinstance(error, ccxt_errors.DDoSProtection | ccxt_errors.RateLimitExceeded | ccxt_errors.InvalidNonce):
        return OrderRejected(venue, text, code)
    if isinstance(error, ccxt_errors.OperationFailed) or _lost_on_the_way(error):
        return OrderOutcomeUnknown(venue, text, code)
    if isinstance(error, ccxt_errors.ExchangeError) and code is not None:
        return OrderRejected(venue, text, code)
    return OrderOutcomeUnknown(venue, f"neither accepted nor refused in the venue's own words: {text}", code)


def venue_code(error: Exception) -> str | None:
    """The venue's own code, where its answer had one."""
    code: Any = getattr(error, "venue_code", None)
    return None if code is None else str(code)


def _lost_on_the_way(error: Exception) -> bool:
    """ccxt calls an answer that broke off an ExchangeError, like a refusal; its cause tells."""
    return isinstance(error.__cause__, aiohttp.ClientError | TimeoutError | OSError)


def _text(error: Exception) -> str:
    """The error's words; of a request without an answer ccxt tells only where it went, so what befell it is added."""
    befell = f": {type(error.__cause__).__name__}" if _lost_on_the_way(error) else ""
    return _QUERY.sub("", str(error))[:_TEXT_LENGTH_MAX] + befell
