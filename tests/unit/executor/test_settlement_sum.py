"""The final account of a trade."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from common.domain.identifiers import Side
from executor.domain.settlement_sum import BookedFill, final_account, was_held

OPENED = datetime(2025, 10, 10, 21, 55, tzinfo=UTC)


def fill(side: Side, price: str, quantity: str, fee: str | None) -> BookedFill:
    return BookedFill(side, Decimal(price), Decimal(quantity), None if fee is None else Decimal(fee))


ROUND_TRIP = [
    fill(Side.BUY, "187.25", "5.2", "0.48685"),
    fill(Side.SELL, "190.70", "5.2", "0.49582"),
    fill(Side.SELL, "184.08", "5.2", "0.478608"),
    fill(Side.BUY, "184.23", "5.2", "0.478998"),
]


def test_net_is_sold_less_bought_plus_funding_less_fees_to_the_last_digit() -> None:
    account = final_account(ROUND_TRIP, [Decimal("-0.0123"), Decimal("0.02")])
    assert account is not None
    assert account.spread_pnl_usdt == Decimal("17.1600")
    assert account.fees_usdt == Decimal("1.940276")
    assert account.funding_usdt == Decimal("0.0077")
    assert account.net_pnl_usdt == Decimal("15.227424")


def test_one_unknown_fee_leaves_the_whole_account_unknown() -> None:
    assert final_account([*ROUND_TRIP, fill(Side.BUY, "1", "1", None)], []) is None


@pytest.mark.parametrize(
    ("minutes", "is_ours"),
    [
        pytest.param(-1, False, id="before the first fill"),
        pytest.param(0, True, id="in the moment of the first fill"),
        pytest.param(5, True, id="while it is held"),
        pytest.param(10, True, id="in the moment of the last fill"),
        pytest.param(11, False, id="after the last fill, whatever else is on the contract"),
    ],
)
def test_a_settlement_belongs_to_a_leg_that_was_held(minutes: int, is_ours: bool) -> None:
    changes = [
        (OPENED, Decimal(5)),
        (OPENED + timedelta(minutes=3), Decimal(-2)),
        (OPENED + timedelta(minutes=10), Decimal(-3)),
    ]
    assert was_held(changes, OPENED + timedelta(minutes=minutes)) is is_ours
