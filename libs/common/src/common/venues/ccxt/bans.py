"""Leaving a venue alone that bans: while it refuses everything, no request leaves any process that hears of it.

Who asks on through a ban has it lengthened, at Binance up to days, and then nothing can be closed.
"""

import math
import re
from collections.abc import Mapping

from ccxt.base import errors as ccxt_errors

from common.runtime.clock import Clock
from common.runtime.metrics import VenueMeasures

BAN_SECONDS_UNSAID = {403: 60.0, 418: 60.0, 429: 10.0}
"""How long a venue is left alone that does not say until when, by the HTTP status that it refused with."""
LIMIT_SECONDS_UNSAID = 1.0
"""The same where the status was another one: Bybit's limit of one endpoint, whose window is a second."""
BAN_SECONDS_MAX = 3 * 24 * 3600.0
_BANNED_UNTIL = re.compile(r"banned until (\d{13})")


class VenueBan(ccxt_errors.RateLimitExceeded):  # type: ignore[misc]  # ccxt has no types
    """The venue answers nothing until `until_seconds` (unix time)."""

    def __init__(self, message: str, until_seconds: float, venue_code: str | None = None) -> None:
        super().__init__(message)
        self.until_seconds = until_seconds
        self.venue_code = venue_code


class BudgetSpent(ccxt_errors.RateLimitExceeded):  # type: ignore[misc]  # ccxt has no types
    """Not asked: what the venue allows until `until_seconds` (unix time) is spent, or kept for what is urgent."""

    def __init__(self, message: str, until_seconds: float) -> None:
        super().__init__(message)
        self.until_seconds = until_seconds


class BanGate:
    """One venue's bans. Real time: bans are counted on the monotonic clock, whatever happens to the wall clock.

    `unsaid_seconds` is how long a venue is left alone that does not say until when, by the status of its answer.
    """

    def __init__(
        self, clock: Clock, measures: VenueMeasures, unsaid_seconds: Mapping[int, float] = BAN_SECONDS_UNSAID
    ) -> None:
        self._clock = clock
        self._measures = measures
        self._unsaid_seconds = unsaid_seconds
        self._closed_until = -math.inf

    def check(self) -> None:
        """Lets a request leave.

        Raises:
            VenueBan: the venue still bans; nothing may be sent.
        """
        left_seconds = self._closed_until - self._clock.monotonic()
        if left_seconds > 0:
            until = self._clock.unix_seconds() + left_seconds
            raise VenueBan(f"not asked: it bans for another {left_seconds:.1f} s", until)

    def ban(self, status: int, headers: Mapping[str, str], body: str, code: str | None) -> VenueBan:
        """The ban that an answer told of; closes the gate until it is over. A shorter one opens nothing earlier."""
        now = self._clock.unix_seconds()
        until = min(self._said_until(headers, body, status, now), now + BAN_SECONDS_MAX)
        self._measures.banned()
        self.hear(until)
        return VenueBan("the venue refuses all requests for now", until, code)

    def hear(self, until_seconds: float) -> None:
        """Somebody met a ban until then (unix time): the gate stays closed as long."""
        seconds = min(until_seconds - self._clock.unix_seconds(), BAN_SECONDS_MAX)
        self._closed_until = max(self._closed_until, self._clock.monotonic() + seconds)
        self._measures.banned_until(self._clock.unix_seconds() + self._closed_until - self._clock.monotonic())

    def banned_until(self) -> float | None:
        """When the ban ends, in unix time; None without one."""
        left_seconds = self._closed_until - self._clock.monotonic()
        return self._clock.unix_seconds() + left_seconds if left_seconds > 0 else None

    def _said_until(self, headers: Mapping[str, str], body: str, status: int, now: float) -> float:
        named = _BANNED_UNTIL.search(body)
        if named:
            return int(named[1]) / 1000
        retry_after = {name.lower(): value for name, value in headers.items()}.get("retry-after", "")
        if re.fullmatch(r"\d{1,9}(\.\d+)?", retry_after):
            return now + float(retry_after)
        return now + self._unsaid_seconds.get(status, LIMIT_SECONDS_UNSAID)
