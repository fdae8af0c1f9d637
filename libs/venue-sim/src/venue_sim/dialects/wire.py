"""What every dialect shares: a request as it arrived, an answer as it leaves, and how figures are written.

`Dialect.answer` is the one door between HTTP and the venue: whatever should happen to requests of any protocol
before, after or instead of being answered goes around it.
"""

import base64
import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any, Protocol
from urllib.parse import parse_qsl

import orjson

from venue_sim.dialects.order_streams import OrderChannel
from venue_sim.faults import FaultSpec, Target

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request. `query` and `body` are as they arrived; header names are lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    received_monotonic_ns: int


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP response; its body is JSON, unless a fault says otherwise."""

    status: int
    content: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Credentials:
    """The one key pair that the venue knows, and the passphrase where its protocol has one. Never shown."""

    key: str = field(repr=False)
    secret: str = field(repr=False)
    passphrase: str = field(default="", repr=False)

    def signs(self, payload: str, signature: str) -> bool:
        """Whether `signature` is the hex HMAC-SHA256 of `payload` with the secret."""
        return hmac.compare_digest(self._digest(payload).hex().encode(), signature.encode())

    def signs_with_sha512(self, payload: str, signature: str) -> bool:
        """Whether `signature` is the hex HMAC-SHA512 of `payload` with the secret."""
        digest = hmac.new(self.secret.encode(), payload.encode(), hashlib.sha512).hexdigest()
        return hmac.compare_digest(digest.encode(), signature.encode())

    def signs_in_base64(self, payload: str, signature: str) -> bool:
        """Whether `signature` is the base64 HMAC-SHA256 of `payload` with the secret."""
        return hmac.compare_digest(base64.b64encode(self._digest(payload)), signature.encode())

    def _digest(self, payload: str) -> bytes:
        return hmac.new(self.secret.encode(), payload.encode(), hashlib.sha256).digest()


class Dialect(Protocol):
    """A venue's wire protocol."""

    own_orders: OrderChannel | None
    """How it tells an account of its orders; None where it can only be asked."""

    def answer(self, call: Call) -> Answer:
        """Answers any request, with the venue's own error where there is nothing to answer."""
        ...

    def target(self, call: Call) -> Target:
        """What a request is about; nothing in it is verified."""
        ...

    def fault_answer(self, fault: FaultSpec, remaining_seconds: float) -> Answer:
        """How the venue words a fault of the wire; `remaining_seconds` is how long it will last."""
        ...


Params = Mapping[str, str]
Endpoint = Callable[[Params, Call], Any]
"""Answers with what goes into the body."""


def json_answer(content: Any, status: int = 200) -> Answer:
    """`content` as JSON."""
    return Answer(status, orjson.dumps(content))


def query_params(text: str) -> dict[str, str]:
    """Parameters of a query string or a form; the last of a repeated name counts."""
    return dict(parse_qsl(text, keep_blank_values=True))


def wall_clock_ms() -> int:
    """Server time: the real time, for that is what request signatures are about."""
    return time.time_ns() // 1_000_000


def to_ms(moment: datetime) -> int:
    """Milliseconds since 1970 of a moment of market time."""
    return (moment - EPOCH) // timedelta(milliseconds=1)


def from_ms(milliseconds: int) -> datetime:
    """The moment of market time that is `milliseconds` after 1970."""
    return EPOCH + timedelta(milliseconds=milliseconds)


def text(figure: Decimal) -> str:
    """A figure in plain digits, exactly."""
    return format(figure, "f")


def rounded(figure: Decimal, places: int = 8) -> str:
    """A figure in plain digits with a fixed number of decimals: for what the venue derives by division."""
    return format(figure.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP), "f")


def decimals_of(step: Decimal) -> int:
    """How many decimals a figure on this step has: 2 for 0.01, 0 for 1 and for 10."""
    exponent = step.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def parse_decimal(value: str) -> Decimal | None:
    """A finite number, or None."""
    try:
        figure = Decimal(value)
    except InvalidOperation:
        return None
    return figure if figure.is_finite() else None


def base_asset(venue_symbol: str) -> str:
    """The scenario's symbol of a USDT perpetual written `SOLUSDT`."""
    return venue_symbol.removesuffix("USDT") if venue_symbol.endswith("USDT") else f"?{venue_symbol}"
