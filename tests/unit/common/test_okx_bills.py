"""What a funding bill of OKX says was received; a balance that it does not name was not changed."""

from decimal import Decimal

import pytest

from common.venues.ccxt.account_okx import _payment


@pytest.mark.parametrize(
    ("balance", "position", "received"),
    [("0.25", "0", "0.25"), ("-0.25", "", "-0.25"), ("0", "-0.1", "-0.1"), ("0", "", "0")],
)
def test_a_funding_bill_has_what_it_changed(balance: str, position: str, received: str) -> None:
    bill = {"billId": "7", "ts": "1700000000000", "balChg": balance, "posBalChg": position}
    assert _payment(bill)["amount"] == Decimal(received)
