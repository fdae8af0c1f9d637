"""The final account of a trade."""

from decimal import Decimal

from common.domain.identifiers import Side
from executor.domain.settlement_sum import BookedFill, final_account


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
