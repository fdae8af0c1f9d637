"""How much funding a trade has received, and whether that is all of it: unknown is never zero."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from common.domain.funding import FundingTerms
from common.domain.identifiers import Leg
from position_monitor.domain.trade import Trade

SETTLEMENT_TOLERANCE = timedelta(minutes=1)
"""Venues stamp a payment a little before or after the settlement that it is for."""


def last_settlement(terms: FundingTerms, now: datetime) -> datetime | None:
    """The newest settlement at or before `now` that the contract's own terms tell of."""
    if terms.next_at is None:
        return None
    interval = timedelta(hours=terms.interval_hours)
    intervals_past = (now - terms.next_at) // interval
    return terms.next_at + intervals_past * interval


def funding_received_usdt(trade: Trade, terms: Mapping[Leg, FundingTerms], now: datetime) -> Decimal | None:
    """The sum of payments, or None while one may be missing.

    That is so while a leg has crossed its newest settlement without a payment for it, and while a leg's settlements
    are not known: its terms are away, or tell no time.
    """
    if any(leg not in terms or _payment_may_be_missing(trade, leg, terms[leg], now) for leg in Leg):
        return None
    return sum((payment.amount_usdt for payment in trade.funding), Decimal(0))


def _payment_may_be_missing(trade: Trade, leg: Leg, terms: FundingTerms, now: datetime) -> bool:
    settled_at = last_settlement(terms, now)
    if settled_at is None:
        return True
    if trade.opened_at is None or settled_at <= trade.opened_at:
        return False
    return not any(
        payment.leg is leg and payment.settled_at >= settled_at - SETTLEMENT_TOLERANCE for payment in trade.funding
    )
