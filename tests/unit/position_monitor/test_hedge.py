"""When a hedge looks broken: against itself, against the venues, and only when it is known to last."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from common.domain.identifiers import Leg, Purpose
from common.domain.position import LegFill
from position_monitor.domain.hedge import Discrepancy, discrepancy, suspicion
from position_monitor.domain.trade import Trade, VenueHolding
from support.watched_trades import LOT, LOTS, NOW, OPENED_AT, fills_of, trade

READ_AT = OPENED_AT + timedelta(minutes=5)


def held(long: str = "0.5", short: str = "-0.5", **changes: Any) -> Trade:
    holdings = {
        Leg.LONG: VenueHolding(Decimal(long), changes.pop("read_at", READ_AT)),
        Leg.SHORT: VenueHolding(Decimal(short), READ_AT),
    }
    return trade(holdings=holdings, **changes)


def kind_of(watched: Trade) -> str | None:
    found = discrepancy(watched, LOTS)
    return found.kind if found else None


def test_a_hedge_that_the_venues_confirm_is_whole() -> None:
    assert kind_of(held()) is None


@pytest.mark.parametrize(
    ("off_by", "differs"), [(LOT - Decimal("0.001"), False), (LOT, False), (LOT + Decimal("0.001"), True)]
)
@pytest.mark.parametrize("sign", [1, -1])
def test_a_venue_may_differ_by_one_lot(off_by: Decimal, differs: bool, sign: int) -> None:
    quantity = Decimal("0.5") + sign * off_by
    assert kind_of(held(long=str(quantity))) == ("venue_differs_long" if differs else None)
    assert kind_of(held(short=str(-quantity))) == ("venue_differs_short" if differs else None)


def test_a_position_on_the_wrong_side_differs() -> None:
    assert kind_of(held(short="0.5")) == "venue_differs_short"


def test_a_reading_from_before_the_last_order_says_nothing() -> None:
    assert kind_of(held(long="0", read_at=OPENED_AT)) is None
    assert kind_of(held(long="0", read_at=OPENED_AT + timedelta(microseconds=1))) == "venue_differs_long"


def test_while_an_order_is_in_flight_nothing_is_concluded() -> None:
    assert kind_of(held(long="0", order_in_flight=True)) is None


def test_a_leg_that_the_ledger_lacks_is_missing_whatever_the_venues_say() -> None:
    sold = LegFill(Leg.LONG, Purpose.CLOSE, Decimal("0.5"), Decimal(100))
    assert kind_of(trade(fills=(*fills_of(), sold))) == "leg_missing"


@pytest.mark.parametrize(("sold", "kind"), [("0.01", None), ("0.011", "legs_unequal")])
def test_legs_may_differ_by_one_lot(sold: str, kind: str | None) -> None:
    unwound = LegFill(Leg.LONG, Purpose.UNWIND, Decimal(sold), Decimal(100))
    assert kind_of(trade(fills=(*fills_of(), unwound))) == kind


def test_without_a_known_lot_only_a_missing_leg_is_judged() -> None:
    assert discrepancy(held(long="0.1"), {}) is None


def venue_discrepancy(minutes: float) -> Discrepancy:
    return Discrepancy("venue_differs_long", READ_AT + timedelta(minutes=minutes), {})


def lasted(first: Discrepancy, *later: tuple[Discrepancy, float]) -> float:
    """Seconds that a suspicion lasts which began with `first` and was judged again so many minutes after."""
    suspected, now = suspicion(None, first, NOW), NOW
    for found, minutes in later:
        now = NOW + timedelta(minutes=minutes)
        suspected = suspicion(suspected, found, now)
    assert suspected is not None
    return suspected.lasted(now).total_seconds()


def test_an_old_reading_proves_nothing_however_long_nobody_repeats_it() -> None:
    assert lasted(venue_discrepancy(0), (venue_discrepancy(0), 60)) == 0


def test_a_difference_at_a_venue_lasts_from_its_first_reading_to_its_latest() -> None:
    assert lasted(venue_discrepancy(0), (venue_discrepancy(0.03), 1.6)) == pytest.approx(1.8)
    assert lasted(venue_discrepancy(0), (venue_discrepancy(0.5), 0.5), (venue_discrepancy(1.5), 1.6)) == 90


def test_what_the_ledger_itself_shows_lasts_until_now() -> None:
    missing = Discrepancy("leg_missing", None, {})
    assert lasted(missing, (missing, 1.5)) == 90


def test_a_hedge_that_is_whole_again_is_suspected_no_longer() -> None:
    first = suspicion(None, venue_discrepancy(0), NOW)
    assert suspicion(first, None, NOW) is None


def test_another_kind_of_difference_starts_anew() -> None:
    missing = Discrepancy("leg_missing", None, {})
    assert lasted(venue_discrepancy(0), (missing, 5)) == 0


@pytest.mark.parametrize(("left_over", "kind"), [("0.04", None), ("0.03", None), ("0.029", "legs_unequal")])
def test_what_an_entry_is_recorded_to_have_left_over_is_no_difference(left_over: str, kind: str | None) -> None:
    """The venue trades no less than 0.05: 0.04 too much on the long leg could not be taken back."""
    unwound = LegFill(Leg.SHORT, Purpose.UNWIND, Decimal("0.04"), Decimal(100))
    residuals = {Leg.LONG: Decimal(left_over), Leg.SHORT: Decimal(0)}
    assert kind_of(trade(fills=(*fills_of(), unwound), residuals=residuals)) == kind
