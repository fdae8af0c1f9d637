"""Both legs of a pair are watched as they leave, and timed against the message that asked for them."""

import time
from datetime import UTC, datetime
from decimal import Decimal

from prometheus_client import REGISTRY

from common.domain.identifiers import Leg, Purpose, client_order_id, order_side
from common.messages.envelope import Envelope
from common.messages.subjects import EVENT_OPENED
from common.messaging.consumer import in_hand
from common.runtime.clock import SystemClock
from common.venues.ports import OrderIntent
from executor.adapters.measured_desk import PAIRS_KEPT, LegSkew

OPENING = {"request": EVENT_OPENED, "until": "sent"}


def leg(which: Leg, *, attempt: int = 1, purpose: Purpose = Purpose.OPEN) -> OrderIntent:
    id_ = client_order_id("0123456789abcdef", 1, which, purpose, attempt)
    is_reducing = purpose is not Purpose.OPEN
    return OrderIntent("bybit", "SOL", order_side(which, purpose), Decimal(1), id_, is_reducing, Decimal(100))


def shown(name: str, labels: dict[str, str] | None = None) -> float:
    return REGISTRY.get_sample_value(name, labels or {}) or 0.0


def test_the_second_leg_ends_the_skew_and_the_way_from_the_message() -> None:
    skew = LegSkew(SystemClock())
    pairs, opened, sum_ = (
        shown("tandem_leg_skew_seconds_count"),
        shown("tandem_opening_seconds_count", OPENING),
        shown("tandem_opening_seconds_sum", OPENING),
    )
    at, committed_at_seconds = datetime(2025, 10, 10, tzinfo=UTC), time.time() - 2
    told = Envelope(
        id="1", subject=EVENT_OPENED, producer="x", sent_at=at, committed_at_seconds=committed_at_seconds, payload={}
    )
    token = in_hand.set(told)
    skew.leaving(leg(Leg.LONG))
    assert shown("tandem_leg_skew_seconds_count") == pairs
    skew.leaving(leg(Leg.SHORT))
    in_hand.reset(token)
    assert shown("tandem_leg_skew_seconds_count") == pairs + 1
    assert shown("tandem_opening_seconds_count", OPENING) == opened + 1
    assert 2 <= shown("tandem_opening_seconds_sum", OPENING) - sum_ < 60


def test_a_close_has_a_skew_but_is_no_opening_and_other_attempts_are_no_pair() -> None:
    skew = LegSkew(SystemClock())
    pairs, opened = shown("tandem_leg_skew_seconds_count"), shown("tandem_opening_seconds_count", OPENING)
    skew.leaving(leg(Leg.LONG, attempt=1))
    skew.leaving(leg(Leg.SHORT, attempt=2))
    assert shown("tandem_leg_skew_seconds_count") == pairs
    for which in Leg:
        skew.leaving(leg(which, purpose=Purpose.CLOSE))
    assert shown("tandem_leg_skew_seconds_count") == pairs + 1
    assert shown("tandem_opening_seconds_count", OPENING) == opened


def test_a_leg_whose_partner_never_leaves_is_forgotten() -> None:
    skew = LegSkew(SystemClock())
    for attempt in range(1, PAIRS_KEPT + 2):
        skew.leaving(leg(Leg.LONG, attempt=attempt))
    pairs = shown("tandem_leg_skew_seconds_count")
    skew.leaving(leg(Leg.SHORT, attempt=1))
    assert shown("tandem_leg_skew_seconds_count") == pairs
    skew.leaving(leg(Leg.SHORT, attempt=PAIRS_KEPT))
    assert shown("tandem_leg_skew_seconds_count") == pairs + 1
